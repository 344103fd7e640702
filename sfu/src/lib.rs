//! The media node: control plane. It never touches a media packet.

pub mod config;
pub mod http;
pub mod log;
pub mod net;
pub mod node;
pub mod sdp;
pub mod tls;
pub mod token;
