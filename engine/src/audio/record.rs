//! Recorders: what items hear goes to a thread of its own, which alone touches files.
//!
//! Sounds go round: out of the desk's room, through its queue, and back. When the disk does not keep up the room is
//! empty; then sound is left out, which the writer notices by its place in time, and writes silence.

mod desk;
mod file;
mod live;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kaname_core::Time;
use kaname_media::Rate;

use super::figures::{AudioFigures, bump};
use super::{AudioError, AudioId, Figures, Listener, RecordFormat, RecordOf, RecordTo};
use crate::ShardId;
use crate::limits::{RECORD_SOUNDS, RECORDERS};

pub(crate) use desk::Desk;
use desk::{Begin, Goal, Letter, SOUND_SAMPLES};
#[cfg(test)]
pub(crate) use writer::Writer;
pub(crate) use writer::{Surroundings as WriterSurroundings, run as run_writer};

/// A recorder's channel, as items know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) recorder: u32,
    channel: u8,
}

impl Point {
    pub(super) fn new(recorder: u32, channel: usize) -> Point {
        Point { recorder, channel: channel as u8 }
    }
}

/// A recorder as its worker sees it.
struct Recorder {
    id: AudioId,
    key: u64,
    /// The writer gave up, and has said so.
    failed: Arc<AtomicBool>,
    began: Option<Time>,
    paused_at: Option<Time>,
    paused: Duration,
    ms: u64,
    lost_ms: u64,
}

/// The recorders of one worker.
pub(super) struct Recorders {
    desk: Arc<Desk>,
    worker: ShardId,
    list: Vec<Option<Recorder>>,
    alive: usize,
    keys: u64,
    /// Letters that must not be lost and found the queue full.
    waiting: VecDeque<Letter>,
    /// Something was sent since the writer was last woken; a recorder turned out to have failed.
    sent: bool,
    failed: bool,
}

impl Recorders {
    /// `worker` is its place in the mesh: no other has it.
    pub(super) fn new(desk: Arc<Desk>, worker: usize) -> Recorders {
        Recorders {
            desk,
            worker: ShardId(worker),
            list: Vec::new(),
            alive: 0,
            keys: 0,
            waiting: VecDeque::new(),
            sent: false,
            failed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.alive
    }

    /// Begins a recording at the rate of its first point; its place here.
    pub(super) fn begin(
        &mut self,
        id: AudioId,
        of: &[RecordOf],
        to: RecordTo,
        rate: Rate,
    ) -> Result<u32, AudioError> {
        let is_wav = matches!(to.format, RecordFormat::Wav);
        if !(1..=2).contains(&of.len()) || to.stereo && (of.len() != 2 || !is_wav) {
            return Err(AudioError::RecordPoints);
        }
        self.add(id, of.len(), Goal::File(to), rate)
    }

    /// Begins to let somebody listen at this rate; its place here.
    pub(super) fn listen(
        &mut self,
        id: AudioId,
        to: Box<dyn Listener>,
        rate: Rate,
    ) -> Result<u32, AudioError> {
        self.add(id, 1, Goal::Listener(to), rate)
    }

    fn add(&mut self, id: AudioId, points: usize, to: Goal, rate: Rate) -> Result<u32, AudioError> {
        if self.alive >= RECORDERS {
            return Err(AudioError::Recorders);
        }
        self.keys += 1;
        let key = (self.worker.0 as u64) << 48 | self.keys;
        let failed = Arc::new(AtomicBool::new(false));
        let begin = Begin { key, id, worker: self.worker, points, to, rate, failed: failed.clone() };
        self.desk.furnish(RECORD_SOUNDS);
        self.post(Letter::Begin(Box::new(begin)));
        let recorder = Recorder {
            id,
            key,
            failed,
            began: None,
            paused_at: None,
            paused: Duration::ZERO,
            ms: 0,
            lost_ms: 0,
        };
        let place = self.list.iter().position(Option::is_none).unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() - 1
        });
        self.list[place] = Some(recorder);
        self.alive += 1;
        Ok(place as u32)
    }

    /// Ends a recording; the writer completes the file.
    pub(super) fn end(&mut self, place: u32) {
        let Some(recorder) = self.list.get_mut(place as usize).and_then(Option::take) else { return };
        self.alive -= 1;
        self.post(Letter::End { key: recorder.key, ms: recorder.ms });
        self.desk.strip(RECORD_SOUNDS);
    }

    pub(super) fn pause(&mut self, place: u32, paused: bool, now: Time) {
        let Some(recorder) = self.list.get_mut(place as usize).and_then(Option::as_mut) else { return };
        match (paused, recorder.paused_at) {
            (true, None) => recorder.paused_at = Some(now),
            (false, Some(since)) => {
                // What was not begun is not late.
                if recorder.began.is_some() {
                    recorder.paused += now.since(since);
                }
                recorder.paused_at = None;
            }
            _ => {}
        }
    }

    pub(super) fn figures(&self, place: u32) -> Option<Figures> {
        let recorder = self.list.get(place as usize)?.as_ref()?;
        Some(Figures::Recorder { ms: recorder.ms, lost_ms: recorder.lost_ms })
    }

    /// Takes what a point heard in its turn that began at `now`.
    pub(super) fn sound(
        &mut self,
        point: Point,
        rate: Rate,
        frame: &[i16],
        now: Time,
        figures: &AudioFigures,
    ) {
        let Some(recorder) = self.list.get_mut(point.recorder as usize).and_then(Option::as_mut) else {
            return;
        };
        if recorder.failed.load(Ordering::Acquire) {
            self.failed = true;
            return;
        }
        if recorder.paused_at.is_some() {
            return;
        }
        let began = *recorder.began.get_or_insert(now);
        let mut at_ms = now.since(began).saturating_sub(recorder.paused).as_millis() as u64;
        for piece in frame.chunks(SOUND_SAMPLES) {
            let ms = (piece.len() / rate.per_ms()) as u64;
            // Behind letters that wait nothing may overtake them.
            let room = if self.waiting.is_empty() { self.desk.take_room() } else { None };
            match room {
                Some(mut sound) => {
                    (sound.key, sound.channel, sound.rate, sound.at_ms) =
                        (recorder.key, point.channel, rate, at_ms);
                    sound.put(piece);
                    self.desk.post_sound(sound);
                    self.sent = true;
                }
                None => {
                    recorder.lost_ms += ms;
                    bump(&figures.recorder_behind, 1);
                }
            }
            at_ms += ms;
        }
        recorder.ms = recorder.ms.max(at_ms);
    }

    fn post(&mut self, letter: Letter) {
        self.waiting.push_back(letter);
        self.settle();
    }

    /// Sends what waits, and wakes the writer if there is anything for it.
    pub(super) fn settle(&mut self) {
        while let Some(letter) = self.waiting.pop_front() {
            if let Err(letter) = self.desk.post(letter) {
                self.waiting.push_front(letter);
                break;
            }
            self.sent = true;
        }
        if std::mem::take(&mut self.sent) {
            self.desk.wake();
        }
    }

    /// Those that the writer gave up since the last call.
    pub(super) fn take_failed(&mut self) -> Vec<AudioId> {
        if !std::mem::take(&mut self.failed) {
            return Vec::new();
        }
        let failed = |recorder: &&Recorder| recorder.failed.load(Ordering::Acquire);
        self.list.iter().flatten().filter(failed).map(|recorder| recorder.id).collect()
    }
}
