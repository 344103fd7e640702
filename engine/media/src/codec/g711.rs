//! G.711: 8 kHz in logarithmic steps, A-law and µ-law, bit-exact to ITU-T G.191's reference tools.

use std::sync::LazyLock;

use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::limits::FRAME_SAMPLES_MAX;

/// Which of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// PCMA, everywhere but North America and Japan.
    A,
    /// PCMU, North America and Japan.
    Mu,
}

/// 4 kHz of speech in 64 kbit/s.
pub struct G711 {
    law: Law,
}

impl G711 {
    /// A decoder or encoder; it has no state.
    pub fn new(law: Law) -> Self {
        G711 { law }
    }
}

impl Decoder for G711 {
    fn rate(&self) -> Rate {
        Rate::K8
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let most = FRAME_SAMPLES_MAX / 6;
        if payload.is_empty() || payload.len() > most { Err(CodecError::Payload) } else { Ok(payload.len()) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        expand(self.law, payload, out);
        Ok(samples)
    }

    fn reset(&mut self) {}
}

impl Encoder for G711 {
    fn rate(&self) -> Rate {
        Rate::K8
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let out = out.get_mut(..samples.len()).ok_or(CodecError::Length)?;
        compress(self.law, samples, out);
        Ok(samples.len())
    }

    fn reset(&mut self) {}
}

/// Expands as many codes as both slices have.
pub fn expand(law: Law, codes: &[u8], out: &mut [i16]) {
    let table = match law {
        Law::A => &A_EXPANDED,
        Law::Mu => &MU_EXPANDED,
    };
    for (sample, &code) in out.iter_mut().zip(codes) {
        *sample = table[usize::from(code)];
    }
}

/// Compresses as many samples as both slices have.
pub fn compress(law: Law, samples: &[i16], out: &mut [u8]) {
    match law {
        Law::A => out.iter_mut().zip(samples).for_each(|(code, &sample)| *code = a_compress(sample)),
        Law::Mu => out.iter_mut().zip(samples).for_each(|(code, &sample)| *code = mu_compress(sample)),
    }
}

/// What each code of one law is in the other: as expanded and compressed again.
pub fn translation(from: Law, to: Law) -> &'static [u8; 256] {
    static TABLES: LazyLock<[[u8; 256]; 4]> = LazyLock::new(|| {
        let table = |from, to| {
            let codes: [u8; 256] = std::array::from_fn(|code| code as u8);
            let (mut samples, mut translated) = ([0; 256], [0; 256]);
            expand(from, &codes, &mut samples);
            compress(to, &samples, &mut translated);
            translated
        };
        [table(Law::A, Law::A), table(Law::A, Law::Mu), table(Law::Mu, Law::A), table(Law::Mu, Law::Mu)]
    });
    &TABLES[usize::from(from == Law::Mu) * 2 + usize::from(to == Law::Mu)]
}

/// The binary exponent and the four bits behind the leading one, as a float has them: no loop and no table, so that
/// the compiler makes vectors of it.
#[inline(always)]
fn segment(magnitude: i32) -> (i32, i32) {
    let bits = (magnitude as f32).to_bits() as i32;
    ((bits >> 23) - 127, bits >> 19 & 15)
}

#[inline(always)]
fn a_compress(sample: i16) -> u8 {
    let sample = i32::from(sample);
    let sign = sample >> 31;
    // One's complement of negatives, 12 bits.
    let magnitude = (sample ^ sign) >> 4;
    let (exponent, mantissa) = segment(magnitude.max(1));
    let code = if magnitude > 15 { (exponent - 3) << 4 | mantissa } else { magnitude };
    ((code | !sign & 0x80) ^ 0x55) as u8
}

#[inline(always)]
fn mu_compress(sample: i16) -> u8 {
    let sample = i32::from(sample);
    let sign = sample >> 31;
    let magnitude = (((sample ^ sign) >> 2) + 33).min(0x1fff);
    let (exponent, mantissa) = segment(magnitude);
    !((exponent - 5) << 4 | mantissa | sign & 0x80) as u8
}

static A_EXPANDED: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = code as i32 ^ 0x55;
        let (exponent, mantissa) = (bits >> 4 & 7, bits & 15);
        let magnitude =
            (if exponent == 0 { mantissa << 4 | 8 } else { (mantissa << 4 | 0x108) << (exponent - 1) })
                as i16;
        table[code] = if bits & 0x80 == 0 { -magnitude } else { magnitude };
        code += 1;
    }
    table
};

static MU_EXPANDED: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = !(code as i32);
        let magnitude = ((((bits & 15) << 3 | 0x84) << (bits >> 4 & 7)) - 0x84) as i16;
        table[code] = if bits & 0x80 == 0 { magnitude } else { -magnitude };
        code += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// ITU-T G.191's `alaw_compress`, step by step.
    fn a_by_the_book(sample: i16) -> u8 {
        let mut ix = if sample < 0 { !sample >> 4 } else { sample >> 4 };
        if ix > 15 {
            let mut exponent = 1;
            while ix > 16 + 15 {
                ix >>= 1;
                exponent += 1;
            }
            ix = ix - 16 + (exponent << 4);
        }
        if sample >= 0 {
            ix |= 0x80;
        }
        ix as u8 ^ 0x55
    }

    /// ITU-T G.191's `ulaw_compress`, step by step.
    fn mu_by_the_book(sample: i16) -> u8 {
        let magnitude = (if sample < 0 { (!sample >> 2) + 33 } else { (sample >> 2) + 33 }).min(0x1fff);
        let mut rest = magnitude >> 6;
        let mut segment = 1;
        while rest != 0 {
            segment += 1;
            rest >>= 1;
        }
        let code = (8 - segment) << 4 | (15 - (magnitude >> segment & 15));
        code as u8 | if sample >= 0 { 0x80 } else { 0 }
    }

    #[test]
    fn every_sample_as_in_the_reference() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(a_compress(sample), a_by_the_book(sample), "A {sample}");
            assert_eq!(mu_compress(sample), mu_by_the_book(sample), "µ {sample}");
        }
    }

    #[test]
    fn every_code_comes_back() {
        for code in 0..=255u8 {
            let [mut a, mut mu] = [[0], [0]];
            expand(Law::A, &[code], &mut a);
            expand(Law::Mu, &[code], &mut mu);
            assert_eq!(a_compress(a[0]), code);
            // µ-law has two zeros; the negative one is never sent.
            assert_eq!(mu_compress(mu[0]), if code == 0x7f { 0xff } else { code });
        }
        assert_eq!((A_EXPANDED[0xd5], A_EXPANDED[0x55], A_EXPANDED[0xaa]), (8, -8, 32256));
        assert_eq!((MU_EXPANDED[0xff], MU_EXPANDED[0x80], MU_EXPANDED[0]), (0, 32124, -32124));
    }

    #[test]
    fn lengths_are_looked_at() {
        let mut codec = G711::new(Law::A);
        let mut out = [0; 8];
        assert_eq!(codec.decode(&[], &mut out), Err(CodecError::Payload));
        assert_eq!(codec.decode(&[0; 2000], &mut [0; 2000]), Err(CodecError::Payload));
        assert_eq!(codec.decode(&[0; 9], &mut out), Err(CodecError::Length));
        assert_eq!(codec.encode(&[0; 9], &mut [0; 8]), Err(CodecError::Length));
    }
}
