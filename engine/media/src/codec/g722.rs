//! G.722 at 64 kbit/s (ITU-T G.722 mode 1): 7 kHz of speech, two bands of ADPCM behind a pair of mirror filters.
//!
//! Our own, since no crate codes without allocating: the arithmetic is the Recommendation's (its block names stand
//! in the comments), the filters run over a whole frame so that they become vectors.

mod band;
mod mirror;

use self::band::Band;
use self::mirror::{Analysis, Synthesis};
use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::limits::FRAME_SAMPLES_MAX;

/// Codes that are filtered at once: 10 ms.
const CHUNK: usize = 80;

/// One of a stream's two directions: samples to codes.
pub struct G722Encoder {
    filter: Analysis,
    low: Band,
    high: Band,
}

impl Default for G722Encoder {
    fn default() -> Self {
        G722Encoder { filter: Analysis::default(), low: Band::low(), high: Band::high() }
    }
}

impl Encoder for G722Encoder {
    fn rate(&self) -> Rate {
        Rate::K16
    }

    fn lookahead(&self) -> usize {
        // Analysis and synthesis filters together delay by 22 samples.
        22
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let codes = samples.len() / 2;
        if !samples.len().is_multiple_of(2) {
            return Err(CodecError::Length);
        }
        let out = out.get_mut(..codes).ok_or(CodecError::Length)?;
        let (mut low, mut high) = ([0; CHUNK], [0; CHUNK]);
        for (samples, codes) in samples.chunks(CHUNK * 2).zip(out.chunks_mut(CHUNK)) {
            self.filter.split(samples, &mut low, &mut high);
            for ((code, &low), &high) in codes.iter_mut().zip(&low).zip(&high) {
                *code = self.high.encode_high(high) << 6 | self.low.encode_low(low);
            }
        }
        Ok(codes)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The other direction: codes to samples.
pub struct G722Decoder {
    filter: Synthesis,
    low: Band,
    high: Band,
}

impl Default for G722Decoder {
    fn default() -> Self {
        G722Decoder { filter: Synthesis::default(), low: Band::low(), high: Band::high() }
    }
}

impl Decoder for G722Decoder {
    fn rate(&self) -> Rate {
        Rate::K16
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let samples = payload.len() * 2;
        if samples == 0 || samples > FRAME_SAMPLES_MAX / 3 { Err(CodecError::Payload) } else { Ok(samples) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        let (mut low, mut high) = ([0; CHUNK], [0; CHUNK]);
        for (codes, samples) in payload.chunks(CHUNK).zip(out.chunks_mut(CHUNK * 2)) {
            for ((&code, low), high) in codes.iter().zip(&mut low).zip(&mut high) {
                *low = self.low.decode_low(code & 0x3f);
                *high = self.high.decode_high(code >> 6);
            }
            self.filter.join(&low, &high, samples);
        }
        Ok(samples)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
