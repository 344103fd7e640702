//! Packets that a publisher is asked to send again (RFC 4585 section 6.2.1).

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::{Time, limits};

#[derive(Clone, Copy, Debug)]
struct Gap {
    sequence: u64,
    due: Time,
    tries: u8,
}

/// Missing packets in order, each with the time of its next request.
#[derive(Default)]
pub(crate) struct Missing {
    gaps: ArrayVec<Gap, { limits::MISSING }>,
}

/// What a look at the gaps found.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    /// To be asked for now, in order.
    pub(crate) sequences: ArrayVec<u16, { limits::MISSING }>,
    /// Some were given up: only a key frame helps.
    pub(crate) gave_up: bool,
}

impl Missing {
    /// Notes the `gap` packets below `next`. False: too many to ask for; all are forgotten.
    pub(crate) fn note(&mut self, next: u64, gap: u64, now: Time) -> bool {
        if gap > (self.gaps.capacity() - self.gaps.len()) as u64 {
            self.gaps.clear();
            return false;
        }
        let due = now + limits::NACK_FIRST;
        self.gaps.extend((next - gap..next).map(|sequence| Gap { sequence, due, tries: 0 }));
        true
    }

    /// The packet came. True: it had been asked for.
    pub(crate) fn found(&mut self, sequence: u64) -> bool {
        let Ok(at) = self.gaps.binary_search_by_key(&sequence, |gap| gap.sequence) else { return false };
        self.gaps.remove(at).tries > 0
    }

    /// What lies before `sequence` is of no use any more.
    pub(crate) fn forget_before(&mut self, sequence: u64) {
        self.gaps.retain(|gap| gap.sequence >= sequence);
    }

    pub(crate) fn clear(&mut self) {
        self.gaps.clear();
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.gaps.iter().map(|gap| gap.due).min()
    }

    /// What is to be asked for at `now`.
    pub(crate) fn ask(&mut self, now: Time, round_trip: Option<Duration>) -> Ask {
        let repeat = round_trip.unwrap_or_default().clamp(limits::NACK_REPEAT, Duration::from_secs(1));
        let mut ask = Ask::default();
        self.gaps.retain(|gap| {
            if gap.due > now {
                return true;
            }
            if gap.tries >= limits::NACK_TRIES {
                ask.gave_up = true;
                return false;
            }
            gap.tries += 1;
            gap.due = now + repeat;
            ask.sequences.push(gap.sequence as u16);
            true
        });
        ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_repeats_and_gives_up() {
        let mut missing = Missing::default();
        let mut now = Time::from_nanos(1);
        assert!(missing.note(65_538, 3, now));
        assert!(missing.ask(now, None).sequences.is_empty());
        assert!(!missing.found(65_536));
        for _ in 0..limits::NACK_TRIES {
            now = missing.due().unwrap();
            let ask = missing.ask(now, None);
            assert_eq!(ask.sequences.as_slice(), [65_535, 1]);
            assert!(!ask.gave_up);
        }
        assert!(missing.found(65_537));
        now = missing.due().unwrap();
        assert!(missing.ask(now, None).gave_up);
        assert_eq!(missing.due(), None);
    }

    #[test]
    fn a_burst_too_large_is_not_asked_for() {
        let mut missing = Missing::default();
        assert!(!missing.note(100_000, limits::MISSING as u64 + 1, Time::ZERO));
        assert_eq!(missing.due(), None);
    }
}
