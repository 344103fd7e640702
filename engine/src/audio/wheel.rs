//! When each item has its turn. As many as a slot has time for have theirs together, so that one wake-up serves all of them, of
//! the worker and of whoever it is for; the more there are, the more evenly they are spread over all slots.

use std::cmp::Reverse;

/// A slot's length: finer costs wake-ups, coarser makes their work uneven.
pub(super) const SLOT_MS: u32 = 2;

/// Work that is gathered in one slot before another is begun: three quarters of a slot's time, in microseconds, so that what is last
/// in it is not late though a machine be a third slower than the weights say.
const FULL: u64 = SLOT_MS as u64 * 1000 * 3 / 4;

/// Slots of a whole round: 600 ms, a multiple of all packet times (10 to 60 ms).
const SLOTS: usize = 300;

/// Where an item stands in the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// In slots.
    period: usize,
    phase: usize,
    weight: u64,
}

impl Turn {
    /// Its length in milliseconds.
    pub(super) fn period_ms(self) -> u32 {
        self.period as u32 * SLOT_MS
    }

    /// How many there are in a round of the wheel.
    pub(super) fn turns(self) -> u32 {
        (SLOTS / self.period) as u32
    }
}

/// Items by slot.
pub(super) struct Wheel {
    slots: Vec<Vec<u32>>,
    loads: Vec<u64>,
    occupied: usize,
}

impl Wheel {
    /// Slots of a whole round.
    pub(super) const SLOTS: u64 = SLOTS as u64;

    pub(super) fn new() -> Wheel {
        Wheel { slots: vec![Vec::new(); SLOTS], loads: vec![0; SLOTS], occupied: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Gives an item a turn each so many milliseconds; `weight` is how long its turn takes, in microseconds. It goes to the
    /// fullest slots that have room for it, or where there is least to do.
    pub(super) fn add(&mut self, item: u32, period_ms: u32, weight: u64) -> Turn {
        let period = ((period_ms / SLOT_MS) as usize).clamp(1, SLOTS);
        let load = |phase: &usize| (*phase..SLOTS).step_by(period).map(|slot| self.loads[slot]).max();
        let with_room = (0..period).filter(|phase| load(phase).is_some_and(|load| load + weight <= FULL));
        let fullest = with_room.max_by_key(|phase| (load(phase), Reverse(*phase)));
        let phase = fullest.or_else(|| (0..period).min_by_key(load)).unwrap_or(0);
        for slot in (phase..SLOTS).step_by(period) {
            self.slots[slot].push(item);
            self.loads[slot] += weight;
        }
        self.occupied += 1;
        Turn { period, phase, weight }
    }

    /// Takes an item out.
    pub(super) fn remove(&mut self, item: u32, turn: Turn) {
        for slot in (turn.phase..SLOTS).step_by(turn.period) {
            if let Some(place) = self.slots[slot].iter().position(|other| *other == item) {
                self.slots[slot].swap_remove(place);
                self.loads[slot] -= turn.weight;
            }
        }
        self.occupied -= 1;
    }

    /// Those whose turn is in a slot, counted from the wheel's beginning.
    pub(super) fn at(&self, slot: u64) -> &[u32] {
        &self.slots[(slot % SLOTS as u64) as usize]
    }

    /// The next slot from `slot` on in which anybody has a turn.
    pub(super) fn next_from(&self, slot: u64) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        (slot..slot + SLOTS as u64).find(|slot| !self.at(*slot).is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_their_pace_and_work_is_even() {
        let mut wheel = Wheel::new();
        let many = 10 * 2 * FULL / 20;
        let turns: Vec<Turn> = (0..many).map(|item| wheel.add(item as u32, 20, 20)).collect();
        assert!(
            (0..300).all(|slot| wheel.at(slot).len() as u64 == many / 10),
            "all slots are full twice over"
        );
        let seen: Vec<u64> = (0..600).filter(|slot| wheel.at(*slot).contains(&7)).collect();
        assert!(seen.len() == 60 && seen.windows(2).all(|pair| pair[1] - pair[0] == 10), "{seen:?}");
        // A heavy one goes where others are not.
        let heavy = wheel.add(1_000, 60, 500);
        let next = wheel.add(1_001, 20, 20);
        assert_ne!(next.phase, heavy.phase % 10);
        for (item, turn) in (0..).zip(turns).chain([(1_000, heavy), (1_001, next)]) {
            wheel.remove(item, turn);
        }
        assert!(wheel.is_empty() && (0..300).all(|slot| wheel.at(slot).is_empty()));
        assert!(wheel.loads.iter().all(|load| *load == 0));
        assert_eq!(wheel.next_from(5), None);
    }

    /// Slots in which anybody has a turn, of a whole round.
    fn occupied(wheel: &Wheel) -> usize {
        (0..Wheel::SLOTS).filter(|slot| !wheel.at(*slot).is_empty()).count()
    }

    #[test]
    fn a_few_have_their_turns_together_and_more_take_one_slot_after_the_other() {
        let mut wheel = Wheel::new();
        let mut turns = Vec::new();
        for item in 0..40 {
            turns.push(wheel.add(item, 20, FULL / 10));
            assert_eq!(occupied(&wheel), 30 * (item as usize / 10 + 1), "{item}");
        }
        assert!(wheel.loads.iter().all(|load| *load <= FULL));
        // One with two turns in that time needs room in both.
        let short = wheel.add(50, 10, FULL / 10);
        assert_eq!((short.phase, occupied(&wheel)), (4, 30 * 4 + 60));
        // Whoever leaves makes room for the next.
        wheel.remove(7, turns[7]);
        assert_eq!(wheel.add(7, 20, FULL / 10).phase, turns[7].phase);
    }

    #[test]
    fn all_packet_times_fit_the_wheel() {
        for period_ms in [10, 20, 30, 40, 50, 60] {
            let mut wheel = Wheel::new();
            wheel.add(1, 10, 1);
            let turn = wheel.add(0, period_ms, 1);
            let seen: Vec<u64> = (0..900).filter(|slot| wheel.at(*slot).contains(&0)).collect();
            let step = u64::from(period_ms / SLOT_MS);
            assert!(seen.windows(2).all(|pair| pair[1] - pair[0] == step), "{period_ms}");
            assert_eq!(turn.period_ms(), period_ms);
            assert_eq!(turn.turns(), 600 / period_ms);
        }
    }
}
