//! Calls against an engine that only writes down what it is told.

mod door;
mod fake;
mod offers;
mod sound;
mod times;
