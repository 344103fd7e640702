//! Which of the header cryptex hides (RFC 9335), and how a packet looks while it is encrypted.
//!
//! RFC 9335 section 6.1: what is encrypted MUST include CSRCs, the header extension behind its first four bytes, and the payload.
//! Section 6.2: with an AEAD the fixed header and these four bytes are the associated data. The cipher wants one run of bytes: CSRCs,
//! elements of the header extension, payload. On the wire the four bytes that begin the extension stand between them. So a packet is
//! worked on with these four bytes moved ahead of the CSRCs.

use super::extensions::{ONE_BYTE, TWO_BYTE};
use crate::error::SrtpError;
use crate::packet::{RTP_FIXED, RtpFields};

/// Replaces [`ONE_BYTE`] in a packet with cryptex.
const HIDDEN_ONE_BYTE: u16 = 0xc0de;

/// Replaces [`TWO_BYTE`].
const HIDDEN_TWO_BYTE: u16 = 0xc2de;

/// Bytes that begin a header extension: profile and length.
const BEGIN: usize = 4;

/// Bytes that stay clear and are associated data: the fixed header and the beginning of the extension.
pub(super) const CLEAR: usize = RTP_FIXED + BEGIN;

/// The X bit in the first byte of a header.
pub(super) const X: u8 = 0x10;

/// The CSRCs' bytes.
fn csrcs(packet: &[u8]) -> usize {
    4 * usize::from(packet[0] & 0x0f)
}

/// The profile of the header extension, if there is one. `fields` are the packet's.
pub(super) fn profile(packet: &[u8]) -> Option<u16> {
    let at = RTP_FIXED + csrcs(packet);
    (packet[0] & X != 0).then(|| u16::from_be_bytes([packet[at], packet[at + 1]]))
}

/// Whether a packet to be sent has anything for cryptex to hide, and by how many bytes it grows.
///
/// # Errors
/// [`SrtpError::Extension`] if the header extension is none that cryptex knows: it would go out in the clear.
pub(super) fn growth(packet: &[u8]) -> Result<Option<usize>, SrtpError> {
    match profile(packet) {
        Some(ONE_BYTE | TWO_BYTE) => Ok(Some(0)),
        // RFC 9335 section 5.1: cryptex MUST NOT be used with other header extensions than those of RFC 8285.
        Some(_) => Err(SrtpError::Extension),
        // RFC 9335 section 5.1: without CSRCs and extension there is nothing to hide. To CSRCs without extension an empty one
        // MUST be appended.
        None => Ok((csrcs(packet) > 0).then_some(BEGIN)),
    }
}

/// Whether a received packet is one with cryptex.
pub(super) fn is_hidden(packet: &[u8]) -> bool {
    matches!(profile(packet), Some(HIDDEN_ONE_BYTE | HIDDEN_TWO_BYTE))
}

/// The packet as it is encrypted: fixed header, beginning of the extension, then everything to be hidden. For one that
/// [`growth`] found something to hide in.
pub(super) fn to_hide(packet: &[u8], fields: &RtpFields, into: &mut Vec<u8>) {
    let (head, payload) = packet.split_at(fields.header_len);
    let (fixed, rest) = head.split_at(RTP_FIXED);
    let (csrcs, extension) = rest.split_at(csrcs(packet));
    into.clear();
    into.extend_from_slice(fixed);
    // RFC 9335 section 5.1: the X bit MUST be 1, and the profile MUST be 0xC0DE for elements of one-byte headers (0xBEDE), else 0xC2DE
    // (0x1000).
    into[0] |= X;
    let hidden = if profile(packet) == Some(TWO_BYTE) { HIDDEN_TWO_BYTE } else { HIDDEN_ONE_BYTE };
    into.extend_from_slice(&hidden.to_be_bytes());
    let (len, elements) =
        extension.get(2..).and_then(|rest| rest.split_at_checked(2)).unwrap_or((&[0, 0], &[]));
    into.extend_from_slice(len);
    into.extend_from_slice(csrcs);
    into.extend_from_slice(elements);
    into.extend_from_slice(payload);
}

/// A received packet without its trailer in the same order.
pub(super) fn hidden(message: &[u8], into: &mut Vec<u8>) {
    into.clear();
    into.extend_from_slice(message);
    into[RTP_FIXED..CLEAR + csrcs(message)].rotate_right(BEGIN);
}

/// Brings the beginning of the extension back behind the CSRCs.
pub(super) fn to_wire_order(packet: &mut [u8]) {
    let csrcs = csrcs(packet);
    packet[RTP_FIXED..CLEAR + csrcs].rotate_left(BEGIN);
}

/// Gives a decrypted packet, in wire order, its profile back.
pub(super) fn show(packet: &mut [u8]) {
    let at = RTP_FIXED + csrcs(packet);
    let shown = if profile(packet) == Some(HIDDEN_TWO_BYTE) { TWO_BYTE } else { ONE_BYTE };
    packet[at..at + 2].copy_from_slice(&shown.to_be_bytes());
}
