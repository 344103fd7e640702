//! Sounds in files: WAV, Ogg Opus and raw samples, read to prompts and written by recorders.
//!
//! Bytes come and go through [`std::io::Read`] and [`std::io::Write`]; to open files is the caller's business. What is
//! read becomes a [`crate::prompt::Prompt`] at a rate that was asked for, so that playing costs nothing.

mod ogg_opus;
mod raw;
mod wav;

pub use ogg_opus::{OggOpusRecorder, read_ogg_opus};
pub use raw::{RawFormat, read_raw};
pub use wav::{WavRecorder, read_wav};

use thiserror::Error;

use crate::Rate;
use crate::codec::CodecError;
use crate::limits::PROMPT_SAMPLES_MAX;
use crate::prompt::Prompt;

/// Why a sound cannot be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system's own reason.
    #[error("cannot read or write the sound: {0}")]
    Io(#[from] std::io::Error),
    /// It begins like no format that we read.
    #[error(
        "neither WAV nor Ogg Opus; convert it, or let the ending of its name say what raw samples it has: sln, sln16, alaw, ulaw, g722"
    )]
    Unknown,
    /// It is cut off, or a length in it does not fit.
    #[error("the {0} file is damaged: {1}")]
    Damaged(&'static str, &'static str),
    /// A kind of WAV or Ogg that we do not read.
    #[error("{0}; convert it to 16-bit PCM or G.711 in WAV, or to Ogg Opus")]
    Unsupported(&'static str),
    /// A rate of which no whole number of samples makes a millisecond.
    #[error("a sampling rate of {0} Hz; convert it to 8, 16, 24, 32 or 48 kHz")]
    Rate(u32),
    /// Longer than a prompt may be.
    #[error("longer than ten minutes; cut it")]
    TooLong,
    /// Nothing to be heard in it.
    #[error("the file has no sound in it")]
    Empty,
    /// The codec's reason.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Reads a WAV or Ogg Opus file that lies in memory, whichever it is.
///
/// # Errors
/// [`FileError`], which says what is wrong with it.
pub fn read(bytes: &[u8], rate: Rate) -> Result<Prompt, FileError> {
    match bytes {
        [b'R', b'I', b'F', b'F', ..] => read_wav(bytes, rate),
        [b'O', b'g', b'g', b'S', ..] => read_ogg_opus(bytes, rate),
        _ => Err(FileError::Unknown),
    }
}

/// Samples of a file as a prompt.
fn to_prompt(samples: Vec<i16>, hz: u32, rate: Rate) -> Result<Prompt, FileError> {
    let from = Rate::from_hz(hz).ok_or(FileError::Rate(hz))?;
    if samples.is_empty() {
        return Err(FileError::Empty);
    }
    if samples.len() > PROMPT_SAMPLES_MAX {
        return Err(FileError::TooLong);
    }
    Ok(Prompt::new(from, samples).at_rate(rate))
}

#[cfg(test)]
mod tests;
