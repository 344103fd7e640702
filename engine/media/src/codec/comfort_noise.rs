//! Comfort noise (RFC 3389): the background of a call, told in a few bytes instead of sent.

use crate::level::{dbov, rms_of};

/// Most reflection coefficients that are kept of a description; more do not change what is heard.
const ORDER_MAX: usize = 12;
/// What we describe ourselves.
const ORDER_SENT: usize = 8;
/// Without a description, what a quiet line has.
const LEVEL_UNTOLD_DBOV: u8 = 65;

/// Makes noise as described.
pub struct ComfortNoise {
    reflection: [f32; ORDER_MAX],
    order: usize,
    /// Of the source, so that the filtered noise has the level told; and where it is now, so that nothing jumps.
    gain: f32,
    gain_now: f32,
    filter: [f32; ORDER_MAX + 1],
    seed: u32,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        let mut noise = ComfortNoise {
            reflection: [0.0; ORDER_MAX],
            order: 0,
            gain: 0.0,
            gain_now: 0.0,
            filter: [0.0; ORDER_MAX + 1],
            seed: 0x1234_5678,
        };
        noise.describe(&[LEVEL_UNTOLD_DBOV]);
        noise
    }
}

impl ComfortNoise {
    /// Takes a description: a level in -dBov, then reflection coefficients. An empty one changes nothing.
    pub fn describe(&mut self, payload: &[u8]) {
        let Some((&level, coefficients)) = payload.split_first() else { return };
        self.order = coefficients.len().min(ORDER_MAX);
        let mut left = 1.0;
        for (k, &code) in self.reflection.iter_mut().zip(coefficients) {
            // RFC 3389 section 3.2: 258 * (N - 127) in 1/32768; 255 is reserved.
            *k = 258.0 * (f32::from(code.min(254)) - 127.0) / 32_768.0;
            left *= 1.0 - *k * *k;
        }
        // RFC 3389 section 3.1: the first bit "MUST be set to 0"; whatever it is, it is no part of the level.
        let rms = 32_768.0 * 10f32.powf(-f32::from(level & 0x7f) / 20.0);
        // Uniform noise between -1 and 1 has an RMS of 1/sqrt(3).
        self.gain = rms * (3.0 * left).sqrt();
    }

    /// Fills `out` with noise.
    pub fn fill(&mut self, out: &mut [i16]) {
        let step = (self.gain - self.gain_now) / out.len().max(1) as f32;
        for sample in out {
            self.gain_now += step;
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut forward = (self.seed as i32) as f32 / (1u32 << 31) as f32 * self.gain_now;
            // An all-pole lattice, from the last stage to the first.
            for stage in (0..self.order).rev() {
                forward -= self.reflection[stage] * self.filter[stage];
                self.filter[stage + 1] = self.filter[stage] + self.reflection[stage] * forward;
            }
            self.filter[0] = forward;
            *sample = forward.clamp(-32_768.0, 32_767.0) as i16;
        }
    }
}

/// Describes a background; gives the bytes written: a level, and coefficients as far as `out` has room.
pub fn describe(samples: &[i16], out: &mut [u8]) -> usize {
    let Some((level, coefficients)) = out.split_first_mut() else { return 0 };
    *level = dbov(rms_of(samples));
    let order = coefficients.len().min(ORDER_SENT);
    let mut correlation = [0.0f32; ORDER_SENT + 1];
    for (lag, sum) in correlation.iter_mut().enumerate().take(order + 1) {
        *sum = crate::kernel::correlate(samples, samples.get(lag..).unwrap_or_default());
    }
    // White noise 40 dB below, or a pure tone would make the recursion divide by nothing.
    correlation[0] = correlation[0] * 1.0001 + 1.0;
    let reflection = levinson(&correlation[..=order]);
    for (code, k) in coefficients.iter_mut().zip(&reflection[..order]) {
        *code = (127.0 + k * 32_768.0 / 258.0).round().clamp(0.0, 254.0) as u8;
    }
    1 + order
}

/// Reflection coefficients from autocorrelations (Levinson's recursion).
fn levinson(correlation: &[f32]) -> [f32; ORDER_SENT] {
    let mut reflection = [0.0; ORDER_SENT];
    let mut predictor = [0.0f32; ORDER_SENT + 1];
    predictor[0] = 1.0;
    let mut error = correlation[0];
    for order in 1..correlation.len() {
        let sum: f32 = (0..order).map(|n| predictor[n] * correlation[order - n]).sum();
        let k = -sum / error;
        let before = predictor;
        for n in 1..=order {
            predictor[n] = before[n] + k * before[order - n];
        }
        reflection[order - 1] = k;
        error *= 1.0 - k * k;
    }
    reflection
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn noise_has_the_level_told() {
        for level in [30u8, 45, 60] {
            for coefficients in [&[][..], &[200, 127, 90], &[240, 40]] {
                let mut noise = ComfortNoise::default();
                noise.describe(&[&[level][..], coefficients].concat());
                let mut out = vec![0; 16_000];
                out.chunks_mut(160).for_each(|frame| noise.fill(frame));
                let heard = dbov(rms_of(&out[4000..]));
                assert!(heard.abs_diff(level) <= 2, "{level} {coefficients:?}: {heard}");
            }
        }
    }

    #[test]
    fn a_description_brings_the_colour_back() {
        // Dark noise: each sample half of the one before.
        let white = kit::noise(3, 2_000.0, 16_000);
        let mut last = 0.0;
        let dark: Vec<i16> = white
            .iter()
            .map(|&w| {
                last = 0.9 * last + f32::from(w) * 0.3;
                last as i16
            })
            .collect();
        let mut payload = [0; 9];
        assert_eq!(describe(&dark, &mut payload), 9);
        let mut noise = ComfortNoise::default();
        noise.describe(&payload);
        let mut heard = vec![0; 16_000];
        heard.chunks_mut(160).for_each(|frame| noise.fill(frame));
        let colour = |s: &[i16]| kit::correlation(&s[1..], &s[..s.len() - 1]);
        assert!((colour(&dark) - colour(&heard[2000..])).abs() < 0.05);
        assert!((kit::rms(&dark) / kit::rms(&heard[2000..]) - 1.0).abs() < 0.25);
    }

    #[test]
    fn hostile_descriptions_stay_bounded() {
        for payload in [&[0u8, 255, 255, 255][..], &[255; 40], &[0; 200], &[]] {
            let mut noise = ComfortNoise::default();
            noise.describe(payload);
            let mut out = [0; 800];
            noise.fill(&mut out);
            noise.fill(&mut out);
        }
    }
}
