//! A sound that says whose it is: a tone per sender that swells like syllables over a little noise, in Opus.

use std::f32::consts::TAU;

use opus::{Application, Bitrate, Channels};

/// Samples a second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of one packet: 20 ms.
pub const PACKET_SAMPLES: usize = 960;
/// Bits a second: good speech.
const BITS_PER_SECOND: i32 = 32_000;
/// The most bytes a packet of 20 ms may take (RFC 6716 section 3.4).
const PACKET_BYTES_MAX: usize = 1275;
/// Tones in use before they repeat. Sixteen steps of 90 Hz lie well inside the voice band.
const TONES: u16 = 16;

/// The tone of a sender in hertz.
pub fn tone_hz(sender: u16) -> f32 {
    400.0 + 90.0 * f32::from(sender % TONES)
}

/// Makes the sound of one sender, packet after packet.
pub struct SoundSource {
    encoder: opus::Encoder,
    hz: f32,
    /// Samples made so far.
    position: u64,
    /// State of the noise.
    noise: u32,
}

impl SoundSource {
    /// The sound of a sender.
    pub fn new(sender: u16) -> Result<SoundSource, opus::Error> {
        let mut encoder = opus::Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITS_PER_SECOND))?;
        encoder.set_complexity(5)?;
        Ok(SoundSource { encoder, hz: tone_hz(sender), position: 0, noise: 1 + u32::from(sender) })
    }

    /// The next 20 ms as an Opus packet.
    pub fn next_packet(&mut self) -> Result<Vec<u8>, opus::Error> {
        let samples: Vec<f32> = (0..PACKET_SAMPLES).map(|_| self.next_sample()).collect();
        self.encoder.encode_vec_float(&samples, PACKET_BYTES_MAX)
    }

    fn next_sample(&mut self) -> f32 {
        let seconds = self.position as f64 / f64::from(SAMPLE_RATE);
        self.position += 1;
        // Four swells a second, never silent: each packet carries the tone.
        let swell = 0.25 + 0.1 * ((seconds * 4.0).fract() as f32 * TAU).sin();
        let tone = ((seconds * f64::from(self.hz)).fract() as f32 * TAU).sin();
        // Noise 40 dB below makes every packet differ from every other, so that packets can be told apart by content.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 17;
        self.noise ^= self.noise << 5;
        let noise = self.noise as f32 / u32::MAX as f32 - 0.5;
        swell * tone + 0.005 * noise
    }
}

/// Decodes the sound of one sender and listens for its tone.
pub struct SoundCheck {
    decoder: opus::Decoder,
    hz: f32,
    samples: Vec<f32>,
}

impl SoundCheck {
    /// Listens for the tone of a sender.
    pub fn new(sender: u16) -> Result<SoundCheck, opus::Error> {
        let decoder = opus::Decoder::new(SAMPLE_RATE, Channels::Mono)?;
        // RFC 6716: at most 120 ms a packet.
        Ok(SoundCheck { decoder, hz: tone_hz(sender), samples: vec![0.0; PACKET_SAMPLES * 6] })
    }

    /// Decodes a packet; whether the tone carries most of its energy.
    pub fn hear(&mut self, packet: &[u8]) -> Result<bool, opus::Error> {
        let count = self.decoder.decode_float(packet, &mut self.samples, false)?;
        Ok(tone_share(&self.samples[..count], self.hz) > 0.5)
    }
}

/// The share of the energy of `samples` that lies at `hz`, 0 to 1 (Goertzel's algorithm).
pub fn tone_share(samples: &[f32], hz: f32) -> f32 {
    let energy: f32 = samples.iter().map(|s| s * s).sum();
    if energy < 1e-6 {
        return 0.0;
    }
    let turn = 2.0 * (TAU * hz / SAMPLE_RATE as f32).cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for sample in samples {
        (last, before) = (sample + turn * last - before, last);
    }
    let power = last * last + before * before - turn * last * before;
    (2.0 * power / (samples.len() as f32 * energy)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_listener_hears_the_tone_and_others_do_not() {
        let mut source = SoundSource::new(3).unwrap();
        let mut right = SoundCheck::new(3).unwrap();
        let mut wrong = SoundCheck::new(4).unwrap();
        let (mut heard, mut misheard) = (0, 0);
        for _ in 0..50 {
            let packet = source.next_packet().unwrap();
            heard += u32::from(right.hear(&packet).unwrap());
            misheard += u32::from(wrong.hear(&packet).unwrap());
        }
        assert!(heard >= 48, "{heard} of 50");
        assert_eq!(misheard, 0);
    }

    #[test]
    fn packets_differ() {
        let mut source = SoundSource::new(0).unwrap();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            assert!(seen.insert(source.next_packet().unwrap()));
        }
    }

    #[test]
    fn silence_is_no_tone() {
        assert_eq!(tone_share(&[0.0; 960], 440.0), 0.0);
    }
}
