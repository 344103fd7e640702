//! Retransmission payloads (RFC 4588 section 4): the original sequence number, then the original payload.

/// The OSN in front of the original payload.
pub const OSN_LEN: usize = 2;

/// The original sequence number and the original payload; `None` when the payload has no room for an OSN, as
/// in packets that are padding alone (bandwidth probes).
#[inline]
pub fn strip(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (osn, original) = payload.split_first_chunk::<OSN_LEN>()?;
    Some((u16::from_be_bytes(*osn), original))
}

/// Writes the payload that retransmits packet `original_sequence` to the front of `out`; its length in bytes,
/// or
/// `None` when `out` is too small.
#[inline]
pub fn write(out: &mut [u8], original_sequence: u16, original: &[u8]) -> Option<usize> {
    let (osn, rest) = out.split_first_chunk_mut::<OSN_LEN>()?;
    rest.get_mut(..original.len())?.copy_from_slice(original);
    *osn = original_sequence.to_be_bytes();
    Some(OSN_LEN + original.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut out = [0; 8];
        assert_eq!(write(&mut out, 0xabcd, b"media"), Some(7));
        assert_eq!(strip(&out[..7]), Some((0xabcd, &b"media"[..])));
        assert_eq!(strip(&out[..2]), Some((0xabcd, &b""[..])));
    }

    #[test]
    fn too_short_for_an_osn_or_for_the_output() {
        assert_eq!(strip(&[]), None);
        assert_eq!(strip(&[1]), None);
        let mut out = [7; 6];
        assert_eq!(write(&mut out, 1, b"media"), None);
        assert_eq!(out, [7; 6]);
        assert_eq!(write(&mut out[..1], 1, b""), None);
    }
}
