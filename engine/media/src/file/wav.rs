//! WAV. Our own reader and writer: prompts of telephone systems are A-law or µ-law, which the crate for WAV does not
//! read, and a recording that ends without warning must still play.

use std::io::{Seek, SeekFrom, Write};

use super::{FileError, to_prompt};
use crate::Rate;
use crate::codec::g711::{Law, expand};
use crate::limits::PROMPT_SAMPLES_MAX;
use crate::prompt::Prompt;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;
/// Bytes ahead of the samples in what we write.
const HEADER_BYTES: u32 = 44;
/// Sizes are brought up to date after so many samples: what a crash can cost.
const UPDATE_SAMPLES: u32 = 48_000;

fn damaged(what: &'static str) -> FileError {
    FileError::Damaged("WAV", what)
}

/// What the format chunk says.
struct Layout {
    format: u16,
    channels: usize,
    hz: u32,
    bits: u16,
}

fn read_layout(chunk: &[u8]) -> Result<Layout, FileError> {
    let field = |at: usize| chunk.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let short = || damaged("its format is cut off");
    let format = match field(0).ok_or_else(short)? {
        // The format proper stands at the front of the GUID.
        EXTENSIBLE => field(24).ok_or_else(short)?,
        format => format,
    };
    let hz = u32::from(field(4).ok_or_else(short)?) | u32::from(field(6).ok_or_else(short)?) << 16;
    let layout = Layout {
        format,
        channels: usize::from(field(2).ok_or_else(short)?),
        hz,
        bits: field(14).ok_or_else(short)?,
    };
    if layout.channels == 0 || layout.channels > 8 {
        return Err(damaged("its number of channels cannot be"));
    }
    Ok(layout)
}

/// Turns one sample's bytes to 16 bits.
type Convert = fn(&[u8]) -> i16;

fn converter(layout: &Layout) -> Result<(usize, Convert), FileError> {
    let pair: (usize, Convert) = match (layout.format, layout.bits) {
        (PCM, 8) => (1, |b| (i16::from(b[0]) - 128) << 8),
        (PCM, 16) => (2, |b| i16::from_le_bytes([b[0], b[1]])),
        (PCM, 24) => (3, |b| i16::from_le_bytes([b[1], b[2]])),
        (PCM, 32) => (4, |b| i16::from_le_bytes([b[2], b[3]])),
        (FLOAT, 32) => (4, |b| (f32::from_le_bytes([b[0], b[1], b[2], b[3]]) * 32_767.0) as i16),
        (A_LAW, 8) => (1, |b| law(Law::A, b[0])),
        (MU_LAW, 8) => (1, |b| law(Law::Mu, b[0])),
        _ => return Err(FileError::Unsupported("a WAV file of another codec than PCM and G.711")),
    };
    Ok(pair)
}

fn law(law: Law, code: u8) -> i16 {
    let mut sample = [0];
    expand(law, &[code], &mut sample);
    sample[0]
}

/// Reads a WAV file; several channels become one.
///
/// # Errors
/// [`FileError`], which says what is wrong with it.
pub fn read_wav(bytes: &[u8], rate: Rate) -> Result<Prompt, FileError> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Err(damaged("it does not begin as one"));
    }
    let mut rest = &bytes[12..];
    let mut layout = None;
    while let Some((head, behind)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, sizes @ ..] = *head;
        let size = u32::from_le_bytes(sizes) as usize;
        // A recording that ended without warning has a size of zero, or one beyond its end.
        let size_here =
            if size == 0 && [a, b, c, d] == *b"data" { behind.len() } else { size.min(behind.len()) };
        let chunk = &behind[..size_here];
        match &[a, b, c, d] {
            b"fmt " => layout = Some(read_layout(chunk)?),
            b"data" => {
                let layout =
                    layout.as_ref().ok_or_else(|| damaged("its samples come ahead of their format"))?;
                return to_prompt(read_samples(chunk, layout)?, layout.hz, rate);
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = behind.get(size_here.next_multiple_of(2)..).unwrap_or_default();
    }
    Err(damaged("it has no samples"))
}

fn read_samples(chunk: &[u8], layout: &Layout) -> Result<Vec<i16>, FileError> {
    let (width, convert) = converter(layout)?;
    let frame = width * layout.channels;
    if chunk.len() / frame > PROMPT_SAMPLES_MAX {
        return Err(FileError::TooLong);
    }
    let mix = |frame: &[u8]| {
        let sum: i32 = frame.chunks_exact(width).map(|sample| i32::from(convert(sample))).sum();
        (sum / layout.channels as i32) as i16
    };
    Ok(chunk.chunks_exact(frame).map(mix).collect())
}

/// Writes a WAV file of 16-bit samples while they come; those of several channels by turns.
pub struct WavRecorder<W: Write + Seek> {
    out: W,
    samples: u32,
    updated: u32,
}

impl<W: Write + Seek> WavRecorder<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn new(mut out: W, rate: Rate, channels: u16) -> Result<Self, FileError> {
        let frame = channels * 2;
        let mut header = [0; HEADER_BYTES as usize];
        header[..4].copy_from_slice(b"RIFF");
        header[4..8].copy_from_slice(&(HEADER_BYTES - 8).to_le_bytes());
        header[8..16].copy_from_slice(b"WAVEfmt ");
        header[16..20].copy_from_slice(&16u32.to_le_bytes());
        header[20..22].copy_from_slice(&PCM.to_le_bytes());
        header[22..24].copy_from_slice(&channels.to_le_bytes());
        header[24..28].copy_from_slice(&rate.hz().to_le_bytes());
        header[28..32].copy_from_slice(&(rate.hz() * u32::from(frame)).to_le_bytes());
        header[32..34].copy_from_slice(&frame.to_le_bytes());
        header[34..36].copy_from_slice(&16u16.to_le_bytes());
        header[36..40].copy_from_slice(b"data");
        out.write_all(&header)?;
        Ok(WavRecorder { out, samples: 0, updated: 0 })
    }

    /// Adds samples.
    ///
    /// # Errors
    /// [`FileError::Io`]; [`FileError::TooLong`] beyond the 4 GiB that a WAV file can have.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), FileError> {
        let total = u64::from(self.samples) + samples.len() as u64;
        if total * 2 + u64::from(HEADER_BYTES) > u64::from(u32::MAX) {
            return Err(FileError::TooLong);
        }
        let mut bytes = [0; 1024];
        for samples in samples.chunks(bytes.len() / 2) {
            for (bytes, sample) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
                *bytes = sample.to_le_bytes();
            }
            self.out.write_all(&bytes[..samples.len() * 2])?;
        }
        self.samples = total as u32;
        if self.samples - self.updated >= UPDATE_SAMPLES {
            self.update()?;
        }
        Ok(())
    }

    fn update(&mut self) -> Result<(), FileError> {
        let bytes = self.samples * 2;
        self.out.seek(SeekFrom::Start(4))?;
        self.out.write_all(&(bytes + HEADER_BYTES - 8).to_le_bytes())?;
        self.out.seek(SeekFrom::Start(u64::from(HEADER_BYTES) - 4))?;
        self.out.write_all(&bytes.to_le_bytes())?;
        self.out.seek(SeekFrom::End(0))?;
        self.updated = self.samples;
        Ok(())
    }

    /// Ends the file, and gives what it was written to.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn finish(mut self) -> Result<W, FileError> {
        self.update()?;
        self.out.flush()?;
        Ok(self.out)
    }
}
