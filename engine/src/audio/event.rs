//! What an audio worker tells.

use std::path::PathBuf;

use kaname_media::dtmf::{KeyEvent, KeysFull};
use kaname_media::jitter::PlayoutCounters;
use kaname_media::mixer::{RoomCounters, RoomError};
use kaname_media::prompt::PromptsFull;
use kaname_media::transcode::{TranscodeError, TranscoderCounters};

use super::AudioId;
use crate::limits::{AUDIO_ITEMS, RECORDERS};

/// News of an audio worker; the shard that [`crate::Engine::start`]'s closure is given with it is
/// [`crate::Engine::audio_index`].
#[derive(Debug)]
pub enum AudioEvent {
    /// A key was pressed or let go at the input of a transcoder, participant or tap.
    Key {
        /// Whose input.
        id: AudioId,
        /// Which key.
        event: KeyEvent,
    },
    /// A prompt is over.
    PlayEnded {
        /// To whom it was played.
        id: AudioId,
        /// From its command.
        token: u64,
        /// It did not come to its end.
        stopped: bool,
    },
    /// Who is heard in a room changed.
    Speaking {
        /// The room.
        room: AudioId,
        /// The participant.
        id: AudioId,
        /// Whether it is heard from now on.
        on: bool,
    },
    /// A recording is complete.
    Recorded {
        /// The recorder, which is gone.
        id: AudioId,
        /// The file.
        path: PathBuf,
        /// How long it plays, in milliseconds.
        ms: u64,
        /// How much of that is silence because the disk did not keep up.
        lost_ms: u64,
    },
    /// It ended by a fault; others are not affected. With a room went those in it.
    Failed {
        /// What ended.
        id: AudioId,
        /// Why, and what to do.
        why: AudioError,
    },
    /// A command changed nothing.
    Refused {
        /// Whom it named.
        id: AudioId,
        /// Its name.
        command: &'static str,
        /// Why.
        why: AudioError,
    },
    /// Answers a query.
    Figures {
        /// Whose.
        id: AudioId,
        /// From the command.
        token: u64,
        /// What happened so far.
        figures: Figures,
    },
}

/// What happened to something so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// Of a transcoder or player.
    Transcoder(TranscoderCounters),
    /// Of a room.
    Room {
        /// What it did.
        counters: RoomCounters,
        /// How many are in it.
        participants: usize,
    },
    /// Of what comes from a participant, or to a tap.
    Input(PlayoutCounters),
    /// Of a recorder.
    Recorder {
        /// How long it has recorded, in milliseconds.
        ms: u64,
        /// How much of that was lost because the disk did not keep up.
        lost_ms: u64,
    },
}

/// Why something cannot be, or ended.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The name is of nothing.
    #[error("this worker has nothing of that name")]
    Unknown,
    /// The name is in use.
    #[error("the name is in use on this worker; choose another")]
    Taken,
    /// What the name stands for does not do that.
    #[error("what bears this name cannot do that")]
    Unfit,
    /// The worker has as many as it may have.
    #[error("the worker has {AUDIO_ITEMS} transcoders and rooms; use another, or more workers")]
    Full,
    /// Another output bears the same link.
    #[error("the link of an output is in use; each output has one of its own")]
    LinkTaken,
    /// See [`TranscodeError`].
    #[error(transparent)]
    Transcode(#[from] TranscodeError),
    /// See [`RoomError`].
    #[error(transparent)]
    Room(#[from] RoomError),
    /// See [`PromptsFull`].
    #[error(transparent)]
    Prompts(#[from] PromptsFull),
    /// See [`KeysFull`].
    #[error(transparent)]
    Keys(#[from] KeysFull),
    /// More recorders than can keep up.
    #[error("{RECORDERS} recorders run already; stop some")]
    Recorders,
    /// A recorder has one or two points; two channels are for WAV, and for two points.
    #[error("a recorder has one or two points, and keeps their number; stereo needs two and the format WAV")]
    RecordPoints,
    /// A file could not be written.
    #[error("cannot record to {}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said, and what to do.
        why: String,
    },
    /// A fault of ours.
    #[error("an internal fault: {0}")]
    Fault(String),
}
