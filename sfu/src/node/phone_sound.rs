//! Sounds that are put into a room, and recordings made of it. Prompts for one telephone, and the tones of joins and leaves,
//! are in the mix that telephones are sent; what is played to the whole room is the announcer's (see [`super::announcer`]).

use std::path::PathBuf;

use kaname_engine::audio::{
    AudioCommand, AudioId, Manner, Prompt, Rate, RecordFormat, RecordOf, RecordTo, Side,
};
use kaname_engine::core::Time;

use super::api::*;
use super::error::NodeError;
use super::mixer::MIX_RATE;
use super::state::State;

/// What prompts and the tones of joins and leaves are called in the worker.
pub(super) const PROMPT: u64 = 0;
pub(super) const TONE: u64 = 1;

/// What is played to, or recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundOf {
    /// A room: all in it hear what is played, telephones in their mix and others as a track; all voices and what is played
    /// are recorded, as one channel at 16 kHz.
    Room(String),
    /// A telephone in a room: it alone hears what is played. Its own voice is recorded left, and all voices right.
    Phone(PeerId),
}

/// What is to be done about the sound of a room.
#[derive(Clone, Debug)]
pub enum SoundWish {
    /// Plays something into the conversation.
    Play {
        /// To whom.
        to: SoundOf,
        /// What, at any rate.
        prompt: Prompt,
        /// How often.
        times: u32,
    },
    /// Ends all that is played.
    StopPlaying(SoundOf),
    /// Writes a WAV file, which must not be there. A disk that fails later is logged.
    Record {
        /// Of what.
        of: SoundOf,
        /// The file.
        path: PathBuf,
    },
    /// Leaves out what is heard from now on, or goes on.
    Pause {
        /// Which recording.
        of: SoundOf,
        /// Whether it is not to write.
        paused: bool,
    },
    /// Completes the file.
    StopRecording(SoundOf),
}

/// Where something is in the workers.
struct Point {
    room: String,
    worker: usize,
    /// What prompts are played to.
    hears: AudioId,
    recorder: Option<AudioId>,
}

impl State {
    pub(super) fn sound(&mut self, now: Time, wish: SoundWish) -> Result<(), NodeError> {
        match wish {
            SoundWish::Play { to: SoundOf::Room(room), prompt, times } => {
                self.announce(now, &room, prompt, times)
            }
            SoundWish::Play { to, prompt, times } => {
                let point = self.point(&to)?.ok_or(NodeError::NoListeners)?;
                self.audio(point.worker, play(point.hears, PROMPT, prompt, times));
                Ok(())
            }
            SoundWish::StopPlaying(SoundOf::Room(room)) => self.stop_announcements(&room),
            SoundWish::StopPlaying(to) => {
                let point = self.point(&to)?.ok_or(NodeError::NoListeners)?;
                let stop = AudioCommand::StopPlaying { to: point.hears, token: Some(PROMPT) };
                self.audio(point.worker, stop);
                Ok(())
            }
            SoundWish::Record { of, path } => self.record(of, path),
            SoundWish::Pause { of, paused } => {
                let point = self.point(&of)?.ok_or(NodeError::Recording { already: false })?;
                let id = point.recorder.ok_or(NodeError::Recording { already: false })?;
                self.audio(point.worker, AudioCommand::PauseRecording { id, paused });
                Ok(())
            }
            SoundWish::StopRecording(of) => {
                let point = self.point(&of)?.ok_or(NodeError::Recording { already: false })?;
                let id = point.recorder.ok_or(NodeError::Recording { already: false })?;
                self.set_recorder(&of, None);
                self.end_recorder(&point.room, Some(id));
                self.drop_mixer(&point.room);
                Ok(())
            }
        }
    }

    /// Where a room or telephone is in the workers; `None`: a room that nothing mixes.
    fn point(&self, of: &SoundOf) -> Result<Option<Point>, NodeError> {
        let (name, phone) = match of {
            SoundOf::Room(name) => (name.clone(), None),
            SoundOf::Phone(id) => {
                let peer = self.peer(id)?;
                (peer.room.clone(), Some(peer.phone.as_ref().ok_or(NodeError::NoSuchPeer)?))
            }
        };
        let room = self.rooms.get(&name).ok_or(NodeError::NoSuchRoom)?;
        let Some(mixer) = &room.mixer else { return Ok(None) };
        let (hears, recorder) = match phone {
            Some(phone) => (phone.ear, phone.recorder),
            None => (mixer.id, mixer.recorder),
        };
        Ok(Some(Point { room: name, worker: mixer.worker, hears, recorder }))
    }

    fn record(&mut self, of: SoundOf, path: PathBuf) -> Result<(), NodeError> {
        if self.engine.audio_workers() == 0 {
            return Err(NodeError::NoAudio);
        }
        if self.point(&of)?.is_some_and(|point| point.recorder.is_some()) {
            return Err(NodeError::Recording { already: true });
        }
        let id = AudioId(self.numbers.take());
        let (worker, points) = match &of {
            SoundOf::Room(name) => {
                let (worker, mixer) = self.open_mixer(name);
                (worker, vec![RecordOf { id: mixer, side: Side::Out }])
            }
            SoundOf::Phone(peer) => {
                let room = self.peer(peer)?.room.clone();
                let (worker, mixer) = self.open_mixer(&room);
                let voice = self.peer(peer)?.voice.as_ref();
                let voice = voice.map(|voice| RecordOf { id: voice.id, side: Side::In });
                (worker, voice.into_iter().chain([RecordOf { id: mixer, side: Side::Out }]).collect())
            }
        };
        self.set_recorder(&of, Some(id));
        self.recordings.insert(id, of);
        let stereo = points.len() == 2;
        let to = Box::new(RecordTo { path, format: RecordFormat::Wav, stereo, overwrite: false });
        self.audio(worker, AudioCommand::Record { id, of: points, to });
        Ok(())
    }

    fn set_recorder(&mut self, of: &SoundOf, recorder: Option<AudioId>) {
        let place = match of {
            SoundOf::Room(name) => {
                let mixer = self.rooms.get_mut(name).and_then(|room| room.mixer.as_mut());
                mixer.map(|mixer| &mut mixer.recorder)
            }
            SoundOf::Phone(id) => {
                let phone = self.peers.get_mut(id).and_then(|peer| peer.phone.as_mut());
                phone.map(|phone| &mut phone.recorder)
            }
        };
        if let Some(place) = place {
            *place = recorder;
        }
    }

    /// A recorder's file is completed; its name is free when that is told.
    pub(super) fn end_recorder(&mut self, room: &str, recorder: Option<AudioId>) {
        let mixer = self.rooms.get(room).and_then(|room| room.mixer.as_ref());
        if let (Some(id), Some(worker)) = (recorder, mixer.map(|mixer| mixer.worker)) {
            self.audio(worker, AudioCommand::Remove { id });
        }
    }

    /// A recorder is gone.
    pub(super) fn recording_over(&mut self, id: AudioId) {
        let Some(of) = self.recordings.remove(&id) else { return };
        self.numbers.free(id.0);
        // One that ended by itself is still thought to be there.
        let Ok(Some(point)) = self.point(&of) else { return };
        if point.recorder == Some(id) {
            self.set_recorder(&of, None);
            self.drop_mixer(&point.room);
        }
    }

    /// A worker refused, or gave up.
    pub(super) fn sound_failed(&mut self, id: AudioId, command: &'static str, why: &str) {
        tracing::warn!(command, why, "an audio worker refused, or gave up");
        match command {
            "Record" => self.recording_over(id),
            "Play" => {
                self.tone_over(id);
                self.announcements_over(id, None);
            }
            // The worker is full: with the next prompt it is tried again.
            "AddPlayer" => self.dismiss_voice(id),
            _ => {}
        }
    }

    /// The telephones of a room hear that somebody came or went, if the room is so made.
    pub(super) fn tone(&mut self, room: &str, tone: fn(Rate) -> Prompt) {
        let Some(room) = self.rooms.get_mut(room).filter(|room| room.tones) else { return };
        let Some(mixer) = room.mixer.as_mut().filter(|mixer| !mixer.tone) else { return };
        mixer.tone = true;
        let (worker, tone) = (mixer.worker, play(mixer.id, TONE, tone(MIX_RATE), 1));
        self.audio(worker, tone);
    }

    pub(super) fn tone_over(&mut self, mixer: AudioId) {
        let mixers = self.rooms.values_mut().filter_map(|room| room.mixer.as_mut());
        for found in mixers.filter(|found| found.id == mixer) {
            found.tone = false;
        }
    }
}

/// Plays a prompt so many times, at least once, beside what else there is to be heard.
pub(super) fn play(to: AudioId, token: u64, prompt: Prompt, times: u32) -> AudioCommand {
    AudioCommand::Play { to, token, prompt, times: Some(times.max(1)), gain: 1.0, manner: Manner::Mixed }
}
