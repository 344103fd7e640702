//! How much of a telephone's session description is read, each with its reason.

/// Bytes of a text: what a message of the `ng` protocol holds.
pub const TEXT_BYTES: usize = crate::ng::limits::MESSAGE_BYTES;
/// Bytes of one line. The longest that phones send are fmtp lines of some hundred bytes; certificates' hashes have 200.
pub const LINE_BYTES: usize = 4_096;
/// Lines of a text: ten m-lines of a browser have about 1,000.
pub const LINES: usize = 4_096;
/// M-lines: phones send one to four, a browser in a conference some dozens.
pub const MEDIAS: usize = 64;
/// Formats of one m-line: there are 128 payload types.
pub const FORMATS: usize = 128;
/// `c=` lines of one m-line: one for each address of layered multicast, which no phone uses.
pub const CONNECTIONS: usize = 4;
/// `a=crypto` lines of one m-line: there are eleven suites, and phones send each at most twice.
pub const CRYPTOS: usize = 32;
/// Keys of one `a=crypto` line: with more than one, each has an MKI; nobody sends more than four.
pub const CRYPTO_KEYS: usize = 8;
/// ICE candidates of one m-line: a laptop with six addresses and two TURN servers has about 30.
pub const CANDIDATES: usize = 64;
/// `a=ssrc` lines of one m-line: three layers with RTX and FEC have about 40.
pub const SSRC_LINES: usize = 128;
/// Fingerprints of one m-line: one for each hash function.
pub const FINGERPRINTS: usize = 8;
/// Bytes of an ICE user name fragment or password (RFC 8839 section 5.4).
pub const ICE_BYTES: usize = 256;
/// Packet times, in milliseconds: RTP audio has 2.5 to 120, and devices without limits say up to 255.
pub const PTIME_MS: std::ops::RangeInclusive<u32> = 1..=1_000;
