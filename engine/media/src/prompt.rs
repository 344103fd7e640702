//! Prompts: sounds that are played to people, once or again and again.

use std::f32::consts::TAU;
use std::sync::Arc;

use crate::Rate;
use crate::level::factor;
use crate::limits::FRAME_SAMPLES_MAX;
use crate::resample::Resampler;

/// A sound in memory. Cheap to clone: all who play it share it.
#[derive(Clone, Debug)]
pub struct Prompt {
    rate: Rate,
    samples: Arc<[i16]>,
}

impl Prompt {
    /// From samples.
    pub fn new(rate: Rate, samples: Vec<i16>) -> Self {
        Prompt { rate, samples: samples.into() }
    }

    /// The same at another rate. It takes time for the whole sound: do it when it is loaded.
    pub fn at_rate(&self, rate: Rate) -> Prompt {
        if rate == self.rate {
            return self.clone();
        }
        let mut resampler = Resampler::new(self.rate, rate);
        let (step, made) = (self.rate.samples(10), rate.samples(10));
        let delay = resampler.delay();
        let mut out = Vec::with_capacity(resampler.output_len(self.samples.len()) + delay + made);
        let mut frame = [0; FRAME_SAMPLES_MAX];
        // Behind the end as much silence as the filter lags.
        let chunks = (self.samples.len() + self.rate.samples(10)).div_ceil(step);
        for chunk in 0..chunks {
            let part = self.samples.get(chunk * step..).unwrap_or_default();
            let part = &part[..part.len().min(step)];
            frame[..step].fill(0);
            frame[..part.len()].copy_from_slice(part);
            let start = out.len();
            out.resize(start + made, 0);
            resampler.process(&frame[..step], &mut out[start..]);
        }
        let len = self.samples.len() * rate.per_ms() / self.rate.per_ms();
        Prompt::new(rate, out.into_iter().skip(delay).take(len).collect())
    }

    /// Its rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Its samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The tone that says that somebody came: two notes, upwards.
    pub fn join_tone(rate: Rate) -> Prompt {
        Prompt::notes(rate, [587.0, 880.0])
    }

    /// The tone that says that somebody left: the same two, downwards.
    pub fn leave_tone(rate: Rate) -> Prompt {
        Prompt::notes(rate, [880.0, 587.0])
    }

    fn notes(rate: Rate, notes_hz: [f32; 2]) -> Prompt {
        let note = rate.samples(90);
        let peak = 32_768.0 * factor(-22.0);
        let sample = |hz: f32, n: usize| {
            let fade = (n.min(note - n) as f32 / rate.samples(8) as f32).min(1.0);
            (peak * fade * (TAU * hz * n as f32 / rate.hz() as f32).sin()) as i16
        };
        let samples = notes_hz.into_iter().flat_map(|hz| (0..note).map(move |n| sample(hz, n))).collect();
        Prompt::new(rate, samples)
    }
}

/// A prompt being played.
#[derive(Clone, Debug)]
pub struct Player {
    prompt: Prompt,
    at: usize,
    /// Times left; `None` for ever.
    times: Option<u32>,
    gain: f32,
}

impl Player {
    /// Plays it so many times, or for ever with `None`, with a gain as a factor.
    pub fn new(prompt: Prompt, times: Option<u32>, gain: f32) -> Self {
        Player { prompt, at: 0, times, gain: gain.clamp(0.0, 4.0) }
    }

    /// Whether it has been played.
    pub fn is_over(&self) -> bool {
        self.times == Some(0) || self.prompt.samples.is_empty()
    }

    /// Adds what sounds now to a mix at the prompt's rate.
    pub fn add_to(&mut self, mut sums: &mut [i32]) {
        while !sums.is_empty() && !self.is_over() {
            let rest = &self.prompt.samples[self.at..];
            let len = rest.len().min(sums.len());
            for (sum, &sample) in sums.iter_mut().zip(&rest[..len]) {
                *sum +=
                    if self.gain == 1.0 { i32::from(sample) } else { (f32::from(sample) * self.gain) as i32 };
            }
            self.at += len;
            if self.at == self.prompt.samples.len() {
                self.at = 0;
                self.times = self.times.map(|times| times - 1);
            }
            sums = &mut sums[len..];
        }
    }

    /// Fills a frame with what sounds now, and silence behind its end.
    pub fn fill(&mut self, out: &mut [i16]) {
        let mut sums = [0; FRAME_SAMPLES_MAX];
        for out in out.chunks_mut(FRAME_SAMPLES_MAX) {
            let sums = &mut sums[..out.len()];
            sums.fill(0);
            self.add_to(sums);
            crate::kernel::narrow(sums, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn a_prompt_sounds_as_often_as_asked() {
        let mut player = Player::new(Prompt::new(Rate::K8, vec![1, 2, 3]), Some(2), 1.0);
        let mut out = [9; 8];
        player.fill(&mut out);
        assert_eq!(out, [1, 2, 3, 1, 2, 3, 0, 0]);
        assert!(player.is_over());
        let mut player = Player::new(Prompt::new(Rate::K8, vec![10]), None, 0.5);
        player.fill(&mut out);
        assert_eq!(out, [5; 8]);
        assert!(Player::new(Prompt::new(Rate::K8, vec![]), None, 1.0).is_over());
    }

    #[test]
    fn another_rate_keeps_time_and_length() {
        let sound = Prompt::new(Rate::K8, kit::tone(Rate::K8, 440.0, 8_000.0, 8_123));
        let wide = sound.at_rate(Rate::K48);
        assert_eq!(wide.samples().len(), 8_123 * 6);
        let tone = kit::tone(Rate::K48, 440.0, 8_000.0, 40_000);
        assert!(kit::best_correlation(&tone[480..30_000], &wide.samples()[480..30_000], 6) > 0.999);
    }
}
