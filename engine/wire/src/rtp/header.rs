//! The part of a packet that is in clear even when the rest is encrypted.

use std::ops::Range;

use super::{FIXED_HEADER_LEN, RtpError};
use crate::bytes::be16;
use crate::extension::{Elements, Form};

/// A validated header: fixed part, CSRCs and extension lie inside the packet.
///
/// Validation does not look behind the header, so it holds for SRTP too, where the padding count is
/// encrypted.
#[derive(Clone, Copy)]
pub struct RtpHeader<'a> {
    packet: &'a [u8],
    fixed: &'a [u8; FIXED_HEADER_LEN],
    header_len: usize,
}

impl<'a> RtpHeader<'a> {
    /// Validates the header of an RTP or SRTP packet.
    ///
    /// # Errors
    /// The first rule of RFC 3550 section 5.1 that it breaks; never [`RtpError::Padding`].
    #[inline]
    pub fn parse(packet: &'a [u8]) -> Result<Self, RtpError> {
        let Some(fixed) = packet.first_chunk::<FIXED_HEADER_LEN>() else {
            return Err(RtpError::TooShort);
        };
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let mut header_len = FIXED_HEADER_LEN + csrc_len(fixed[0]);
        if header_len > packet.len() {
            return Err(RtpError::Csrc);
        }
        if fixed[0] & 0x10 != 0 {
            // RFC 3550 section 5.3.1: the length "counts the number of 32-bit words in the extension,
            // excluding the four-octet extension header (therefore zero is a valid length)".
            let words = be16(packet, header_len + 2).ok_or(RtpError::Extension)?;
            header_len += 4 + 4 * usize::from(words);
            if header_len > packet.len() {
                return Err(RtpError::Extension);
            }
        }
        Ok(RtpHeader { packet, fixed, header_len })
    }

    /// The whole packet.
    #[inline]
    pub fn packet(&self) -> &'a [u8] {
        self.packet
    }

    /// The header with CSRCs and extension, in bytes; where the payload (or ciphertext) begins.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// All that follows the header: payload and padding, or ciphertext and authentication tag.
    #[inline]
    pub fn body(&self) -> &'a [u8] {
        &self.packet[self.header_len..]
    }

    /// The P bit. How much padding there is, only the clear packet tells.
    #[inline]
    pub fn has_padding(&self) -> bool {
        self.fixed[0] & 0x20 != 0
    }

    /// The X bit.
    #[inline]
    pub fn has_extension(&self) -> bool {
        self.fixed[0] & 0x10 != 0
    }

    /// The marker bit.
    #[inline]
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type, 0 to 127.
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7f
    }

    /// The sequence number.
    #[inline]
    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in ticks of the payload's clock.
    #[inline]
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The synchronisation source.
    #[inline]
    pub fn ssrc(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// The CSRC list as it stands on the wire: 0 to 60 bytes.
    #[inline]
    pub fn csrc_bytes(&self) -> &'a [u8] {
        &self.packet[FIXED_HEADER_LEN..FIXED_HEADER_LEN + csrc_len(self.fixed[0])]
    }

    /// The contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrc_bytes().chunks_exact(4).map(|csrc| u32::from_be_bytes([csrc[0], csrc[1], csrc[2], csrc[3]]))
    }

    /// "Defined by profile", the first 16 bits of the extension: 0xBEDE and 0x100x are RFC 8285.
    #[inline]
    pub fn extension_profile(&self) -> Option<u16> {
        be16(self.packet, self.extension_range()?.start - 4)
    }

    /// Where in the packet the extension's data lies, behind its four-byte header.
    #[inline]
    pub fn extension_range(&self) -> Option<Range<usize>> {
        let start = FIXED_HEADER_LEN + csrc_len(self.fixed[0]) + 4;
        self.has_extension().then_some(start..self.header_len)
    }

    /// The elements of the extension (RFC 8285); none when there is no extension or it has another profile.
    #[inline]
    pub fn extensions(&self) -> Elements<'a> {
        match (self.extension_range(), self.extension_profile().and_then(Form::from_profile)) {
            (Some(range), Some(form)) => Elements::new(form, &self.packet[range]),
            _ => Elements::new(Form::OneByte, &[]),
        }
    }

    /// The first element with this identifier.
    #[inline]
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions().find(|element| element.id == id).map(|element| element.data)
    }
}

#[inline]
fn csrc_len(first_byte: u8) -> usize {
    usize::from(first_byte & 0x0f) * 4
}

/// Fields, not bytes: a log must not hold what people say.
impl std::fmt::Debug for RtpHeader<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RtpHeader")
            .field("payload_type", &self.payload_type())
            .field("marker", &self.marker())
            .field("sequence", &self.sequence())
            .field("timestamp", &self.timestamp())
            .field("ssrc", &self.ssrc())
            .field("header_len", &self.header_len)
            .field("packet_len", &self.packet.len())
            .finish()
    }
}
