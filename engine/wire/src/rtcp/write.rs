//! RTCP packets written to the front of a `&mut [u8]`. Each function returns the bytes it used; nothing
//! behind them is touched. [`CompoundWriter`] puts packets one behind the other.

mod transport;

pub use transport::transport_feedback;

use thiserror::Error;

use super::feedback::REMB;
use super::{
    FirEntry, HEADER_LEN, MAX_COUNT, Pli, ReportBlock, SenderInfo, feedback_format as fmt, packet_type as pt,
};
use crate::bytes::{Cursor, three};

/// Why a packet cannot be written. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum WriteError {
    /// The output is too small.
    #[error("no room in the output")]
    NoRoom,
    /// More blocks, chunks or sources than the packet can count.
    #[error("more entries than the packet can count")]
    TooMany,
    /// A text of more than 255 bytes.
    #[error("text longer than 255 bytes")]
    TextTooLong,
    /// Nothing to say: the packet must have at least one entry.
    #[error("no entry")]
    Nothing,
}

/// What a packet of limited size could hold of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the packet.
    pub len: usize,
    /// Entries of the list that are in it; the others need another packet.
    pub taken: usize,
}

/// Puts packets one behind the other into one datagram.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> CompoundWriter<'a> {
    /// An empty compound at the front of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        CompoundWriter { out, len: 0 }
    }

    /// Appends what `write` writes into the room that is left, as in
    /// `compound.add(|out| write::bye(out, &[ssrc], ""))`.
    ///
    /// # Errors
    /// Those of `write`, which then has added nothing.
    pub fn add(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, WriteError>,
    ) -> Result<(), WriteError> {
        let room = self.out.get_mut(self.len..).ok_or(WriteError::NoRoom)?;
        self.len += write(room)?;
        Ok(())
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A packet whose body of `body_len` bytes `fill` writes; zeros follow up to the next word.
fn packet(
    out: &mut [u8],
    packet_type: u8,
    count: usize,
    body_len: usize,
    fill: impl FnOnce(&mut Cursor<'_>),
) -> Result<usize, WriteError> {
    let words = u16::try_from(body_len.div_ceil(4)).map_err(|_| WriteError::TooMany)?;
    if count > MAX_COUNT {
        return Err(WriteError::TooMany);
    }
    let out = out.get_mut(..HEADER_LEN + 4 * usize::from(words)).ok_or(WriteError::NoRoom)?;
    let mut cursor = Cursor::new(out);
    cursor.put(&[2 << 6 | count as u8, packet_type]);
    cursor.put16(words);
    fill(&mut cursor);
    cursor.align();
    cursor.finish().ok_or(WriteError::NoRoom)
}

/// A sender report (RFC 3550 section 6.4.1) with at most 31 report blocks.
///
/// # Errors
/// [`WriteError::NoRoom`] or [`WriteError::TooMany`].
pub fn sender_report(
    out: &mut [u8],
    ssrc: u32,
    info: &SenderInfo,
    blocks: &[ReportBlock],
) -> Result<usize, WriteError> {
    let body_len = 4 + SenderInfo::LEN + blocks.len() * ReportBlock::LEN;
    packet(out, pt::SENDER_REPORT, blocks.len(), body_len, |cursor| {
        cursor.put32(ssrc);
        cursor.put(&info.ntp.0.to_be_bytes());
        cursor.put32(info.rtp_timestamp);
        cursor.put32(info.packets);
        cursor.put32(info.octets);
        blocks.iter().for_each(|block| block.put(cursor));
    })
}

/// A receiver report (RFC 3550 section 6.4.2) with at most 31 report blocks.
///
/// # Errors
/// [`WriteError::NoRoom`] or [`WriteError::TooMany`].
pub fn receiver_report(out: &mut [u8], ssrc: u32, blocks: &[ReportBlock]) -> Result<usize, WriteError> {
    let body_len = 4 + blocks.len() * ReportBlock::LEN;
    packet(out, pt::RECEIVER_REPORT, blocks.len(), body_len, |cursor| {
        cursor.put32(ssrc);
        blocks.iter().for_each(|block| block.put(cursor));
    })
}

/// A source description (RFC 3550 section 6.5) with the CNAME of at most 31 sources.
///
/// # Errors
/// [`WriteError::NoRoom`], [`WriteError::TooMany`], or [`WriteError::TextTooLong`].
pub fn sdes(out: &mut [u8], cnames: &[(u32, &str)]) -> Result<usize, WriteError> {
    const CNAME: u8 = 1;
    if cnames.iter().any(|(_, cname)| cname.len() > 255) {
        return Err(WriteError::TextTooLong);
    }
    // SSRC, item header, text, and at least one zero that ends the list of items.
    let body_len = cnames.iter().map(|(_, cname)| (4 + 2 + cname.len() + 1).next_multiple_of(4)).sum();
    packet(out, pt::SDES, cnames.len(), body_len, |cursor| {
        for (ssrc, cname) in cnames {
            cursor.put32(*ssrc);
            cursor.put(&[CNAME, cname.len() as u8]);
            cursor.put(cname.as_bytes());
            cursor.put8(0);
            cursor.align();
        }
    })
}

/// A goodbye (RFC 3550 section 6.6) of at most 31 sources, with a reason unless it is empty.
///
/// # Errors
/// [`WriteError::NoRoom`], [`WriteError::TooMany`], or [`WriteError::TextTooLong`].
pub fn bye(out: &mut [u8], ssrcs: &[u32], reason: &str) -> Result<usize, WriteError> {
    let reason_len = u8::try_from(reason.len()).map_err(|_| WriteError::TextTooLong)?;
    let reason_room = if reason.is_empty() { 0 } else { 1 + reason.len() };
    packet(out, pt::BYE, ssrcs.len(), 4 * ssrcs.len() + reason_room, |cursor| {
        ssrcs.iter().for_each(|ssrc| cursor.put32(*ssrc));
        if reason_len > 0 {
            cursor.put8(reason_len);
            cursor.put(reason.as_bytes());
        }
    })
}

/// A picture loss indication (RFC 4585 section 6.3.1).
///
/// # Errors
/// [`WriteError::NoRoom`].
pub fn pli(out: &mut [u8], pli: Pli) -> Result<usize, WriteError> {
    packet(out, pt::PAYLOAD_FEEDBACK, usize::from(fmt::PLI), 8, |cursor| {
        cursor.put32(pli.sender_ssrc);
        cursor.put32(pli.media_ssrc);
    })
}

/// A full intra request (RFC 5104 section 4.3.1).
///
/// # Errors
/// [`WriteError::NoRoom`], [`WriteError::Nothing`] without entries, or [`WriteError::TooMany`].
pub fn fir(out: &mut [u8], sender_ssrc: u32, entries: &[FirEntry]) -> Result<usize, WriteError> {
    if entries.is_empty() {
        return Err(WriteError::Nothing);
    }
    packet(out, pt::PAYLOAD_FEEDBACK, usize::from(fmt::FIR), 8 + 8 * entries.len(), |cursor| {
        cursor.put32(sender_ssrc);
        // RFC 5104 section 4.3.1.2: "the "SSRC of media source" is not used and SHALL be set to 0".
        cursor.put32(0);
        for entry in entries {
            cursor.put32(entry.ssrc);
            cursor.put(&[entry.sequence, 0, 0, 0]);
        }
    })
}

/// A generic NACK (RFC 4585 section 6.2.1) for as many of the missing sequence numbers as `out` has room for.
/// They come in sending order (rising, over the wrap too); one that repeats or falls back only costs room.
///
/// # Errors
/// [`WriteError::NoRoom`] when not even the first fits, [`WriteError::Nothing`] without any.
pub fn nack(
    out: &mut [u8],
    sender_ssrc: u32,
    media_ssrc: u32,
    missing: &[u16],
) -> Result<Written, WriteError> {
    const FIXED: usize = HEADER_LEN + 8;
    if missing.is_empty() {
        return Err(WriteError::Nothing);
    }
    // The length field counts at most 65535 words behind the header's own, two of which are SSRCs.
    let room = (out.len().saturating_sub(FIXED) / 4).min(usize::from(u16::MAX) - 2);
    let (mut items, mut taken) = (0, 0);
    for (_, _, end) in nack_items(missing).take(room) {
        (items, taken) = (items + 1, end);
    }
    if items == 0 {
        return Err(WriteError::NoRoom);
    }
    let len = packet(out, pt::TRANSPORT_FEEDBACK, usize::from(fmt::NACK), 8 + 4 * items, |cursor| {
        cursor.put32(sender_ssrc);
        cursor.put32(media_ssrc);
        for (base, mask, _) in nack_items(missing).take(items) {
            cursor.put16(base);
            cursor.put16(mask);
        }
    })?;
    Ok(Written { len, taken })
}

/// Base, mask of the 16 numbers behind it, and how many of `missing` are covered up to here.
fn nack_items(missing: &[u16]) -> impl Iterator<Item = (u16, u16, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let base = *missing.get(at)?;
        let mut mask = 0u16;
        at += 1;
        while let Some(next) = missing.get(at) {
            match next.wrapping_sub(base) {
                0 => {}
                ahead @ 1..=16 => mask |= 1 << (ahead - 1),
                _ => break,
            }
            at += 1;
        }
        Some((base, mask, at))
    })
}

/// A receiver estimated maximum bit rate (draft-alvestrand-rmcat-remb-03), rounded down to 18 significant
/// bits.
///
/// # Errors
/// [`WriteError::NoRoom`], or [`WriteError::TooMany`] beyond 255 sources.
pub fn remb(
    out: &mut [u8],
    sender_ssrc: u32,
    bits_per_second: u64,
    ssrcs: &[u32],
) -> Result<usize, WriteError> {
    let count = u8::try_from(ssrcs.len()).map_err(|_| WriteError::TooMany)?;
    let exponent = (u64::BITS - bits_per_second.leading_zeros()).saturating_sub(18);
    let mantissa = (bits_per_second >> exponent) as u32;
    packet(out, pt::PAYLOAD_FEEDBACK, usize::from(fmt::APPLICATION), 16 + 4 * ssrcs.len(), |cursor| {
        cursor.put32(sender_ssrc);
        cursor.put32(0);
        cursor.put(&REMB);
        cursor.put8(count);
        cursor.put(&three(exponent << 18 | mantissa));
        ssrcs.iter().for_each(|ssrc| cursor.put32(*ssrc));
    })
}

#[cfg(test)]
mod tests;
