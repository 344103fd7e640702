//! When a leg's packets arrived, by transport-wide sequence number, for the feedback that the peer's estimator
//! lives on (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use kaname_wire::sequence::SequenceUnwrapper;

use crate::{Time, limits};

const SIZE: usize = limits::TRANSPORT_CC_SPAN as usize;

/// Arrivals since the last feedback.
pub(crate) struct Arrivals {
    unwrapper: SequenceUnwrapper,
    /// By number; in nanoseconds.
    times: Box<[Option<u64>; SIZE]>,
    /// The first number that the next feedback is about, and one beyond the last.
    base: u64,
    end: u64,
    /// There is something to tell since this time.
    since: Option<Time>,
    pub(crate) feedback_count: u8,
}

impl Arrivals {
    pub(crate) fn new() -> Arrivals {
        Arrivals {
            unwrapper: SequenceUnwrapper::new(),
            times: Box::new([None; SIZE]),
            base: 0,
            end: 0,
            since: None,
            feedback_count: 0,
        }
    }

    /// Notes an arrival. A sender that leaps beyond the span starts anew, so that its lies cost no more than its
    /// packets; what was told already is not told again.
    pub(crate) fn note(&mut self, sequence: u16, now: Time) {
        let number = self.unwrapper.extend(sequence);
        if self.end == 0 || number >= self.base + SIZE as u64 {
            self.times.fill(None);
            (self.base, self.end) = (number, number);
        }
        if number < self.base {
            return;
        }
        self.end = self.end.max(number + 1);
        self.times[number as usize % SIZE].get_or_insert(now.as_nanos());
        self.since.get_or_insert(now);
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.since.map(|since| since + limits::TRANSPORT_CC_INTERVAL)
    }

    /// Fills `into` with what the next feedback is about and gives its first number; `None` if there is nothing.
    pub(crate) fn pending(&self, into: &mut Vec<Option<u64>>) -> Option<u16> {
        into.clear();
        self.since?;
        into.extend((self.base..self.end).map(|number| self.times[number as usize % SIZE]));
        Some(self.base as u16)
    }

    /// So many numbers from the first were told.
    pub(crate) fn told(&mut self, count: usize) {
        let upto = (self.base + count as u64).min(self.end);
        (self.base..upto).for_each(|number| self.times[number as usize % SIZE] = None);
        self.base = upto;
        if self.base == self.end {
            self.since = None;
        }
        self.feedback_count = self.feedback_count.wrapping_add(1);
    }

    /// Nothing of it can be told.
    pub(crate) fn clear(&mut self) {
        self.told(SIZE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_each_number_once_and_gaps_between() {
        let mut arrivals = Arrivals::new();
        let mut into = Vec::new();
        for sequence in [65_534, 65_535, 1, 0, 3] {
            arrivals.note(sequence, Time::from_nanos(u64::from(sequence)));
        }
        assert_eq!(arrivals.pending(&mut into), Some(65_534));
        assert_eq!(into, [Some(65_534), Some(65_535), Some(0), Some(1), None, Some(3)]);
        arrivals.told(6);
        assert_eq!(arrivals.pending(&mut into), None);
        arrivals.note(2, Time::from_nanos(9));
        assert_eq!(arrivals.pending(&mut into), None);
        arrivals.note(5, Time::from_nanos(9));
        assert_eq!(arrivals.pending(&mut into), Some(4));
        assert_eq!(into, [None, Some(9)]);
    }

    #[test]
    fn leaps_are_bounded() {
        let mut arrivals = Arrivals::new();
        let mut into = Vec::new();
        for leap in 0..100u16 {
            arrivals.note(leap.wrapping_mul(30_000), Time::from_nanos(1));
            assert!(arrivals.pending(&mut into).is_none() || into.len() <= SIZE);
        }
    }
}
