//! Redundant audio (RFC 2198): earlier frames repeated in front of the newest.

use super::PayloadError;

/// The timestamp offset has 14 bits.
pub const MAX_OFFSET: u16 = 0x3fff;
/// The length has 10 bits.
pub const MAX_LEN: usize = 0x3ff;

/// A block of a redundant payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it carries, 0 to 127.
    pub payload_type: u8,
    /// Ticks by which it is older than the packet's timestamp; 0 for the primary block.
    pub timestamp_offset: u16,
    /// At most 1023 bytes in a redundant block.
    pub data: &'a [u8],
}

/// The blocks of a payload, all of whose lengths fit.
#[derive(Clone, Copy, Debug)]
pub struct Red<'a> {
    headers: &'a [u8],
    data: &'a [u8],
}

impl<'a> Red<'a> {
    /// Checks the headers and their lengths.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`] when the headers do not end, [`PayloadError::Length`] when the blocks do
    /// not fit.
    pub fn parse(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let (mut headers_len, mut data_len) = (0, 0);
        while let Some((_, len)) = redundant_header(&payload[headers_len..])? {
            headers_len += 4;
            data_len += len;
        }
        let (headers, data) = payload.split_at(headers_len + 1);
        if data_len > data.len() {
            return Err(PayloadError::Length);
        }
        Ok(Red { headers, data })
    }

    /// The blocks, oldest first as they stand; the primary one comes last.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let (mut headers, mut data) = (self.headers, self.data);
        std::iter::from_fn(move || {
            let first = *headers.first()?;
            let (timestamp_offset, len) = redundant_header(headers).ok()?.unwrap_or((0, data.len()));
            headers = headers.get(4..).unwrap_or_default();
            let (block, rest) = data.split_at_checked(len)?;
            data = rest;
            Some(Block { payload_type: first & 0x7f, timestamp_offset, data: block })
        })
    }

    /// The newest block.
    pub fn primary(&self) -> Option<Block<'a>> {
        self.blocks().last()
    }
}

/// Section 3: timestamp offset and length of the redundant block whose header is at the front, `None` for the
/// one-byte header of the primary block.
fn redundant_header(headers: &[u8]) -> Result<Option<(u16, usize)>, PayloadError> {
    match *headers {
        [] => Err(PayloadError::Truncated),
        [0..=0x7f, ..] => Ok(None),
        [_, a, b, c, ..] => {
            let offset = u16::from(a) << 6 | u16::from(b >> 2);
            let len = usize::from(b & 3) << 8 | usize::from(c);
            Ok(Some((offset, len)))
        }
        _ => Err(PayloadError::Truncated),
    }
}

/// Writes a payload of redundant blocks and the primary one (whose offset is not written) to the front of
/// `out`. Its length in bytes, or `None` when `out` is too small or a block does not fit its header.
pub fn write(out: &mut [u8], redundant: &[Block<'_>], primary: Block<'_>) -> Option<usize> {
    let mut cursor = crate::bytes::Cursor::new(out);
    for block in redundant {
        if block.timestamp_offset > MAX_OFFSET || block.data.len() > MAX_LEN || block.payload_type > 127 {
            return None;
        }
        cursor.put8(0x80 | block.payload_type);
        let fields = u32::from(block.timestamp_offset) << 10 | block.data.len() as u32;
        cursor.put(&crate::bytes::three(fields));
    }
    cursor.put8(primary.payload_type & 0x7f);
    redundant.iter().for_each(|block| cursor.put(block.data));
    cursor.put(primary.data);
    cursor.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2198() {
        // Section 4: a DVI4 (5) primary block and an LPC (7) block of 14 bytes, 160 ticks older.
        let mut payload = vec![0x87, 0x02, 0x80, 14, 0x05];
        payload.extend([7; 14]);
        payload.extend([5; 84]);
        let blocks: Vec<_> = Red::parse(&payload).unwrap().blocks().collect();
        let redundant = Block { payload_type: 7, timestamp_offset: 160, data: &[7; 14] };
        let primary = Block { payload_type: 5, timestamp_offset: 0, data: &[5; 84] };
        assert_eq!(blocks, [redundant, primary]);
        assert_eq!(Red::parse(&payload).unwrap().primary(), Some(primary));
        let mut out = [0; 128];
        let len = write(&mut out, &[redundant], primary).unwrap();
        assert_eq!(out[..len], payload);
        assert_eq!(write(&mut out[..len - 1], &[redundant], primary), None);
        assert_eq!(write(&mut out, &[Block { timestamp_offset: 0x4000, ..redundant }], primary), None);
    }

    #[test]
    fn headers_that_do_not_end_and_lengths_that_do_not_fit() {
        assert_eq!(Red::parse(&[]).err(), Some(PayloadError::Truncated));
        assert_eq!(Red::parse(&[0x87, 2, 0x80]).err(), Some(PayloadError::Truncated));
        assert_eq!(Red::parse(&[0x87, 2, 0x80, 1]).err(), Some(PayloadError::Truncated));
        assert_eq!(Red::parse(&[0x87, 2, 0x80, 2, 0x05, 1]).err(), Some(PayloadError::Length));
        assert_eq!(Red::parse(&[0x87, 2, 0x80, 1, 0x05, 1]).map(|red| red.blocks().count()), Ok(2));
        assert_eq!(Red::parse(&[0x05]).map(|red| red.blocks().count()), Ok(1));
    }
}
