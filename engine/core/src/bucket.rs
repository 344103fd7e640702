//! Token buckets over the time that callers pass in.

use crate::Time;

/// So many tokens a second, so many saved up at most. Starts full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// In billionths of a token, so that nothing is lost to rounding at any rate.
    level: u64,
    filled: Time,
}

const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    pub(crate) const fn full(burst: u32) -> Bucket {
        Bucket { level: burst as u64 * TOKEN, filled: Time::ZERO }
    }

    /// Whether a token is there at `now`, without taking it.
    pub(crate) fn allows(&mut self, now: Time, per_second: u32, burst: u32) -> bool {
        let elapsed = now.since(self.filled).as_nanos() as u64;
        let cap = u64::from(burst) * TOKEN;
        self.level = self.level.saturating_add(elapsed.saturating_mul(u64::from(per_second))).min(cap);
        self.filled = self.filled.max(now);
        self.level >= TOKEN
    }

    /// Takes a token; an empty bucket stays empty.
    pub(crate) fn charge(&mut self) {
        self.level = self.level.saturating_sub(TOKEN);
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Time, per_second: u32, burst: u32) -> bool {
        let allowed = self.allows(now, per_second, burst);
        if allowed {
            self.charge();
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn gives_the_burst_then_the_rate() {
        let mut bucket = Bucket::full(10);
        let start = Time::from_nanos(5_000_000_000);
        let at_once = (0..100).filter(|_| bucket.take(start, 100, 10)).count();
        assert_eq!(at_once, 10);
        let mut later = 0;
        for step in 1..=1000u64 {
            later += usize::from(bucket.take(start + Duration::from_millis(step), 100, 10));
        }
        assert_eq!(later, 100);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let mut bucket = Bucket::full(1);
        assert!(bucket.take(Time::from_nanos(1_000_000_000), 1, 1));
        assert!(!bucket.take(Time::ZERO, 1, 1));
        assert!(!bucket.take(Time::from_nanos(1_500_000_000), 1, 1));
        assert!(bucket.take(Time::from_nanos(2_000_000_000), 1, 1));
    }
}
