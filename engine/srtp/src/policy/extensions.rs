//! Which bytes of a header extension are encrypted (RFC 6904).

use std::ops::Range;

use crate::error::SrtpError;

/// Extension blocks of RFC 8285 with elements of one-byte headers.
pub(super) const ONE_BYTE: u16 = 0xbede;

/// Those of two-byte headers; the low four bits belong to the application.
pub(super) const TWO_BYTE: u16 = 0x1000;

/// Number of a one-byte element after which nothing more is read (RFC 8285 section 4.2).
const STOP: u8 = 15;

/// Calls `found` with the data of every element whose number is in `numbers`: RFC 6904 section 3, the encryption mask has the whole
/// data of each chosen element, and neither numbers, nor lengths, nor padding, nor any other element.
///
/// # Errors
/// [`SrtpError::Extension`] if the block is no RFC 8285 one, or an element runs past it.
pub(super) fn encrypted_elements(
    profile: u16,
    block: &[u8],
    numbers: &[u8],
    mut found: impl FnMut(Range<usize>),
) -> Result<(), SrtpError> {
    let one_byte = match profile {
        ONE_BYTE => true,
        _ if profile & 0xfff0 == TWO_BYTE => false,
        _ => return Err(SrtpError::Extension),
    };
    let mut at = 0;
    while let Some(&first) = block.get(at) {
        if first == 0 && !one_byte || one_byte && first >> 4 == 0 {
            // RFC 8285 section 4.1.2: a zero byte is padding. A one-byte element numbered 0 with a length is ignored.
            at += 1 + if one_byte && first != 0 { usize::from(first & 0x0f) + 1 } else { 0 };
            continue;
        }
        let (number, start, len) = if one_byte {
            (first >> 4, at + 1, usize::from(first & 0x0f) + 1)
        } else {
            let Some(&len) = block.get(at + 1) else { return Err(SrtpError::Extension) };
            (first, at + 2, usize::from(len))
        };
        if one_byte && number == STOP {
            break;
        }
        at = start + len;
        if at > block.len() {
            return Err(SrtpError::Extension);
        }
        if numbers.contains(&number) {
            found(start..at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(profile: u16, block: &[u8], numbers: &[u8]) -> Result<Vec<Range<usize>>, SrtpError> {
        let mut all = Vec::new();
        encrypted_elements(profile, block, numbers, |range| all.push(range)).map(|()| all)
    }

    #[test]
    fn one_byte_elements() {
        let block = [0x10, 9, 0, 0x21, 8, 7, 0xf0, 1, 0x10, 5];
        assert_eq!(elements(ONE_BYTE, &block, &[1, 2]), Ok(vec![1..2, 4..6]));
        assert_eq!(elements(ONE_BYTE, &block, &[2]), elements(ONE_BYTE, &block, &[2, 5]));
        assert_eq!(elements(ONE_BYTE, &block, &[2]).unwrap().first(), Some(&(4..6)));
        assert_eq!(elements(ONE_BYTE, &[0x13, 1, 2, 3], &[1]), Err(SrtpError::Extension));
        assert_eq!(elements(ONE_BYTE, &[0x01, 9, 9, 0x10, 5], &[1]).unwrap().first(), Some(&(4..5)));
    }

    #[test]
    fn two_byte_elements() {
        let block = [1, 0, 0, 200, 2, 8, 7, 0];
        assert_eq!(elements(TWO_BYTE | 3, &block, &[1, 200]), Ok(vec![2..2, 5..7]));
        assert_eq!(elements(TWO_BYTE, &[200, 3, 1, 2], &[]), Err(SrtpError::Extension));
        assert_eq!(elements(TWO_BYTE, &[200], &[]), Err(SrtpError::Extension));
        assert_eq!(elements(0xabcd, &[], &[]), Err(SrtpError::Extension));
    }
}
