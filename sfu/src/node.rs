//! Rooms, peers and tracks. One actor owns them all; every front door (WebSocket, HTTP API, WHIP, WHEP) holds a
//! [`NodeHandle`] and ends in the same few operations, which are compiled to legs and routes of the shards.

mod actor;
mod announcer;
mod api;
mod apply;
mod data;
mod engine;
mod error;
mod events;
mod handle;
mod limits;
mod mixer;
mod model;
mod mute;
mod names;
mod phone_sound;
mod phones;
mod pins;
mod placement;
mod plan;
mod queue;
mod span;
mod speakers;
mod state;
mod stats;
mod stay;
#[cfg(test)]
mod tests;
mod voice;

pub use api::*;
pub use engine::{MediaEngine, Refused};
pub use error::{Fault, NodeError};
pub use handle::{Node, NodeConfig, NodeHandle, StartError};
pub use limits::NodeLimits;
pub use phone_sound::{SoundOf, SoundWish};
pub use phones::{PhoneLine, PhoneRequest};
pub use pins::{Entry, PIN_DIGITS, Pin};
pub use queue::EventSink;
