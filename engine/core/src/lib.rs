//! The way of a packet: a sans-io shard over batches. No clock, no socket, no thread, no lock, no allocation per
//! packet.
//!
//! A caller owns the sockets and the clock. It hands in datagrams, commands and ticks, and after any of these
//! drains until [`Drained::Done`]: see [`Shard`].
#![forbid(unsafe_code)]

mod agenda;
mod arena;
mod batch;
mod bucket;
pub mod command;
mod control;
pub mod counters;
pub mod crossing;
pub mod event;
mod extensions;
mod feedback;
mod forwards;
mod ice;
mod leg;
pub mod limits;
mod outbox;
mod patience;
mod random;
mod reports;
mod sender;
mod shard;
mod slab;
mod stage;
mod state;
mod stream;
mod templates;
mod time;
mod timers;
mod tx;
mod way;

pub use command::Command;
pub use counters::{Counters, DropReason};
pub use crossing::{Clocks, LinkId, Links, Note, Parcel, ParcelPacket, Told};
pub use event::Event;
pub use shard::{Datagram, Drained, Shard, ShardConfig, Stray};
pub use time::Time;
pub use tx::TxSlots;
