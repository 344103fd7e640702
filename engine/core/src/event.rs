//! What a shard tells the control plane. Events of media (levels) are lossy; the rest is lossless.

use std::time::Duration;

use kaname_wire::path::Path;

use crate::command::{LegId, SenderId, StreamId};

/// News from a shard.
#[derive(Debug)]
pub enum Event {
    /// A connectivity check with good integrity came over this path for the first time: DTLS may start.
    PathValidated {
        /// The leg.
        leg: LegId,
        /// The path.
        path: Path,
    },
    /// The peer nominated this path; what the leg sends goes there.
    PathSelected {
        /// The leg.
        leg: LegId,
        /// The path.
        path: Path,
    },
    /// The peer of a leg on ports of its own is not where it was said to be, and is believed: what the leg sends goes
    /// there from now on.
    RemoteLearned {
        /// The leg.
        leg: LegId,
        /// The path of its RTP.
        path: Path,
    },
    /// No check for the consent time (RFC 7675 section 5.1): sending has stopped.
    ConsentLost {
        /// The leg.
        leg: LegId,
    },
    /// A DTLS record (RFC 7983): of a leg with ICE from a validated path, of one on ports of its own from anyone who
    /// sends there, within [`crate::limits::DATAGRAMS_PER_SECOND`].
    Datagram {
        /// The leg.
        leg: LegId,
        /// Where it came from.
        path: Path,
        /// The datagram.
        data: Box<[u8]>,
    },
    /// The first authenticated packet of the stream.
    StreamStarted {
        /// The stream.
        stream: StreamId,
        /// Its SSRC.
        ssrc: u32,
    },
    /// Audio level (RFC 6464), smoothed; at most one each 100 ms a stream, and only while it changes. Lossy.
    AudioLevel {
        /// The stream.
        stream: StreamId,
        /// 0 (loudest) to 127 (silence), in -dBov.
        level: u8,
        /// The sender's own voice flag.
        voice: bool,
    },
    /// Authenticated BYE for the stream.
    StreamEnded {
        /// The stream.
        stream: StreamId,
    },
    /// A key reached its limit (RFC 3711 section 9.2): the leg no longer sends; re-key or close it.
    KeyExhausted {
        /// The leg.
        leg: LegId,
    },
    /// The answer to [`crate::Command::QueryStats`].
    Stats {
        /// From the query.
        token: u64,
        /// The figures.
        stats: Box<LegStats>,
    },
    /// A command named what does not exist or exceeded a limit; nothing changed.
    CommandFailed {
        /// The leg it was for, where it named one.
        leg: Option<LegId>,
        /// Which command.
        command: &'static str,
        /// Why.
        error: CommandError,
    },
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No such leg.
    UnknownLeg,
    /// No such stream.
    UnknownStream,
    /// No such sender.
    UnknownSender,
    /// The identifier, user name fragment or SSRC is taken.
    Duplicate,
    /// A capacity of `limits.rs` is reached.
    Full,
    /// The leg has no path yet.
    NoPath,
    /// A field is out of its range.
    Invalid,
}

/// Figures of one leg since it began.
#[derive(Clone, Debug, Default)]
pub struct LegStats {
    /// Where it sends to.
    pub path: Option<Path>,
    /// Round trip by RTCP (RFC 3550 section 6.4.1), the latest.
    pub round_trip: Option<Duration>,
    /// Since the last packet of the peer's that was believed (media, RTCP, a check), in and out of hold; `None`: there
    /// was none yet. For the control plane to end dead calls, where no consent expires.
    pub silence: Option<Duration>,
    /// Datagrams in, all kinds.
    pub packets_in: u64,
    /// Bytes in, all kinds.
    pub bytes_in: u64,
    /// Datagrams out.
    pub packets_out: u64,
    /// Bytes out.
    pub bytes_out: u64,
    /// What the leg receives.
    pub streams: Vec<StreamStats>,
    /// What the leg sends.
    pub senders: Vec<SenderStats>,
}

/// Figures of one received stream.
#[derive(Clone, Debug)]
pub struct StreamStats {
    /// Which.
    pub stream: StreamId,
    /// Authenticated packets, without repairs.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Expected less received (RFC 3550 appendix A.3).
    pub lost: i64,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
    /// Packets asked for again.
    pub nacks: u64,
    /// Packets recovered by RTX.
    pub recovered: u64,
    /// Key frames seen.
    pub key_frames: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
}

/// Figures of one sender.
#[derive(Clone, Debug)]
pub struct SenderStats {
    /// Which.
    pub sender: SenderId,
    /// Packets sent, without repairs.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Packets sent again as RTX.
    pub retransmitted: u64,
    /// Lost at the receiver, by its reports.
    pub lost: i64,
    /// Jitter at the receiver, by its reports, in timestamp units.
    pub jitter: u32,
    /// Key frames that the receiver asked for.
    pub key_frame_requests: u64,
}
