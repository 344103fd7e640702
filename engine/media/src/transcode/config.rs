//! How a stream is to be made into another, and what came of it.

use thiserror::Error;

use crate::Rate;
use crate::codec::{Codec, CodecError};
use crate::jitter::{PlayoutConfig, PlayoutCounters, Receives, StreamFormat};
use crate::outgoing::{SendFormat, Start};

/// How keys leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SendKeys {
    /// Not at all; they are only told.
    #[default]
    Never,
    /// As telephone events of a payload type, on the audio's clock.
    Events(u8),
    /// As tones.
    Tones,
}

/// How a stream is to be made into another.
#[derive(Clone, Debug)]
pub struct TranscoderConfig {
    /// Payload types that come in.
    pub receives: Vec<StreamFormat>,
    /// What goes out.
    pub sends: SendFormat,
    /// Payload type of comfort noise that goes out in pauses; without one the noise is encoded.
    pub noise_type: Option<u8>,
    /// Whether tones in the audio are looked for.
    pub detect_tones: bool,
    /// How keys leave.
    pub keys: SendKeys,
    /// Brings quiet and loud talkers to one level.
    pub auto_level: bool,
    /// Delay of a network without jitter, in milliseconds.
    pub delay_ms_min: u32,
    /// First sequence number and timestamp.
    pub start: Start,
}

/// Why a pipeline cannot be built. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TranscodeError {
    /// A codec that is not there.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Nothing to receive.
    #[error("no payload type of audio is received; name at least one codec")]
    NoAudio,
    /// The codec has no packets of this length.
    #[error("the codec sends no packets of {0} ms; choose 20")]
    Ptime(u32),
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranscoderCounters {
    /// Of the stream that comes in.
    pub playout: PlayoutCounters,
    /// Packets made.
    pub packets: u64,
    /// Frames that the encoder refused.
    pub failed: u64,
    /// Times that nothing came any more: nothing was sent then either, until something came again.
    pub silences: u64,
}

impl TranscoderConfig {
    pub(super) fn playout(&self, rate: Rate) -> PlayoutConfig {
        PlayoutConfig { formats: self.receives.clone(), rate, delay_ms_min: self.delay_ms_min }
    }

    /// The rate at which both sides of a pipeline work: the lower of the two codecs'.
    pub(super) fn rate(&self) -> Result<Rate, TranscodeError> {
        let audio = self.receives.iter().filter_map(|format| match format.receives {
            Receives::Audio(codec) => Some(codec.rate_max()),
            _ => None,
        });
        let most = audio.max().ok_or(TranscodeError::NoAudio)?;
        let sends: Codec = self.sends.codec;
        Ok(sends.rate_for(most.min(sends.rate_max())))
    }
}
