//! Every capacity of a fleet, with its reason.

/// Clients a run. Above it one process has neither the ports nor the memory; run two.
pub(super) const MAX_CLIENTS: u32 = 20_000;

/// Packets a second that all sources of a run send together: more than a core can send, so nothing real is refused,
/// but a slip of the keyboard is.
pub(super) const MAX_SENT_PER_SECOND: u64 = 1_000_000;

/// Packets a second that are due at all receivers together: ten times what one core has been seen to receive.
pub(super) const MAX_DUE_PER_SECOND: u64 = 20_000_000;

/// Length of a run in seconds: a day, for a trace of a whole one.
pub(super) const MAX_SECONDS: u32 = 86_400;

/// Smallest RTP payload: a stamp and the codec bytes in front of it.
pub(super) const MIN_PAYLOAD: u16 = 36;

/// Largest RTP payload: an Ethernet frame less IPv6, UDP, RTP with extensions, SRTP and RTX headers.
pub(super) const MAX_PAYLOAD: u16 = 1200;

/// Packets that a receiver looks back over for copies and disorder, a multiple of 64: 80 s of voice, 4 s of 10 Mb/s video.
pub(super) const WINDOW: usize = 4096;

/// Receive buffer a socket in bytes. One socket takes in the packets of a whole fleet, so it has what a burst of all
/// subscribers needs: 20,000 voice packets.
pub(super) const RECEIVE_BUFFER: usize = 64 << 20;

/// Messages a receive call. With segments of one burst joined by the kernel that is up to 2,000 packets.
pub(super) const RECEIVE_MESSAGES: usize = 64;

/// Bytes of a message: the most that the kernel joins.
pub(super) const MESSAGE_LEN: usize = 65_535;

/// Bytes of one packet: an Ethernet frame's payload.
pub(super) const PACKET_LEN: usize = 1536;

/// Packets that a video source keeps to send again, a power of two: more than a second at 5 Mb/s.
pub(super) const SENT_KEPT: usize = 1024;

/// How late a source may be, 99th percentile in microseconds, before the harness calls itself the bottleneck.
pub(super) const LATE_US: u64 = 10_000;

/// Share of a core above which a thread counts as saturated.
pub(super) const SATURATED: f64 = 0.95;

/// Missing packets of a stream that are asked for; with more, only a key frame helps.
pub(super) const MISSING: usize = 256;

/// How often a packet is asked for.
pub(super) const NACKS: u8 = 6;

/// Time between two requests for one packet: more than a round trip on one machine or in one data centre.
pub(super) const NACK_RETRY_NS: u64 = 30_000_000;

/// Time between reports of a client. RFC 3550's 5 s at least is for groups; browsers report video each second.
pub(super) const REPORT_NS: u64 = 1_000_000_000;

/// Time between transport-wide feedback.
pub(super) const FEEDBACK_NS: u64 = 100_000_000;

/// Arrivals that one transport-wide feedback tells of.
pub(super) const ARRIVALS: usize = 1024;

/// Bursts sent in one turn before sockets are looked at again.
pub(super) const BURSTS_A_TURN: usize = 32;

/// Connections to the node's signalling, unless a join storm asks for another number.
pub(super) const LANES: u32 = 32;

/// How long all clients may take to connect, or to leave: a node that takes 100 a second is served for 6,000.
pub(super) const CONNECT_NS: u64 = 60_000_000_000;

/// Between the last join and the measurement.
pub(super) const SETTLE_NS: u64 = 500_000_000;

/// How long the last packets may take to come, repairs included.
pub(super) const DRAIN_NS: u64 = 2_000_000_000;

/// A client that leaves is due nothing more from when it decides to, and goes this much later: longer than any packet
/// that is on its way takes.
pub(super) const LEAVE_NS: u64 = 300_000_000;

/// How often a fleet that is not woken by packets looks at its sockets.
pub(super) const NAP_NS: u64 = 1_000_000;

/// Bytes of a trace: a line of a million.
pub(super) const MAX_TRACE_BYTES: u64 = 64 << 20;

/// Streams a subscriber: nodes read offers of some dozens of m-lines, Kaname's of 64.
pub(super) const MAX_LINES: usize = 55;

/// Clients over the whole of a run with comings and goings. Each keeps its counts (1 KiB) to the end.
pub(super) const MAX_NAMES: u64 = 200_000;
