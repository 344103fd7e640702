//! How much delay a stream needs: from how much later than the fastest its packets come.

use crate::limits::JITTER_DELAY_MS_MAX;

/// The fastest transit is looked for in the last two to four seconds: short enough to follow a clock that drifts.
const WINDOW_US: i64 = 2_000_000;
/// Buckets of lateness.
const BUCKET_US: i64 = 4_000;
const BUCKETS: usize = (JITTER_DELAY_MS_MAX as i64 * 1000 / BUCKET_US) as usize;
/// Nearly all: later packets are lost, since to wait for them costs everybody delay.
const PART: f64 = 0.97;
/// A packet's weight after another: 500 packets, ten seconds, are remembered.
const MEMORY: f64 = 0.998;
/// Beyond it, weights are brought back to one.
const WEIGHT_MAX: f64 = 1e12;

pub(super) struct Delay {
    /// The smallest transit of this window and of the one before.
    fastest: [Option<i64>; 2],
    window_ends_us: i64,
    buckets: [f64; BUCKETS],
    /// Of the next packet, and of all so far.
    weight: f64,
    total: f64,
    count: u32,
    target_us: i64,
    least_us: i64,
}

impl Delay {
    pub(super) fn new(least_us: i64) -> Self {
        Delay {
            fastest: [None; 2],
            window_ends_us: 0,
            buckets: [0.0; BUCKETS],
            weight: 1.0,
            total: 0.0,
            count: 0,
            target_us: least_us,
            least_us,
        }
    }

    /// The smallest transit (arrival less timestamp, both in microseconds).
    pub(super) fn fastest_us(&self) -> Option<i64> {
        self.fastest.iter().flatten().min().copied()
    }

    /// What the stream is to be delayed by, counted from the fastest packet.
    pub(super) fn target_us(&self) -> i64 {
        self.target_us
    }

    /// Takes a packet's transit.
    pub(super) fn arrived(&mut self, transit_us: i64, now_us: i64) {
        if now_us >= self.window_ends_us {
            self.fastest[1] = self.fastest[0].take();
            self.window_ends_us = now_us + WINDOW_US;
        }
        self.fastest[0] = Some(self.fastest[0].map_or(transit_us, |least| least.min(transit_us)));
        let lateness = transit_us - self.fastest_us().unwrap_or(transit_us);
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
        if self.count < 100 || self.count.is_multiple_of(8) || bucket as i64 * BUCKET_US >= self.target_us {
            self.set_target();
        }
    }

    fn set_target(&mut self) {
        let mut left = self.total * (1.0 - PART);
        let bucket = self.buckets.iter().rposition(|bucket| {
            left -= bucket;
            left < 0.0
        });
        self.target_us = ((bucket.unwrap_or(0) as i64 + 1) * BUCKET_US).max(self.least_us);
    }

    /// The stream's timestamps moved: the fastest packets are unknown again, the spread stays known.
    pub(super) fn restart(&mut self) {
        self.fastest = [None; 2];
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
    fn outliers_are_held_to_the_most() {
        let mut delay = Delay::new(10_000);
        assert_eq!(delay.target_us(), 10_000);
        for n in 0..1000 {
            delay.arrived(if n % 2 == 0 { 0 } else { 9_000_000 }, n * 20_000);
        }
        assert_eq!(delay.target_us(), i64::from(JITTER_DELAY_MS_MAX) * 1000);
    }
}
