//! Calls come as one packet in and one out on many ports, and a wake-up for each packet costs as much as forwarding it. A
//! shard that is busy with them looks only once in a while, so that several wait each time, and whoever receives what
//! it sends wakes up less often too.
//!
//! Other traffic is never made to wait: packets on the shared port (rooms) end it for a while.

use std::time::Duration;

use kaname_core::Time;

use crate::limits::{MODERATION_LEAST, MODERATION_PAUSE};

/// What the latest packets teach.
#[derive(Debug)]
pub(crate) struct Moderation {
    /// From one look to the next.
    period: Duration,
    /// The latest round that received on ports of single legs began then.
    looked: Time,
    /// Smoothed time from one such packet to the next, in nanoseconds.
    gap_ns: u64,
    /// No rest before.
    not_before: Time,
}

/// What is taken for the gap behind a longer silence: none is busy who hears nothing for so long.
const LONG_NS: u64 = 10_000_000;

impl Moderation {
    /// `period` zero: never.
    pub(crate) fn new(period: Duration) -> Moderation {
        Moderation { period, looked: Time::ZERO, gap_ns: LONG_NS, not_before: Time::ZERO }
    }

    /// A round that began at `now` received so many packets on ports of single legs, and on shared ones.
    pub(crate) fn received(&mut self, now: Time, on_ports: u64, shared: u64) {
        if shared > 0 {
            self.not_before = now + MODERATION_PAUSE;
        }
        let since = u64::try_from(now.since(self.looked).as_nanos()).unwrap_or(LONG_NS).min(LONG_NS);
        if let Some(gap) = since.checked_div(on_ports) {
            self.gap_ns = (7 * self.gap_ns + gap) / 8;
            self.looked = now;
        }
    }

    /// How long to rest now ahead of the next look, if that is worth its while.
    pub(crate) fn rest(&self, now: Time) -> Option<Duration> {
        // Several must come in the meantime, or it is a wake-up more instead of fewer.
        let several = u128::from(self.gap_ns) * MODERATION_LEAST <= self.period.as_nanos();
        if !several || now < self.not_before {
            return None;
        }
        let left = self.period.saturating_sub(now.since(self.looked));
        (left > self.period / 8).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_micros(200);

    /// So many packets, evenly, one a round; gives when the last came.
    fn arrive(moderation: &mut Moderation, from: Time, count: u32, gap: Duration) -> Time {
        let at = |i| from + gap * i;
        (1..=count).for_each(|i| moderation.received(at(i), 1, 0));
        at(count)
    }

    #[test]
    fn it_rests_while_calls_are_busy_and_until_the_period_is_over() {
        let mut moderation = Moderation::new(PERIOD);
        assert_eq!(moderation.rest(Time::ZERO), None);
        let now = arrive(&mut moderation, Time::ZERO, 100, PERIOD / 4);
        assert_eq!(moderation.rest(now), Some(PERIOD));
        assert_eq!(moderation.rest(now + PERIOD / 2), Some(PERIOD / 2), "what the round took is part of it");
        assert_eq!(moderation.rest(now + PERIOD), None, "a round that took so long is followed by the next");
    }

    #[test]
    fn it_never_rests_where_packets_are_few_or_it_is_not_wanted() {
        let mut moderation = Moderation::new(PERIOD);
        let now = arrive(&mut moderation, Time::ZERO, 100, 2 * PERIOD);
        assert_eq!(moderation.rest(now), None);
        let mut never = Moderation::new(Duration::ZERO);
        let now = arrive(&mut never, Time::ZERO, 100, Duration::from_micros(1));
        assert_eq!(never.rest(now), None);
    }

    #[test]
    fn rooms_end_it_for_a_while() {
        let mut moderation = Moderation::new(PERIOD);
        let now = arrive(&mut moderation, Time::ZERO, 100, PERIOD / 4);
        moderation.received(now, 1, 1);
        let later = arrive(&mut moderation, now, 10, PERIOD / 4);
        assert_eq!(moderation.rest(later), None);
        let later = arrive(&mut moderation, now + MODERATION_PAUSE, 100, PERIOD / 4);
        assert_eq!(moderation.rest(later), Some(PERIOD));
    }

    #[test]
    fn silence_ends_it() {
        let mut moderation = Moderation::new(PERIOD);
        let now = arrive(&mut moderation, Time::ZERO, 100, PERIOD / 4);
        let later = now + Duration::from_secs(1);
        assert_eq!(moderation.rest(later), None);
        moderation.received(later, 1, 0);
        assert_eq!(moderation.rest(later), None, "the first packet behind it waits for no other");
    }
}
