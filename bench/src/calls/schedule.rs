//! When which stream sends which packet: all streams spread evenly over a packet's time, so that many of them make an
//! even load.

use std::time::Duration;

use super::limits::{PACKET, PACKETS_PER_SECOND};

/// Packets of all streams in the order of their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    streams: u64,
    /// Packets of all streams together.
    total: u64,
    next: u64,
}

/// One packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Since the beginning.
    pub(super) at: Duration,
    pub(super) stream: usize,
    /// Its place in the stream.
    pub(super) number: u64,
}

impl Schedule {
    /// So many streams for so long.
    pub(super) fn new(streams: usize, time: Duration) -> Schedule {
        let each = time.as_nanos() as u64 / PACKET.as_nanos() as u64;
        Schedule { streams: streams as u64, total: each * streams as u64, next: 0 }
    }

    /// The next packet; `None` when all are sent.
    pub(super) fn peek(&self) -> Option<Due> {
        (self.next < self.total).then(|| self.packet(self.next))
    }

    /// It is sent.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    fn packet(&self, index: u64) -> Due {
        let (stream, number) = (index % self.streams, index / self.streams);
        let ns = PACKET.as_nanos() as u64;
        let at = Duration::from_nanos(number * ns + stream * ns / self.streams);
        Due { at, stream: stream as usize, number }
    }
}

/// The number of the first packet of any stream that is due at or after `time`.
pub(super) fn number_at(time: Duration) -> u64 {
    (time.as_nanos() * u128::from(PACKETS_PER_SECOND)).div_ceil(1_000_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_sends_fifty_a_second_and_all_are_evenly_spread() {
        let mut schedule = Schedule::new(7, Duration::from_secs(2));
        let mut all = Vec::new();
        while let Some(due) = schedule.peek() {
            all.push(due);
            schedule.advance();
        }
        assert_eq!(all.len(), 7 * 100);
        assert!(all.is_sorted_by_key(|due| due.at));
        for stream in 0..7 {
            let own: Vec<&Due> = all.iter().filter(|due| due.stream == stream).collect();
            assert!(own.iter().zip(0..).all(|(due, number)| due.number == number));
            assert!(own.windows(2).all(|pair| pair[1].at - pair[0].at == PACKET));
        }
        let steps: Vec<u128> = all.windows(2).map(|pair| (pair[1].at - pair[0].at).as_micros()).collect();
        let even = 20_000 / 7;
        assert!(steps.iter().all(|step| step.abs_diff(even) <= 2), "{steps:?}");
    }

    #[test]
    fn nothing_is_due_of_nothing() {
        assert_eq!(Schedule::new(0, Duration::from_secs(1)).peek(), None);
        assert_eq!(Schedule::new(5, Duration::from_millis(19)).peek(), None);
    }

    #[test]
    fn numbers_follow_time() {
        assert_eq!(number_at(Duration::ZERO), 0);
        assert_eq!(number_at(Duration::from_millis(20)), 1);
        assert_eq!(number_at(Duration::from_millis(21)), 2);
        assert_eq!(number_at(Duration::from_secs(3)), 150);
    }
}
