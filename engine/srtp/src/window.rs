//! A sliding window of indices: what was received (replay protection, RFC 3711 section 3.3.2) or what was sent (never send twice).

use crate::limits::{MAX_WINDOW, MIN_WINDOW};

/// What the window knows of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Ahead of the window or inside and not marked.
    Fresh,
    /// Inside and marked.
    Marked,
    /// Behind the window: not known any more.
    Behind,
}

/// The `size` indices up to `highest`, one bit each, in a ring: index `i` has bit `i mod size`.
///
/// The word that `highest` lies in is kept here and not among the others, so that a packet in order touches nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    highest: u64,
    /// The word of `highest`; its place in `words` is stale.
    recent: u64,
    /// The number of indices it reaches over, less one.
    last: u64,
    words: Box<[u64]>,
}

/// The size a window really gets: a power of two, so that a ring position is a mask away, and within the limits.
pub(crate) fn window_size(asked: usize) -> usize {
    asked.clamp(MIN_WINDOW, MAX_WINDOW).next_power_of_two()
}

impl Window {
    /// A window that has seen `index` and nothing else. `size` comes from [`window_size`].
    pub(crate) fn starting_at(index: u64, size: usize) -> Window {
        debug_assert!(size.is_power_of_two());
        let mut window = Window {
            highest: index,
            recent: 0,
            last: size as u64 - 1,
            words: vec![0; size.div_ceil(64)].into(),
        };
        window.set(index);
        window
    }

    /// A window in which everything is marked up to `index`, or up to where this one reaches if that is further.
    pub(crate) fn marked_up_to(mut self, index: u64) -> Window {
        self.highest = self.highest.max(index);
        self.recent = u64::MAX;
        self.words.fill(u64::MAX);
        self
    }

    /// The highest index marked so far.
    #[inline]
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// What is known of `index`.
    #[inline]
    pub(crate) fn look(&self, index: u64) -> Seen {
        if index > self.highest {
            return Seen::Fresh;
        }
        if self.highest - index > self.last {
            return Seen::Behind;
        }
        let word = self.word(index);
        let bits = if word == self.word(self.highest) { self.recent } else { self.words[word] };
        if bits >> (index & self.last & 63) & 1 == 0 { Seen::Fresh } else { Seen::Marked }
    }

    /// The word that has the bit of `index`.
    #[inline]
    fn word(&self, index: u64) -> usize {
        ((index & self.last) / 64) as usize
    }

    /// Makes `index` the highest, and its word the recent one.
    #[inline]
    fn advance(&mut self, index: u64) {
        let (old, new) = (self.word(self.highest), self.word(index));
        if old != new {
            self.words[old] = self.recent;
            self.recent = self.words[new];
        }
        self.highest = index;
    }

    /// The usual case: the index behind the highest, if `seq` are its low bits and the roll-over counter stays. It is fresh.
    #[inline]
    pub(crate) fn next(&self, seq: u16) -> Option<u64> {
        let next = self.highest + 1;
        (next as u16 == seq && seq != 0).then_some(next)
    }

    /// Marks the index behind the highest if `seq` are its low bits and the roll-over counter stays. Its bit is the only one
    /// that belonged to an older index, and it is set.
    #[inline]
    pub(crate) fn mark_next(&mut self, seq: u16) -> Option<u64> {
        let next = self.next(seq)?;
        if next & 63 == 0 {
            self.advance(next);
        }
        self.highest = next;
        // No window ends within a word, so the word of `highest` is the word of the index behind it as well.
        self.recent |= 1 << (next & self.last & 63);
        Some(next)
    }

    /// Marks `index` if it is the one behind the highest and lies in the same word: the usual case of a receiver.
    #[inline]
    pub(crate) fn mark_if_next(&mut self, index: u64) -> bool {
        if index != self.highest + 1 || index & 63 == 0 {
            return false;
        }
        self.highest = index;
        self.recent |= 1 << (index & self.last & 63);
        true
    }

    /// Marks a fresh index and moves the window up to it if it is ahead.
    #[inline]
    pub(crate) fn mark(&mut self, index: u64) {
        debug_assert_eq!(self.look(index), Seen::Fresh);
        if index > self.highest {
            if index - self.highest > 1 {
                self.forget(index);
            }
            self.advance(index);
        }
        self.set(index);
    }

    /// Clears the bits of the indices above `highest` up to `index`: they belonged to older ones.
    fn forget(&mut self, index: u64) {
        if index - self.highest > self.last {
            self.words.fill(0);
            self.recent = 0;
            return;
        }
        let recent = self.word(self.highest);
        let mut next = self.highest + 1;
        while next <= index {
            let position = next & self.last;
            let bit = position % 64;
            let count = (64 - bit).min(self.last + 1 - position).min(index - next + 1);
            let keep = !((u64::MAX >> (64 - count)) << bit);
            let word = (position / 64) as usize;
            if word == recent {
                self.recent &= keep;
            } else {
                self.words[word] &= keep;
            }
            next += count;
        }
    }

    #[inline]
    fn set(&mut self, index: u64) {
        let word = self.word(index);
        let bit = 1 << (index & self.last & 63);
        if word == self.word(self.highest) {
            self.recent |= bit;
        } else {
            self.words[word] |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The specification: all indices ever marked, and a size.
    struct Model {
        size: u64,
        marked: BTreeSet<u64>,
    }

    impl Model {
        fn look(&self, index: u64) -> Seen {
            let highest = *self.marked.last().unwrap();
            if highest >= index + self.size {
                Seen::Behind
            } else if self.marked.contains(&index) {
                Seen::Marked
            } else {
                Seen::Fresh
            }
        }
    }

    fn agree(size: usize, start: u64, indices: impl IntoIterator<Item = u64>) {
        let mut window = Window::starting_at(start, size);
        let mut model = Model { size: size as u64, marked: BTreeSet::from([start]) };
        for index in indices {
            let seen = window.look(index);
            assert_eq!(seen, model.look(index), "size {size}, start {start}, index {index}");
            let next = model.marked.last().unwrap() + 1;
            if index == next && index & 0xffff != 0 {
                assert_eq!(window.clone().mark_next(index as u16), Some(index));
                assert_eq!(window.mark_next(index as u16 ^ 1), None);
            }
            if seen == Seen::Fresh {
                if index % 3 != 0 || window.mark_next(index as u16).is_none() {
                    window.mark(index);
                }
                model.marked.insert(index);
            }
            assert_eq!(window.highest(), *model.marked.last().unwrap());
        }
    }

    #[test]
    fn every_short_history_of_a_small_window() {
        // Windows of 2 and 4, every history of five indices out of nine.
        for size in [2, 4] {
            for start in 0..9u64 {
                for history in 0..9u64.pow(5) {
                    agree(size, start, (0..5).map(|k| history / 9u64.pow(k) % 9));
                }
            }
        }
    }

    #[test]
    fn sizes_are_powers_of_two_within_limits() {
        assert_eq!(window_size(0), 64);
        assert_eq!(window_size(65), 128);
        assert_eq!(window_size(1024), 1024);
        assert_eq!(window_size(1 << 20), 4096);
    }

    proptest! {
        #[test]
        fn equals_a_set(
            size in prop::sample::select(vec![64usize, 128, 1024, 4096]),
            start in 0u64..10_000,
            steps in prop::collection::vec(prop_oneof![-80i64..80, -5000i64..5000], 1..300),
        ) {
            let mut at = start;
            let indices: Vec<u64> = steps.iter().map(|&s| { at = at.saturating_add_signed(s); at }).collect();
            agree(size, start, indices);
        }
    }
}
