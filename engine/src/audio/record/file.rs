//! One recording: its points side by side in time, mixed or as channels, in a file.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind};
use std::path::PathBuf;

use kaname_media::Rate;
use kaname_media::file::{FileError, OggOpusRecorder, WavRecorder};
use kaname_media::resample::Resampler;

use crate::audio::{AudioError, RecordFormat, RecordTo};

/// A point of which nothing came for so long is silent: the other does not wait for it.
const LAG_MS: u64 = 1_000;

/// Bytes on their way to the file.
const BUFFER: usize = 32 * 1024;

/// Samples that are written at once.
const PIECE: usize = 480;

enum Out {
    Wav(WavRecorder<BufWriter<File>>),
    Opus(Box<OggOpusRecorder<BufWriter<File>>>),
}

impl Out {
    fn write(&mut self, samples: &[i16]) -> Result<(), FileError> {
        match self {
            Out::Wav(wav) => wav.write(samples),
            Out::Opus(opus) => opus.write(samples),
        }
    }
}

/// What came of one point and is not written yet.
struct Channel {
    samples: VecDeque<i16>,
    /// Its place behind the last of them, in samples of the file.
    end: u64,
    begun: bool,
    resampler: Resampler,
}

/// A recording that is complete.
pub(super) struct Done {
    pub(super) path: PathBuf,
    pub(super) ms: u64,
    pub(super) lost_ms: u64,
}

pub(super) struct Recording {
    path: PathBuf,
    out: Out,
    rate: Rate,
    stereo: bool,
    channels: Vec<Channel>,
    /// Samples of each channel in the file.
    written: u64,
    /// Samples that never came.
    lost: u64,
    converted: Vec<i16>,
}

impl Recording {
    pub(super) fn open(to: RecordTo, points: usize, rate: Rate) -> Result<Recording, AudioError> {
        // Opus has no 32 kHz.
        let rate = match (to.format, rate) {
            (RecordFormat::OggOpus(_), Rate::K32) => Rate::K48,
            (_, rate) => rate,
        };
        let mut options = OpenOptions::new();
        options.write(true);
        let options =
            if to.overwrite { options.create(true).truncate(true) } else { options.create_new(true) };
        let file = options.open(&to.path).map_err(FileError::Io);
        let out = file.and_then(|file| {
            let file = BufWriter::with_capacity(BUFFER, file);
            Ok(match to.format {
                RecordFormat::Wav => Out::Wav(WavRecorder::new(file, rate, if to.stereo { 2 } else { 1 })?),
                RecordFormat::OggOpus(config) => {
                    Out::Opus(Box::new(OggOpusRecorder::new(file, rate, config, SERIAL)?))
                }
            })
        });
        let channel = |_| Channel {
            samples: VecDeque::new(),
            end: 0,
            begun: false,
            resampler: Resampler::new(rate, rate),
        };
        match out {
            Ok(out) => Ok(Recording {
                path: to.path,
                out,
                rate,
                stereo: to.stereo,
                channels: (0..points).map(channel).collect(),
                written: 0,
                lost: 0,
                converted: Vec::new(),
            }),
            Err(error) => Err(failure(to.path, &error)),
        }
    }

    /// Takes a stretch of one point.
    pub(super) fn put(
        &mut self,
        channel: u8,
        rate: Rate,
        at_ms: u64,
        samples: &[i16],
    ) -> Result<(), AudioError> {
        let Recording { channels, rate: to, converted, lost, .. } = self;
        let Some(channel) = channels.get_mut(usize::from(channel)) else { return Ok(()) };
        if channel.resampler.from() != rate {
            channel.resampler = Resampler::new(rate, *to);
        }
        converted.resize(channel.resampler.output_len(samples.len()), 0);
        channel.resampler.process(samples, converted);
        let start = at_ms * to.per_ms() as u64;
        let gap = start.saturating_sub(channel.end);
        if channel.begun {
            *lost += gap;
        }
        channel.begun = true;
        // What a resumed recording would write twice.
        let known = channel.end.saturating_sub(start).min(converted.len() as u64) as usize;
        channel.samples.extend(std::iter::repeat_n(0, gap as usize));
        channel.samples.extend(&converted[known..]);
        channel.end += gap + (converted.len() - known) as u64;
        self.advance()
    }

    /// Writes what all points have, and what one has that does not wait for the other any longer.
    fn advance(&mut self) -> Result<(), AudioError> {
        let lag = LAG_MS * self.rate.per_ms() as u64;
        let ends = || self.channels.iter().map(|channel| channel.end);
        let until = ends().min().unwrap_or(0).max(ends().max().unwrap_or(0).saturating_sub(lag));
        self.write_until(until)
    }

    fn write_until(&mut self, until: u64) -> Result<(), AudioError> {
        let mut piece = [0_i16; 2 * PIECE];
        while self.written < until {
            let len = (until - self.written).min(PIECE as u64) as usize;
            let width = if self.stereo { 2 } else { 1 };
            let piece = &mut piece[..len * width];
            piece.fill(0);
            for (place, channel) in self.channels.iter_mut().enumerate() {
                let first = if self.stereo { place } else { 0 };
                for sample in piece[first..].iter_mut().step_by(width) {
                    *sample = sample.saturating_add(channel.samples.pop_front().unwrap_or(0));
                }
                channel.end = channel.end.max(self.written + len as u64);
            }
            self.out.write(piece).map_err(|error| failure(self.path.clone(), &error))?;
            self.written += len as u64;
        }
        Ok(())
    }

    /// Completes the file; it plays at least `ms`.
    pub(super) fn finish(mut self, ms: u64) -> Result<Done, AudioError> {
        let end = self.channels.iter().map(|channel| channel.end).max().unwrap_or(0);
        let wanted = ms * self.rate.per_ms() as u64;
        self.lost += wanted.saturating_sub(end);
        self.write_until(end.max(wanted))?;
        let Recording { path, out, rate, written, lost, .. } = self;
        let file = match out {
            Out::Wav(wav) => wav.finish(),
            Out::Opus(opus) => opus.finish(),
        };
        let file = file.and_then(|file| file.into_inner().map_err(|error| FileError::Io(error.into_error())));
        match file {
            Ok(_) => {
                let ms = |samples: u64| samples / rate.per_ms() as u64;
                Ok(Done { path, ms: ms(written), lost_ms: ms(lost) })
            }
            Err(error) => Err(failure(path, &error)),
        }
    }
}

/// Tells streams of one file apart, and there is only one.
const SERIAL: u32 = 1;

/// What happened, and what to do.
fn failure(path: PathBuf, error: &FileError) -> AudioError {
    let advice = match error {
        FileError::Io(error) => match error.kind() {
            ErrorKind::NotFound => "make its folder, or choose another path",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "let the node write there, or choose another path"
            }
            ErrorKind::AlreadyExists => "choose another path, or allow to overwrite",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free space on the disk, or record elsewhere"
            }
            _ => "choose another path",
        },
        FileError::TooLong => {
            let why = "a WAV file holds no more than 4 GiB; record to Ogg Opus".into();
            return AudioError::File { path, why };
        }
        _ => "choose another format",
    };
    AudioError::File { path, why: format!("{error}; {advice}") }
}
