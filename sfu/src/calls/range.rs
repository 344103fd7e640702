//! Media ports of one address: handed out in pairs, an even one with the odd one above it (RFC 3550 section 11), and never
//! while they are warm.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The pairs of one address. It knows numbers only; sockets are the engine's.
#[derive(Debug)]
pub(super) struct Range {
    local: IpAddr,
    /// Even ports of pairs that may be had, those longest unused in front.
    free: VecDeque<u16>,
    /// Even ports of pairs that rest, with the end of their rest.
    resting: VecDeque<(Instant, u16)>,
    rest: Duration,
    lent: usize,
}

impl Range {
    /// All pairs between two ports, both included. `shuffle` gives a random number below its argument, so that nobody
    /// can tell where the next call will be.
    pub(super) fn new(
        local: IpAddr,
        (first, last): (u16, u16),
        rest: Duration,
        shuffle: &mut dyn FnMut(usize) -> usize,
    ) -> Range {
        let even = first.saturating_add(first % 2);
        let mut pairs: Vec<u16> = (even..last).step_by(2).collect();
        for end in (1..pairs.len()).rev() {
            pairs.swap(end, shuffle(end + 1));
        }
        Range { local, free: pairs.into(), resting: VecDeque::new(), rest, lent: 0 }
    }

    /// Whose ports they are.
    pub(super) fn local(&self) -> IpAddr {
        self.local
    }

    /// The even port of a pair, if any is free and cold.
    pub(super) fn take(&mut self, now: Instant) -> Option<u16> {
        while let Some(&(until, port)) = self.resting.front()
            && until <= now
        {
            self.resting.pop_front();
            self.free.push_back(port);
        }
        let port = self.free.pop_front()?;
        self.lent += 1;
        Some(port)
    }

    /// The pair is not used any more.
    pub(super) fn give_back(&mut self, now: Instant, port: u16) {
        self.lent = self.lent.saturating_sub(1);
        self.resting.push_back((now + self.rest, port));
    }

    /// The pair is someone else's: it is tried again after all others.
    pub(super) fn set_aside(&mut self, port: u16) {
        self.lent = self.lent.saturating_sub(1);
        self.free.push_back(port);
    }

    /// Pairs in use, and pairs that rest or wait to be looked at again.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.lent, self.resting.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn range(ports: (u16, u16), rest: Duration) -> Range {
        Range::new(IpAddr::from([127, 0, 0, 1]), ports, rest, &mut |below| below / 2)
    }

    #[test]
    fn pairs_lie_within_the_range_and_come_once() {
        for (ports, pairs) in [((30_000, 30_003), 2), ((30_001, 30_004), 1), ((65_530, 65_535), 3)] {
            let mut range = range(ports, Duration::ZERO);
            let now = Instant::now();
            let all: Vec<u16> = std::iter::from_fn(|| range.take(now)).collect();
            assert_eq!(all.len(), pairs, "{ports:?}");
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), pairs);
            assert!(all.iter().all(|p| p % 2 == 0 && *p >= ports.0 && *p < ports.1));
        }
    }

    #[test]
    fn a_warm_port_is_not_handed_out() {
        let rest = Duration::from_secs(5);
        let (mut range, now) = (range((30_000, 30_003), rest), Instant::now());
        let (one, other) = (range.take(now).unwrap(), range.take(now).unwrap());
        range.give_back(now, one);
        assert_eq!(range.counts(), (1, 1));
        assert_eq!(range.take(now + rest - Duration::from_millis(1)), None);
        assert_eq!(range.take(now + rest), Some(one));
        // The longest unused comes first.
        range.give_back(now, other);
        range.give_back(now + rest, one);
        assert_eq!(range.take(now + 2 * rest), Some(other));
    }

    #[test]
    fn a_port_of_someone_else_is_tried_last() {
        let (mut range, now) = (range((30_000, 30_003), Duration::ZERO), Instant::now());
        let first = range.take(now).unwrap();
        range.set_aside(first);
        assert_ne!(range.take(now), Some(first));
        assert_eq!(range.take(now), Some(first));
        assert_eq!(range.counts(), (2, 0));
    }
}
