//! Fields that VP8 and VP9 descriptors share, with their places, so that a forwarder can rewrite them.

use crate::bytes::be16;

/// A picture identifier and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    /// 7 or 15 bits.
    pub value: u16,
    /// 15 bits in two bytes (M bit) rather than 7 in one.
    pub wide: bool,
    /// Byte of the payload where it begins.
    pub offset: u8,
}

impl PictureId {
    /// Reads the extended (15-bit) or short (7-bit) form at `offset`.
    pub(super) fn read(payload: &[u8], offset: usize) -> Option<Self> {
        let first = *payload.get(offset)?;
        let wide = first & 0x80 != 0;
        let value = if wide { be16(payload, offset)? & 0x7fff } else { u16::from(first) };
        Some(PictureId { value, wide, offset: offset as u8 })
    }

    /// Bytes it takes.
    pub fn encoded_len(&self) -> usize {
        1 + usize::from(self.wide)
    }

    /// Replaces the identifier in a copy of the payload it was read from, in the same width; the bits above
    /// the width are lost. Does nothing to a payload too short to be that copy.
    #[inline]
    pub fn rewrite(&self, payload: &mut [u8], value: u16) {
        let at = usize::from(self.offset);
        if let Some(place) = payload.get_mut(at..at + self.encoded_len()) {
            let wide = (value | 0x8000).to_be_bytes();
            place.copy_from_slice(if self.wide { &wide } else { std::slice::from_ref(&wide[1]) });
            if !self.wide {
                place[0] &= 0x7f;
            }
        }
    }
}

/// A byte of the descriptor and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteAt {
    /// Its value.
    pub value: u8,
    /// Byte of the payload.
    pub offset: u8,
}
