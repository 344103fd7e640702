//! Whether to look again for a moment before going to sleep. A wake-up costs a busy shard more than the wait that it
//! ends, and an idle one must use no processor: so it is tried only after waits that were short, and given up soon.

use std::time::Duration;

use crate::limits::{SPIN_MAX, SPIN_NEAR, SPIN_REST_MAX, SPIN_REST_MIN, SPIN_START, SPIN_TRIES};

/// What the latest waits teach.
#[derive(Debug)]
pub(crate) struct Spin {
    /// The machine has another processor for everyone else.
    allowed: bool,
    budget: Duration,
    /// Spins in vain since one paid.
    vain: u32,
    /// Waits to sit out before the next try, and how many it will be the next time.
    rest: u32,
    next_rest: u32,
}

impl Spin {
    pub(crate) fn new(allowed: bool) -> Spin {
        Spin { allowed, budget: Duration::ZERO, vain: 0, rest: 0, next_rest: SPIN_REST_MIN }
    }

    /// How long to look before the next sleep.
    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }

    /// Something came while it looked.
    pub(crate) fn paid(&mut self) {
        self.vain = 0;
        self.next_rest = SPIN_REST_MIN;
    }

    /// Nothing came in the budget, and it slept until it had waited for this long in all.
    pub(crate) fn slept(&mut self, waited: Duration) {
        let near = waited <= SPIN_NEAR;
        if self.budget.is_zero() {
            self.rest = self.rest.saturating_sub(1);
            if self.allowed && near && self.rest == 0 {
                self.budget = SPIN_START;
            }
            return;
        }
        self.vain += 1;
        if near && self.vain < SPIN_TRIES {
            self.budget = (self.budget * 2).min(SPIN_MAX);
        } else {
            *self = Spin {
                rest: self.next_rest,
                next_rest: (self.next_rest * 2).min(SPIN_REST_MAX),
                ..Spin::new(self.allowed)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits of this many microseconds; gives what was spent spinning, and how many sleeps there were.
    fn wait(spin: &mut Spin, waits: impl IntoIterator<Item = u64>) -> (Duration, u32) {
        let (mut spent, mut sleeps) = (Duration::ZERO, 0);
        for wait in waits.into_iter().map(Duration::from_micros) {
            if wait <= spin.budget() {
                spent += wait;
                spin.paid();
            } else {
                spent += spin.budget();
                sleeps += 1;
                spin.slept(wait);
            }
        }
        (spent, sleeps)
    }

    #[test]
    fn an_idle_shard_never_spins() {
        let mut spin = Spin::new(true);
        assert_eq!(wait(&mut spin, [20_000; 1000]).0, Duration::ZERO);
    }

    #[test]
    fn a_busy_shard_no_longer_sleeps() {
        let mut spin = Spin::new(true);
        let (_, sleeps) = wait(&mut spin, [35; 1000]);
        assert_eq!(sleeps, 2, "one to notice, one to look for longer");
        // A pause costs no more than the budget, and what follows is noticed again, after a rest.
        assert_eq!(wait(&mut spin, [1_000_000; 10]).0, 2 * SPIN_START);
        let (_, sleeps) = wait(&mut spin, [35; 1000]);
        assert!(sleeps <= SPIN_REST_MIN + 2, "{sleeps}");
    }

    #[test]
    fn waits_just_beyond_the_budget_are_given_up_soon() {
        let mut spin = Spin::new(true);
        let waits = 100_000;
        let each = SPIN_MAX + Duration::from_micros(10);
        let (spent, sleeps) = wait(&mut spin, vec![each.as_micros() as u64; waits]);
        assert_eq!(sleeps as usize, waits);
        assert!(spent < each * waits as u32 / 100, "{spent:?}");
    }

    #[test]
    fn a_machine_with_one_processor_never_spins() {
        let mut spin = Spin::new(false);
        assert_eq!(wait(&mut spin, [1; 1000]), (Duration::ZERO, 1000));
    }

    #[test]
    fn the_budget_stays_within_its_bounds() {
        let mut spin = Spin::new(true);
        for waited in (0..10_000).map(|i| i * 7919 % 120) {
            wait(&mut spin, [waited]);
            assert!(spin.budget().is_zero() || (SPIN_START..=SPIN_MAX).contains(&spin.budget()));
        }
    }
}
