//! What came of one stream at one receiver, to the packet.

use std::sync::atomic::{AtomicU64, Ordering};

use super::limits::WINDOW;
use super::outcome::Packets;

/// Which packets of a stream are counted: those with an index from `from` up to, not including, `to`.
#[derive(Debug)]
pub(super) struct Span {
    from: AtomicU64,
    to: AtomicU64,
}

impl Default for Span {
    fn default() -> Span {
        Span { from: AtomicU64::new(u64::MAX), to: AtomicU64::new(u64::MAX) }
    }
}

impl Span {
    /// The packet `next` and all behind it count.
    pub(super) fn open(&self, next: u64) {
        self.from.store(next, Ordering::Release);
    }

    /// The packet `next` and all behind it do not count.
    pub(super) fn close(&self, next: u64) {
        self.to.store(next, Ordering::Release);
    }

    fn holds(&self, index: u64) -> bool {
        (self.from.load(Ordering::Acquire)..self.to.load(Ordering::Acquire)).contains(&index)
    }

    /// First and end, once both are known; `sent` is the end until then.
    pub(super) fn bounds(&self, sent: u64) -> (u64, u64) {
        let to = self.to.load(Ordering::Acquire).min(sent);
        (self.from.load(Ordering::Acquire).min(to), to)
    }
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    /// Its place in the stream.
    pub(super) index: u64,
    /// Its RTP sequence number (the original one, of a repair).
    pub(super) sequence: u16,
    /// It was a repair (RTX).
    pub(super) repair: bool,
    /// When it was sent and when it arrived, nanoseconds since 1970.
    pub(super) sent_ns: u64,
    /// See `sent_ns`.
    pub(super) arrived_ns: u64,
}

/// What is to be done with a packet that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// New and within the span: its delay counts.
    Counted,
    /// New, outside of the span.
    Outside,
    /// It came before, or too long after its neighbours to tell.
    Again,
}

/// One stream at one receiver.
#[derive(Debug)]
pub(super) struct Tally {
    /// Packets behind `highest` that came, by index modulo the window.
    seen: Box<[u64; WINDOW / 64]>,
    highest: Option<u64>,
    /// The receiver is due packets from this index on.
    since: Option<u64>,
    /// And up to this one.
    until: u64,
    /// RTP sequence number less index: the node must not change it while it forwards one stream.
    numbering: Option<u16>,
    counts: Packets,
    jitter_ns: f64,
    transit_ns: Option<i64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            seen: Box::new([0; WINDOW / 64]),
            highest: None,
            since: None,
            until: u64::MAX,
            numbering: None,
            counts: Packets::default(),
            jitter_ns: 0.0,
            transit_ns: None,
        }
    }
}

impl Tally {
    /// From here on the receiver is due every packet, whether any came yet or not.
    pub(super) fn expect_from(&mut self, index: u64) {
        self.since = Some(index);
    }

    /// The receiver leaves: packets from this index on are not due any more.
    pub(super) fn expect_until(&mut self, index: u64) {
        self.until = self.until.min(index);
    }

    /// Whether anything came.
    pub(super) fn has_begun(&self) -> bool {
        self.highest.is_some()
    }

    /// Mean deviation of the transit time (RFC 3550 section 6.4.1) in nanoseconds.
    pub(super) fn jitter_ns(&self) -> f64 {
        self.jitter_ns
    }

    /// Notes a packet.
    pub(super) fn note(&mut self, came: Came, span: &Span) -> Noted {
        self.since.get_or_insert(came.index);
        let counts = span.holds(came.index) && came.index < self.until && Some(came.index) >= self.since;
        let highest = match self.highest {
            None => {
                self.highest = Some(came.index);
                self.mark(came.index);
                return self.fresh(came, counts, false);
            }
            Some(highest) => highest,
        };
        if came.index > highest {
            let skipped = came.index - highest - 1;
            if skipped >= WINDOW as u64 {
                self.seen.fill(0);
            } else {
                (highest + 1..came.index).for_each(|index| self.clear(index));
            }
            self.highest = Some(came.index);
            self.mark(came.index);
            return self.fresh(came, counts, false);
        }
        if highest - came.index >= WINDOW as u64 || self.is_marked(came.index) {
            self.counts.duplicates += u64::from(counts);
            return Noted::Again;
        }
        self.mark(came.index);
        self.fresh(came, counts, true)
    }

    fn fresh(&mut self, came: Came, counts: bool, late: bool) -> Noted {
        let numbering = came.sequence.wrapping_sub(came.index as u16);
        let expected = *self.numbering.get_or_insert(numbering);
        self.numbering = Some(numbering);
        if !counts {
            return Noted::Outside;
        }
        self.counts.received += 1;
        self.counts.misnumbered += u64::from(numbering != expected);
        self.counts.repaired += u64::from(came.repair);
        self.counts.reordered += u64::from(late && !came.repair);
        if !came.repair {
            let transit = came.arrived_ns.wrapping_sub(came.sent_ns) as i64;
            if let Some(before) = self.transit_ns.replace(transit) {
                // RFC 3550 section 6.4.1: J += (|D| - J) / 16.
                self.jitter_ns += ((transit - before).abs() as f64 - self.jitter_ns) / 16.0;
            }
        }
        Noted::Counted
    }

    /// The counts, with what was due of `sent` packets. A receiver that nothing was expected at and nothing came to is
    /// due nothing.
    pub(super) fn counts(&self, span: &Span, sent: u64) -> Packets {
        let (from, to) = span.bounds(sent);
        let due = self.since.map_or(0, |since| to.min(self.until).saturating_sub(from.max(since)));
        Packets { due, lost: due.saturating_sub(self.counts.received), ..self.counts }
    }

    fn mark(&mut self, index: u64) {
        let at = index as usize % WINDOW;
        self.seen[at / 64] |= 1 << (at % 64);
    }

    fn clear(&mut self, index: u64) {
        let at = index as usize % WINDOW;
        self.seen[at / 64] &= !(1 << (at % 64));
    }

    fn is_marked(&self, index: u64) -> bool {
        let at = index as usize % WINDOW;
        self.seen[at / 64] & 1 << (at % 64) != 0
    }
}

impl Packets {
    /// Adds the counts of another receiver.
    pub(super) fn add(&mut self, other: &Packets) {
        self.sent += other.sent;
        self.due += other.due;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.repaired += other.repaired;
        self.misnumbered += other.misnumbered;
        self.foreign += other.foreign;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(index: u64) -> Came {
        Came {
            index,
            sequence: (index as u16).wrapping_add(65_000),
            repair: false,
            sent_ns: 0,
            arrived_ns: 0,
        }
    }

    fn counts(indices: impl IntoIterator<Item = u64>, from: u64, to: u64) -> Packets {
        let span = Span::default();
        span.open(from);
        let mut tally = Tally::default();
        tally.expect_from(0);
        for index in indices {
            tally.note(came(index), &span);
        }
        span.close(to);
        tally.counts(&span, u64::MAX)
    }

    #[test]
    fn all_that_came_in_order_is_counted_once() {
        let got = counts(0..900, 100, 900);
        assert_eq!((got.due, got.received, got.duplicates, got.reordered), (800, 800, 0, 0));
    }

    #[test]
    fn losses_copies_and_disorder_are_exact() {
        let lost = counts((0..100).filter(|i| i % 10 != 3), 0, 100);
        assert_eq!((lost.due, lost.received, lost.lost), (100, 90, 10));
        let copies = counts((0..100).flat_map(|i| vec![i; if i % 10 == 0 { 3 } else { 1 }]), 0, 100);
        assert_eq!((copies.received, copies.lost, copies.duplicates), (100, 0, 20));
        let swapped = counts((0..100).map(|i| i ^ 1), 0, 100);
        assert_eq!((swapped.received, swapped.lost, swapped.reordered), (100, 0, 50));
        let last = counts(0..99, 0, 100);
        assert_eq!(last.lost, 1, "the last one of all");
        let nothing = counts([], 0, 100);
        assert_eq!((nothing.due, nothing.lost), (100, 100));
    }

    #[test]
    fn a_long_hole_forgets_nothing_that_matters() {
        let hole = WINDOW as u64 * 3;
        let got = counts((0..10).chain(10 + hole..20 + hole), 0, 20 + hole);
        assert_eq!((got.received, got.lost), (20, hole));
        let late = counts((0..10).chain([5000, 9]), 0, 5001);
        assert_eq!((late.received, late.duplicates), (11, 1));
    }

    #[test]
    fn a_repair_is_no_disorder() {
        let span = Span::default();
        span.open(0);
        let mut tally = Tally::default();
        tally.note(came(0), &span);
        tally.note(came(2), &span);
        tally.note(Came { repair: true, ..came(1) }, &span);
        let got = tally.counts(&span, 3);
        assert_eq!((got.lost, got.repaired, got.reordered), (0, 1, 0));
    }

    #[test]
    fn broken_numbering_is_seen_once_a_step() {
        let span = Span::default();
        span.open(0);
        let mut tally = Tally::default();
        for index in 0..100 {
            let shift = if index < 50 { 0 } else { 7 };
            let sequence = came(index).sequence.wrapping_add(shift);
            tally.note(Came { sequence, ..came(index) }, &span);
        }
        assert_eq!(tally.counts(&span, 100).misnumbered, 1);
    }

    #[test]
    fn who_comes_late_or_leaves_is_due_less() {
        let span = Span::default();
        span.open(0);
        let mut tally = Tally::default();
        (40..60).for_each(|index| _ = tally.note(came(index), &span));
        tally.expect_until(62);
        let got = tally.counts(&span, 100);
        assert_eq!((got.due, got.lost), (22, 2));
        assert_eq!(Tally::default().counts(&span, 100).due, 0);
    }

    #[test]
    fn jitter_is_that_of_the_rfc() {
        let span = Span::default();
        span.open(0);
        let mut tally = Tally::default();
        for index in 0..1000 {
            tally.note(Came { arrived_ns: 1000 * (index % 2), ..came(index) }, &span);
        }
        assert!((tally.jitter_ns() - 1000.0).abs() < 1.0, "{}", tally.jitter_ns());
    }
}
