//! RTP packets (RFC 3550 section 5): validated once, then read without a check that could fail.

mod header;
mod writer;

pub use header::RtpHeader;
pub use writer::{HeaderBuilder, WriteError};

use std::ops::{Deref, Range};

use thiserror::Error;

/// The fixed header without CSRCs and extension.
pub const FIXED_HEADER_LEN: usize = 12;
/// RFC 3550 section 5.1: "a maximum of 15 sources" of four bytes.
pub const MAX_CSRC_LEN: usize = 60;

/// Why a packet is not RTP. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RtpError {
    /// Fewer than the 12 bytes of the fixed header.
    #[error("shorter than the fixed header")]
    TooShort,
    /// The version is not 2.
    #[error("version is not 2")]
    Version,
    /// The CSRC list runs past the end.
    #[error("contributing sources run past the end")]
    Csrc,
    /// The header extension runs past the end.
    #[error("header extension runs past the end")]
    Extension,
    /// The padding count is zero, or larger than what follows the header.
    #[error("padding count does not fit the payload")]
    Padding,
}

/// A packet in clear: header, payload and padding lie inside of it.
///
/// Dereferences to its [`RtpHeader`], whose getters are the same for packets that are still encrypted.
#[derive(Clone, Copy, Debug)]
pub struct RtpView<'a> {
    header: RtpHeader<'a>,
    /// At most 255; counted with its own count byte.
    padding: u8,
}

impl<'a> RtpView<'a> {
    /// Validates a packet in clear.
    ///
    /// # Errors
    /// The first rule of RFC 3550 section 5.1 (and appendix A.1) that it breaks.
    #[inline]
    pub fn parse(packet: &'a [u8]) -> Result<Self, RtpError> {
        Self::from_header(RtpHeader::parse(packet)?)
    }

    /// Validates the rest of a packet whose header was validated while it was encrypted, and is in clear now.
    ///
    /// # Errors
    /// [`RtpError::Padding`].
    #[inline]
    pub fn from_header(header: RtpHeader<'a>) -> Result<Self, RtpError> {
        let padding = match (header.has_padding(), header.body()) {
            (false, _) => 0,
            // RFC 3550 section 5.1: "The last octet of the padding contains a count of how many padding
            // octets should be ignored, including itself."
            (true, [.., count]) if *count != 0 && usize::from(*count) <= header.body().len() => *count,
            (true, _) => return Err(RtpError::Padding),
        };
        Ok(RtpView { header, padding })
    }

    /// The header alone.
    #[inline]
    pub fn header(&self) -> RtpHeader<'a> {
        self.header
    }

    /// What the packet carries, without padding.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        let body = self.header.body();
        &body[..body.len() - self.padding_len()]
    }

    /// Where in the packet the payload lies.
    #[inline]
    pub fn payload_range(&self) -> Range<usize> {
        self.header.header_len()..self.header.packet().len() - self.padding_len()
    }

    /// Padding bytes at the end, the count byte included; 0 without padding.
    #[inline]
    pub fn padding_len(&self) -> usize {
        usize::from(self.padding)
    }
}

impl<'a> Deref for RtpView<'a> {
    type Target = RtpHeader<'a>;

    #[inline]
    fn deref(&self) -> &RtpHeader<'a> {
        &self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::Element;

    /// V=2, P, X, CC=2, M, PT 96, with a one-byte extension (id 1: `aa bb`), payload `1 2 3`, padding 2.
    const FULL: [u8; 37] = [
        0xb2, 0xe0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe, // fixed
        0, 0, 0, 1, 0, 0, 0, 2, // CSRC
        0xbe, 0xde, 0, 2, 0x11, 0xaa, 0xbb, 0, 0x20, 0x55, 0, 0, // extension
        1, 2, 3, 0, 2,
    ];

    #[test]
    fn every_field_of_a_full_packet() {
        let view = RtpView::parse(&FULL).unwrap();
        assert!(view.marker() && view.has_padding() && view.has_extension());
        assert_eq!(view.payload_type(), 96);
        assert_eq!(view.sequence(), 0x1234);
        assert_eq!(view.timestamp(), 0xdead_beef);
        assert_eq!(view.ssrc(), 0xcafe_babe);
        assert!(view.csrcs().eq([1, 2]));
        assert_eq!(view.header_len(), 32);
        assert_eq!(view.extension_range(), Some(24..32));
        assert_eq!(view.extension(1), Some(&[0xaa, 0xbb][..]));
        assert_eq!(view.extension(2), Some(&[0x55][..]));
        assert_eq!(view.extension(3), None);
        assert_eq!(view.payload(), [1, 2, 3]);
        assert_eq!(view.payload_range(), 32..35);
        assert_eq!(view.padding_len(), 2);
    }

    #[test]
    fn a_packet_of_padding_alone_is_legal() {
        // Bandwidth probes look like this.
        let mut packet = [0u8; 12 + 255];
        packet[0] = 0xa0;
        packet[12 + 254] = 255;
        let view = RtpView::parse(&packet).unwrap();
        assert_eq!((view.payload().len(), view.padding_len()), (0, 255));
    }

    #[test]
    fn each_broken_rule_has_its_reason() {
        let reason = |change: fn(&mut Vec<u8>)| {
            let mut packet = FULL.to_vec();
            change(&mut packet);
            RtpView::parse(&packet).map(|_| ())
        };
        assert_eq!(reason(|p| p.truncate(11)), Err(RtpError::TooShort));
        assert_eq!(reason(|p| p.clear()), Err(RtpError::TooShort));
        assert_eq!(reason(|p| p[0] = 0x72), Err(RtpError::Version));
        assert_eq!(reason(|p| p[0] = 0xbf), Err(RtpError::Csrc));
        assert_eq!(reason(|p| p.truncate(19)), Err(RtpError::Csrc));
        assert_eq!(reason(|p| p.truncate(22)), Err(RtpError::Extension));
        assert_eq!(reason(|p| p.truncate(31)), Err(RtpError::Extension));
        assert_eq!(reason(|p| p[22] = 0xff), Err(RtpError::Extension));
        assert_eq!(reason(|p| p[36] = 0), Err(RtpError::Padding));
        assert_eq!(reason(|p| p[36] = 6), Err(RtpError::Padding));
        assert_eq!(reason(|p| p.truncate(32)), Err(RtpError::Padding));
        assert_eq!(reason(|p| p[36] = 5), Ok(()));
    }

    #[test]
    fn an_encrypted_packet_shows_its_header_whatever_its_last_byte_says() {
        let mut packet = FULL;
        packet[36] = 0;
        let header = RtpHeader::parse(&packet).unwrap();
        assert_eq!((header.ssrc(), header.sequence(), header.header_len()), (0xcafe_babe, 0x1234, 32));
        assert_eq!(header.body(), [1, 2, 3, 0, 0]);
        assert_eq!(RtpView::from_header(header).map(|_| ()), Err(RtpError::Padding));
    }

    #[test]
    fn a_rewritten_header_reads_back() {
        let view = RtpView::parse(&FULL).unwrap();
        let elements = [Element { id: 3, data: b"0" }, Element { id: 5, data: &[1, 2, 3] }];
        let builder = HeaderBuilder {
            marker: false,
            padding: true,
            payload_type: 111,
            sequence: 9,
            timestamp: 10,
            ssrc: 11,
            csrcs: view.csrc_bytes(),
            extensions: &elements,
        };
        let mut out = [0xffu8; 64];
        let len = builder.write(&mut out).unwrap();
        assert_eq!(Ok(len), builder.encoded_len());
        out[len..len + 5].copy_from_slice(view.body());
        let copy = RtpView::parse(&out[..len + 5]).unwrap();
        assert_eq!((copy.marker(), copy.payload_type(), copy.sequence()), (false, 111, 9));
        assert_eq!((copy.timestamp(), copy.ssrc(), copy.payload()), (10, 11, &[1u8, 2, 3][..]));
        assert!(copy.csrcs().eq(view.csrcs()));
        assert!(copy.extensions().eq(elements));
    }

    #[test]
    fn a_header_that_cannot_be_written_says_why() {
        let plain = HeaderBuilder { payload_type: 96, ..HeaderBuilder::default() };
        assert_eq!(plain.write(&mut [0; 11]), Err(WriteError::NoRoom));
        assert_eq!(plain.write(&mut [0; 12]), Ok(12));
        assert_eq!(HeaderBuilder { payload_type: 128, ..plain }.encoded_len(), Err(WriteError::PayloadType));
        assert_eq!(HeaderBuilder { csrcs: &[0; 6], ..plain }.encoded_len(), Err(WriteError::Csrc));
        assert_eq!(HeaderBuilder { csrcs: &[0; 64], ..plain }.encoded_len(), Err(WriteError::Csrc));
        let zero = [Element { id: 0, data: &[1] }];
        assert_eq!(HeaderBuilder { extensions: &zero, ..plain }.encoded_len(), Err(WriteError::Extension));
    }
}
