//! How a stream's numbers become a sender's: sequence numbers go on without a gap and timestamps with the time
//! that passed, whatever the sender forwarded before.

use arrayvec::ArrayVec;
use kaname_wire::sequence::ticks_from_nanos;

use crate::command::StreamId;
use crate::{Time, limits};

/// A stretch of one stream in the sender's numbers.
#[derive(Clone, Copy, Debug)]
struct Segment {
    stream: StreamId,
    /// The stream's first number in it, and what that is called at the subscriber.
    from: u64,
    to: u64,
    /// Added to timestamps.
    offset: u32,
}

/// What a packet is called at the subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
}

/// Where a repair is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) stream: StreamId,
    pub(crate) sequence: u64,
    pub(crate) offset: u32,
}

/// The numbers of one sender: those of a sender that never switched are within one cache line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Mapping {
    /// What comes behind the highest number sent.
    next: u64,
    last_sent: Option<Time>,
    last_timestamp: u32,
    /// The next packet begins a segment, whatever its stream.
    broken: bool,
    /// The latest last; never empty once the first packet went.
    segments: ArrayVec<Segment, { limits::SEGMENTS }>,
}

impl Mapping {
    pub(crate) fn new(first_sequence: u64, first_timestamp: u32) -> Mapping {
        Mapping {
            segments: ArrayVec::new(),
            next: first_sequence,
            broken: false,
            last_timestamp: first_timestamp,
            last_sent: None,
        }
    }

    /// A packet that the subscriber cannot use was left out, or the sender fell silent: the next packet goes on
    /// without a gap.
    pub(crate) fn interrupt(&mut self) {
        self.broken = true;
    }

    /// What the packet is called. `None`: it comes from before the switch to its stream, or from a gap that was
    /// closed.
    #[inline]
    pub(crate) fn map(
        &mut self,
        stream: StreamId,
        sequence: u64,
        timestamp: u32,
        now: Time,
        clock_rate: u32,
    ) -> Option<Mapped> {
        // Nearly always it is the next packet of the stretch that the last one was of.
        if let Some(last) = self.segments.last().filter(|last| last.stream == stream && !self.broken) {
            let mapped = sequence.wrapping_sub(last.from).wrapping_add(last.to);
            if sequence >= last.from && mapped >= self.next && mapped <= self.next + limits::GAP_MAX {
                let mapped = Mapped { sequence: mapped, timestamp: timestamp.wrapping_add(last.offset) };
                self.advance(mapped, now);
                return Some(mapped);
            }
        }
        self.map_any(stream, sequence, timestamp, now, clock_rate)
    }

    #[inline(never)]
    fn map_any(
        &mut self,
        stream: StreamId,
        sequence: u64,
        timestamp: u32,
        now: Time,
        clock_rate: u32,
    ) -> Option<Mapped> {
        let follows = self.segments.last().is_some_and(|last| {
            last.stream == stream
                && (sequence < last.from || last.to + (sequence - last.from) <= self.next + limits::GAP_MAX)
        });
        let ahead = self.segments.last().is_none_or(|last| {
            last.stream != stream || (sequence >= last.from && last.to + (sequence - last.from) >= self.next)
        });
        if !follows || (self.broken && ahead) {
            self.begin(stream, sequence, timestamp, now, clock_rate);
        }
        let mapped = self.look_up(stream, sequence, timestamp)?;
        if mapped.sequence >= self.next {
            self.advance(mapped, now);
        }
        Some(mapped)
    }

    /// The packet is ahead of all that were sent.
    #[inline]
    fn advance(&mut self, mapped: Mapped, now: Time) {
        self.next = mapped.sequence + 1;
        // The moment that a timestamp stands for is when it was new: an event (RFC 4733) keeps it to its end.
        if self.last_timestamp != mapped.timestamp || self.last_sent.is_none() {
            (self.last_timestamp, self.last_sent) = (mapped.timestamp, Some(now));
        }
    }

    fn begin(&mut self, stream: StreamId, sequence: u64, timestamp: u32, now: Time, clock_rate: u32) {
        let known =
            self.segments.iter().rev().find(|segment| segment.stream == stream).map(|known| known.offset);
        // The same stream keeps its clock while it was the last one; another continues the sender's.
        let same = self.segments.last().is_some_and(|last| last.stream == stream);
        let offset = match (known, same, self.last_sent) {
            (Some(offset), true, _) => offset,
            (_, _, Some(sent)) => {
                let nanos = now.since(sent).as_nanos() as u64;
                let elapsed = ticks_from_nanos(nanos, clock_rate).max(1);
                self.last_timestamp.wrapping_add(elapsed).wrapping_sub(timestamp)
            }
            (_, _, None) => self.last_timestamp.wrapping_sub(timestamp),
        };
        if self.segments.is_full() {
            self.segments.remove(0);
        }
        self.segments.push(Segment { stream, from: sequence, to: self.next, offset });
        self.broken = false;
    }

    fn look_up(&self, stream: StreamId, sequence: u64, timestamp: u32) -> Option<Mapped> {
        let mut end = u64::MAX;
        for segment in self.segments.iter().rev() {
            if segment.stream == stream && sequence >= segment.from {
                let mapped = segment.to + (sequence - segment.from);
                let timestamp = timestamp.wrapping_add(segment.offset);
                return (mapped < end).then_some(Mapped { sequence: mapped, timestamp });
            }
            end = segment.to;
        }
        None
    }

    /// Which packet of which stream a number at the subscriber is.
    pub(crate) fn origin(&self, sequence: u16) -> Option<Origin> {
        let highest = self.next.checked_sub(1)?;
        let back = u64::from((highest as u16).wrapping_sub(sequence));
        let number = highest.checked_sub(back)?;
        let segment = self.segments.iter().rev().find(|segment| segment.to <= number)?;
        let sequence = segment.from + (number - segment.to);
        Some(Origin { stream: segment.stream, sequence, offset: segment.offset })
    }

    /// The timestamp of a packet that was sent now, by the time since the last one.
    pub(crate) fn timestamp_at(&self, now: Time, clock_rate: u32) -> Option<u32> {
        let nanos = now.since(self.last_sent?).as_nanos() as u64;
        Some(self.last_timestamp.wrapping_add(ticks_from_nanos(nanos, clock_rate)))
    }

    /// What is added to the timestamps of the stream that the sender forwards now.
    pub(crate) fn offset(&self, stream: StreamId) -> Option<u32> {
        self.segments.last().filter(|last| last.stream == stream).map(|last| last.offset)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: StreamId = StreamId(1);
    const B: StreamId = StreamId(2);
    const RATE: u32 = 90_000;

    fn at(ms: u64) -> Time {
        Time::from_nanos(5_000_000_000) + Duration::from_millis(ms)
    }

    #[test]
    fn a_stream_goes_on_over_the_wrap_with_gaps_and_late_packets() {
        let mut mapping = Mapping::new(65_530, 1000);
        for (number, expected) in [(200_000, 65_530), (200_010, 65_540), (200_005, 65_535), (200_011, 65_541)]
        {
            let mapped = mapping.map(A, number, number as u32, at(0), RATE).unwrap();
            assert_eq!(mapped.sequence, expected);
            assert_eq!(mapped.timestamp, 1000 + (number - 200_000) as u32);
        }
        assert_eq!(mapping.map(A, 199_999, 0, at(0), RATE), None);
    }

    #[test]
    fn a_switch_goes_on_with_the_elapsed_time() {
        let mut mapping = Mapping::new(100, 0);
        mapping.map(A, 7, 50_000, at(0), RATE).unwrap();
        let switched = mapping.map(B, 9000, 123, at(40), RATE).unwrap();
        assert_eq!(switched, Mapped { sequence: 101, timestamp: 3600 });
        assert_eq!(mapping.map(B, 8999, 0, at(40), RATE), None);
        assert_eq!(mapping.map(B, 9001, 123, at(41), RATE).unwrap().sequence, 102);
        let back = mapping.map(A, 10, 51_000, at(50), RATE).unwrap();
        assert_eq!((back.sequence, back.timestamp), (103, 3600 + 900));
        assert_eq!(
            mapping.origin(100),
            Some(Origin { stream: A, sequence: 7, offset: 50_000u32.wrapping_neg() })
        );
        assert_eq!(mapping.origin(102).unwrap().sequence, 9001);
        assert_eq!(mapping.origin(103).unwrap().stream, A);
        assert_eq!(mapping.origin(99), None);
        assert_eq!(mapping.origin(104), None);
    }

    #[test]
    fn an_event_keeps_its_timestamp_and_the_time_goes_on() {
        let mut mapping = Mapping::new(0, 0);
        mapping.map(A, 1, 1000, at(0), 8000).unwrap();
        // RFC 4733 section 2.5.1.2: every packet of an event has the timestamp of its beginning.
        for number in 0..10 {
            let mapped = mapping.map(A, 2 + number, 1160, at(20 + 20 * number), 8000).unwrap();
            assert_eq!(mapped, Mapped { sequence: 1 + number, timestamp: 160 });
        }
        assert_eq!(mapping.timestamp_at(at(220), 8000), Some(160 + 1600));
        assert_eq!(mapping.map(B, 7, 0, at(220), 8000).unwrap(), Mapped { sequence: 11, timestamp: 1760 });
    }

    #[test]
    fn what_is_left_out_leaves_no_gap() {
        let mut mapping = Mapping::new(0, 0);
        mapping.map(A, 10, 0, at(0), RATE).unwrap();
        mapping.interrupt();
        assert_eq!(mapping.map(A, 12, 960, at(20), RATE).unwrap(), Mapped { sequence: 1, timestamp: 960 });
        assert_eq!(mapping.map(A, 11, 480, at(20), RATE), None);
        assert_eq!(mapping.map(A, 13, 1440, at(30), RATE).unwrap().sequence, 2);
    }

    proptest::proptest! {
        /// The short way is the long way, whatever comes.
        #[test]
        fn the_short_way_gives_the_same_numbers(
            packets in proptest::collection::vec((0u32..3, 0u64..8, 0u8..20, 0u64..3), 1..200),
        ) {
            let (mut short, mut long) = (Mapping::new(65_000, 7), Mapping::new(65_000, 7));
            let mut highest = [100_000u64, 70_000, 500_000];
            for (at_ms, (stream, step, chance, back)) in packets.into_iter().enumerate() {
                if chance == 0 {
                    [&mut short, &mut long].into_iter().for_each(Mapping::interrupt);
                }
                let last = &mut highest[stream as usize];
                *last += if chance == 1 { 40_000 } else { step };
                let number = *last - back;
                let (id, now, timestamp) = (StreamId(stream), at(at_ms as u64), number as u32 * 3);
                let mapped = short.map(id, number, timestamp, now, RATE);
                proptest::prop_assert_eq!(mapped, long.map_any(id, number, timestamp, now, RATE));
                proptest::prop_assert_eq!(format!("{short:?}"), format!("{long:?}"));
            }
        }
    }

    #[test]
    fn a_leap_is_closed() {
        let mut mapping = Mapping::new(0, 0);
        mapping.map(A, 10, 0, at(0), RATE).unwrap();
        assert_eq!(mapping.map(A, 40_000, 960, at(20), RATE).unwrap().sequence, 1);
    }
}
