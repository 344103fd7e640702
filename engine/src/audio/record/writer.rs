//! The writer's thread: the only one that touches files. Listeners hear on it too.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use kaname_media::Rate;

use super::desk::{Begin, Desk, Goal, Letter, Sound};
use super::file::{Done, Recording};
use super::live::Live;
use crate::audio::{AudioError, AudioEvent, AudioId};
use crate::port::Sink;
use crate::shard::panic_message;
use crate::{EngineEvent, ShardId};

/// How long it sleeps at most: it then looks whether the engine stops.
const NAP: Duration = Duration::from_secs(1);

/// What the writer shares with the rest of the engine.
pub(crate) struct Surroundings {
    pub(crate) desk: Arc<Desk>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// Runs until the engine stops; then it completes all files.
pub(crate) fn run(around: Surroundings) {
    around.desk.attach(thread::current());
    let mut writer = Writer::new(around);
    while !writer.around.stop.load(Ordering::Acquire) {
        writer.write();
        thread::park_timeout(NAP);
    }
    writer.write();
    let keys: Vec<u64> = writer.open.keys().copied().collect();
    keys.into_iter().for_each(|key| writer.end(key, 0));
}

struct Open {
    id: AudioId,
    worker: ShardId,
    failed: Arc<AtomicBool>,
    output: Output,
}

enum Output {
    File(Box<Recording>),
    Live(Live),
}

impl Output {
    fn open(to: Goal, points: usize, rate: Rate) -> Result<Output, AudioError> {
        Ok(match to {
            Goal::File(to) => Output::File(Box::new(Recording::open(to, points, rate)?)),
            Goal::Listener(to) => Output::Live(Live::new(to, rate)),
        })
    }

    fn put(&mut self, sound: &Sound) -> Result<(), AudioError> {
        match self {
            Output::File(file) => file.put(sound.channel, sound.rate, sound.at_ms, sound.samples()),
            Output::Live(live) => {
                live.put(sound.rate, sound.samples());
                Ok(())
            }
        }
    }

    /// Completes a file that plays at least `ms`.
    fn finish(self, ms: u64) -> Result<Option<Done>, AudioError> {
        match self {
            Output::File(file) => file.finish(ms).map(Some),
            Output::Live(_) => Ok(None),
        }
    }
}

/// All files that are being written.
pub(crate) struct Writer {
    around: Surroundings,
    open: HashMap<u64, Open>,
}

impl Writer {
    pub(crate) fn new(around: Surroundings) -> Writer {
        Writer { around, open: HashMap::new() }
    }

    /// Writes what waits.
    pub(crate) fn write(&mut self) {
        while let Some(letter) = self.around.desk.next() {
            self.read(letter);
        }
    }

    fn read(&mut self, letter: Letter) {
        match letter {
            Letter::Begin(begin) => self.begin(*begin),
            Letter::Sound(sound) => {
                self.sound(&sound);
                self.around.desk.return_room(sound);
            }
            Letter::End { key, ms } => self.end(key, ms),
        }
    }

    fn begin(&mut self, begin: Begin) {
        let Begin { key, id, worker, points, to, rate, failed } = begin;
        match guarded(|| Output::open(to, points, rate)) {
            Ok(output) => {
                self.open.insert(key, Open { id, worker, failed, output });
            }
            Err(why) => self.give_up(id, worker, &failed, why),
        }
    }

    fn sound(&mut self, sound: &Sound) {
        let Some(open) = self.open.get_mut(&sound.key) else { return };
        if let Err(why) = guarded(|| open.output.put(sound))
            && let Some(Open { id, worker, failed, .. }) = self.open.remove(&sound.key)
        {
            self.give_up(id, worker, &failed, why);
        }
    }

    fn end(&mut self, key: u64, ms: u64) {
        // One that failed has been told of.
        let Some(Open { id, worker, failed, output }) = self.open.remove(&key) else { return };
        match guarded(|| output.finish(ms)) {
            Ok(Some(done)) => {
                let event = AudioEvent::Recorded { id, path: done.path, ms: done.ms, lost_ms: done.lost_ms };
                self.tell(worker, event);
            }
            Ok(None) => {}
            Err(why) => self.give_up(id, worker, &failed, why),
        }
    }

    fn give_up(&self, id: AudioId, worker: ShardId, failed: &AtomicBool, why: AudioError) {
        failed.store(true, Ordering::Release);
        self.tell(worker, AudioEvent::Failed { id, why });
    }

    fn tell(&self, worker: ShardId, event: AudioEvent) {
        // The sink may be what is at fault; files go on.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.around.sink)(worker, EngineEvent::Audio(event))));
    }
}

/// A fault of ours ends one recording.
fn guarded<T>(act: impl FnOnce() -> Result<T, AudioError>) -> Result<T, AudioError> {
    let done = catch_unwind(AssertUnwindSafe(act));
    done.unwrap_or_else(|panic| Err(AudioError::Fault(panic_message(&*panic))))
}
