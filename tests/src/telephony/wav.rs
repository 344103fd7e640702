//! What a phone heard, and which tones are in it.

use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

use crate::Error;

/// Pieces in which a recording is judged: 40 ms, so that 25 Hz apart are two tones.
const PIECES_PER_SECOND: usize = 25;
/// A piece is silent below this level, in dB of full scale.
const SILENCE_DB: f64 = -50.0;
/// A piece sounds like a tone when this share of its energy is at the tone's frequency.
const PURE: f64 = 0.8;

/// Sound of one channel.
pub struct Wav {
    /// Samples a second.
    pub rate: u32,
    /// Samples between -1 and 1.
    pub samples: Vec<f32>,
}

/// What a stretch of sound is, in pieces of 40 ms.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Pieces that are the tone.
    pub tone: usize,
    /// Pieces without sound.
    pub silent: usize,
    /// Pieces that are something else.
    pub other: usize,
}

impl Wav {
    /// Writes it as 16-bit PCM of one channel, for people to listen to.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.samples.len() as u32 * 2;
        let mut file = b"RIFF".to_vec();
        file.extend_from_slice(&(bytes + 36).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        file.extend_from_slice(&self.rate.to_le_bytes());
        file.extend_from_slice(&(self.rate * 2).to_le_bytes());
        file.extend_from_slice(b"\x02\0\x10\0data");
        file.extend_from_slice(&bytes.to_le_bytes());
        file.extend(self.samples.iter().flat_map(|s| ((s * 32_768.0) as i16).to_le_bytes()));
        Ok(fs::write(path, file)?)
    }

    /// Its length in milliseconds.
    pub fn ms(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(self.rate.max(1))
    }

    /// The part between two times.
    pub fn between(&self, from_ms: u64, to_ms: u64) -> Wav {
        let at = |ms: u64| (ms * u64::from(self.rate) / 1000) as usize;
        let end = at(to_ms).min(self.samples.len());
        Wav { rate: self.rate, samples: self.samples[at(from_ms).min(end)..end].to_vec() }
    }

    /// How much of it is this tone.
    pub fn verdict(&self, hz: f64) -> Verdict {
        let mut verdict = Verdict::default();
        for piece in self.samples.chunks_exact(self.rate as usize / PIECES_PER_SECOND) {
            let energy = piece.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / piece.len() as f64;
            if 10.0 * energy.max(1e-12).log10() < SILENCE_DB {
                verdict.silent += 1;
            } else if tone_energy(piece, hz / f64::from(self.rate)) > PURE * energy {
                verdict.tone += 1;
            } else {
                verdict.other += 1;
            }
        }
        verdict
    }
}

/// Energy a sample at one frequency (in cycles a sample), by correlation with a sine and a cosine.
fn tone_energy(piece: &[f32], frequency: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in piece.iter().enumerate() {
        let (sin, cos) = (TAU * frequency * n as f64).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    let n = piece.len() as f64;
    2.0 * (re * re + im * im) / (n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, rate: u32, seconds: u32, level: f32) -> Wav {
        let sample = |n: u32| level * (TAU * hz * f64::from(n) / f64::from(rate)).sin() as f32;
        Wav { rate, samples: (0..rate * seconds).map(sample).collect() }
    }

    #[test]
    fn a_tone_is_told_from_another_and_from_silence() {
        let heard = sine(440.0, 8000, 2, 0.3);
        assert_eq!(heard.verdict(440.0), Verdict { tone: 50, silent: 0, other: 0 });
        assert_eq!(heard.verdict(700.0), Verdict { tone: 0, silent: 0, other: 50 });
        assert_eq!(sine(440.0, 8000, 1, 0.0).verdict(440.0), Verdict { tone: 0, silent: 25, other: 0 });
        assert_eq!(heard.between(500, 1500).ms(), 1000);
    }
}
