//! How loud: RFC 6464's -dBov, gain that changes smoothly, automatic level, and a limiter.

use crate::Rate;
use crate::kernel;

/// Digital silence in RFC 6464's scale.
pub const SILENCE_DBOV: u8 = 127;
const LIMIT: f32 = 32_767.0;

/// Root mean square, 0 to 32768.
pub fn rms_of(samples: &[i16]) -> f32 {
    (kernel::correlate(samples, samples) / samples.len().max(1) as f32).sqrt()
}

/// RFC 6464 section 3: the level "is expressed in -dBov, with values from 0 to 127".
pub fn dbov(rms: f32) -> u8 {
    if rms < 1.0 / 64.0 {
        return SILENCE_DBOV;
    }
    (-20.0 * (rms / 32_768.0).log10()).round().clamp(0.0, f32::from(SILENCE_DBOV)) as u8
}

/// The level of samples, in -dBov.
pub fn measure(samples: &[i16]) -> u8 {
    dbov(rms_of(samples))
}

/// A factor from decibels.
pub fn factor(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// A gain that moves to each new value over one frame, so that nothing clicks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    now: f32,
    wanted: f32,
}

impl Default for Gain {
    fn default() -> Self {
        Gain { now: 1.0, wanted: 1.0 }
    }
}

impl Gain {
    /// Starts at a factor.
    pub fn at(factor: f32) -> Self {
        Gain { now: factor, wanted: factor }
    }

    /// Moves to a factor over the next frame. Negative ones and more than 24 dB are held to the range.
    pub fn set(&mut self, factor: f32) {
        self.wanted = if factor.is_finite() { factor.clamp(0.0, 16.0) } else { self.wanted };
    }

    /// Whether the frames to come stay as they are.
    pub fn is_open(&self) -> bool {
        self.now == 1.0 && self.wanted == 1.0
    }

    /// Whether the frames to come are silence.
    pub fn is_closed(&self) -> bool {
        self.now == 0.0 && self.wanted == 0.0
    }

    /// Applies it to a frame.
    pub fn apply(&mut self, frame: &mut [i16]) {
        if self.is_closed() {
            frame.fill(0);
        } else if self.now != 1.0 || self.wanted != 1.0 {
            kernel::ramp(frame, self.now, self.wanted);
        }
        self.now = self.wanted;
    }
}

/// Brings quiet and loud speakers to one level, slowly; what is no speech does not move it.
#[derive(Clone, Debug)]
pub struct AutoLevel {
    gain: Gain,
    factor_db: f32,
    speech_dbov: f32,
}

impl Default for AutoLevel {
    fn default() -> Self {
        AutoLevel { gain: Gain::default(), factor_db: 0.0, speech_dbov: AutoLevel::TARGET_DBOV }
    }
}

impl AutoLevel {
    /// Where speech is brought to: what a good headset gives.
    const TARGET_DBOV: f32 = -22.0;
    /// Quieter is background, and stays as it is.
    const SPEECH_DBOV: f32 = -48.0;
    const UP_DB_MAX: f32 = 12.0;
    const DOWN_DB_MAX: f32 = 18.0;
    /// Louder slowly, softer quickly: nobody forgives a shout.
    const UP_DB_PER_S: f32 = 3.0;
    const DOWN_DB_PER_S: f32 = 20.0;

    /// Applies it to a frame.
    pub fn apply(&mut self, rate: Rate, frame: &mut [i16]) {
        let seconds = frame.len() as f32 / rate.hz() as f32;
        let level = 20.0 * (rms_of(frame) / 32_768.0).max(1e-6).log10();
        if level > Self::SPEECH_DBOV {
            // Follows syllables up at once, and falls with a second's time.
            let weight = if level > self.speech_dbov { 0.5 } else { (seconds * 0.7).min(1.0) };
            self.speech_dbov += (level - self.speech_dbov) * weight;
            let wanted = (Self::TARGET_DBOV - self.speech_dbov).clamp(-Self::DOWN_DB_MAX, Self::UP_DB_MAX);
            let step =
                (wanted - self.factor_db).clamp(-Self::DOWN_DB_PER_S * seconds, Self::UP_DB_PER_S * seconds);
            self.factor_db += step;
            self.gain.set(factor(self.factor_db));
        }
        self.gain.apply(frame);
    }
}

/// Turns sums of voices to samples: untouched while they fit, softer for a while when they do not. Never clips.
#[derive(Clone, Debug)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter { gain: 1.0 }
    }
}

impl Limiter {
    /// Back to full within about 200 ms.
    const RELEASE_PER_S: f32 = 5.0;

    /// Limits a frame of sums into as many samples.
    pub fn apply(&mut self, rate: Rate, sums: &[i32], out: &mut [i16]) {
        let peak = kernel::peak(sums) as f32;
        if self.gain == 1.0 && peak <= LIMIT {
            return kernel::narrow(sums, out);
        }
        let bound = (LIMIT / peak.max(1.0)).min(1.0);
        if bound >= self.gain {
            let release = Self::RELEASE_PER_S * sums.len() as f32 / rate.hz() as f32;
            let next = (self.gain + release).min(bound);
            kernel::ramp_sums(sums, self.gain, next, out);
            self.gain = next;
            return;
        }
        let turn = turning_point(sums, LIMIT / self.gain);
        kernel::ramp_sums(&sums[..turn], self.gain, self.gain, &mut out[..turn]);
        kernel::ramp_sums(&sums[turn..], bound, bound, &mut out[turn..]);
        self.gain = bound;
    }
}

/// Where the gain may fall without a click: the last change of sign ahead of the first sum beyond `most`.
fn turning_point(sums: &[i32], most: f32) -> usize {
    let beyond = sums.iter().position(|&sum| sum.abs() as f32 > most).unwrap_or(0);
    (1..=beyond).rev().find(|&n| (sums[n] ^ sums[n - 1]) < 0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn levels_of_known_signals() {
        assert_eq!(measure(&[0; 160]), SILENCE_DBOV);
        assert_eq!(measure(&[-32_768; 160]), 0);
        // A sine is 3 dB below a square wave of its peak.
        assert_eq!(measure(&kit::tone(Rate::K8, 400.0, 32_767.0, 800)), 3);
        assert_eq!(measure(&kit::tone(Rate::K8, 400.0, 3_276.7, 800)), 23);
        assert_eq!(measure(&[]), SILENCE_DBOV);
    }

    #[test]
    fn a_gain_moves_once_and_stays() {
        let mut gain = Gain::default();
        gain.set(0.5);
        let mut frame = [10_000; 100];
        gain.apply(&mut frame);
        assert!(frame.is_sorted_by(|a, b| a >= b) && frame[0] == 10_000 && frame[99] < 5_100);
        let mut frame = [10_000; 100];
        gain.apply(&mut frame);
        assert_eq!(frame, [5_000; 100]);
        gain.set(f32::NAN);
        gain.set(-3.0);
        gain.apply(&mut frame);
        assert!(gain.is_closed());
        gain.apply(&mut frame);
        assert_eq!(frame, [0; 100]);
    }

    #[test]
    fn speakers_come_to_one_level_and_noise_stays() {
        for peak in [1_500.0, 20_000.0] {
            let mut level = AutoLevel::default();
            let tone = kit::tone(Rate::K16, 300.0, peak, 16_000 * 6);
            let mut out = tone.clone();
            out.chunks_mut(320).for_each(|frame| level.apply(Rate::K16, frame));
            let heard = measure(&out[16_000 * 5..]);
            assert!(heard.abs_diff(22) <= 1, "{peak}: {heard}");
        }
        let mut level = AutoLevel::default();
        let mut noise = kit::noise(1, 60.0, 16_000 * 5);
        noise.chunks_mut(320).for_each(|frame| level.apply(Rate::K16, frame));
        assert_eq!(noise, kit::noise(1, 60.0, 16_000 * 5));
    }

    #[test]
    fn a_sum_that_fits_is_untouched() {
        let sums = [5, -32_768, 32_767, 0];
        let mut out = [0; 4];
        Limiter::default().apply(Rate::K8, &sums[..1], &mut out);
        assert_eq!(out[0], 5);
        Limiter::default().apply(Rate::K8, &[32_767, -32_767], &mut out);
        assert_eq!(out[..2], [32_767, -32_767]);
    }

    #[test]
    fn loud_sums_are_softened_and_keep_their_shape() {
        let mut limiter = Limiter::default();
        let tone = kit::tone(Rate::K16, 300.0, 30_000.0, 16_000);
        let mut heard = vec![0; tone.len()];
        for (n, (samples, out)) in tone.chunks(320).zip(heard.chunks_mut(320)).enumerate() {
            // Two voices of the same tone for a while: twice too loud.
            let factor = if (10..30).contains(&n) { 2 } else { 1 };
            let sums: Vec<i32> = samples.iter().map(|&s| i32::from(s) * factor).collect();
            limiter.apply(Rate::K16, &sums, out);
        }
        // Clipping would flatten peaks: no two neighbours at the limit, and the tone stays a tone.
        assert!(!heard.windows(2).any(|w| w[0] == w[1] && w[0].unsigned_abs() >= 32_767));
        assert!(kit::correlation(&tone[320 * 11..320 * 30], &heard[320 * 11..320 * 30]) > 0.9999);
        assert_eq!(heard[320 * 45..], tone[320 * 45..]);
    }
}
