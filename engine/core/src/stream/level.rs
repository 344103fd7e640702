//! Audio levels of a stream (RFC 6464), smoothed and thinned out for the control plane.

use crate::{Time, limits};

/// Changes of less than this many dB are not news.
const NEWS_DB: u16 = 2;
/// Levels are kept in 1/16 dB; each packet moves the average an eighth of the way: 160 ms at 20 ms a packet.
const SCALE: u16 = 16;
const SMOOTHING: i32 = 8;
const SILENCE: u16 = 127;

/// The level of one stream.
#[derive(Debug)]
pub(crate) struct Level {
    smooth: u16,
    voice: bool,
    told: (u16, bool),
    told_at: Time,
}

impl Level {
    pub(crate) fn new() -> Level {
        let silence = SILENCE * SCALE;
        Level { smooth: silence, voice: false, told: (silence, false), told_at: Time::ZERO }
    }

    /// Takes a packet's level in; gives news if there is any.
    pub(crate) fn take(&mut self, now: Time, level: u8, voice: bool) -> Option<(u8, bool)> {
        let target = i32::from(level) * i32::from(SCALE);
        let step = (target - i32::from(self.smooth)) / SMOOTHING;
        // Close to the target the division gives zero: go all the way.
        self.smooth = if step == 0 { target as u16 } else { (i32::from(self.smooth) + step) as u16 };
        self.voice = voice;
        self.news(now)
    }

    fn news(&mut self, now: Time) -> Option<(u8, bool)> {
        let changed = self.smooth.abs_diff(self.told.0) >= NEWS_DB * SCALE || self.voice != self.told.1;
        if !changed || now < self.told_at + limits::LEVEL_INTERVAL {
            return None;
        }
        self.told = (self.smooth, self.voice);
        self.told_at = now;
        Some(((self.smooth / SCALE) as u8, self.voice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_changes_at_most_ten_times_a_second_and_then_nothing() {
        let mut level = Level::new();
        let start = 1_000_000_000;
        let news: Vec<_> = (0..500u64)
            .filter_map(|packet| level.take(Time::from_nanos(start + packet * 20_000_000), 30, true))
            .collect();
        assert!((2..=10).contains(&news.len()), "{news:?}");
        assert!(news.windows(2).all(|pair| pair[0].0 > pair[1].0));
        assert!(news.last().unwrap().0 <= 32);
    }
}
