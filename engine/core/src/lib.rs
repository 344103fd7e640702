//! The way of a packet: a sans-io shard over batches. No clock, no socket, no thread, no lock, no allocation per
//! packet.
//!
//! A caller owns the sockets and the clock. It hands in datagrams, commands and ticks, and after any of these
//! drains until [`Drained::Done`]: see [`Shard`].
#![forbid(unsafe_code)]

pub mod command;
pub mod counters;
pub mod event;
pub mod limits;
mod shard;
mod time;
mod tx;

pub use command::Command;
pub use counters::{Counters, DropReason};
pub use event::Event;
pub use shard::{Datagram, Drained, Shard, ShardConfig};
pub use time::Time;
pub use tx::TxSlots;
