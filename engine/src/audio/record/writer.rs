//! The writer's thread: the only one that touches files.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::desk::{Begin, Desk, Letter, Sound};
use super::file::Recording;
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
    recording: Recording,
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
        match guarded(|| Recording::open(to, points, rate)) {
            Ok(recording) => {
                self.open.insert(key, Open { id, worker, failed, recording });
            }
            Err(why) => self.give_up(id, worker, &failed, why),
        }
    }

    fn sound(&mut self, sound: &Sound) {
        let Some(open) = self.open.get_mut(&sound.key) else { return };
        let put = guarded(|| open.recording.put(sound.channel, sound.rate, sound.at_ms, sound.samples()));
        if let Err(why) = put
            && let Some(Open { id, worker, failed, .. }) = self.open.remove(&sound.key)
        {
            self.give_up(id, worker, &failed, why);
        }
    }

    fn end(&mut self, key: u64, ms: u64) {
        // One that failed has been told of.
        let Some(Open { id, worker, failed, recording }) = self.open.remove(&key) else { return };
        match guarded(|| recording.finish(ms)) {
            Ok(done) => {
                let event = AudioEvent::Recorded { id, path: done.path, ms: done.ms, lost_ms: done.lost_ms };
                self.tell(worker, event);
            }
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
