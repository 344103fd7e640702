//! The media node: control plane.

pub mod node;
pub mod sdp;
