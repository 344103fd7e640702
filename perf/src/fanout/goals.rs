//! The goals, each beside its figure.
