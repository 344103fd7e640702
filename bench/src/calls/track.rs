//! What came of one stream: loss, copies and disorder by number, pauses by time. No socket and no clock.

use super::limits::WINDOW;

const WORDS: usize = WINDOW / 64;

/// What a packet's number says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the newest.
    Next,
    /// It belongs ahead of one that came earlier.
    Disordered,
    /// It came before.
    Copy,
    /// Too old to know.
    Old,
}

/// Numbers that came lately.
#[derive(Clone, Debug)]
struct Window {
    newest: Option<u64>,
    seen: [u64; WORDS],
}

impl Window {
    fn take(&mut self, number: u64) -> Place {
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            self.mark(number);
            return Place::Next;
        };
        if number > newest {
            for skipped in newest + 1..=number.min(newest + WINDOW as u64) {
                self.seen[Self::word(skipped)] &= !Self::bit(skipped);
            }
            self.newest = Some(number);
            self.mark(number);
            return Place::Next;
        }
        if number + WINDOW as u64 <= newest {
            return Place::Old;
        }
        if self.seen[Self::word(number)] & Self::bit(number) != 0 {
            return Place::Copy;
        }
        self.mark(number);
        Place::Disordered
    }

    fn mark(&mut self, number: u64) {
        self.seen[Self::word(number)] |= Self::bit(number);
    }

    fn word(number: u64) -> usize {
        (number as usize / 64) % WORDS
    }

    fn bit(number: u64) -> u64 {
        1 << (number % 64)
    }
}

/// Counts of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Media packets that came, each once, counted or not.
    pub(super) came: u64,
    /// Of the counted ones.
    pub(super) counted: u64,
    /// Packets that came again.
    pub(super) copies: u64,
    /// Packets that came after a later one.
    pub(super) disordered: u64,
    /// Of another payload type than agreed.
    pub(super) wrong_type: u64,
    /// Of a length that the codec does not have, or bytes that are not what was sent.
    pub(super) wrong_payload: u64,
    /// That did not authenticate, or were no RTP.
    pub(super) unauthentic: u64,
    /// New beginnings: another source identifier.
    pub(super) restarts: u64,
}

/// Which packets count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Not,
    /// Those after this number.
    After(Option<u64>),
    /// Those after the first up to the second.
    Between(Option<u64>, Option<u64>),
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    sequence: u16,
    extended: u64,
}

/// One stream at its receiver.
#[derive(Clone, Debug)]
pub(super) struct Track {
    window: Window,
    counting: Counting,
    pub(super) counts: Counts,
    /// The newest packet of the present source.
    source: Option<Source>,
    arrived_ns: Option<u64>,
    /// The longest time between two packets while counting.
    pub(super) pause_ns: u64,
}

impl Track {
    pub(super) fn new() -> Track {
        Track {
            window: Window { newest: None, seen: [0; WORDS] },
            counting: Counting::Not,
            counts: Counts::default(),
            source: None,
            arrived_ns: None,
            pause_ns: 0,
        }
    }

    /// The sequence number without its wrapping. Another source goes on behind all that came.
    pub(super) fn extend(&mut self, ssrc: u32, sequence: u16) -> u64 {
        let (extended, newer) = match self.source {
            // Far enough from zero that packets ahead of the first one have numbers as well.
            None => (1 << 20, true),
            Some(last) if last.ssrc == ssrc => {
                let step = sequence.wrapping_sub(last.sequence) as i16;
                (last.extended.saturating_add_signed(step.into()), step > 0)
            }
            Some(last) => {
                self.counts.restarts += 1;
                (last.extended + 1, true)
            }
        };
        if newer {
            self.source = Some(Source { ssrc, sequence, extended });
        }
        extended
    }

    /// A packet of this number came.
    pub(super) fn packet(&mut self, number: u64, at_ns: u64) -> Place {
        let place = self.window.take(number);
        match place {
            Place::Next | Place::Disordered => {
                self.counts.came += 1;
                self.counts.counted += u64::from(self.counts_in(number));
                self.counts.disordered += u64::from(place == Place::Disordered);
            }
            Place::Copy | Place::Old => self.counts.copies += 1,
        }
        if let (Some(last), Counting::After(_)) = (self.arrived_ns, self.counting) {
            self.pause_ns = self.pause_ns.max(at_ns.saturating_sub(last));
        }
        self.arrived_ns = Some(at_ns);
        place
    }

    fn counts_in(&self, number: u64) -> bool {
        match self.counting {
            Counting::Not => false,
            Counting::After(from) => from.is_none_or(|from| number > from),
            Counting::Between(from, to) => {
                from.is_none_or(|from| number > from) && to.is_some_and(|to| number <= to)
            }
        }
    }

    /// What comes from now on counts.
    pub(super) fn begin(&mut self) {
        self.counting = Counting::After(self.window.newest);
    }

    /// Packets of these numbers count, whenever they come: where numbers are the sender's own.
    pub(super) fn begin_numbers(&mut self, from: u64, to: u64) {
        let before = |number: u64| number.checked_sub(1);
        self.counting = Counting::Between(before(from), before(to));
    }

    /// Nothing newer counts.
    pub(super) fn end(&mut self) {
        if let Counting::After(from) = self.counting {
            self.counting = Counting::Between(from, self.window.newest);
        }
    }

    /// Counted packets that are missing, of `sent` that went in meanwhile. Holes in the numbers are lost for certain; a
    /// stream that came without holes and is still short of more than `slack` packets lost the rest.
    pub(super) fn lost(&self, sent: u64, slack: u64) -> u64 {
        let short = sent.saturating_sub(self.counts.counted);
        let holes = match self.counting {
            Counting::Between(Some(from), Some(to)) => {
                to.saturating_sub(from).saturating_sub(self.counts.counted)
            }
            _ => 0,
        };
        if short > slack { short.max(holes) } else { holes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come(track: &mut Track, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            track.packet(number, number * 20_000_000);
        }
    }

    #[test]
    fn losses_copies_and_disorder_are_counted_to_the_packet() {
        let mut track = Track::new();
        come(&mut track, 0..10);
        track.begin();
        come(&mut track, [10, 11, 14, 13, 13, 15, 10]);
        track.end();
        // Late ones of the counted time still count, later ones do not.
        come(&mut track, [16, 17]);
        let Counts { came, counted, copies, disordered, .. } = track.counts;
        assert_eq!((came, counted, copies, disordered), (17, 5, 2, 1));
        assert_eq!(track.lost(6, 0), 1);
        come(&mut track, [12]);
        assert_eq!(track.lost(6, 0), 0);
    }

    #[test]
    fn what_never_came_is_lost_with_holes_or_without() {
        let mut silent = Track::new();
        silent.begin();
        silent.end();
        assert_eq!(silent.lost(200, 2), 200);
        // A node that swallows what goes in and numbers what it sends without holes.
        let mut short = Track::new();
        come(&mut short, 0..5);
        short.begin();
        come(&mut short, 5..105);
        short.end();
        assert_eq!(short.lost(200, 2), 100);
        // The edges of the time are worth a packet or two.
        assert_eq!(short.lost(101, 2), 0);
    }

    #[test]
    fn the_senders_own_numbers_count_whenever_they_come() {
        let mut track = Track::new();
        track.begin_numbers(0, 3);
        come(&mut track, 0..2);
        track.end();
        assert_eq!((track.counts.counted, track.lost(3, 0)), (2, 1));
        come(&mut track, [2, 3, 4]);
        assert_eq!((track.counts.counted, track.lost(3, 0)), (3, 0));
    }

    #[test]
    fn a_pause_is_the_longest_one_while_counting() {
        let mut track = Track::new();
        come(&mut track, [0, 50]);
        track.begin();
        come(&mut track, [51, 56, 57]);
        track.end();
        come(&mut track, [90]);
        assert_eq!(track.pause_ns, 100_000_000);
    }

    #[test]
    fn sequence_numbers_wrap_and_sources_change() {
        let mut track = Track::new();
        let numbers: Vec<u64> =
            [65_534u16, 65_535, 1, 0, 2].map(|sequence| track.extend(9, sequence)).to_vec();
        let first = numbers[0];
        assert_eq!(numbers, [first, first + 1, first + 3, first + 2, first + 4]);
        let other = track.extend(10, 40_000);
        assert!(other > first + 4);
        assert_eq!(track.counts.restarts, 1);
        assert_eq!(track.extend(10, 40_001), other + 1);
        assert_eq!(track.extend(10, 39_999), other - 1);
        assert_eq!(track.extend(10, 40_002), other + 2);
    }

    #[test]
    fn far_jumps_forget_what_was_seen() {
        let mut track = Track::new();
        come(&mut track, [0, 5_000]);
        assert_eq!(track.packet(4_999, 0), Place::Disordered);
        assert_eq!(track.packet(4_999, 0), Place::Copy);
        assert_eq!(track.packet(0, 0), Place::Old);
    }
}
