//! Every capacity of this crate, with its reason.

/// Longest packet taken in or made, in bytes: a UDP datagram or an RFC 4571 frame cannot be longer. It also keeps
/// the block counter of AES-CM within its 16 bits (RFC 3711 section 4.1.1), and that of GCM, which MUST NOT exceed 2^32 - 1, far
/// below (RFC 7714 sections 10 and 13.1).
pub const MAX_PACKET: usize = 65_535;

/// Replay window in packets where nothing else is asked for. A stream of 8 Mb/s sends about 900 packets a second,
/// and a packet asked for again by NACK comes within a second; 1024 packets cost 128 bytes a stream.
pub const DEFAULT_WINDOW: usize = 1024;

/// Smallest replay window: RFC 3711 section 3.3.2 demands at least 64.
pub const MIN_WINDOW: usize = 64;

/// Largest replay window: more than a second of the fastest stream a node carries, at 512 bytes a stream.
pub const MAX_WINDOW: usize = 4096;

/// SSRCs one peer may make us follow in one direction. A browser sends a handful for each track; an
/// authenticated but hostile one can cost us this many windows and no more.
pub const MAX_STREAMS: usize = 512;

/// SSRCs we send in one direction to one peer: a subscriber of a large room, with RTX for each track.
pub const MAX_OUT_STREAMS: usize = 4096;

/// SSRCs we may retire under one key before it must be replaced: each leaves four bytes behind for as long as the
/// key lives, so that its indices can never be used again.
pub const MAX_RETIRED: usize = 65_536;

/// Jobs sorted in one go by the batch calls; longer batches are worked off in pieces of this size.
pub const BATCH: usize = 256;

/// SRTP indices are 48 bits wide, and RFC 3711 section 9.2 allows at most 2^48 SRTP packets under one master key; so does
/// RFC 7714 section 10.
pub const MAX_RTP_PACKETS: u64 = 1 << 48;

/// SRTCP indices are 31 bits wide, and RFC 3711 section 9.2 allows at most 2^31 SRTCP packets under one master key; so does
/// RFC 7714 section 10.
pub const MAX_RTCP_PACKETS: u64 = 1 << 31;

/// Largest replay window of a [`crate::policy::Policy`]: beyond it an index cannot be told from one of the next turn.
pub const MAX_POLICY_WINDOW: usize = 1 << 15;

/// Replay window for SRTCP under a policy, in packets: RFC 3711 section 3.3.2 demands at least 64, and reports are few.
pub const RTCP_WINDOW: usize = 128;

/// Master keys of one policy, as many as libsrtp2 takes.
pub const MAX_MASTER_KEYS: usize = 16;

/// Longest MKI in bytes, as libsrtp2 has it.
pub const MAX_MKI: usize = 128;

/// Largest key derivation rate (RFC 3711 section 4.3.1).
pub const MAX_DERIVATION_RATE: u32 = 1 << 24;

/// So many packets ahead of a key's limit its owner is told.
pub const KEY_WARNING: u64 = 1 << 16;
