//! When a shard looks at ports whose packets go to audio workers alone: shortly ahead of their turns. Earlier the packets would
//! wait there, so nothing is lost, and one look brings a packet of each of many.

use std::time::Duration;

use kaname_core::Time;

use crate::limits::{PATIENCE_LEAD, PATIENCE_MAX, PATIENCE_NEAR};

/// What is known of the looks.
#[derive(Debug)]
pub(super) struct Patience {
    looked: Time,
}

impl Patience {
    pub(super) fn new(now: Time) -> Patience {
        Patience { looked: now }
    }

    /// It looks at `now`.
    pub(super) fn look(&mut self, now: Time) {
        self.looked = now;
    }

    /// When it looked.
    pub(super) fn looked(&self) -> Time {
        self.looked
    }

    /// When to look next, where the workers' next turns are these.
    pub(super) fn due(&self, turns: impl Iterator<Item = Time>) -> Time {
        // A worker without turns, or one that does not tell, keeps nobody waiting for longer than a packet's time.
        let latest = self.looked + PATIENCE_MAX;
        // What was looked for already needs no second look.
        turns.map(|turn| turn - PATIENCE_LEAD).filter(|at| *at > self.looked).fold(latest, Time::min)
    }

    /// Whether a shard that is awake at `now` looks at once.
    pub(super) fn is_due(now: Time, due: Time) -> bool {
        now + PATIENCE_NEAR >= due
    }

    /// How late a packet counts as come that had waited for so long: as if all had been on their way for so much longer as
    /// the looks are ahead of their turns. What just missed a look is then later than that look's turn for the worker, too.
    pub(super) fn late(waited: Duration) -> Duration {
        waited.saturating_sub(PATIENCE_LEAD + PATIENCE_NEAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u32) -> Time {
        Time::ZERO + MS * ms
    }

    /// Looks of a shard that sleeps until each, in so much time; each worker's turns are 20 ms apart from one of these on.
    fn looks(phases: &[u32], until: u32) -> Vec<Time> {
        let mut patience = Patience::new(Time::ZERO);
        let mut looks = Vec::new();
        let mut now = Time::ZERO;
        while now < at(until) {
            // As each worker told at the end of its latest turn: the next two, of which the first is looked ahead for already.
            let turns = phases.iter().flat_map(|phase| {
                let told = (0..).map(move |turn| at(phase + 20 * turn)).filter(move |turn| *turn > now);
                told.take(2)
            });
            let due = patience.due(turns);
            assert!(due > now, "a second look for the same turn");
            now = due;
            assert!(Patience::is_due(now, now));
            patience.look(now);
            looks.push(now);
        }
        looks
    }

    #[test]
    fn there_is_one_look_ahead_of_each_turn() {
        assert_eq!(looks(&[10], 100), [9, 29, 49, 69, 89, 109].map(at));
        assert_eq!(looks(&[4, 10, 10], 44), [3, 9, 23, 29, 43, 49].map(at), "of several workers");
    }

    #[test]
    fn without_turns_it_looks_once_in_a_packet_time() {
        let mut patience = Patience::new(at(5));
        assert_eq!(patience.due(std::iter::empty()), at(5) + PATIENCE_MAX);
        // A turn that is over, or was looked ahead for, is no reason for a look.
        assert_eq!(
            patience.due([at(3), at(6), Time::from_nanos(u64::MAX)].into_iter()),
            at(5) + PATIENCE_MAX
        );
        patience.look(at(7));
        assert_eq!(patience.due([at(9)].into_iter()), at(8));
    }

    #[test]
    fn a_packet_counts_as_come_before_the_turn_it_is_there_for_and_after_any_that_it_missed() {
        for early in [Duration::ZERO, PATIENCE_NEAR / 2, PATIENCE_NEAR] {
            let (turn, next) = (at(100), at(120));
            let look = turn - PATIENCE_LEAD - early;
            let next_look = next - PATIENCE_LEAD - early;
            assert!(Patience::is_due(look, turn - PATIENCE_LEAD));
            for micros in (1..20_000).step_by(37) {
                let came = look - Duration::from_micros(20_000 - micros);
                assert!(look - Patience::late(look.since(came)) < turn);
            }
            let missed = look + Duration::from_nanos(1);
            assert!(next_look - Patience::late(next_look.since(missed)) > turn);
        }
    }
}
