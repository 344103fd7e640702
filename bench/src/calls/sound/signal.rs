//! Sound that can be found again: a voice that speaks in syllables, with pairs of tones between them.
//!
//! Pitch and resonances glide as those of speech do, so a stretch of it fits in one place only; and everything is a sum of
//! waves below 3.3 kHz, so that telephones carry all of it and any rate holds the same samples.

use std::f32::consts::TAU;

use kaname_media::Rate;

/// Everything is made at this rate and picked from there.
const MADE_AT: Rate = Rate::K48;
/// The highest wave.
const TOP_HZ: f32 = 3_300.0;
/// Between two choices of pitch and resonances: a syllable.
const SYLLABLE_MS: u32 = 120;
/// Between two settings of the waves' heights.
const STEP_MS: u32 = 5;
/// Tones come this often.
const TONES_EVERY_MS: u32 = 2_000;
/// Each of the pair lasts this long.
const TONE_MS: u32 = 60;
/// Widths of the resonances.
const WIDTH_HZ: f32 = 130.0;
/// Loudest voice, about 12 dB below full scale.
const PEAK: f32 = 8_000.0;

/// A small generator of choices, seeded (splitmix64).
struct Choices(u64);

impl Choices {
    /// Between 0 and 1.
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

/// What a syllable aims at.
#[derive(Clone, Copy)]
struct Aim {
    pitch: f32,
    loudness: f32,
    formants: [f32; 3],
}

impl Aim {
    fn choose(choices: &mut Choices) -> Aim {
        // A third of the time nobody speaks.
        let loudness = if choices.unit() < 0.33 { 0.0 } else { choices.between(0.5, 1.0) };
        Aim {
            pitch: choices.between(90.0, 230.0),
            loudness,
            formants: [
                choices.between(300.0, 800.0),
                choices.between(900.0, 1_900.0),
                choices.between(2_100.0, 3_000.0),
            ],
        }
    }

    fn glide(&mut self, to: &Aim, share: f32) {
        self.pitch += (to.pitch - self.pitch) * share;
        self.loudness += (to.loudness - self.loudness) * (share * 3.0).min(1.0);
        for (own, to) in self.formants.iter_mut().zip(to.formants) {
            *own += (to - *own) * share;
        }
    }

    /// The height of a wave.
    fn height(&self, hz: f32) -> f32 {
        if hz > TOP_HZ {
            return 0.0;
        }
        let strengths = [1.0, 0.6, 0.3];
        let of = |(formant, strength): (f32, f32)| strength / (1.0 + ((hz - formant) / WIDTH_HZ).powi(2));
        self.formants.into_iter().zip(strengths).map(of).sum::<f32>() * self.loudness
    }
}

/// The voice of a number, at the rate it is made at: so many milliseconds that begin and end in silence.
pub(super) fn voice(number: u64, ms: u32) -> Vec<i16> {
    let mut choices = Choices(0x6b61_6e61_6d65 ^ (number << 32));
    let rate = MADE_AT.hz() as f32;
    let step = MADE_AT.samples(STEP_MS);
    let mut now = Aim { loudness: 0.0, ..Aim::choose(&mut choices) };
    let mut aim = now;
    let waves = (TOP_HZ / 90.0) as usize;
    let (mut from, mut to) = (vec![0.0f32; waves], vec![0.0f32; waves]);
    let mut phase = 0.0f32;
    let mut samples = Vec::with_capacity(MADE_AT.samples(ms));
    for at_ms in (0..ms).step_by(STEP_MS as usize) {
        if at_ms.is_multiple_of(SYLLABLE_MS) {
            aim = Aim::choose(&mut choices);
        }
        if at_ms + 2 * SYLLABLE_MS > ms {
            aim.loudness = 0.0;
        }
        now.glide(&aim, 0.12);
        to.iter_mut().enumerate().for_each(|(k, height)| *height = now.height(now.pitch * (k + 1) as f32));
        for n in 0..step {
            phase = (phase + now.pitch / rate).fract();
            samples.push(sum(&from, &to, n as f32 / step as f32, phase) * PEAK * 0.35);
        }
        from.copy_from_slice(&to);
    }
    tones(&mut samples, number, ms);
    samples.into_iter().map(|sample| sample.clamp(-30_000.0, 30_000.0) as i16).collect()
}

/// The waves of one moment: sin(kx) by the recurrence over sin((k-1)x) and sin((k-2)x).
fn sum(from: &[f32], to: &[f32], share: f32, phase: f32) -> f32 {
    let (first, twice) = ((TAU * phase).sin(), 2.0 * (TAU * phase).cos());
    let (mut before, mut wave, mut total) = (0.0, first, 0.0);
    for (from, to) in from.iter().zip(to) {
        total += (from + (to - from) * share) * wave;
        (before, wave) = (wave, twice * wave - before);
    }
    total
}

/// Puts a pair of the voice's tones in the place of speech, every so often.
fn tones(samples: &mut [f32], number: u64, ms: u32) {
    let pair = [600.0 + 70.0 * (number % 8) as f32, 1_500.0 + 110.0 * (number % 8) as f32];
    let len = MADE_AT.samples(TONE_MS);
    let mut at_ms = TONES_EVERY_MS / 2;
    while at_ms + 2 * TONE_MS + 2 * SYLLABLE_MS < ms {
        for (place, hz) in pair.into_iter().enumerate() {
            let begin = MADE_AT.samples(at_ms) + place * len;
            for (n, sample) in samples[begin..begin + len].iter_mut().enumerate() {
                // Fades in and out: a click would be heard above the telephone's band.
                let window = (TAU * 0.5 * n as f32 / len as f32).sin();
                *sample = PEAK * 0.8 * window * (TAU * hz * n as f32 / MADE_AT.hz() as f32).sin();
            }
        }
        at_ms += TONES_EVERY_MS;
    }
}

/// The same sound at another rate: nothing in it lies above what 8 kHz can hold, so samples can be picked.
pub(super) fn at_rate(made: &[i16], rate: Rate) -> Vec<i16> {
    made.iter().copied().step_by(MADE_AT.per_ms() / rate.per_ms()).collect()
}

#[cfg(test)]
mod tests {
    use kaname_media::resample::Resampler;

    use super::*;

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum()
    }

    #[test]
    fn a_voice_is_loud_and_has_pauses_and_ends_in_silence() {
        let voice = voice(3, 8_000);
        assert_eq!(voice.len(), 384_000);
        let rms = (energy(&voice) / voice.len() as f64).sqrt();
        assert!((500.0..6_000.0).contains(&rms), "{rms}");
        assert!(voice.iter().all(|s| s.abs() < 29_000));
        let frames: Vec<f64> =
            voice.chunks(960).map(|frame| (energy(frame) / frame.len() as f64).sqrt()).collect();
        let quiet = frames.iter().filter(|&&rms| rms < 60.0).count();
        assert!((20..300).contains(&quiet), "{quiet} of {}", frames.len());
        assert!(frames[0] < 60.0 || frames[399] < 60.0, "{} {}", frames[0], frames[399]);
    }

    #[test]
    fn telephones_carry_all_of_it() {
        let made = voice(1, 4_000);
        let mut down = Resampler::new(Rate::K48, Rate::K8);
        let mut heard = vec![0; made.len() / 6];
        for (frame, out) in made.chunks(960).zip(heard.chunks_mut(160)) {
            down.process(frame, out);
        }
        let (kept, all) = (energy(&heard), energy(&at_rate(&made, Rate::K8)));
        assert!((0.97..1.03).contains(&(kept / all)), "{kept} of {all}");
    }

    #[test]
    fn voices_differ() {
        assert_ne!(voice(0, 1_000), voice(1, 1_000));
        assert_eq!(voice(0, 1_000), voice(0, 1_000));
    }
}
