//! How much delay a stream needs: from how much later than the fastest its packets come.

use crate::limits::JITTER_DELAY_MS_MAX;

/// Off by less than this, the delay is right; it is less than any jitter.
pub(super) const SLACK_US: i64 = 2_000;
/// The fastest transit is looked for in the last two to four seconds: short enough to follow a clock that drifts.
const FASTEST_WINDOW_US: i64 = 2_000_000;
/// Buckets of lateness.
const BUCKET_US: i64 = 4_000;
const BUCKETS: usize = (JITTER_DELAY_MS_MAX as i64 * 1000 / BUCKET_US) as usize;
/// Nearly all: what is much later is lost, since to wait for it costs everybody delay.
const PART: f64 = 0.97;
/// A packet's weight after another: 500 packets, ten seconds, are remembered.
const MEMORY: f64 = 0.998;
/// Beyond it, weights are brought back to one.
const WEIGHT_MAX: f64 = 1e12;
/// The few that are later than nearly all by no more than this are waited for as well: it is what a turn later costs, and
/// less than it costs to lose one every few seconds.
const REACH_US: i64 = 20_000;
/// The latest of them is remembered for twenty to forty seconds: what comes once in a while comes again.
const LATEST_WINDOW_US: i64 = 20_000_000;
/// So much more is left for one that is later still: enough to be warned by, so that a pitch period is repeated in time.
const AHEAD_US: i64 = 1_000;

pub(super) struct Delay {
    /// Smallest transits.
    fastest: Recent,
    /// Largest latenesses within reach.
    latest: Recent,
    /// What nearly all needed ahead of a packet that was out of reach: those behind it are late because it was, until one
    /// needs no more than that.
    stalled: Option<i64>,
    buckets: [f64; BUCKETS],
    /// Of the next packet, and of all so far.
    weight: f64,
    total: f64,
    count: u32,
    /// What nearly all need.
    nearly_all_us: i64,
    least_us: i64,
}

impl Delay {
    pub(super) fn new(least_us: i64) -> Self {
        Delay {
            fastest: Recent::new(FASTEST_WINDOW_US, i64::min),
            latest: Recent::new(LATEST_WINDOW_US, i64::max),
            stalled: None,
            buckets: [0.0; BUCKETS],
            weight: 1.0,
            total: 0.0,
            count: 0,
            nearly_all_us: least_us,
            least_us,
        }
    }

    /// The smallest transit (arrival less timestamp, both in microseconds).
    pub(super) fn fastest_us(&self) -> Option<i64> {
        self.fastest.value()
    }

    /// What the stream is to be delayed by, counted from the fastest packet.
    pub(super) fn target_us(&self) -> i64 {
        // Less by the slack is right, too.
        let latest = self.latest.value().map_or(0, |latest| latest + AHEAD_US + SLACK_US);
        self.nearly_all_us.max(latest).min(i64::from(JITTER_DELAY_MS_MAX) * 1000)
    }

    /// Takes a packet's transit.
    pub(super) fn arrived(&mut self, transit_us: i64, now_us: i64) {
        self.fastest.note(transit_us, now_us);
        let lateness = transit_us - self.fastest_us().unwrap_or(transit_us);
        self.note_latest(lateness, now_us);
        let bucket = usize::try_from(lateness / BUCKET_US).unwrap_or(0).min(BUCKETS - 1);
        self.buckets[bucket] += self.weight;
        self.total += self.weight;
        self.weight /= MEMORY;
        self.count = self.count.saturating_add(1);
        if self.weight > WEIGHT_MAX {
            self.total /= self.weight;
            self.buckets.iter_mut().for_each(|bucket| *bucket /= self.weight);
            self.weight = 1.0;
        }
        // A new stream is learned packet by packet, a known one now and then.
        if self.count < 100 || self.count.is_multiple_of(8) || bucket as i64 * BUCKET_US >= self.nearly_all_us
        {
            self.set_nearly_all();
        }
    }

    fn note_latest(&mut self, lateness: i64, now_us: i64) {
        self.stalled = self.stalled.filter(|usual| lateness > *usual);
        if lateness > self.nearly_all_us + REACH_US {
            self.stalled = self.stalled.or(Some(self.nearly_all_us));
        }
        if self.stalled.is_none() {
            self.latest.note(lateness, now_us);
        }
    }

    fn set_nearly_all(&mut self) {
        let mut left = self.total * (1.0 - PART);
        let bucket = self.buckets.iter().rposition(|bucket| {
            left -= bucket;
            left < 0.0
        });
        self.nearly_all_us = ((bucket.unwrap_or(0) as i64 + 1) * BUCKET_US).max(self.least_us);
    }

    /// The stream's timestamps moved: the fastest packets are unknown again, the spread stays known.
    pub(super) fn restart(&mut self) {
        self.fastest.forget();
    }
}

/// The least or the most of the last one to two windows.
struct Recent {
    /// Of this window and of the one before.
    values: [Option<i64>; 2],
    pick: fn(i64, i64) -> i64,
    window_us: i64,
    ends_us: i64,
}

impl Recent {
    fn new(window_us: i64, pick: fn(i64, i64) -> i64) -> Self {
        Recent { values: [None; 2], pick, window_us, ends_us: 0 }
    }

    fn value(&self) -> Option<i64> {
        self.values.iter().flatten().copied().reduce(self.pick)
    }

    fn note(&mut self, value: i64, now_us: i64) {
        if now_us >= self.ends_us {
            self.values[1] = self.values[0].take();
            self.ends_us = now_us + self.window_us;
        }
        self.values[0] = Some(self.values[0].map_or(value, |other| (self.pick)(other, value)));
    }

    fn forget(&mut self) {
        self.values = [None; 2];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Noise;

    #[test]
    fn the_target_covers_nearly_all_packets() {
        let mut delay = Delay::new(0);
        let mut noise = Noise(7);
        for n in 0..3000 {
            delay.arrived(1_000_000 + noise.below(60_000) as i64, n * 20_000);
        }
        assert!((56_000..=64_000).contains(&delay.target_us()), "{}", delay.target_us());
        // The network gets better: so does the delay, within some tens of seconds.
        for n in 3000..5500 {
            delay.arrived(1_000_000 + noise.below(8_000) as i64, n * 20_000);
        }
        assert!(delay.target_us() <= 12_000, "{}", delay.target_us());
    }

    #[test]
    fn a_drifting_clock_is_no_jitter() {
        for ppm in [-200, 200] {
            let mut delay = Delay::new(0);
            for n in 0..90_000i64 {
                delay.arrived(n * 20_000 * ppm / 1_000_000, n * 20_000);
            }
            assert!(delay.target_us() <= 4_000, "{ppm}: {}", delay.target_us());
        }
    }

    #[test]
    fn what_is_a_little_later_than_nearly_all_is_waited_for_while_it_is_remembered() {
        let mut delay = Delay::new(0);
        let mut arrive = |from: i64, to: i64, late: i64| {
            (from..to).for_each(|n| delay.arrived(late, n * 20_000));
            delay.target_us()
        };
        assert_eq!(arrive(0, 1000, 0), 4_000);
        let needed = 12_000 + AHEAD_US + SLACK_US;
        assert_eq!(arrive(1000, 1001, 12_000), needed, "at once");
        assert_eq!(arrive(1001, 2000, 0), needed, "for twenty seconds");
        assert_eq!(arrive(2000, 3050, 0), 4_000, "but not for ever");
        // Once in a while is often enough.
        for begin in (4_000..8_000).step_by(1_000) {
            arrive(begin, begin + 1, 12_000);
            assert_eq!(arrive(begin + 1, begin + 1_000, 0), needed);
        }
    }

    #[test]
    fn a_stall_is_not_waited_for_nor_what_comes_with_it() {
        let mut delay = Delay::new(0);
        for n in 0..1000 {
            let late = if (500..510).contains(&n) { (510 - n) * 20_000 } else { 0 };
            delay.arrived(late, n.max(if late > 0 { 510 } else { 0 }) * 20_000);
        }
        assert_eq!(delay.target_us(), 4_000);
    }

    #[test]
    fn outliers_are_held_to_the_most() {
        let mut delay = Delay::new(10_000);
        assert_eq!(delay.target_us(), 10_000);
        for n in 0..1000 {
            delay.arrived(if n % 2 == 0 { 0 } else { 9_000_000 }, n * 20_000);
        }
        assert_eq!(delay.target_us(), i64::from(JITTER_DELAY_MS_MAX) * 1000);
    }
}
