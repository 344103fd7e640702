//! The way into an audio worker's thread.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;
use kaname_core::Time;

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

/// Nobody has a turn.
const NO_TURN: u64 = u64::MAX;

/// The way into an audio worker's thread.
pub(crate) struct AudioPort {
    commands: ArrayQueue<AudioCommand>,
    pub(super) down: AtomicBool,
    pub(crate) figures: AudioFigures,
    /// When the worker's next turns are, in nanoseconds of the engine's time: two, since whoever was there ahead of the first
    /// is not called for the second.
    next_turns: [AtomicU64; 2],
    thread: OnceLock<Thread>,
}

impl AudioPort {
    pub(crate) fn new() -> AudioPort {
        AudioPort {
            commands: ArrayQueue::new(AUDIO_COMMANDS),
            down: AtomicBool::new(false),
            figures: AudioFigures::default(),
            next_turns: [const { AtomicU64::new(NO_TURN) }; 2],
            thread: OnceLock::new(),
        }
    }

    /// The worker says who it is, so that it can be woken.
    pub(super) fn attach(&self, thread: Thread) {
        // Only the one worker of this port calls, once.
        let _ = self.thread.set(thread);
    }

    /// The worker says when its next turns are. A hint: nobody is woken for it.
    pub(super) fn tell_next_turns(&self, turns: [Option<Time>; 2]) {
        for (told, at) in self.next_turns.iter().zip(turns) {
            told.store(at.map_or(NO_TURN, Time::as_nanos), Ordering::Relaxed);
        }
    }

    /// When the worker's next turns are, as last told.
    pub(crate) fn next_turns(&self) -> impl Iterator<Item = Time> {
        let told = self.next_turns.iter().map(|turn| turn.load(Ordering::Relaxed));
        told.filter(|at| *at != NO_TURN).map(Time::from_nanos)
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
