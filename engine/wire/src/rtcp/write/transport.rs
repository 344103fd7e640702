//! Writing transport-wide feedback: chunks of statuses first, then the deltas of the arrivals.

use super::{HEADER_LEN, WriteError, Written, fmt, pt};
use crate::bytes::{Cursor, three};
use crate::rtcp::transport::{FIXED_LEN, ONE_BIT_LIST, REFERENCE_TICKS, TICK_NANOS, TWO_BIT_LIST};

/// What a run chunk can count: 13 bits.
const MAX_RUN: usize = 0x1fff;
/// RTCP header, two SSRCs, and the fixed part of the feedback.
const FIXED: usize = HEADER_LEN + 8 + FIXED_LEN;
/// The longest packet that the 16-bit length can express is 256 KiB; more than a datagram serves nobody.
const MAX_LEN: usize = 65_532;

/// Transport-wide feedback about the packets `base_sequence`, `base_sequence + 1`, ...: for each the time of
/// its arrival in nanoseconds of the receiver's clock, or `None` when it did not arrive.
///
/// Takes as many as `out` has room for, and stops ahead of an arrival that lies more than 8 s from the one
/// before it. When the packet does not end on a word, padding of 1 to 3 bytes follows with the P bit, as
/// libwebrtc does it; so this goes last into a compound.
///
/// # Errors
/// [`WriteError::Nothing`] when no packet arrived, [`WriteError::NoRoom`].
pub fn transport_feedback(
    out: &mut [u8],
    sender_ssrc: u32,
    media_ssrc: u32,
    base_sequence: u16,
    feedback_count: u8,
    arrivals: &[Option<u64>],
) -> Result<Written, WriteError> {
    let first = arrivals.iter().flatten().next().ok_or(WriteError::Nothing)?;
    let reference = first / TICK_NANOS / REFERENCE_TICKS;
    let statuses = Statuses { arrivals, previous: reference * REFERENCE_TICKS };

    let len = out.len().min(MAX_LEN) & !3;
    let room = len.checked_sub(FIXED).ok_or(WriteError::NoRoom)?;
    let chunks = Chunks { statuses: statuses.clone(), room, left: u16::MAX };
    let taken = chunks.clone().map(|(_, taken)| taken).sum::<usize>();
    if taken == 0 {
        return Err(WriteError::NoRoom);
    }

    let mut cursor = Cursor::new(&mut out[..len]);
    cursor.put(&[2 << 6 | fmt::TRANSPORT_WIDE, pt::TRANSPORT_FEEDBACK, 0, 0]);
    cursor.put32(sender_ssrc);
    cursor.put32(media_ssrc);
    cursor.put16(base_sequence);
    cursor.put16(taken as u16);
    cursor.put(&three(reference as u32));
    cursor.put8(feedback_count);
    chunks.for_each(|(word, _)| cursor.put16(word));
    for status in statuses.take(taken) {
        match status {
            Status::Missing => {}
            Status::Small(delta) => cursor.put8(delta),
            Status::Large(delta) => cursor.put(&delta.to_be_bytes()),
        }
    }
    let padding = cursor.align();
    let len = cursor.finish().ok_or(WriteError::NoRoom)?;
    finish_header(&mut out[..len], padding);
    Ok(Written { len, taken })
}

/// The length, known only now, and the padding.
fn finish_header(packet: &mut [u8], padding: usize) {
    let words = (packet.len() / 4 - 1) as u16;
    packet[2..4].copy_from_slice(&words.to_be_bytes());
    if let (1.., Some(last)) = (padding, packet.last_mut()) {
        *last = padding as u8;
        packet[0] |= 0x20;
    }
}

/// The status of one packet.
#[derive(Clone, Copy)]
enum Status {
    Missing,
    Small(u8),
    Large(i16),
}

impl Status {
    /// The symbol in a chunk, which is also the number of bytes of its delta.
    fn symbol(self) -> u16 {
        match self {
            Status::Missing => 0,
            Status::Small(_) => 1,
            Status::Large(_) => 2,
        }
    }
}

/// The statuses of arrivals, each relative to the one before. Ends at a delta that does not fit.
#[derive(Clone)]
struct Statuses<'a> {
    arrivals: &'a [Option<u64>],
    /// Of the last arrival, in ticks.
    previous: u64,
}

impl Iterator for Statuses<'_> {
    type Item = Status;

    fn next(&mut self) -> Option<Status> {
        let (arrival, rest) = self.arrivals.split_first()?;
        let status = match arrival {
            None => Status::Missing,
            Some(nanos) => {
                let ticks = nanos / TICK_NANOS;
                // Ticks stay below 2^47, so their difference is exact.
                let delta = ticks as i64 - self.previous as i64;
                self.previous = ticks;
                match u8::try_from(delta) {
                    Ok(small) => Status::Small(small),
                    Err(_) => Status::Large(i16::try_from(delta).ok()?),
                }
            }
        };
        self.arrivals = rest;
        Some(status)
    }
}

/// The chunks that describe statuses: each word, and how many statuses it covers. Ends when the room for
/// chunks and deltas together is used up.
#[derive(Clone)]
struct Chunks<'a> {
    statuses: Statuses<'a>,
    /// In bytes.
    room: usize,
    /// What the status count can still grow by.
    left: u16,
}

impl Chunks<'_> {
    fn symbols(&self) -> impl Iterator<Item = u16> {
        self.statuses.clone().take(usize::from(self.left)).map(Status::symbol)
    }

    /// The word, its statuses, and the bytes of their deltas.
    fn plan(&self) -> Option<(u16, usize, usize)> {
        let first = self.symbols().next()?;
        // A run may be cut where the room ends; a list is not worth it.
        let run_room =
            self.room.checked_sub(2)?.checked_div(usize::from(first)).unwrap_or(MAX_RUN).min(MAX_RUN);
        let run = self.symbols().take(run_room).take_while(|symbol| *symbol == first).count();
        let one_bit = usize::from(ONE_BIT_LIST);
        let listed = self.symbols().take(one_bit).take_while(|symbol| *symbol <= 1).count();
        let complete = self.symbols().take(one_bit).count() == listed;
        if run >= one_bit || (run > usize::from(TWO_BIT_LIST) && !complete) {
            return Some((first << 13 | run as u16, run, run * usize::from(first)));
        }
        Some(if complete { self.list(ONE_BIT_LIST, 1) } else { self.list(TWO_BIT_LIST, 2) })
    }

    fn list(&self, statuses: u16, width: u16) -> (u16, usize, usize) {
        let (mut bits, mut taken, mut bytes) = (1 << 1 | (width - 1), 0, 0);
        for symbol in self.symbols().take(usize::from(statuses)) {
            bits = bits << width | symbol;
            bytes += usize::from(symbol);
            taken += 1;
        }
        (bits << ((statuses - taken) * width), usize::from(taken), bytes)
    }
}

impl Iterator for Chunks<'_> {
    type Item = (u16, usize);

    fn next(&mut self) -> Option<(u16, usize)> {
        let (word, taken, bytes) = self.plan()?;
        self.room = self.room.checked_sub(2 + bytes)?;
        self.left -= taken as u16;
        self.statuses.by_ref().take(taken).for_each(drop);
        Some((word, taken))
    }
}
