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
