//! Writing a block of elements.

use super::{Element, Form, MAX_ELEMENTS};
use crate::bytes::Cursor;

/// The extension header: profile and length.
const BLOCK_HEADER_LEN: usize = 4;

/// The form that can hold all elements, and the bytes they take in it without padding. `None`: no form can.
#[inline]
fn plan(elements: &[Element<'_>]) -> Option<(Form, usize)> {
    let mut form = Form::OneByte;
    let mut data_len = 0;
    for element in elements {
        if element.id == 0 || element.data.len() > 255 {
            return None;
        }
        if element.id > 14 || !(1..=16).contains(&element.data.len()) {
            form = Form::TwoByte;
        }
        data_len += element.data.len();
    }
    let per_element = match form {
        Form::OneByte => 1,
        Form::TwoByte => 2,
    };
    Some((form, data_len + elements.len() * per_element))
}

/// Bytes of the block of these elements, its four-byte header and padding included; 0 without elements. `None`
/// when an element has identifier 0 or more than 255 bytes, or there are more than [`MAX_ELEMENTS`].
#[inline]
pub fn block_len(elements: &[Element<'_>]) -> Option<usize> {
    if elements.is_empty() {
        return Some(0);
    }
    if elements.len() > MAX_ELEMENTS {
        return None;
    }
    let (_, len) = plan(elements)?;
    Some(BLOCK_HEADER_LEN + 4 * len.div_ceil(4))
}

/// Writes a block with its four-byte header to the front of `out`: in the one-byte form if that can hold the
/// elements, else in the two-byte form; nothing without elements. Returns its length in bytes, or `None` when
/// `out` is too small or [`block_len`] is `None`.
pub fn write_block(out: &mut [u8], elements: &[Element<'_>]) -> Option<usize> {
    let len = block_len(elements)?;
    let mut cursor = Cursor::new(out.get_mut(..len)?);
    put_block(&mut cursor, elements);
    cursor.finish()
}

/// As [`write_block`], for elements that [`block_len`] accepted. The cursor stands on a word.
#[inline]
pub(crate) fn put_block(cursor: &mut Cursor<'_>, elements: &[Element<'_>]) {
    if elements.is_empty() {
        return;
    }
    let Some((form, len)) = plan(elements) else { return };
    cursor.put16(form.profile());
    cursor.put16(len.div_ceil(4) as u16);
    for element in elements {
        let len = element.data.len() as u8;
        match form {
            Form::OneByte => cursor.put8(element.id << 4 | len.wrapping_sub(1)),
            Form::TwoByte => cursor.put(&[element.id, len]),
        }
        cursor.put(element.data);
    }
    cursor.align();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::Elements;

    #[test]
    fn the_smallest_form_is_chosen() {
        let cases: [(&[Element<'_>], Form); 5] = [
            (&[Element { id: 14, data: &[0; 16] }], Form::OneByte),
            (&[Element { id: 15, data: &[1] }], Form::TwoByte),
            (&[Element { id: 1, data: &[0; 17] }], Form::TwoByte),
            (&[Element { id: 1, data: &[] }, Element { id: 2, data: &[1] }], Form::TwoByte),
            (&[Element { id: 1, data: &[9] }, Element { id: 2, data: &[1] }], Form::OneByte),
        ];
        for (elements, form) in cases {
            let mut out = [0xaa; 64];
            let len = write_block(&mut out, elements).unwrap();
            assert_eq!(Some(len), block_len(elements));
            assert_eq!(out[..2], form.profile().to_be_bytes());
            assert_eq!(usize::from(u16::from_be_bytes([out[2], out[3]])) * 4 + 4, len);
            assert!(Elements::new(form, &out[4..len]).eq(elements.iter().copied()));
            assert_eq!(out[len], 0xaa);
        }
    }

    #[test]
    fn what_cannot_be_written() {
        assert_eq!(block_len(&[]), Some(0));
        assert_eq!(write_block(&mut [], &[]), Some(0));
        assert_eq!(block_len(&[Element { id: 0, data: &[1] }]), None);
        assert_eq!(block_len(&[Element { id: 1, data: &[0; 256] }]), None);
        assert_eq!(write_block(&mut [0; 7], &[Element { id: 1, data: &[1] }]), None);
        let many = [Element { id: 1, data: &[0; 255] }; MAX_ELEMENTS + 1];
        assert_eq!(block_len(&many), None);
        assert_eq!(block_len(&many[1..]), Some(4 + MAX_ELEMENTS * 257));
    }
}
