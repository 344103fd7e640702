//! Samples without a header, as telephone systems keep prompts.

use super::{FileError, to_prompt};
use crate::Rate;
use crate::codec::Decoder;
use crate::codec::g711::{Law, expand};
use crate::codec::g722::G722Decoder;
use crate::prompt::Prompt;

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawFormat {
    /// 16-bit little-endian samples (`.sln` and `.raw` of 8 kHz, `.sln16` to `.sln48`).
    Linear(Rate),
    /// G.711 A-law (`.alaw`).
    ALaw,
    /// G.711 µ-law (`.ulaw`).
    MuLaw,
    /// G.722 at 64 kbit/s (`.g722`).
    G722,
}

impl RawFormat {
    /// What a file's name says that it has in it, by its ending without the dot, as telephone systems name their prompts.
    pub fn of_ending(ending: &str) -> Option<RawFormat> {
        Some(match ending {
            "sln" | "raw" => RawFormat::Linear(Rate::K8),
            "sln16" => RawFormat::Linear(Rate::K16),
            "sln24" => RawFormat::Linear(Rate::K24),
            "sln32" => RawFormat::Linear(Rate::K32),
            "sln48" => RawFormat::Linear(Rate::K48),
            "alaw" => RawFormat::ALaw,
            "ulaw" => RawFormat::MuLaw,
            "g722" => RawFormat::G722,
            _ => return None,
        })
    }
}

/// Reads raw samples.
///
/// # Errors
/// [`FileError::Empty`], [`FileError::TooLong`], or [`FileError::Damaged`] for half a sample at the end.
pub fn read_raw(bytes: &[u8], format: RawFormat, rate: Rate) -> Result<Prompt, FileError> {
    match format {
        RawFormat::Linear(from) => {
            let (samples, rest) = bytes.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(FileError::Damaged("raw", "half a sample at its end"));
            }
            to_prompt(samples.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect(), from.hz(), rate)
        }
        RawFormat::ALaw | RawFormat::MuLaw => {
            let law = if format == RawFormat::ALaw { Law::A } else { Law::Mu };
            let mut samples = vec![0; bytes.len()];
            expand(law, bytes, &mut samples);
            to_prompt(samples, Rate::K8.hz(), rate)
        }
        RawFormat::G722 => {
            let mut decoder = G722Decoder::default();
            let mut samples = vec![0; bytes.len() * 2];
            for (codes, out) in bytes.chunks(160).zip(samples.chunks_mut(320)) {
                decoder.decode(codes, out)?;
            }
            to_prompt(samples, Rate::K16.hz(), rate)
        }
    }
}
