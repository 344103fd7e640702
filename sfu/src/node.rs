//! Rooms, peers and tracks. One actor owns them all; every front door (WebSocket, HTTP API, WHIP, WHEP) holds a
//! [`NodeHandle`] and ends in the same few operations, which are compiled to legs and routes of a shard.

mod api;
mod engine;
mod error;
mod handle;
mod limits;

pub use api::*;
pub use engine::MediaEngine;
pub use error::{Fault, NodeError};
pub use handle::{EventSink, Node, NodeConfig, NodeHandle, StartError};
pub use limits::NodeLimits;
