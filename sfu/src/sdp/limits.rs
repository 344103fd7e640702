//! Bounds of what is read from an offer. Each is well above what browsers send and low enough that the worst
//! offer costs about a millisecond.

/// Bytes of an offer. A conference's offer of 60 m-lines with 4 KiB each fits.
pub const OFFER_BYTES: usize = 256 * 1024;
/// Bytes of one line: no attribute that we read is longer than a few hundred.
pub const LINE_BYTES: usize = 8 * 1024;
/// M-lines: a viewer of 55 tracks who also publishes and chats.
pub const SECTIONS: usize = 64;
/// Attributes of one m-line; Chromium sends about 120 for video.
pub const ATTRIBUTES: usize = 1_024;
/// Formats of one m-line: there are 128 payload types.
pub const PAYLOAD_TYPES: usize = 128;
/// Header extensions of one m-line: the one-byte form has 14 identifiers, the two-byte form 255.
pub const EXTENSIONS: usize = 32;
/// SSRCs of one m-line: three layers with RTX and FEC are 9.
pub const SSRCS: usize = 32;
/// RIDs of one m-line; browsers send three.
pub const RIDS: usize = 16;
/// Bytes of a mid or rid: what a one-byte header extension holds (RFC 8285 section 4.2).
pub const NAME_BYTES: usize = 16;
/// Fingerprints of one m-line: one each hash function.
pub const FINGERPRINTS: usize = 8;
/// Bytes of an ICE user name fragment and password (RFC 8839 section 5.4).
pub const ICE_BYTES: usize = 256;
/// Bytes of an ICE fragment of a WHIP client: some dozens of candidates.
pub const FRAGMENT_BYTES: usize = 32 * 1024;
