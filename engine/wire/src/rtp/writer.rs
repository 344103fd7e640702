//! New headers for packets that are forwarded.

use thiserror::Error;

use super::{FIXED_HEADER_LEN, MAX_CSRC_LEN};
use crate::bytes::Cursor;
use crate::extension::{self, Element};

/// Why a header cannot be written. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum WriteError {
    /// The output is too small.
    #[error("no room in the output")]
    NoRoom,
    /// The payload type does not fit its seven bits.
    #[error("payload type above 127")]
    PayloadType,
    /// The CSRC bytes are no multiple of four, or more than 60.
    #[error("bad list of contributing sources")]
    Csrc,
    /// An extension element has identifier 0, more than 255 bytes, or there are too many of them.
    #[error("extension element that no form can hold")]
    Extension,
}

/// An RTP header to be written.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderBuilder<'a> {
    /// The marker bit.
    pub marker: bool,
    /// The P bit: what is written behind the header ends in padding.
    pub padding: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Contributing sources as they stand on the wire, four bytes each; as in
    /// [`RtpHeader::csrc_bytes`](super::RtpHeader::csrc_bytes) when they are kept, else empty.
    pub csrcs: &'a [u8],
    /// Header extension elements in order; the X bit is set when there are any.
    pub extensions: &'a [Element<'a>],
}

impl HeaderBuilder<'_> {
    /// How many bytes [`HeaderBuilder::write`] will write.
    ///
    /// # Errors
    /// As `write`, but never [`WriteError::NoRoom`].
    #[inline]
    pub fn encoded_len(&self) -> Result<usize, WriteError> {
        if self.payload_type > 127 {
            return Err(WriteError::PayloadType);
        }
        if self.csrcs.len() > MAX_CSRC_LEN || !self.csrcs.len().is_multiple_of(4) {
            return Err(WriteError::Csrc);
        }
        let block = extension::block_len(self.extensions).ok_or(WriteError::Extension)?;
        Ok(FIXED_HEADER_LEN + self.csrcs.len() + block)
    }

    /// Writes the header to the front of `out` and returns its length in bytes. Nothing behind it is touched;
    /// after an error nothing is.
    ///
    /// # Errors
    /// A [`WriteError`] for fields that RTP cannot express or too small an output.
    #[inline]
    pub fn write(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let len = self.encoded_len()?;
        let out = out.get_mut(..len).ok_or(WriteError::NoRoom)?;
        let mut first = 2 << 6 | (self.csrcs.len() / 4) as u8;
        if self.padding {
            first |= 0x20;
        }
        if !self.extensions.is_empty() {
            first |= 0x10;
        }
        let mut cursor = Cursor::new(out);
        cursor.put8(first);
        cursor.put8(self.payload_type | u8::from(self.marker) << 7);
        cursor.put16(self.sequence);
        cursor.put32(self.timestamp);
        cursor.put32(self.ssrc);
        cursor.put(self.csrcs);
        extension::put_block(&mut cursor, self.extensions);
        cursor.finish().ok_or(WriteError::NoRoom)
    }
}
