//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section
//! 3.1).

use super::{Packet, RtcpError, feedback};
use crate::bytes::{be16, be24};

/// Arrival times count in 250 us.
pub const TICK_NANOS: u64 = 250_000;
/// The reference time counts in 64 ms.
pub(super) const REFERENCE_TICKS: u64 = 256;
/// Base sequence number, status count, reference time and feedback count.
pub(super) const FIXED_LEN: usize = 8;
/// Statuses in a list of one-bit symbols.
pub(super) const ONE_BIT_LIST: u16 = 14;
/// Statuses in a list of two-bit symbols.
pub(super) const TWO_BIT_LIST: u16 = 7;

/// Which packets of a transport arrived, and when.
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    /// Who received them.
    pub sender_ssrc: u32,
    /// One of the sources; the packet is about all of the transport.
    pub media_ssrc: u32,
    /// The first transport-wide sequence number that the packet speaks of.
    pub base_sequence: u16,
    /// How many numbers it speaks of.
    pub status_count: u16,
    /// In units of 64 ms of the receiver's clock; wraps at 24 bits.
    pub reference_time: u32,
    /// Counts feedback packets; wraps.
    pub feedback_count: u8,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its transport-wide sequence number.
    pub sequence: u16,
    /// When, in ticks of 250 us of the receiver's clock, which wraps at 2^32 of them (298 hours). Negative
    /// before the clock's zero.
    pub ticks: i64,
}

impl<'a> TransportFeedback<'a> {
    /// Checks that the chunks cover all statuses and that each arrival has its delta.
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let (sender_ssrc, media_ssrc, fci) = feedback::split(packet)?;
        let (&[base_high, base_low, count_high, count_low, time @ .., feedback_count], rest) =
            fci.split_first_chunk::<FIXED_LEN>().ok_or(RtcpError::Truncated)?;
        let status_count = u16::from_be_bytes([count_high, count_low]);
        let (chunks_len, deltas_len) = measure(rest, status_count)?;
        let (chunks, deltas) = rest.split_at(chunks_len);
        Ok(TransportFeedback {
            sender_ssrc,
            media_ssrc,
            base_sequence: u16::from_be_bytes([base_high, base_low]),
            status_count,
            reference_time: be24(&time, 0).ok_or(RtcpError::Truncated)?,
            feedback_count,
            chunks,
            deltas: deltas.get(..deltas_len).ok_or(RtcpError::Truncated)?,
        })
    }

    /// The packets that arrived, by rising sequence number. Those between, up to `status_count` from the
    /// base, did not. A run of 8191 missing packets costs one step, so a short packet cannot cause long work.
    pub fn arrivals(&self) -> Arrivals<'a> {
        Arrivals {
            chunks: self.chunks,
            deltas: self.deltas,
            chunk: Chunk::Run { symbol: 0, left: 0 },
            remaining: self.status_count,
            sequence: self.base_sequence,
            ticks: i64::from(self.reference_time) * REFERENCE_TICKS as i64,
        }
    }
}

/// Bytes of the chunks that cover `status_count` statuses, and of the deltas that these ask for.
fn measure(bytes: &[u8], status_count: u16) -> Result<(usize, usize), RtcpError> {
    let (mut remaining, mut chunks_len, mut deltas_len) = (status_count, 0, 0);
    while remaining > 0 {
        let word = be16(bytes, chunks_len).ok_or(RtcpError::Truncated)?;
        let mut chunk = Chunk::read(word, remaining);
        chunks_len += 2;
        remaining -= chunk.left();
        deltas_len += chunk.deltas_len().ok_or(RtcpError::Malformed)?;
    }
    Ok((chunks_len, deltas_len))
}

/// A packet status chunk. Its symbols are 0 (missing), or the bytes of an arrival's delta (1 or 2); 3 is
/// reserved.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    Run {
        symbol: u16,
        left: u16,
    },
    /// The next symbol stands in the highest `width` bits.
    List {
        bits: u16,
        width: u32,
        left: u16,
    },
}

impl Chunk {
    /// Statuses beyond `remaining` are not there: the last list is filled up with zeros.
    fn read(word: u16, remaining: u16) -> Chunk {
        let bits = word << 2;
        match word >> 14 {
            0b10 => Chunk::List { bits, width: 1, left: ONE_BIT_LIST.min(remaining) },
            0b11 => Chunk::List { bits, width: 2, left: TWO_BIT_LIST.min(remaining) },
            _ => Chunk::Run { symbol: word >> 13, left: (word & 0x1fff).min(remaining) },
        }
    }

    fn left(&self) -> u16 {
        let (Chunk::Run { left, .. } | Chunk::List { left, .. }) = self;
        *left
    }

    fn next_symbol(&mut self) -> Option<u16> {
        let (Chunk::Run { left, .. } | Chunk::List { left, .. }) = self;
        *left = left.checked_sub(1)?;
        Some(match self {
            Chunk::Run { symbol, .. } => *symbol,
            Chunk::List { bits, width, .. } => {
                let symbol = *bits >> (16 - *width);
                *bits <<= *width;
                symbol
            }
        })
    }

    /// Bytes of delta for the symbols left; `None`: a reserved symbol is among them.
    fn deltas_len(&mut self) -> Option<usize> {
        match *self {
            Chunk::Run { symbol: 3, left: 1.. } => None,
            Chunk::Run { symbol, left } => Some(usize::from(symbol) * usize::from(left)),
            Chunk::List { .. } => std::iter::from_fn(|| self.next_symbol())
                .try_fold(0, |sum, symbol| (symbol < 3).then_some(sum + usize::from(symbol))),
        }
    }
}

/// The arrivals of a [`TransportFeedback`].
#[derive(Clone, Debug)]
pub struct Arrivals<'a> {
    chunks: &'a [u8],
    deltas: &'a [u8],
    chunk: Chunk,
    /// Statuses in the chunks that are still to be read.
    remaining: u16,
    sequence: u16,
    ticks: i64,
}

impl Arrivals<'_> {
    /// The delta that a symbol asks for, in ticks.
    fn delta(&mut self, symbol: u16) -> Option<i64> {
        let (bytes, rest) = self.deltas.split_at_checked(usize::from(symbol))?;
        self.deltas = rest;
        match *bytes {
            [small] => Some(i64::from(small)),
            [high, low] => Some(i64::from(i16::from_be_bytes([high, low]))),
            _ => None,
        }
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            if let Chunk::Run { symbol: 0, left } = &mut self.chunk {
                self.sequence = self.sequence.wrapping_add(std::mem::take(left));
            }
            while let Some(symbol) = self.chunk.next_symbol() {
                let sequence = self.sequence;
                self.sequence = sequence.wrapping_add(1);
                if symbol != 0 {
                    self.ticks += self.delta(symbol)?;
                    return Some(Arrival { sequence, ticks: self.ticks });
                }
            }
            if self.remaining == 0 {
                return None;
            }
            let (word, rest) = self.chunks.split_first_chunk::<2>()?;
            self.chunks = rest;
            self.chunk = Chunk::read(u16::from_be_bytes(*word), self.remaining);
            self.remaining -= self.chunk.left();
        }
    }
}
