//! Prompts: sounds that are played to people, once or again and again.

use std::f32::consts::TAU;
use std::sync::Arc;

use crate::Rate;
use crate::level::factor;
use crate::limits::FRAME_SAMPLES_MAX;
use crate::resample::Resampler;

mod playing;

pub(crate) use playing::Prompts;
pub use playing::{Playing, PromptsFull};

/// A prompt at another rate is made in pieces of this length.
const PIECE_MS: u32 = 10;

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
        Prompt::notes(rate, &[587.0, 880.0])
    }

    /// The tone that says that somebody left: the same two, downwards.
    pub fn leave_tone(rate: Rate) -> Prompt {
        Prompt::notes(rate, &[880.0, 587.0])
    }

    /// Notes of 90 ms one after the other, in Hz, softer than voices.
    pub fn notes(rate: Rate, notes_hz: &[f32]) -> Prompt {
        let note = rate.samples(90);
        let peak = 32_768.0 * factor(-22.0);
        let sample = |hz: f32, n: usize| {
            let fade = (n.min(note - n) as f32 / rate.samples(8) as f32).min(1.0);
            (peak * fade * (TAU * hz * n as f32 / rate.hz() as f32).sin()) as i16
        };
        let samples = notes_hz.iter().flat_map(|&hz| (0..note).map(move |n| sample(hz, n))).collect();
        Prompt::new(rate, samples)
    }
}

/// A prompt being played, at any rate.
pub struct Player {
    prompt: Prompt,
    at: usize,
    /// Times left; `None` for ever.
    times: Option<u32>,
    gain: f32,
    converter: Option<Converter>,
}

/// Brings a prompt to another rate, piece by piece.
struct Converter {
    resampler: Resampler,
    piece: Box<[i16]>,
    ready: Box<[i16]>,
    taken: usize,
}

impl Converter {
    fn new(from: Rate, to: Rate) -> Self {
        let ready = to.samples(PIECE_MS);
        Converter {
            resampler: Resampler::new(from, to),
            piece: vec![0; from.samples(PIECE_MS)].into(),
            ready: vec![0; ready].into(),
            taken: ready,
        }
    }

    fn is_drained(&self) -> bool {
        self.taken == self.ready.len()
    }
}

impl Player {
    /// Plays it at a rate so many times, or for ever with `None`, with a gain as a factor.
    pub fn new(prompt: Prompt, rate: Rate, times: Option<u32>, gain: f32) -> Self {
        let gain = if gain.is_finite() { gain.clamp(0.0, 4.0) } else { 1.0 };
        let mut player = Player { prompt, at: 0, times, gain, converter: None };
        player.set_rate(rate);
        player
    }

    /// Goes on at another rate.
    pub fn set_rate(&mut self, rate: Rate) {
        let from = self.prompt.rate;
        self.converter = (from != rate).then(|| Converter::new(from, rate));
    }

    /// Whether it has been played.
    pub fn is_over(&self) -> bool {
        self.is_read() && self.converter.as_ref().is_none_or(Converter::is_drained)
    }

    fn is_read(&self) -> bool {
        self.times == Some(0) || self.prompt.samples.is_empty()
    }

    /// What follows, at most so many samples; moves on behind it.
    fn read(&mut self, most: usize) -> std::ops::Range<usize> {
        let start = self.at;
        let end = self.prompt.samples.len().min(start + most);
        self.at = end;
        if end == self.prompt.samples.len() {
            self.at = 0;
            self.times = self.times.map(|times| times - 1);
        }
        start..end
    }

    /// Adds what sounds now to a mix at the player's rate.
    pub fn add_to(&mut self, mut sums: &mut [i32]) {
        while !sums.is_empty() && !self.is_over() {
            let mut len = sums.len();
            if self.converter.is_some() {
                self.convert();
            } else {
                let range = self.read(len);
                len = range.len();
                add(&mut sums[..len], &self.prompt.samples[range], self.gain);
            }
            if let Some(converter) = &mut self.converter {
                let ready = &converter.ready[converter.taken..];
                len = len.min(ready.len());
                add(&mut sums[..len], &ready[..len], self.gain);
                converter.taken += len;
            }
            sums = &mut sums[len..];
        }
    }

    /// Makes another piece ready, if none is.
    fn convert(&mut self) {
        let Some(mut converter) = self.converter.take() else { return };
        if converter.is_drained() {
            let mut filled = 0;
            while filled < converter.piece.len() && !self.is_read() {
                let range = self.read(converter.piece.len() - filled);
                let len = range.len();
                converter.piece[filled..filled + len].copy_from_slice(&self.prompt.samples[range]);
                filled += len;
            }
            converter.piece[filled..].fill(0);
            converter.resampler.process(&converter.piece, &mut converter.ready);
            converter.taken = 0;
        }
        self.converter = Some(converter);
    }
}

fn add(sums: &mut [i32], samples: &[i16], gain: f32) {
    if gain == 1.0 {
        crate::kernel::add(sums, samples);
        return;
    }
    for (sum, &sample) in sums.iter_mut().zip(samples) {
        *sum += (f32::from(sample) * gain) as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn a_prompt_sounds_as_often_as_asked() {
        let mut player = Player::new(Prompt::new(Rate::K8, vec![1, 2, 3]), Rate::K8, Some(2), 1.0);
        let mut out = [10; 8];
        player.add_to(&mut out);
        assert_eq!(out, [11, 12, 13, 11, 12, 13, 10, 10]);
        assert!(player.is_over());
        let mut player = Player::new(Prompt::new(Rate::K8, vec![10]), Rate::K8, None, 0.5);
        player.add_to(&mut out[..2]);
        assert_eq!(out[..3], [16, 17, 13]);
        assert!(Player::new(Prompt::new(Rate::K8, vec![]), Rate::K8, None, 1.0).is_over());
        assert!(Player::new(Prompt::new(Rate::K8, vec![]), Rate::K16, None, 1.0).is_over());
    }

    #[test]
    fn another_rate_keeps_time_and_length() {
        let sound = Prompt::new(Rate::K8, kit::tone(Rate::K8, 440.0, 8_000.0, 8_123));
        let wide = sound.at_rate(Rate::K48);
        assert_eq!(wide.samples().len(), 8_123 * 6);
        let tone = kit::tone(Rate::K48, 440.0, 8_000.0, 40_000);
        assert!(kit::best_correlation(&tone[480..30_000], &wide.samples()[480..30_000], 6) > 0.999);
        // While it plays, too: in whole pieces, and the filter's delay later.
        let mut player = Player::new(sound, Rate::K48, Some(1), 1.0);
        let mut heard = Vec::new();
        while !player.is_over() {
            let mut sums = [0; 960];
            player.add_to(&mut sums);
            heard.extend(sums.map(|sum| sum as i16));
        }
        assert_eq!(heard.len().div_ceil(480), 8_123_usize.div_ceil(80));
        assert!(kit::best_correlation(&tone[480..30_000], &heard[480..31_000], 480) > 0.999);
    }
}
