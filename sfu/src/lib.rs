//! The media node: control plane. It never touches a media packet.

pub mod config;
pub mod log;
pub mod node;
pub mod sdp;
pub mod token;
