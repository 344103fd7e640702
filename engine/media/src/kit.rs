//! Signals for tests: tones, a machine that seems to speak, noise; and how alike two signals are.

use std::f32::consts::TAU;

use crate::Rate;

/// A small generator of noise, seeded (splitmix64).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between -1 and 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

pub(crate) fn tone(rate: Rate, hz: f32, peak: f32, samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (peak * (TAU * hz * n as f32 / rate.hz() as f32).sin()) as i16).collect()
}

pub(crate) fn noise(seed: u64, peak: f32, samples: usize) -> Vec<i16> {
    let mut noise = Noise(seed);
    (0..samples).map(|_| (peak * noise.unit()) as i16).collect()
}

/// Pulses of a gliding pitch through three gliding resonances, in syllables with pauses: it has what detectors and
/// concealment look for in speech.
pub(crate) fn speech(rate: Rate, seed: u64, samples: usize) -> Vec<i16> {
    let mut noise = Noise(seed);
    let hz = rate.hz() as f32;
    let (mut phase, mut pitch, mut goal) = (0.0f32, 120.0f32, 140.0f32);
    let mut formants = [500.0f32, 1500.0, 2500.0];
    let mut goals = formants;
    let mut state = [[0.0f32; 2]; 3];
    let (mut loudness, mut loud_goal, mut voiced) = (0.0f32, 1.0f32, true);
    (0..samples)
        .map(|n| {
            if n % rate.samples(120) == 0 {
                goal = 100.0 + 120.0 * (noise.unit() + 1.0) / 2.0;
                goals = [
                    500.0 + 300.0 * noise.unit(),
                    1500.0 + 600.0 * noise.unit(),
                    2500.0 + 400.0 * noise.unit(),
                ];
                loud_goal = if noise.unit() > 0.4 { 0.0 } else { 0.5 + 0.5 * noise.unit().abs() };
                voiced = noise.unit() > -0.6;
            }
            let glide = 40.0 / hz;
            pitch += (goal - pitch) * glide;
            loudness += (loud_goal - loudness) * glide * 4.0;
            phase += pitch / hz;
            let pulse = if phase >= 1.0 {
                phase -= 1.0;
                1.0
            } else {
                0.0
            };
            let source = if voiced { pulse * 12.0 } else { noise.unit() * 0.6 };
            let mut sum = 0.0;
            for ((formant, goal), state) in formants.iter_mut().zip(goals).zip(&mut state) {
                *formant += (goal - *formant) * glide;
                let radius = 1.0 - 300.0 / hz;
                let next = source + 2.0 * radius * (TAU * *formant / hz).cos() * state[0]
                    - radius * radius * state[1];
                *state = [next, state[0]];
                sum += next * 48.0 / (hz / 1000.0) * 0.15;
            }
            (sum * loudness * 1800.0).clamp(-30_000.0, 30_000.0) as i16
        })
        .collect()
}

/// Normalised correlation of two signals, -1 to 1.
pub(crate) fn correlation(a: &[i16], b: &[i16]) -> f64 {
    let dot = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-9)
}

/// The best correlation when `heard` may lag by up to so many samples.
pub(crate) fn best_correlation(sent: &[i16], heard: &[i16], lag_max: usize) -> f64 {
    let span = sent.len().min(heard.len()) - lag_max;
    (0..=lag_max).map(|lag| correlation(&sent[..span], &heard[lag..lag + span])).fold(-1.0, f64::max)
}

/// Root mean square.
pub(crate) fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

/// How alike the loudness of two signals goes up and down, whatever their waveforms; `heard` may lag by up to 80 ms.
pub(crate) fn envelope_correlation(sent: &[i16], heard: &[i16], rate: Rate) -> f64 {
    let envelope =
        |samples: &[i16]| -> Vec<i16> { samples.chunks(rate.samples(10)).map(|c| rms(c) as i16).collect() };
    best_correlation(&envelope(sent), &envelope(heard), 8)
}
