//! Feedback messages: NACK and PLI (RFC 4585), FIR (RFC 5104), REMB.

use super::{Packet, RtcpError};
use crate::bytes::{be16, be24, be32};

/// The two SSRCs at the front of every feedback packet.
pub(super) const SSRCS_LEN: usize = 8;

/// Sender, media source, and the feedback control information behind them.
pub(super) fn split<'a>(packet: &Packet<'a>) -> Result<(u32, u32, &'a [u8]), RtcpError> {
    let body = packet.body();
    let read = || Some((be32(body, 0)?, be32(body, 4)?, body.get(SSRCS_LEN..)?));
    read().ok_or(RtcpError::Truncated)
}

/// Packets that a receiver misses.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    /// Whose packets are missing.
    pub media_ssrc: u32,
    items: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let (sender_ssrc, media_ssrc, items) = split(packet)?;
        // RFC 4585 section 6.2.1: "The FCI field MUST contain at least one and MAY contain more than one
        // Generic NACK."
        if items.len() < 4 {
            return Err(RtcpError::Truncated);
        }
        Ok(Nack { sender_ssrc, media_ssrc, items })
    }

    /// The missing sequence numbers in the order of the packet. A lying peer can name one as often as it
    /// likes, at most 17 for each four bytes.
    pub fn sequences(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.items.chunks_exact(4).flat_map(|item| {
            let (base, mask) = (be16(item, 0).unwrap_or(0), be16(item, 2).unwrap_or(0));
            // Bit i of the mask says that base + i + 1 is missing.
            let mut missing = u32::from(mask) << 1 | 1;
            std::iter::from_fn(move || {
                let next = missing.trailing_zeros();
                missing &= missing.wrapping_sub(1);
                (next < 32).then(|| base.wrapping_add(next as u16))
            })
        })
    }
}

/// A receiver lost a picture and asks for one that it can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: u32,
    /// Whose picture.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn parse(packet: &Packet<'_>) -> Result<Self, RtcpError> {
        split(packet).map(|(sender_ssrc, media_ssrc, _)| Pli { sender_ssrc, media_ssrc })
    }
}

/// One request of a [`Fir`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirEntry {
    /// Whose key frame is wanted.
    pub ssrc: u32,
    /// The request's number: a repeated request has the same (RFC 5104 section 4.3.1.1).
    pub sequence: u8,
}

/// Someone asks for key frames. The media source of the packet itself means nothing.
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    entries: &'a [u8],
}

impl<'a> Fir<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let (sender_ssrc, _, entries) = split(packet)?;
        // RFC 5104 section 4.3.1.1: "The FCI field MUST contain one or more FIR entries."
        if entries.len() < 8 {
            return Err(RtcpError::Truncated);
        }
        Ok(Fir { sender_ssrc, entries })
    }

    /// The requests in order.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> + use<'a> {
        self.entries
            .chunks_exact(8)
            .filter_map(|entry| Some(FirEntry { ssrc: be32(entry, 0)?, sequence: *entry.get(4)? }))
    }
}

/// The bit rate that a receiver believes it can take (draft-alvestrand-rmcat-remb-03).
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender_ssrc: u32,
    /// Bits a second over all its sources; saturates.
    pub bits_per_second: u64,
    ssrcs: &'a [u8],
}

/// "Unique identifier 'R' 'E' 'M' 'B'", behind the SSRCs.
pub(super) const REMB: [u8; 4] = *b"REMB";

impl<'a> Remb<'a> {
    pub(super) fn is_remb(packet: &Packet<'_>) -> bool {
        packet.body().get(SSRCS_LEN..).is_some_and(|fci| fci.starts_with(&REMB))
    }

    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let (sender_ssrc, _, fci) = split(packet)?;
        let read = || {
            let count = usize::from(*fci.get(4)?);
            let rate = be24(fci, 5)?;
            let (exponent, mantissa) = (rate >> 18, u64::from(rate & 0x3_ffff));
            // The exponent has six bits and the mantissa 18: what does not fit 64 bits is "as much as you
            // like".
            let bits_per_second =
                if exponent <= mantissa.leading_zeros() { mantissa << exponent } else { u64::MAX };
            Some(Remb { sender_ssrc, bits_per_second, ssrcs: fci.get(8..)?.get(..count * 4)? })
        };
        read().ok_or(RtcpError::Truncated)
    }

    /// The sources that the estimate is about.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.ssrcs.chunks_exact(4).filter_map(|ssrc| be32(ssrc, 0))
    }
}
