//! The packets of a datagram, one behind the other (RFC 3550 section 6.1).

use std::iter::FusedIterator;

use super::{HEADER_LEN, RtcpError};
use crate::bytes::{be16, be32};

/// A datagram of one or more RTCP packets, all of whose headers, lengths and padding are valid.
///
/// Reduced-size packets (RFC 5506) pass: what comes first is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    datagram: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Validates a datagram in clear.
    ///
    /// # Errors
    /// The first of the checks of RFC 3550 appendix A.2 that fails.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        if datagram.is_empty() {
            return Err(RtcpError::Empty);
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            rest = Packet::split(rest)?.1;
        }
        Ok(Compound { datagram })
    }

    /// The packets in order.
    #[inline]
    pub fn packets(&self) -> Packets<'a> {
        Packets { rest: self.datagram }
    }

    /// RFC 3550 section 6.1: a full compound packet begins with a report. A reduced-size one does not.
    pub fn begins_with_report(&self) -> bool {
        matches!(self.datagram, [_, 200 | 201, ..])
    }
}

/// The packets of a [`Compound`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    #[inline]
    fn next(&mut self) -> Option<Packet<'a>> {
        let (packet, rest) = Packet::split(self.rest).ok()?;
        self.rest = rest;
        Some(packet)
    }
}

impl FusedIterator for Packets<'_> {}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    first: u8,
    packet_type: u8,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet at the front and what follows it.
    #[inline]
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let &[first, packet_type, ..] = bytes else { return Err(RtcpError::Length) };
        if first >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        // RFC 3550 section 6.4.1: "The length of this RTCP packet in 32-bit words minus one, including the
        // header and any padding."
        let words = usize::from(be16(bytes, 2).ok_or(RtcpError::Length)?);
        let (packet, rest) = bytes.split_at_checked(HEADER_LEN + 4 * words).ok_or(RtcpError::Length)?;
        let mut body = &packet[HEADER_LEN..];
        if first & 0x20 != 0 {
            body = without_padding(body, rest)?;
        }
        Ok((Packet { first, packet_type, body }, rest))
    }

    /// The report count, source count, subtype or feedback message type: 0 to 31.
    #[inline]
    pub fn count(&self) -> u8 {
        self.first & 0x1f
    }

    /// 200 and so on; see [`super::packet_type`].
    #[inline]
    pub fn packet_type(&self) -> u8 {
        self.packet_type
    }

    /// What follows the four-byte header, without padding.
    #[inline]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The first word of the body: in all packets but SDES and BYE the SSRC of who sends the packet.
    #[inline]
    pub fn sender_ssrc(&self) -> Option<u32> {
        be32(self.body, 0)
    }
}

/// RFC 3550 section 6.4.1: padding only "on the last individual packet"; "The last octet of the padding is a
/// count of how many padding octets should be ignored, including itself (it will be a multiple of four)".
/// That it be a multiple of four is not asked for here: libwebrtc pads transport-wide feedback by 1 to 3
/// bytes.
#[inline]
fn without_padding<'a>(body: &'a [u8], behind: &[u8]) -> Result<&'a [u8], RtcpError> {
    let count = usize::from(*body.last().ok_or(RtcpError::Padding)?);
    if count == 0 || !behind.is_empty() {
        return Err(RtcpError::Padding);
    }
    let len = body.len().checked_sub(count).ok_or(RtcpError::Padding)?;
    Ok(&body[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(datagram: &[u8]) -> Result<Vec<(u8, u8, usize)>, RtcpError> {
        let packets = Compound::parse(datagram)?.packets();
        Ok(packets.map(|packet| (packet.packet_type(), packet.count(), packet.body().len())).collect())
    }

    #[test]
    fn packets_one_behind_the_other() {
        let datagram = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9, 0x80, 203, 0, 0];
        assert_eq!(kinds(&datagram), Ok(vec![(201, 0, 4), (203, 1, 4), (203, 0, 0)]));
        assert!(Compound::parse(&datagram).unwrap().begins_with_report());
        assert!(!Compound::parse(&datagram[8..]).unwrap().begins_with_report());
    }

    #[test]
    fn every_length_must_fit() {
        assert_eq!(kinds(&[]), Err(RtcpError::Empty));
        let datagram = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9];
        for end in (1..16).filter(|end| *end != 8) {
            assert_eq!(kinds(&datagram[..end]), Err(RtcpError::Length), "{end}");
        }
        assert_eq!(kinds(&[0x40, 201, 0, 0]), Err(RtcpError::Version));
        assert_eq!(kinds(&[0x80, 201, 0, 0, 0, 0, 0, 0]), Err(RtcpError::Version));
        assert_eq!(kinds(&[0x80, 201, 0xff, 0xff]), Err(RtcpError::Length));
    }

    #[test]
    fn padding_stands_in_the_last_packet_and_inside_it() {
        assert_eq!(kinds(&[0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4]), Ok(vec![(201, 0, 4)]));
        assert_eq!(kinds(&[0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 3]), Ok(vec![(201, 0, 5)]));
        assert_eq!(kinds(&[0xa0, 201, 0, 1, 0, 0, 0, 0]), Err(RtcpError::Padding));
        assert_eq!(kinds(&[0xa0, 201, 0, 1, 0, 0, 0, 5]), Err(RtcpError::Padding));
        assert_eq!(kinds(&[0xa0, 201, 0, 0]), Err(RtcpError::Padding));
        let twice = [0xa0, 201, 0, 1, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 9];
        assert_eq!(kinds(&twice), Err(RtcpError::Padding));
    }
}
