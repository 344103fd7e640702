//! The way into an audio worker's thread.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;

use super::AudioCommand;
use super::figures::AudioFigures;
use crate::limits::AUDIO_COMMANDS;

/// A command to an audio worker was refused; it changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioBusy {
    /// The queue is full: try again shortly, or shed load.
    #[error("the audio worker's queue is full")]
    Full,
    /// The worker's thread has ended.
    #[error("the audio worker is down")]
    Down,
    /// There is no such worker.
    #[error("there is no such audio worker")]
    UnknownWorker,
    /// An output names a shard that is not there.
    #[error("an output names a shard that the engine does not have")]
    UnknownShard,
}

/// A command to an audio worker was refused; it changed nothing, and here it is back.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct AudioRefused {
    /// Why.
    pub why: AudioBusy,
    /// The command.
    pub command: AudioCommand,
}

/// The way into an audio worker's thread.
pub(crate) struct AudioPort {
    commands: ArrayQueue<AudioCommand>,
    pub(super) down: AtomicBool,
    pub(crate) figures: AudioFigures,
    thread: OnceLock<Thread>,
}

impl AudioPort {
    pub(crate) fn new() -> AudioPort {
        AudioPort {
            commands: ArrayQueue::new(AUDIO_COMMANDS),
            down: AtomicBool::new(false),
            figures: AudioFigures::default(),
            thread: OnceLock::new(),
        }
    }

    /// The worker says who it is, so that it can be woken.
    pub(super) fn attach(&self, thread: Thread) {
        // Only the one worker of this port calls, once.
        let _ = self.thread.set(thread);
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Gives the command back when it is refused.
    pub(crate) fn command(&self, command: AudioCommand) -> Result<(), AudioRefused> {
        if self.down.load(Ordering::Acquire) {
            return Err(AudioRefused { why: AudioBusy::Down, command });
        }
        self.commands.push(command).map_err(|command| AudioRefused { why: AudioBusy::Full, command })?;
        self.wake();
        Ok(())
    }

    pub(super) fn next(&self) -> Option<AudioCommand> {
        self.commands.pop()
    }
}

impl fmt::Debug for AudioPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioPort").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}
