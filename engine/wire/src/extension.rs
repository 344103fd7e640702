//! RTP header extensions (RFC 8285): a block of elements, each an identifier that was negotiated and a few
//! bytes.

mod block;
mod text;
mod timing;
mod video;

pub mod dependency;

pub use block::{block_len, write_block};
pub use text::{Text, read_text};
pub use timing::{AbsSendTime, AudioLevel, PlayoutDelay, read_transport_sequence};
pub use video::VideoOrientation;

pub(crate) use block::put_block;

/// The names by which session descriptions negotiate the extensions that are read or written here.
pub mod uri {
    /// Media identification (RFC 9143), a [`super::read_text`] element.
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// Restriction identifier of a simulcast layer (RFC 8852), a [`super::read_text`] element.
    pub const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// The layer that an RTX stream repairs (RFC 8852), a [`super::read_text`] element.
    pub const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// [`super::AudioLevel`] (RFC 6464).
    pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// [`super::AbsSendTime`].
    pub const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// [`super::read_transport_sequence`].
    pub const TRANSPORT_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    /// [`super::VideoOrientation`] (3GPP TS 26.114).
    pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
    /// [`super::PlayoutDelay`].
    pub const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
    /// [`super::dependency::Descriptor`].
    pub const DEPENDENCY_DESCRIPTOR: &str =
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
}

/// One element of an extension block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The negotiated identifier: 1 to 14 in the one-byte form, 1 to 255 in the two-byte form.
    pub id: u8,
    /// 1 to 16 bytes in the one-byte form, 0 to 255 in the two-byte form.
    pub data: &'a [u8],
}

/// How the elements of a block are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// RFC 8285 section 4.2
    OneByte,
    /// RFC 8285 section 4.3
    TwoByte,
}

impl Form {
    /// The form that the extension's "defined by profile" bits announce; `None`: not RFC 8285.
    #[inline]
    pub fn from_profile(profile: u16) -> Option<Form> {
        match profile {
            0xbede => Some(Form::OneByte),
            // "The appbits field is 4 bits that are application-dependent": without a meaning of ours,
            // ignored.
            0x1000..=0x100f => Some(Form::TwoByte),
            _ => None,
        }
    }

    /// The "defined by profile" bits that announce this form.
    #[inline]
    pub fn profile(self) -> u16 {
        match self {
            Form::OneByte => 0xbede,
            Form::TwoByte => 0x1000,
        }
    }
}

/// Elements that are looked at in one block. Sessions here negotiate nine, and the one-byte form names no more
/// than 14; without a limit, a packet of 1400 bytes could ask for 700 steps.
pub const MAX_ELEMENTS: usize = 16;

/// Padding bytes that are skipped in one block: three behind each element, which align it to a word.
pub const MAX_PADDING: usize = 3 * MAX_ELEMENTS;

/// The elements of a block, in order. Ends early at an element that runs past the block, where RFC 8285 says
/// that processing ends, and after [`MAX_ELEMENTS`] or [`MAX_PADDING`], so that no block costs long work.
///
/// Who wants several elements of a packet walks it once and compares identifiers, rather than asking
/// [`RtpHeader::extension`](crate::rtp::RtpHeader::extension) for each.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    form: Form,
    rest: &'a [u8],
    elements_left: usize,
    padding_left: usize,
}

impl<'a> Elements<'a> {
    /// The elements of `block`, which is the extension without its four-byte header.
    #[inline]
    pub fn new(form: Form, block: &'a [u8]) -> Self {
        Elements { form, rest: block, elements_left: MAX_ELEMENTS, padding_left: MAX_PADDING }
    }

    /// The identifier and length of the element at the front, and what follows its header. Skips padding.
    #[inline]
    fn element_header(&mut self) -> Option<(u8, usize, &'a [u8])> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            match self.form {
                // Section 4.1: "padding bytes have the value of 0 (zero)".
                _ if first == 0 => {
                    self.rest = rest;
                    self.padding_left = self.padding_left.checked_sub(1)?;
                }
                // Section 4.2: "If the ID value 15 is used, its length field should be ignored, processing of
                // the entire extension should terminate at that point". The same for identifier 0 with a length.
                Form::OneByte if first >> 4 == 15 || first >> 4 == 0 => return None,
                // "The 4-bit length is the number, minus one, of data bytes".
                Form::OneByte => return Some((first >> 4, usize::from(first & 0x0f) + 1, rest)),
                Form::TwoByte => {
                    let (&len, rest) = rest.split_first()?;
                    return Some((first, usize::from(len), rest));
                }
            }
        }
    }

    #[inline]
    fn step(&mut self) -> Option<Element<'a>> {
        self.elements_left = self.elements_left.checked_sub(1)?;
        let (id, len, rest) = self.element_header()?;
        let (data, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(Element { id, data })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let element = self.step();
        if element.is_none() {
            self.rest = &[];
        }
        element
    }
}

impl std::iter::FusedIterator for Elements<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, block: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Elements::new(form, block).map(|element| (element.id, element.data.to_vec())).collect()
    }

    #[test]
    fn the_one_byte_example_of_rfc_8285() {
        // Section 4.2: three elements of 1, 2 and 4 bytes with padding between.
        let block = [0x10, 0xa1, 0x21, 0xb1, 0xb2, 0, 0, 0x33, 0xc1, 0xc2, 0xc3, 0xc4];
        let expected = vec![(1, vec![0xa1]), (2, vec![0xb1, 0xb2]), (3, vec![0xc1, 0xc2, 0xc3, 0xc4])];
        assert_eq!(read(Form::OneByte, &block), expected);
    }

    #[test]
    fn the_two_byte_example_of_rfc_8285() {
        // Section 4.3: an empty element, one of 1 byte, padding, one of 4 bytes.
        let block = [1, 0, 2, 1, 0xb1, 0, 3, 4, 0xc1, 0xc2, 0xc3, 0xc4];
        let expected = vec![(1, vec![]), (2, vec![0xb1]), (3, vec![0xc1, 0xc2, 0xc3, 0xc4])];
        assert_eq!(read(Form::TwoByte, &block), expected);
    }

    #[test]
    fn reserved_identifiers_end_the_block() {
        assert_eq!(read(Form::OneByte, &[0x10, 1, 0xf0, 2, 0x30, 3]), [(1, vec![1])]);
        assert_eq!(read(Form::OneByte, &[0x10, 1, 0x01, 2, 3, 0x30, 3]), [(1, vec![1])]);
        // In the two-byte form 15 is an identifier like any other.
        assert_eq!(read(Form::TwoByte, &[15, 1, 7]), [(15, vec![7])]);
    }

    #[test]
    fn an_element_past_its_block_is_not_seen() {
        assert_eq!(read(Form::OneByte, &[0x10, 1, 0x23, 2, 3, 4]), [(1, vec![1])]);
        assert_eq!(read(Form::OneByte, &[0x10, 1, 0x20]), [(1, vec![1])]);
        assert_eq!(read(Form::TwoByte, &[1, 1, 9, 2]), [(1, vec![9])]);
        assert_eq!(read(Form::TwoByte, &[1, 1, 9, 2, 2, 1]), [(1, vec![9])]);
        assert_eq!(read(Form::TwoByte, &[1, 255]), []);
    }

    #[test]
    fn profiles() {
        assert_eq!(Form::from_profile(0xbede), Some(Form::OneByte));
        for appbits in 0..16 {
            assert_eq!(Form::from_profile(0x1000 | appbits), Some(Form::TwoByte));
        }
        assert_eq!(Form::from_profile(0x1010), None);
        assert_eq!(Form::from_profile(Form::OneByte.profile()), Some(Form::OneByte));
        assert_eq!(Form::from_profile(Form::TwoByte.profile()), Some(Form::TwoByte));
    }
}
