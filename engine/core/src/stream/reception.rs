//! What a receiver knows of a stream's packets: their order, which came, loss and jitter (RFC 3550 appendix A).

use std::time::Duration;

use kaname_wire::rtcp::ReportBlock;
use kaname_wire::sequence::{SequenceUnwrapper, ticks_from_nanos};

use crate::{Time, limits};

const WORDS: usize = limits::SEEN_WINDOW / 64;

/// Statistics of one stream, and a window for duplicates.
pub(crate) struct Reception {
    unwrapper: SequenceUnwrapper,
    first: Option<u64>,
    seen: Box<[u64; WORDS]>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The transit time of the last packet in ticks, wrapped.
    transit: Option<u32>,
    /// In sixteenths of a tick (RFC 3550 appendix A.8).
    jitter: u32,
    reported_expected: u64,
    reported_received: u64,
    /// Of the SSRCs before this one: packets, and those lost.
    packets_before: u64,
    lost_before: i64,
}

/// Where a packet stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Ahead of all so far; the numbers between are missing.
    New { gap: u64 },
    /// Behind the highest.
    Late,
    /// There before, or too old to tell.
    Duplicate,
}

impl Reception {
    pub(crate) fn new() -> Reception {
        Reception {
            unwrapper: SequenceUnwrapper::new(),
            first: None,
            seen: Box::new([0; WORDS]),
            packets: 0,
            bytes: 0,
            transit: None,
            jitter: 0,
            reported_expected: 0,
            reported_received: 0,
            packets_before: 0,
            lost_before: 0,
        }
    }

    /// Another SSRC goes on behind the highest number: what is reported counts from it.
    pub(crate) fn begin_anew(&mut self) {
        (self.lost_before, self.packets_before) = (self.lost(), self.packets);
        (self.first, self.reported_expected, self.reported_received) = (None, 0, 0);
    }

    /// The timestamp that a packet would have that arrived now, in step with the others.
    pub(crate) fn expected_timestamp(&self, now: Time, clock_rate: u32) -> Option<u32> {
        let transit = self.transit?;
        Some(ticks_from_nanos(now.as_nanos(), clock_rate).wrapping_sub(transit))
    }

    pub(crate) fn highest(&self) -> Option<u64> {
        self.unwrapper.highest()
    }

    /// Takes a sequence number in: its 64-bit form and its place.
    pub(crate) fn place(&mut self, sequence: u16) -> (u64, Place) {
        let before = self.unwrapper.highest();
        let number = self.unwrapper.peek(sequence);
        let place = match before {
            None => Place::New { gap: 0 },
            Some(highest) if number > highest => Place::New { gap: number - highest - 1 },
            Some(highest) if highest - number >= limits::SEEN_WINDOW as u64 => Place::Duplicate,
            Some(_) if self.has_seen(number) => Place::Duplicate,
            Some(_) => Place::Late,
        };
        if let Place::New { gap } = place {
            self.unwrapper.extend(sequence);
            self.first.get_or_insert(number);
            let forget = (gap + 1).min(limits::SEEN_WINDOW as u64);
            (0..forget).for_each(|back| self.mark(number - back, false));
        }
        if place != Place::Duplicate {
            self.mark(number, true);
        }
        (number, place)
    }

    /// Whether the packet lies so far behind that nothing is known of it.
    pub(crate) fn is_too_old(&self, sequence: u16) -> bool {
        let number = self.unwrapper.peek(sequence);
        self.highest().is_some_and(|highest| number + limits::SEEN_WINDOW as u64 <= highest)
    }

    fn has_seen(&self, number: u64) -> bool {
        self.seen[number as usize / 64 % WORDS] & (1 << (number % 64)) != 0
    }

    fn mark(&mut self, number: u64, seen: bool) {
        let word = &mut self.seen[number as usize / 64 % WORDS];
        if seen { *word |= 1 << (number % 64) } else { *word &= !(1 << (number % 64)) }
    }

    /// A packet that came by itself counts.
    pub(crate) fn count(&mut self, payload_len: usize) {
        self.packets += 1;
        self.bytes += payload_len as u64;
    }

    /// Its timestamp says when it was made: jitter counts too.
    pub(crate) fn time(&mut self, timestamp: u32, arrival: Time, clock_rate: u32) {
        let transit = ticks_from_nanos(arrival.as_nanos(), clock_rate).wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            // RFC 3550 appendix A.8: J += |D| - ((J + 8) >> 4), all in sixteenths.
            let change = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A leap is a change of timestamps, not of the network.
            if change < clock_rate.saturating_mul(10) {
                self.jitter = self.jitter.saturating_add(change).saturating_sub((self.jitter + 8) >> 4);
            }
        }
    }

    pub(crate) fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    fn expected(&self) -> u64 {
        match (self.first, self.highest()) {
            (Some(first), Some(highest)) => highest - first + 1,
            _ => 0,
        }
    }

    /// Packets that never came by themselves (repairs do not count as received).
    pub(crate) fn lost(&self) -> i64 {
        self.lost_before + self.lost_now()
    }

    /// Of the present SSRC.
    fn lost_now(&self) -> i64 {
        self.expected() as i64 - self.received() as i64
    }

    fn received(&self) -> u64 {
        self.packets - self.packets_before
    }

    /// The highest number as the peer counts, with the wraps since its first packet.
    fn own_highest(&self, offset: u16) -> u32 {
        let (Some(first), Some(highest)) = (self.first, self.highest()) else { return 0 };
        u32::from((first as u16).wrapping_sub(offset)).wrapping_add((highest - first) as u32)
    }

    /// A report block since the last one, without the fields about sender reports. `offset`: what was added to the
    /// sequence numbers of this SSRC.
    pub(crate) fn report(&mut self, ssrc: u32, offset: u16) -> ReportBlock {
        let expected = self.expected();
        let expected_now = expected.saturating_sub(self.reported_expected);
        let received_now = self.received().saturating_sub(self.reported_received);
        (self.reported_expected, self.reported_received) = (expected, self.received());
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0).min(255);
        ReportBlock {
            ssrc,
            fraction_lost: fraction as u8,
            cumulative_lost: self.lost_now().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.own_highest(offset),
            jitter: self.jitter(),
            last_sr: 0,
            delay_since_last_sr: 0,
        }
    }
}

/// The last sender report of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemoteReport {
    pub(crate) ntp: kaname_wire::ntp::NtpTime,
    pub(crate) timestamp: u32,
    pub(crate) arrival: Time,
}

impl RemoteReport {
    /// The same clocks, read at `now`.
    pub(crate) fn at(&self, now: Time, clock_rate: u32) -> RemoteReport {
        let elapsed: Duration = now.since(self.arrival);
        let nanos = elapsed.as_nanos() as u64;
        let ntp = self.ntp.0.wrapping_add((u128::from(nanos) << 32).wrapping_div(1_000_000_000) as u64);
        RemoteReport {
            ntp: kaname_wire::ntp::NtpTime(ntp),
            timestamp: self.timestamp.wrapping_add(ticks_from_nanos(nanos, clock_rate)),
            arrival: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let mut reception = Reception::new();
        let (first, place) = reception.place(65_534);
        assert_eq!(place, Place::New { gap: 0 });
        assert_eq!(reception.place(1), (first + 3, Place::New { gap: 2 }));
        assert_eq!(reception.place(0), (first + 2, Place::Late));
        assert_eq!(reception.place(0), (first + 2, Place::Duplicate));
        assert_eq!(reception.place(65_534), (first, Place::Duplicate));
        reception.place(1 + limits::SEEN_WINDOW as u16);
        assert_eq!(reception.place(65_535).1, Place::Duplicate);
        assert_eq!(reception.place(3).1, Place::Late);
    }

    #[test]
    fn a_window_ago_is_forgotten() {
        let mut reception = Reception::new();
        for sequence in 0..10 * limits::SEEN_WINDOW {
            assert_eq!(reception.place(sequence as u16).1, Place::New { gap: 0 });
        }
    }

    #[test]
    fn reports_count_what_came_since_the_last() {
        let mut reception = Reception::new();
        for sequence in (0..100u16).filter(|sequence| sequence % 4 != 1) {
            reception.place(sequence);
            reception.count(10);
            let arrival = Time::from_nanos(u64::from(sequence) * 20_000_000);
            reception.time(u32::from(sequence) * 960, arrival, 48_000);
        }
        let report = reception.report(7, 0);
        assert_eq!((report.cumulative_lost, report.fraction_lost, report.jitter), (25, 64, 0));
        assert_eq!(report.highest_sequence, 99);
        let report = reception.report(7, 0);
        assert_eq!((report.cumulative_lost, report.fraction_lost), (25, 0));
    }
}
