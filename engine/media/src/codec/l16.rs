//! L16 (RFC 3551 section 4.5.11): samples as they are, big-endian.

use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::limits::FRAME_SAMPLES_MAX;

/// Uncompressed samples, one channel.
pub struct L16 {
    rate: Rate,
}

impl L16 {
    /// A decoder or encoder; it has no state.
    pub fn new(rate: Rate) -> Self {
        L16 { rate }
    }
}

impl Decoder for L16 {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let samples = payload.len() / 2;
        let good = payload.len().is_multiple_of(2) && samples > 0 && samples <= FRAME_SAMPLES_MAX;
        if good { Ok(samples) } else { Err(CodecError::Payload) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        for (sample, bytes) in out.iter_mut().zip(payload.as_chunks::<2>().0) {
            *sample = i16::from_be_bytes(*bytes);
        }
        Ok(samples)
    }

    fn reset(&mut self) {}
}

impl Encoder for L16 {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let bytes = samples.len() * 2;
        let out = out.get_mut(..bytes).ok_or(CodecError::Length)?;
        for (bytes, sample) in out.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            *bytes = sample.to_be_bytes();
        }
        Ok(bytes)
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_order_there_and_back() {
        let mut codec = L16::new(Rate::K16);
        let mut bytes = [0; 4];
        assert_eq!(codec.encode(&[0x1234, -2], &mut bytes), Ok(4));
        assert_eq!(bytes, [0x12, 0x34, 0xff, 0xfe]);
        let mut samples = [0; 2];
        assert_eq!(codec.decode(&bytes, &mut samples), Ok(2));
        assert_eq!(samples, [0x1234, -2]);
        assert_eq!(codec.decode(&bytes[..3], &mut samples), Err(CodecError::Payload));
        assert_eq!(codec.decode(&[], &mut samples), Err(CodecError::Payload));
        assert_eq!(codec.decode(&bytes, &mut samples[..1]), Err(CodecError::Length));
    }
}
