//! The few fields of RTP and RTCP that SRTP must read.

use crate::error::SrtpError;
use crate::limits::MAX_PACKET;

/// Bytes of an RTP header without CSRCs and extension (RFC 3550 section 5.1).
pub(crate) const RTP_FIXED: usize = 12;

/// Bytes of an SRTCP packet that stay in the clear: the first RTCP header and the sender's SSRC (RFC 3711 section 3.4).
pub(crate) const RTCP_CLEAR: usize = 8;

/// Bytes of the E flag with the SRTCP index.
pub(crate) const RTCP_INDEX: usize = 4;

/// What SRTP needs to know of an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RtpFields {
    pub(crate) ssrc: u32,
    pub(crate) seq: u16,
    /// Fixed header, CSRCs and header extension: the part that stays in the clear.
    pub(crate) header_len: usize,
}

/// Reads the header of `packet`, which must leave room for `trailer` bytes behind it.
#[inline]
pub(crate) fn rtp_fields(packet: &[u8], trailer: usize) -> Result<RtpFields, SrtpError> {
    let Some(fixed) = packet.first_chunk::<RTP_FIXED>() else { return Err(SrtpError::Length) };
    if packet.len() > MAX_PACKET {
        return Err(SrtpError::Length);
    }
    if fixed[0] >> 6 != 2 {
        return Err(SrtpError::Header);
    }
    let mut header_len = RTP_FIXED + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        // RFC 3550 section 5.3.1: 16 bits of profile, then the length in words without these four bytes.
        let Some(&[_, _, high, low]) = packet.get(header_len..header_len + 4) else {
            return Err(SrtpError::Header);
        };
        header_len += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    }
    if header_len > packet.len() {
        return Err(SrtpError::Header);
    }
    if packet.len() - header_len < trailer {
        return Err(SrtpError::Length);
    }
    Ok(RtpFields {
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        seq: u16::from_be_bytes([fixed[2], fixed[3]]),
        header_len,
    })
}

/// The sender's SSRC of an RTCP packet with at least `trailer` bytes behind its clear part.
pub(crate) fn rtcp_ssrc(packet: &[u8], trailer: usize) -> Result<u32, SrtpError> {
    let Some(clear) = packet.first_chunk::<RTCP_CLEAR>() else { return Err(SrtpError::Length) };
    if packet.len() > MAX_PACKET || packet.len() - RTCP_CLEAR < trailer {
        return Err(SrtpError::Length);
    }
    if clear[0] >> 6 != 2 {
        return Err(SrtpError::Header);
    }
    Ok(u32::from_be_bytes([clear[4], clear[5], clear[6], clear[7]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lengths() {
        let mut packet = vec![0u8; 64];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&[0x12, 0x34]);
        packet[8..12].copy_from_slice(&[1, 2, 3, 4]);
        let fields = rtp_fields(&packet, 10).unwrap();
        assert_eq!(fields, RtpFields { ssrc: 0x0102_0304, seq: 0x1234, header_len: 12 });
        packet[0] = 0x92;
        packet[20 + 3] = 3;
        assert_eq!(rtp_fields(&packet, 10).unwrap().header_len, 12 + 8 + 4 + 12);
    }

    #[test]
    fn lengths_that_run_past_the_packet() {
        let mut packet = vec![0u8; 40];
        packet[0] = 0x80;
        assert_eq!(rtp_fields(&packet[..11], 0), Err(SrtpError::Length));
        assert!(rtp_fields(&packet[..12], 0).is_ok());
        assert_eq!(rtp_fields(&packet[..21], 10), Err(SrtpError::Length));
        assert!(rtp_fields(&packet[..22], 10).is_ok());
        packet[0] = 0x8f;
        assert_eq!(rtp_fields(&packet, 0), Err(SrtpError::Header));
        packet[0] = 0x90;
        assert_eq!(rtp_fields(&packet[..15], 0), Err(SrtpError::Header));
        packet[14..16].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(rtp_fields(&packet, 0), Err(SrtpError::Header));
        packet[0] = 0x40;
        assert_eq!(rtp_fields(&packet, 0), Err(SrtpError::Header));
        assert_eq!(rtp_fields(&vec![0x80; MAX_PACKET + 1], 0), Err(SrtpError::Length));
    }

    #[test]
    fn rtcp_lengths() {
        let packet = [0x80, 200, 0, 1, 9, 8, 7, 6, 0, 0, 0, 0];
        assert_eq!(rtcp_ssrc(&packet, 4), Ok(0x0908_0706));
        assert_eq!(rtcp_ssrc(&packet, 5), Err(SrtpError::Length));
        assert_eq!(rtcp_ssrc(&packet[..7], 0), Err(SrtpError::Length));
        assert_eq!(rtcp_ssrc(&[0; 12], 0), Err(SrtpError::Header));
    }
}
