//! The media node: control plane.
