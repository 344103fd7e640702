//! What a datagram of a multiplexed port is, from its first bytes (RFC 7983 section 7, RFC 5761 section 4).
//!
//! Nothing is believed here: each class is only a decision about who looks at the datagram next.

use thiserror::Error;

/// Who a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A STUN message (RFC 8489).
    Stun,
    /// A DTLS record (RFC 6347, RFC 9147).
    Dtls,
    /// A TURN ChannelData message (RFC 8656 section 12).
    TurnChannel,
    /// An RTP or SRTP packet.
    Rtp,
    /// An RTCP or SRTCP packet.
    Rtcp,
}

/// Why a datagram is for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum DemuxError {
    /// No bytes at all.
    #[error("empty datagram")]
    Empty,
    /// The first byte belongs to no protocol of ours (ZRTP included).
    #[error("unknown first byte")]
    Unknown,
    /// The first byte names a protocol whose smallest message is longer.
    #[error("shorter than the smallest message of its protocol")]
    TooShort(Class),
}

/// The STUN header (RFC 8489 section 5).
pub const STUN_MIN: usize = 20;
/// A DTLS 1.2 record header (RFC 6347 section 4.1).
pub const DTLS_RECORD_MIN: usize = 13;
/// A DTLS 1.3 unified header of two bytes (RFC 9147 section 4) and the 16 ciphertext bytes that its record
/// number encryption needs (section 4.2.3).
pub const DTLS_UNIFIED_MIN: usize = 18;
/// The ChannelData header (RFC 8656 section 12.4).
pub const TURN_CHANNEL_MIN: usize = 4;
/// The fixed RTP header (RFC 3550 section 5.1).
pub const RTP_MIN: usize = 12;
/// The RTCP header with its sender's SSRC, which stay in clear (RFC 3711 section 3.4).
pub const RTCP_MIN: usize = 8;

/// Sorts a datagram. Costs a few compares, whatever the datagram is.
///
/// # Errors
/// A [`DemuxError`] says why no protocol can want it.
#[inline]
pub fn classify(datagram: &[u8]) -> Result<Class, DemuxError> {
    let (class, min) = match datagram {
        [] => return Err(DemuxError::Empty),
        [0..=3, ..] => (Class::Stun, STUN_MIN),
        [20..=31, ..] => (Class::Dtls, DTLS_RECORD_MIN),
        // RFC 9147 section 4.1: the unified header of DTLS 1.3 begins with the bits 001.
        [32..=63, ..] => (Class::Dtls, DTLS_UNIFIED_MIN),
        [64..=79, ..] => (Class::TurnChannel, TURN_CHANNEL_MIN),
        // RFC 5761 section 4: RTP avoids the payload types 64-95, so that with or without the marker bit no
        // RTP packet has the second byte of an RTCP packet, 192-223.
        [128..=191, 192..=223, ..] => (Class::Rtcp, RTCP_MIN),
        [128..=191, ..] => (Class::Rtp, RTP_MIN),
        _ => return Err(DemuxError::Unknown),
    };
    if datagram.len() < min { Err(DemuxError::TooShort(class)) } else { Ok(class) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_class() {
        for first in 0..=255u8 {
            let mut datagram = [0u8; 32];
            datagram[0] = first;
            let expected = match first {
                0..=3 => Ok(Class::Stun),
                20..=63 => Ok(Class::Dtls),
                64..=79 => Ok(Class::TurnChannel),
                128..=191 => Ok(Class::Rtp),
                _ => Err(DemuxError::Unknown),
            };
            assert_eq!(classify(&datagram), expected, "first byte {first}");
        }
    }

    #[test]
    fn rtcp_packet_types_are_rtcp_and_no_others() {
        for second in 0..=255u8 {
            let mut datagram = [0u8; 32];
            datagram[0] = 0x80;
            datagram[1] = second;
            let expected = if (192..=223).contains(&second) { Class::Rtcp } else { Class::Rtp };
            assert_eq!(classify(&datagram), Ok(expected), "second byte {second}");
        }
    }

    #[test]
    fn smallest_messages_pass_and_one_byte_less_does_not() {
        let cases: [(&[u8], Class, usize); 6] = [
            (&[0], Class::Stun, STUN_MIN),
            (&[22], Class::Dtls, DTLS_RECORD_MIN),
            (&[0x2f], Class::Dtls, DTLS_UNIFIED_MIN),
            (&[0x40], Class::TurnChannel, TURN_CHANNEL_MIN),
            (&[0x80, 96], Class::Rtp, RTP_MIN),
            (&[0x80, 200], Class::Rtcp, RTCP_MIN),
        ];
        for (start, class, min) in cases {
            let mut datagram = vec![0u8; min];
            datagram[..start.len()].copy_from_slice(start);
            assert_eq!(classify(&datagram), Ok(class));
            assert_eq!(classify(&datagram[..min - 1]), Err(DemuxError::TooShort(class)));
        }
        assert_eq!(classify(&[]), Err(DemuxError::Empty));
    }
}
