//! Double encryption (RFC 8723), as far as a node between two hops does it.
//!
//! The ends encrypt a packet for each other, then for the hop. A node has the keys of the hop only: it opens and seals
//! the outer layer as ordinary AEAD under [`hop_keying`], and where it changes what the ends had signed (payload type, sequence
//! number, marker), it writes the original into the [`OriginalHeader`] at the end of the payload. SRTCP is hop by hop.

use crate::error::SrtpError;
use crate::keying::{Keying, Profile};

/// Bits of the config octet, which is the last (RFC 8723 section 4): whether the payload type, the sequence number and the
/// marker stand in the block.
const HAS_SEQUENCE: u8 = 0x01;
const HAS_PAYLOAD_TYPE: u8 = 0x02;
const HAS_MARKER: u8 = 0x04;
/// The marker's original value.
const MARKER: u8 = 0x08;
/// Reserved: MUST be zero (RFC 8723 section 4). What is received there is not looked at.
const RESERVED: u8 = 0xf0;

/// Most bytes of the block: payload type, sequence number, config.
pub const MAX_ORIGINAL_HEADER: usize = 4;

/// The keys of the hop out of the master key and salt of a DOUBLE profile, whose first halves belong to the ends
/// (RFC 8723 section 3). `profile` is the one of each half. `None` if a length is not twice the profile's.
///
/// Section 5.2: what a node decrypts and what it sends MUST be under different, independent master keys, and each receiver MUST have
/// its own: do not give one keying to an [`crate::Inbound`] and an [`crate::Outbound`], or to two of these.
pub fn hop_keying(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Keying> {
    // RFC 8723 section 3.1: session keys MUST be derived from each half by itself, so that the outer half is a master key of its own.
    let outer = |bytes: &'_ [u8], half: usize| (bytes.len() == 2 * half).then(|| bytes[half..].to_vec());
    let key = zeroize::Zeroizing::new(outer(key, profile.key_len())?);
    let salt = zeroize::Zeroizing::new(outer(salt, profile.salt_len())?);
    profile.is_gcm().then(|| Keying::new(profile, &key, &salt))?
}

/// The header fields that a node may change. RFC 8723 section 4: all others MUST stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The payload type, 7 bits.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The marker bit.
    pub marker: bool,
}

/// Original header fields where they differ from those of the packet (RFC 8723 section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginalHeader {
    /// The original payload type, if another was sent.
    pub payload_type: Option<u8>,
    /// The original sequence number, if another was sent.
    pub sequence: Option<u16>,
    /// The original marker, if another was sent.
    pub marker: Option<bool>,
}

impl OriginalHeader {
    /// Reads the block at the end of an outer payload; gives what stands ahead of it, the inner ciphertext with its tag.
    ///
    /// # Errors
    /// [`SrtpError::Length`] if the payload is shorter than the block.
    pub fn read(payload: &[u8]) -> Result<(&[u8], OriginalHeader), SrtpError> {
        let (&config, mut rest) = payload.split_last().ok_or(SrtpError::Length)?;
        let mut original = OriginalHeader::default();
        if config & HAS_SEQUENCE != 0 {
            let (ahead, sequence) = rest.split_last_chunk::<2>().ok_or(SrtpError::Length)?;
            original.sequence = Some(u16::from_be_bytes(*sequence));
            rest = ahead;
        }
        if config & HAS_PAYLOAD_TYPE != 0 {
            let (&payload_type, ahead) = rest.split_last().ok_or(SrtpError::Length)?;
            original.payload_type = Some(payload_type & 0x7f);
            rest = ahead;
        }
        original.marker = (config & HAS_MARKER != 0).then_some(config & MARKER != 0);
        Ok((rest, original))
    }

    /// What the ends signed, where a packet came with `received`.
    pub fn original(&self, received: Fields) -> Fields {
        Fields {
            payload_type: self.payload_type.unwrap_or(received.payload_type),
            sequence: self.sequence.unwrap_or(received.sequence),
            marker: self.marker.unwrap_or(received.marker),
        }
    }

    /// RFC 8723 section 5.2: to a field that a node changes and that has no original yet, the original MUST be added; a field that
    /// is set back to its original SHOULD lose it; otherwise the block MUST NOT be changed.
    pub fn relayed(&self, received: Fields, sent: Fields) -> OriginalHeader {
        let original = self.original(received);
        OriginalHeader {
            payload_type: (original.payload_type != sent.payload_type).then_some(original.payload_type),
            sequence: (original.sequence != sent.sequence).then_some(original.sequence),
            marker: (original.marker != sent.marker).then_some(original.marker),
        }
    }

    /// Writes the block to the end of `payload`, which must have room for [`MAX_ORIGINAL_HEADER`] bytes more, at `len`.
    /// Gives the new length.
    ///
    /// # Errors
    /// [`SrtpError::Output`].
    pub fn write(&self, payload: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let mut bytes = [0; MAX_ORIGINAL_HEADER];
        let mut used = 0;
        let mut config = 0;
        if let Some(payload_type) = self.payload_type {
            bytes[used] = payload_type & 0x7f;
            used += 1;
            config |= HAS_PAYLOAD_TYPE;
        }
        if let Some(sequence) = self.sequence {
            bytes[used..used + 2].copy_from_slice(&sequence.to_be_bytes());
            used += 2;
            config |= HAS_SEQUENCE;
        }
        // RFC 8723 section 4: without a marker its value MUST be zero.
        if let Some(marker) = self.marker {
            config |= HAS_MARKER | if marker { MARKER } else { 0 };
        }
        debug_assert_eq!(config & RESERVED, 0);
        bytes[used] = config;
        used += 1;
        payload.get_mut(len..len + used).ok_or(SrtpError::Output)?.copy_from_slice(&bytes[..used]);
        Ok(len + used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Fields = Fields { payload_type: 96, sequence: 0x1234, marker: true };

    #[test]
    fn every_block_reads_back() {
        for bits in 0..16u8 {
            let original = OriginalHeader {
                payload_type: (bits & 1 != 0).then_some(96),
                sequence: (bits & 2 != 0).then_some(0x1234),
                marker: (bits & 4 != 0).then_some(bits & 8 != 0),
            };
            let mut payload = [7; 20];
            let len = original.write(&mut payload, 10).unwrap();
            assert_eq!(OriginalHeader::read(&payload[..len]), Ok((&[7; 10][..], original)));
            assert_eq!(original.write(&mut payload, 20), Err(SrtpError::Output));
        }
    }

    #[test]
    fn octets_stand_where_the_rfc_has_them() {
        let original = OriginalHeader { payload_type: Some(96), sequence: Some(0x1234), marker: Some(true) };
        let mut payload = [0; 4];
        assert_eq!(original.write(&mut payload, 0), Ok(4));
        assert_eq!(payload, [96, 0x12, 0x34, 0x0f]);
        // Reserved bits are ignored, truncated blocks refused.
        assert_eq!(OriginalHeader::read(&[0xf0]), Ok((&[][..], OriginalHeader::default())));
        assert_eq!(OriginalHeader::read(&[]), Err(SrtpError::Length));
        assert_eq!(OriginalHeader::read(&[0x12, 0x01]), Err(SrtpError::Length));
        assert_eq!(OriginalHeader::read(&[0x12, 0x34, 0x03]), Err(SrtpError::Length));
    }

    #[test]
    fn two_nodes_keep_the_first_original() {
        let first_sent = Fields { payload_type: 100, sequence: 9, marker: true };
        let first = OriginalHeader::default().relayed(SIGNED, first_sent);
        assert_eq!(first, OriginalHeader { payload_type: Some(96), sequence: Some(0x1234), marker: None });
        let second_sent = Fields { payload_type: 96, sequence: 10, marker: false };
        let second = first.relayed(first_sent, second_sent);
        assert_eq!(second, OriginalHeader { payload_type: None, sequence: Some(0x1234), marker: Some(true) });
        assert_eq!(second.original(second_sent), SIGNED);
    }

    #[test]
    fn the_hop_has_the_second_halves() {
        let bytes: Vec<u8> = (0..64).collect();
        let keying = hop_keying(Profile::AeadAes128Gcm, &bytes[..32], &bytes[..24]).unwrap();
        assert_eq!((keying.key(), keying.salt()), (&bytes[16..32], &bytes[12..24]));
        assert!(hop_keying(Profile::AeadAes256Gcm, &bytes[..32], &bytes[..24]).is_none());
        assert!(hop_keying(Profile::Aes128CmSha1_80, &bytes[..32], &bytes[..28]).is_none());
    }
}
