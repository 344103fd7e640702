//! AV1 (AV1 RTP payload specification 1.0, section 4): aggregation header and OBU elements.

use super::{PayloadError, Starts};

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// leb128() of the AV1 specification takes at most 8 bytes.
const LEB128_MAX: usize = 8;

/// The OBU elements of a payload, all of whose lengths fit.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate<'a> {
    header: u8,
    elements: &'a [u8],
}

/// One OBU or a fragment of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'a> {
    /// Its bytes, without size.
    pub data: &'a [u8],
    /// The fragment continues an OBU of the packet before: it has no OBU header.
    pub continued: bool,
}

impl<'a> Obu<'a> {
    /// The OBU type; `None` for a continued one.
    pub fn kind(&self) -> Option<u8> {
        if self.continued { None } else { self.data.first().map(|header| header >> 3 & 0x0f) }
    }

    /// Temporal and spatial layer from the OBU extension header, when there is one.
    pub fn layer(&self) -> Option<(u8, u8)> {
        match self.data {
            [header, extension, ..] if !self.continued && header & 0x04 != 0 => {
                Some((extension >> 5, extension >> 3 & 3))
            }
            _ => None,
        }
    }
}

impl<'a> Aggregate<'a> {
    /// Checks the aggregation header and the lengths of all elements.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`] without an element, [`PayloadError::Length`] when one does not fit,
    /// [`PayloadError::Unsupported`] when a new sequence begins with the end of an old OBU.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, PayloadError> {
        let (&header, elements) = payload.split_first().ok_or(PayloadError::Truncated)?;
        let aggregate = Aggregate { header, elements };
        if elements.is_empty() {
            return Err(PayloadError::Truncated);
        }
        // Section 4.4: "If N is equal to 1 then Z must be equal to 0."
        if aggregate.new_sequence() && aggregate.continues() {
            return Err(PayloadError::Unsupported);
        }
        let mut rest = elements;
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            rest = aggregate.split(rest, index).ok_or(PayloadError::Length)?.1;
        }
        // W, when it is not zero, is the number of elements.
        if aggregate.element_count() != 0 && index != aggregate.element_count() {
            return Err(PayloadError::Length);
        }
        Ok(aggregate)
    }

    /// N: the packet is the first of a coded video sequence, which begins with a key frame.
    #[inline]
    pub fn new_sequence(&self) -> bool {
        self.header & 0x08 != 0
    }

    /// Z: the first element continues an OBU of the packet before.
    #[inline]
    pub fn continues(&self) -> bool {
        self.header & 0x80 != 0
    }

    /// Y: the last element is continued in the next packet.
    #[inline]
    pub fn to_be_continued(&self) -> bool {
        self.header & 0x40 != 0
    }

    /// W
    fn element_count(&self) -> usize {
        usize::from(self.header >> 4 & 3)
    }

    /// The element at the front, the `index`-th from 1, and what follows it.
    #[inline]
    fn split(&self, bytes: &'a [u8], index: usize) -> Option<(&'a [u8], &'a [u8])> {
        // Section 4.4: with W set, "the last OBU element MUST NOT be preceded by a length field".
        if index == self.element_count() {
            return Some((bytes, &[]));
        }
        let (len, rest) = leb128(bytes)?;
        rest.split_at_checked(len)
    }

    /// The elements in order.
    pub fn obus(&self) -> impl Iterator<Item = Obu<'a>> + use<'a> {
        let (aggregate, mut rest, mut index) = (*self, self.elements, 0);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            index += 1;
            let (data, behind) = aggregate.split(rest, index)?;
            rest = behind;
            Some(Obu { data, continued: index == 1 && aggregate.continues() })
        })
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(LEB128_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[at + 1..]));
        }
    }
    None
}

/// What begins in a packet with this payload: a frame where a sequence header, a frame or a frame header
/// begins.
///
/// # Errors
/// Those of [`Aggregate::parse`].
#[inline]
pub fn starts(payload: &[u8]) -> Result<Starts, PayloadError> {
    let aggregate = Aggregate::parse(payload)?;
    let key_frame = aggregate.new_sequence();
    let begins = |obu: Obu<'_>| matches!(obu.kind(), Some(SEQUENCE_HEADER | FRAME_HEADER | FRAME));
    Ok(Starts { frame: key_frame || aggregate.obus().any(begins), key_frame })
}

/// Whether the payload holds the beginning of a sequence header, without which a new receiver cannot start.
pub fn has_sequence_header(payload: &[u8]) -> bool {
    let holds = |aggregate: Aggregate<'_>| aggregate.obus().any(|obu| obu.kind() == Some(SEQUENCE_HEADER));
    Aggregate::parse(payload).is_ok_and(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_with_two_elements() {
        // N, W = 2: a sequence header of 3 bytes, then a frame with layer T1 S2 up to the end.
        let payload = [0x28, 3, 0x08, 1, 2, 0x34, 0x30, 9, 9];
        let aggregate = Aggregate::parse(&payload).unwrap();
        assert!(aggregate.new_sequence() && !aggregate.continues() && !aggregate.to_be_continued());
        let obus: Vec<_> = aggregate.obus().map(|obu| (obu.kind(), obu.layer(), obu.data.len())).collect();
        assert_eq!(obus, [(Some(1), None, 3), (Some(6), Some((1, 2)), 4)]);
        assert_eq!(starts(&payload), Ok(Starts { frame: true, key_frame: true }));
        assert!(has_sequence_header(&payload));
    }

    #[test]
    fn fragments_and_other_frames() {
        // Z, W = 1: the end of an OBU, which looks like a sequence header but is not.
        assert_eq!(starts(&[0x90, 0x08, 1]), Ok(Starts::default()));
        assert!(!has_sequence_header(&[0x90, 0x08, 1]));
        // W = 0: every element has its length.
        assert_eq!(starts(&[0x00, 2, 0x30, 1]), Ok(Starts { frame: true, key_frame: false }));
        assert_eq!(starts(&[0x80, 1, 9, 2, 0x30, 1]), Ok(Starts { frame: true, key_frame: false }));
        assert_eq!(starts(&[0x00, 2, 0x20, 1]), Ok(Starts::default()));
    }

    #[test]
    fn lengths_that_do_not_fit() {
        assert_eq!(starts(&[]), Err(PayloadError::Truncated));
        assert_eq!(starts(&[0x10]), Err(PayloadError::Truncated));
        assert_eq!(starts(&[0x00, 3, 0x30, 1]), Err(PayloadError::Length));
        assert_eq!(starts(&[0x20, 2, 0x30, 1]), Err(PayloadError::Length));
        assert_eq!(
            starts(&[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Err(PayloadError::Length)
        );
        assert_eq!(
            starts(&[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            Err(PayloadError::Length)
        );
        assert_eq!(starts(&[0x98, 1]), Err(PayloadError::Unsupported));
        // A length may take more bytes than it needs.
        assert_eq!(starts(&[0x00, 0x82, 0x80, 0x00, 0x30, 1]), Ok(Starts { frame: true, key_frame: false }));
    }
}
