//! Where workers and the writer meet.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;
use kaname_media::Rate;

use crate::ShardId;
use crate::audio::{AudioId, Listener, RecordTo};
use crate::limits::{RECORD_ORDERS, RECORD_ROOM};

/// Samples of one sound: a packet of the usual length at the highest rate.
pub(super) const SOUND_SAMPLES: usize = 960;

/// A stretch of what a recorder heard.
pub(super) struct Sound {
    pub(super) key: u64,
    pub(super) channel: u8,
    pub(super) rate: Rate,
    /// Its place in the recording.
    pub(super) at_ms: u64,
    len: usize,
    samples: [i16; SOUND_SAMPLES],
}

impl Sound {
    fn new() -> Box<Sound> {
        Box::new(Sound { key: 0, channel: 0, rate: Rate::K8, at_ms: 0, len: 0, samples: [0; SOUND_SAMPLES] })
    }

    /// At most [`SOUND_SAMPLES`].
    pub(super) fn put(&mut self, samples: &[i16]) {
        self.len = samples.len();
        self.samples[..samples.len()].copy_from_slice(samples);
    }

    pub(super) fn samples(&self) -> &[i16] {
        &self.samples[..self.len]
    }
}

/// Where what a recorder hears goes.
pub(super) enum Goal {
    File(RecordTo),
    Listener(Box<dyn Listener>),
}

/// A recording to begin.
pub(super) struct Begin {
    pub(super) key: u64,
    pub(super) id: AudioId,
    pub(super) worker: ShardId,
    pub(super) points: usize,
    pub(super) to: Goal,
    /// Of a file the rate of its first point, of a listener the one that it wants.
    pub(super) rate: Rate,
    pub(super) failed: Arc<AtomicBool>,
}

/// What the writer is sent.
pub(super) enum Letter {
    Begin(Box<Begin>),
    Sound(Box<Sound>),
    End { key: u64, ms: u64 },
}

/// The queue to the writer, and the room for sounds in it.
pub(crate) struct Desk {
    letters: ArrayQueue<Letter>,
    room: ArrayQueue<Box<Sound>>,
    thread: OnceLock<Thread>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk {
            letters: ArrayQueue::new(RECORD_ROOM + RECORD_ORDERS),
            room: ArrayQueue::new(RECORD_ROOM),
            thread: OnceLock::new(),
        }
    }

    /// The writer says who it is, so that it can be woken.
    pub(super) fn attach(&self, thread: Thread) {
        // Only the one writer calls, once.
        let _ = self.thread.set(thread);
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Makes room for so many sounds more, up to the most there may be.
    pub(super) fn furnish(&self, sounds: usize) {
        for _ in 0..sounds {
            if self.room.push(Sound::new()).is_err() {
                return;
            }
        }
    }

    /// Takes as much room away again, of what is not in use.
    pub(super) fn strip(&self, sounds: usize) {
        (0..sounds).for_each(|_| drop(self.room.pop()));
    }

    pub(super) fn take_room(&self) -> Option<Box<Sound>> {
        self.room.pop()
    }

    pub(super) fn return_room(&self, sound: Box<Sound>) {
        let _ = self.room.push(sound);
    }

    /// Gives the letter back when the queue is full.
    pub(super) fn post(&self, letter: Letter) -> Result<(), Letter> {
        self.letters.push(letter)
    }

    pub(super) fn post_sound(&self, sound: Box<Sound>) {
        if let Err(Letter::Sound(sound)) = self.letters.push(Letter::Sound(sound)) {
            // Its place in time tells the writer that it is missing.
            self.return_room(sound);
        }
    }

    pub(super) fn next(&self) -> Option<Letter> {
        self.letters.pop()
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("letters", &self.letters.len()).finish_non_exhaustive()
    }
}
