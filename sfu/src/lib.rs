//! The media node: control plane. It never touches a media packet.

mod banner;
pub mod calls;
pub mod cli;
pub mod config;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
pub mod http;
pub mod log;
pub mod net;
pub mod ng;
pub mod node;
pub mod sdp;
pub mod serve;
pub mod tls;
pub mod token;
