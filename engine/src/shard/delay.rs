//! How long packets stay in the node: from their arrival until what was forwarded of them is with the kernel again.
//!
//! The kernel's stamps would cost more than they tell, so this is an upper bound that costs two looks at the clock for a whole
//! batch: a packet came no earlier than the shard last looked, or, where it slept, than it was woken. Only where more waited
//! than a batch takes is it a little less than the truth.

use std::time::Duration;

use kaname_core::Time;

/// Upper ends of the classes; the last class has none.
const ENDS: [Duration; DELAYS - 1] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
];

/// Number of classes.
pub(crate) const DELAYS: usize = 7;

/// Their names in the metrics.
pub(crate) const DELAY_NAMES: [&str; DELAYS] = [
    "shard_delay_below_50us",
    "shard_delay_below_100us",
    "shard_delay_below_200us",
    "shard_delay_below_500us",
    "shard_delay_below_1ms",
    "shard_delay_below_2ms",
    "shard_delay_longer",
];

/// Packets by their delay.
pub(crate) type Delays = [u64; DELAYS];

/// When the shard last looked for packets.
#[derive(Debug)]
pub(super) struct Looks {
    latest: Time,
    slept: bool,
}

impl Looks {
    pub(super) fn new(now: Time) -> Looks {
        Looks { latest: now, slept: true }
    }

    /// It slept until something happened.
    pub(super) fn slept(&mut self) {
        self.slept = true;
    }

    /// It looks at `now`, and whatever it finds came no earlier than what this gives.
    pub(super) fn look(&mut self, now: Time) -> Time {
        let since = if self.slept { now } else { self.latest };
        (self.latest, self.slept) = (now, false);
        since
    }
}

/// Counts packets that came no earlier than `since` and are done with at `done`.
pub(super) fn note(delays: &mut Delays, packets: u64, since: Time, done: Time) {
    let delay = done.since(since);
    let class = ENDS.iter().position(|end| delay < *end).unwrap_or(DELAYS - 1);
    delays[class] += packets;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_came_since_the_last_look_or_woke_the_shard() {
        let at = |micros| Time::ZERO + Duration::from_micros(micros);
        let mut looks = Looks::new(at(0));
        assert_eq!(looks.look(at(10)), at(10));
        assert_eq!(looks.look(at(90)), at(10), "it may have come right behind the last look");
        looks.slept();
        assert_eq!(looks.look(at(500)), at(500));
    }

    #[test]
    fn each_class_ends_ahead_of_the_next() {
        let mut delays = [0; DELAYS];
        for micros in [0, 49, 50, 199, 200, 1999, 2000, 1_000_000] {
            note(&mut delays, 2, Time::ZERO, Time::ZERO + Duration::from_micros(micros));
        }
        assert_eq!(delays, [4, 2, 2, 2, 0, 2, 4]);
    }
}
