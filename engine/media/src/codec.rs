//! Codecs: what turns payloads into samples and back.
//!
//! Samples are 16-bit mono, at the rate that the object was made for. [`Codec`] names a codec with its parameters;
//! [`Codecs`] makes decoders and encoders, with those that system libraries bring. What a codec lacks itself
//! (concealment), [`crate::conceal`] adds.

pub mod comfort_noise;
pub mod g711;
pub mod g722;
pub mod l16;
pub mod opus;

mod amr;
mod catalogue;
mod g729;

pub use amr::{AmrConfig, AmrPacking};
pub use catalogue::{Codec, Codecs};

use thiserror::Error;

use crate::Rate;

/// Why a codec gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum CodecError {
    /// The payload is not of this codec. The peer is at fault.
    #[error("the payload does not follow its codec's format")]
    Payload,
    /// The buffer is too small for the payload, or the frame is not of a length that the codec takes. The caller
    /// is at fault.
    #[error("the buffer or frame has a length that the codec cannot use")]
    Length,
    /// The codec does not work at this rate. The caller is at fault: [`Codec::rates`] says which do.
    #[error("the codec does not work at this sampling rate")]
    Rate,
    /// The codec needs a system library that is not there, or was not asked for.
    #[error("the codec needs the system library {0}, which is not loaded")]
    Library(&'static str),
    /// The library refused. Ours to look at.
    #[error("the codec's library failed")]
    Internal,
}

/// Payloads to samples. It carries state from payload to payload: give it one stream, in order.
pub trait Decoder: Send {
    /// The rate of the samples it gives.
    fn rate(&self) -> Rate;

    /// Samples (at [`Decoder::rate`]) that a payload holds, without decoding it.
    ///
    /// # Errors
    /// [`CodecError::Payload`].
    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError>;

    /// Decodes a payload to the front of `out`, and gives the number of samples.
    ///
    /// # Errors
    /// [`CodecError::Payload`], or [`CodecError::Length`] if `out` is shorter than [`Decoder::samples`].
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError>;

    /// Whether a payload also brings what might be lost before it.
    fn has_redundancy(&self, payload: &[u8]) -> bool {
        let _ = payload;
        false
    }

    /// Fills `out` with what was lost right before `payload`, from the redundancy in it. False if there is none:
    /// then `out` and the state are untouched.
    fn recover(&mut self, payload: &[u8], out: &mut [i16]) -> bool {
        let _ = (payload, out);
        false
    }

    /// Fills `out` with what might have been. False if the codec cannot: then `out` is untouched.
    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let _ = out;
        false
    }

    /// Forgets the stream, for the start of another.
    fn reset(&mut self);
}

/// Samples to payloads. It carries state from frame to frame.
pub trait Encoder: Send {
    /// The rate of the samples it takes.
    fn rate(&self) -> Rate;

    /// Samples (at [`Encoder::rate`]) by which what is decoded lags behind what was encoded.
    fn lookahead(&self) -> usize {
        0
    }

    /// Encodes one packet's samples to the front of `out`, and gives the bytes. Zero: nothing needs to be sent now
    /// (discontinuous transmission).
    ///
    /// # Errors
    /// [`CodecError::Length`] for a number of samples that is no packet, or an `out` without room.
    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError>;

    /// Loss on the way to the listener, in percent: redundancy grows with it where the codec has any.
    fn expect_loss(&mut self, percent: u8) {
        let _ = percent;
    }

    /// The next packet must decode well even for a listener that did not hear the ones before.
    fn refresh(&mut self) {}

    /// Forgets the stream, for the start of another.
    fn reset(&mut self);
}
