//! Calls come as one packet in and one out on many ports, and a wake-up for each packet costs as much as forwarding it. A
//! shard that is busy with them looks only once in a while, so that several wait each time, and whoever receives what
//! it sends wakes up less often too.
//!
//! Other traffic is made to wait once at most: a packet on the shared port (rooms) that came during a rest is found at its end,
//! and those that follow it find none, since it keeps the shard from resting for a while.

use std::time::Duration;

use kaname_core::Time;

use crate::limits::{MODERATION_ENOUGH, MODERATION_LEAST, MODERATION_PAUSE};

/// What the latest packets teach.
#[derive(Debug)]
pub(crate) struct Moderation {
    /// From one look to the next at most.
    longest: Duration,
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
    /// `longest` is the time from one look to the next at most; zero: never.
    pub(crate) fn new(longest: Duration) -> Moderation {
        Moderation { longest, looked: Time::ZERO, gap_ns: LONG_NS, not_before: Time::ZERO }
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
        let gap = Duration::from_nanos(self.gap_ns);
        // Several must come in the meantime, or it is a wake-up more instead of fewer.
        if gap * MODERATION_LEAST > self.longest || now < self.not_before {
            return None;
        }
        let period = self.longest.min(gap * MODERATION_ENOUGH);
        let left = period.saturating_sub(now.since(self.looked));
        (left > period / 8).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_micros(800);
    /// So that no more than a few come in the longest rest.
    const GAP: Duration = Duration::from_micros(200);

    /// So many packets, evenly, one a round; gives when the last came.
    fn arrive(moderation: &mut Moderation, from: Time, count: u32, gap: Duration) -> Time {
        let at = |i| from + gap * i;
        (1..=count).for_each(|i| moderation.received(at(i), 1, 0));
        at(count)
    }

    #[test]
    fn it_rests_while_calls_are_busy_and_until_the_period_is_over() {
        let mut moderation = Moderation::new(LONGEST);
        assert_eq!(moderation.rest(Time::ZERO), None);
        let now = arrive(&mut moderation, Time::ZERO, 100, GAP);
        assert_eq!(moderation.rest(now), Some(LONGEST));
        assert_eq!(
            moderation.rest(now + LONGEST / 2),
            Some(LONGEST / 2),
            "what the round took is part of it"
        );
        assert_eq!(moderation.rest(now + LONGEST), None, "a round that took so long is followed by the next");
    }

    #[test]
    fn the_more_packets_come_the_shorter_it_rests() {
        let mut before = LONGEST;
        for micros in [90, 50, 20, 10] {
            let mut moderation = Moderation::new(LONGEST);
            let gap = Duration::from_micros(micros);
            let now = arrive(&mut moderation, Time::ZERO, 200, gap);
            let rest = moderation.rest(now).expect("they are many");
            let packets = rest.as_nanos() / gap.as_nanos();
            assert!(packets.abs_diff(u128::from(MODERATION_ENOUGH)) <= 1, "{rest:?} at one each {gap:?}");
            assert!(rest < before);
            before = rest;
        }
    }

    #[test]
    fn a_simulated_shard_waits_no_longer_than_it_may_and_wakes_for_several_at_once() {
        for (gap, looks_at_most) in
            [(350, 500), (200, 280), (40, 160)].map(|(us, n)| (Duration::from_micros(us), n))
        {
            let mut moderation = Moderation::new(LONGEST);
            let (mut now, mut next, mut looks, mut came) = (Time::ZERO, 0_u32, 0, 0);
            let arrival = |number: u32| Time::ZERO + gap * number;
            while came < 1000 {
                // It sleeps until the next, or rests.
                now = match moderation.rest(now) {
                    Some(rest) => now + rest,
                    None => now.max(arrival(next)),
                };
                let waited = now.since(arrival(next));
                assert!(waited <= LONGEST, "{waited:?} at one each {gap:?}");
                let count = (next..).take_while(|number| arrival(*number) <= now).count() as u32;
                moderation.received(now, count.into(), 0);
                (next, came, looks) = (next + count, came + count, looks + 1);
            }
            assert!(looks <= looks_at_most, "{looks} looks for {came} packets, one each {gap:?}");
        }
    }

    #[test]
    fn it_never_rests_where_packets_are_few_or_it_is_not_wanted() {
        let mut moderation = Moderation::new(LONGEST);
        let now = arrive(&mut moderation, Time::ZERO, 100, LONGEST);
        assert_eq!(moderation.rest(now), None);
        let mut never = Moderation::new(Duration::ZERO);
        let now = arrive(&mut never, Time::ZERO, 100, Duration::from_micros(1));
        assert_eq!(never.rest(now), None);
    }

    #[test]
    fn rooms_end_it_for_a_while() {
        let mut moderation = Moderation::new(LONGEST);
        let now = arrive(&mut moderation, Time::ZERO, 100, GAP);
        moderation.received(now, 1, 1);
        let later = arrive(&mut moderation, now, 10, GAP);
        assert_eq!(moderation.rest(later), None);
        let later = arrive(&mut moderation, now + MODERATION_PAUSE, 100, GAP);
        assert_eq!(moderation.rest(later), Some(LONGEST));
    }

    #[test]
    fn silence_ends_it() {
        let mut moderation = Moderation::new(LONGEST);
        let now = arrive(&mut moderation, Time::ZERO, 100, GAP);
        let later = now + Duration::from_secs(1);
        assert_eq!(moderation.rest(later), None);
        moderation.received(later, 1, 0);
        assert_eq!(moderation.rest(later), None, "the first packet behind it waits for no other");
    }
}
