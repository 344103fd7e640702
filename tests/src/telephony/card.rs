//! A sound card for a phone: a pipe that ALSA's `file` device plays into. The card takes 20 ms of sound every 20 ms, so
//! the phone plays in real time, and what it plays is here to be judged.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::wav::Wav;
use crate::Error;

/// Samples a second, in two channels of 16 bits: the more bytes a second, the less time waits in a pipe, whose size is
/// counted in pages.
pub const RATE: u32 = 48_000;
/// How often the card takes sound, and how many bytes that is.
const PERIOD: Duration = Duration::from_millis(20);
const PERIOD_BYTES: usize = RATE as usize / 50 * 4;
/// What waits in the pipe, 85 ms, is heard late.
const PIPE: i32 = 16_384;
/// What the card fetches at once when it runs short.
const FETCH: usize = 4096;

/// The card. It takes sound until this is dropped.
pub struct Card {
    played: Arc<Mutex<Vec<i16>>>,
    task: JoinHandle<()>,
    folder: PathBuf,
}

impl Card {
    /// Makes the pipe and ALSA's configuration in a folder, and begins to take sound.
    pub fn insert(folder: &Path) -> Result<Card, Error> {
        let pipe = folder.join("card");
        nix::unistd::mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).map_err(std::io::Error::from)?;
        let device = format!(
            "pcm.card {{ type file slave.pcm {{ type null }} file \"{}\" format raw }}\n",
            pipe.display()
        );
        fs::write(Card::configuration(folder), device)?;
        // Also for writing, or the pipe would end when the phone closes it.
        let receiver = OpenOptions::new().read_write(true).open_receiver(&pipe)?;
        fcntl(receiver.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE)).map_err(std::io::Error::from)?;
        let played = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(take(receiver, Arc::clone(&played)));
        Ok(Card { played, task, folder: folder.to_owned() })
    }

    /// ALSA's configuration with this card, for `ALSA_CONFIG_PATH`.
    pub fn configuration(folder: &Path) -> PathBuf {
        folder.join("asound.conf")
    }

    /// What was played so far, from a time on.
    pub fn played(&self, from_ms: u64) -> Wav {
        let from = (from_ms * u64::from(RATE) / 1000) as usize;
        let played = self.played.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Wav { rate: RATE, samples: played.iter().skip(from).map(|s| f32::from(*s) / 32_768.0).collect() }
    }

    /// Milliseconds since it was inserted.
    pub fn ms(&self) -> u64 {
        let played = self.played.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        played.len() as u64 * 1000 / u64::from(RATE)
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        self.task.abort();
        let _ = self.played(0).write(&self.folder.join("heard.wav"));
    }
}

/// Takes a period's worth every period, and silence for what is not there.
async fn take(pipe: Receiver, played: Arc<Mutex<Vec<i16>>>) {
    let mut clock = interval(PERIOD);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut waiting: VecDeque<u8> = VecDeque::new();
    loop {
        clock.tick().await;
        let mut fetched = [0; FETCH];
        while waiting.len() < PERIOD_BYTES {
            // An empty pipe is no error: nobody plays.
            match pipe.try_read(&mut fetched) {
                Ok(len) if len > 0 => waiting.extend(&fetched[..len]),
                _ => waiting.resize(PERIOD_BYTES, 0),
            }
        }
        let period: Vec<u8> = waiting.drain(..PERIOD_BYTES).collect();
        // Both channels are the same: phones have one ear.
        let samples = period.chunks_exact(4).map(|s| i16::from_le_bytes([s[0], s[1]]));
        played.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(samples);
    }
}
