//! The way of a packet: a sans-io shard over batches. No clock, no socket, no thread, no lock, no allocation per
//! packet.
#![forbid(unsafe_code)]

pub mod command;
pub mod event;
mod time;

pub use command::Command;
pub use event::Event;
pub use time::Time;
