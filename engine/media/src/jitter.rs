//! The adaptive jitter buffer: packets go in as they come, samples go out at a steady pace.
//!
//! Each sample has a time to be played: its timestamp plus an offset. The delay is that offset less the transit time
//! of the fastest packets of the last seconds; the target is what nearly all packets need (`delay`). The offset moves
//! by leaving out or repeating a pitch period (`stretch`), or for nothing in pauses; so a sender whose clock runs fast
//! or slow is followed too. What is missing is recovered from redundancy, or concealed; what comes too late is dropped.

mod delay;
mod format;
mod playout;
mod store;
mod stretch;
#[cfg(test)]
mod tests;

pub use format::{Receives, StreamFormat};
pub use playout::{Played, Playout, PlayoutConfig, Scratch};

use kaname_wire::extension::AudioLevel;

/// A packet of a stream, in clear.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// RTP marker.
    pub marker: bool,
    /// RFC 6464, if the packet has it.
    pub level: Option<AudioLevel>,
    /// When it came, in nanoseconds of the caller's clock.
    pub arrival_ns: u64,
    /// RTP payload, without padding.
    pub payload: &'a [u8],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inserted {
    /// It waits for its time.
    Stored,
    /// A telephone event: not played here; its place in the sequence is noted.
    Event,
    /// Dropped: it is here already, or was played.
    Duplicate,
    /// Dropped: its time has passed.
    Late,
    /// Dropped: nobody negotiated its payload type.
    UnknownType,
    /// Dropped: larger than [`crate::limits::PAYLOAD_MAX`].
    TooLong,
    /// Dropped for now: its time is far from the stream's. If the next one agrees with it, the stream starts anew.
    Doubtful,
}

/// What happened to a stream so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutCounters {
    /// Packets that were decoded.
    pub decoded: u64,
    /// Packets dropped as [`Inserted::Duplicate`].
    pub duplicate: u64,
    /// Packets dropped as [`Inserted::Late`], or overtaken while they waited.
    pub late: u64,
    /// Packets dropped as [`Inserted::UnknownType`].
    pub unknown_type: u64,
    /// Packets dropped as [`Inserted::TooLong`].
    pub too_long: u64,
    /// Packets dropped as [`Inserted::Doubtful`].
    pub doubtful: u64,
    /// Packets whose payload was not of their codec.
    pub malformed: u64,
    /// Packets dropped because a burst brought more than fits, or more than is worth waiting for.
    pub overflow: u64,
    /// Packets that did not come in time.
    pub lost: u64,
    /// Lost packets that redundancy brought back.
    pub recovered: u64,
    /// Samples invented for lost packets.
    pub concealed_samples: u64,
    /// Times that a pitch period was left out, and repeated.
    pub shrunk: u64,
    /// See `shrunk`.
    pub stretched: u64,
    /// Times that the stream started anew.
    pub restarts: u64,
}
