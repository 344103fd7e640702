//! Keys as tones.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use super::{Key, KeysFull, VOLUME};
use crate::Rate;
use crate::level::factor;
use crate::limits::KEYS_MAX;

/// Each of the two tones at [`VOLUME`]: about -11 dBm0, what telephones send.
const PEAK: f32 = 4_600.0;
/// Two of them fit a sample.
const PEAK_MAX: f32 = 16_000.0;
/// Rise and fall, so that nothing clicks.
const RAMP_MS: usize = 3;

/// Shortest tone that was held, and the pause behind it: ITU-T Q.24 asks receivers for 40 ms of each.
const HOLD_MS_MIN: u32 = 70;
const PAUSE_MS: u32 = 50;

struct Tone {
    /// Its parts; 0 for none.
    hz: [f32; 2],
    peak: f32,
    samples: usize,
    pause: usize,
}

/// Makes tones of keys, one after the other, with pauses.
pub struct ToneGenerator {
    rate: Rate,
    waiting: VecDeque<Tone>,
    at: usize,
}

impl ToneGenerator {
    /// Makes tones at a rate.
    pub fn new(rate: Rate) -> Self {
        ToneGenerator { rate, waiting: VecDeque::with_capacity(KEYS_MAX), at: 0 }
    }

    /// Adds a key for so long, and a pause behind it, both in milliseconds (10,000 at most); so loud in -dBm0.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn press(&mut self, key: Key, ms: u32, pause_ms: u32, volume: u8) -> Result<(), KeysFull> {
        let samples = |ms: u32| self.rate.samples(ms.min(10_000));
        self.wait(key.frequencies(), samples(ms), samples(pause_ms), volume)
    }

    /// Adds a key that sounds until [`ToneGenerator::release`], so loud in -dBm0.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn hold(&mut self, key: Key, volume: u8) -> Result<(), KeysFull> {
        self.wait(key.frequencies(), usize::MAX, self.rate.samples(PAUSE_MS), volume)
    }

    /// Adds a tone of one frequency, which sounds until [`ToneGenerator::release`], so loud in -dBm0.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn hold_hz(&mut self, hz: u16, volume: u8) -> Result<(), KeysFull> {
        self.wait([f32::from(hz), 0.0], usize::MAX, self.rate.samples(PAUSE_MS), volume)
    }

    fn wait(&mut self, hz: [f32; 2], samples: usize, pause: usize, volume: u8) -> Result<(), KeysFull> {
        if self.waiting.len() == KEYS_MAX {
            return Err(KeysFull);
        }
        // Louder than 0 dBm0 for both would not fit 16 bits.
        let peak = (PEAK * factor(f32::from(VOLUME) - f32::from(volume))).min(PEAK_MAX);
        self.waiting.push_back(Tone { hz, peak, samples, pause });
        Ok(())
    }

    /// Lets a held key go, once it sounded for the shortest time that receivers hear.
    pub fn release(&mut self) {
        let (begun, least, ramp) =
            (self.at, self.rate.samples(HOLD_MS_MIN), self.rate.samples(RAMP_MS as u32));
        let first = self.waiting.len() == 1;
        if let Some(tone) = self.waiting.back_mut().filter(|tone| tone.samples == usize::MAX) {
            tone.samples = if first { least.max(begun + ramp) } else { least };
        }
    }

    /// Whether a tone sounds or waits.
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets what waits.
    pub fn stop(&mut self) {
        self.waiting.clear();
        self.at = 0;
    }

    /// Fills a frame with what sounds now; false, and the frame untouched, if nothing does.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        for sample in out {
            *sample = 0;
            let Some(tone) = self.waiting.front() else { continue };
            if self.at < tone.samples {
                let ramp = self.rate.samples(RAMP_MS as u32) as f32;
                let loud = (self.at.min(tone.samples - 1 - self.at) as f32 / ramp).min(1.0);
                let [row, column] = tone.hz.map(|hz| {
                    let turns = hz * self.at as f32 / self.rate.hz() as f32;
                    (turns.fract() * TAU).sin()
                });
                *sample = ((row + column) * tone.peak * loud) as i16;
            }
            self.at += 1;
            if self.at >= tone.samples.saturating_add(tone.pause) {
                self.waiting.pop_front();
                self.at = 0;
            }
        }
        true
    }
}
