//! What mixes for the telephones of a room, and for its recording: an audio worker's room, in which every microphone and
//! every telephone speaks. It begins with the first who needs it and ends with the last. What is played to the room needs it
//! too, so that a telephone or a recording that comes meanwhile has the rest.

use std::collections::HashMap;

use kaname_engine::audio::{
    AudioCommand, AudioId, Codec as AudioCodec, OpusConfig, ParticipantConfig, Rate, Receives, RoomConfig,
    SendKeys, Start, StreamFormat,
};
use kaname_engine::core::Command;
use kaname_engine::core::command::LinkId;

use super::announcer::Announcer;
use super::api::*;
use super::model::Room;
use super::state::State;
use crate::sdp::Chosen;

/// Voices that a telephone hears at once: more are a murmur.
const VOICES: usize = 3;
/// What telephones are mixed at: all that wideband ones can carry, and little more work than narrowband.
pub(super) const MIX_RATE: Rate = Rate::K16;
/// Milliseconds of a mixed packet, and of a packet for browsers: what all codecs of telephones can do.
pub(super) const PTIME_MS: u32 = 20;
/// Delay of the mixer for a source without jitter, in milliseconds.
pub(super) const DELAY_MS: u32 = 10;

/// A room's mixer.
#[derive(Debug)]
pub(super) struct Mixer {
    pub(super) worker: usize,
    pub(super) id: AudioId,
    /// Tracks that it hears besides the telephones.
    voices: HashMap<TrackId, (AudioId, LinkId)>,
    pub(super) phones: usize,
    /// Writes what the room says.
    pub(super) recorder: Option<AudioId>,
    /// A tone sounds that says that somebody came or went: another would only be louder.
    pub(super) tone: bool,
}

impl Room {
    /// Whether anybody hears the mixer, or might as long as something is played.
    pub(super) fn needs_mixer(&self) -> bool {
        let heard = self.mixer.as_ref().is_some_and(|mixer| mixer.phones > 0 || mixer.recorder.is_some());
        heard || self.announcer.as_ref().is_some_and(Announcer::sounds)
    }
}

impl State {
    /// The room's mixer, for one telephone more; it begins with the first.
    pub(super) fn mixer(&mut self, name: &str) -> (usize, AudioId) {
        let found = self.open_mixer(name);
        if let Some(mixer) = self.rooms.get_mut(name).and_then(|room| room.mixer.as_mut()) {
            mixer.phones += 1;
        }
        found
    }

    /// The room's mixer, begun if there is none: its worker and its name there.
    pub(super) fn open_mixer(&mut self, name: &str) -> (usize, AudioId) {
        if let Some(mixer) = self.rooms.get(name).and_then(|room| room.mixer.as_ref()) {
            return (mixer.worker, mixer.id);
        }
        let worker = self.least_mixing();
        let id = AudioId(self.numbers.take());
        let config =
            RoomConfig { rate: MIX_RATE, tick_ms: PTIME_MS, speakers_max: VOICES, ..RoomConfig::default() };
        self.audio(worker, AudioCommand::AddRoom { id, config });
        let mixer = Mixer { worker, id, voices: HashMap::new(), phones: 0, recorder: None, tone: false };
        let Some(room) = self.rooms.get_mut(name) else { return (worker, id) };
        room.mixer = Some(mixer);
        let peers = room.peers.clone();
        let heard: Vec<TrackId> = peers
            .iter()
            .filter_map(|id| self.peers.get(id))
            .filter(|peer| peer.phone.is_none())
            .flat_map(|peer| peer.tracks.iter().map(|track| track.id.clone()))
            .collect();
        for track in heard {
            self.mixer_hears(&track);
        }
        (worker, id)
    }

    /// Nobody may need the mixer any more.
    pub(super) fn drop_mixer(&mut self, name: &str) {
        if self.rooms.get(name).is_some_and(|room| !room.needs_mixer()) {
            self.remove_mixer(name);
        }
    }

    pub(super) fn remove_mixer(&mut self, name: &str) {
        let recorder = self.rooms.get_mut(name).and_then(|room| room.mixer.as_mut()?.recorder.take());
        self.end_recorder(name, recorder);
        let Some(mixer) = self.rooms.get_mut(name).and_then(|room| room.mixer.take()) else { return };
        for (track, (ear, link)) in mixer.voices {
            self.audio(mixer.worker, AudioCommand::Remove { id: ear });
            self.numbers.free(ear.0);
            if let Some(shard) = self.track(&track).map(|(peer, _)| peer.shard) {
                self.command(shard, Command::EndExport { link });
            }
        }
        self.audio(mixer.worker, AudioCommand::Remove { id: mixer.id });
        self.numbers.free(mixer.id.0);
    }

    /// The worker with the fewest mixers.
    pub(super) fn least_mixing(&self) -> usize {
        let mixers = |worker: usize| {
            self.rooms
                .values()
                .filter_map(|room| room.mixer.as_ref())
                .filter(|mixer| mixer.worker == worker)
                .count()
        };
        (0..self.engine.audio_workers()).min_by_key(|worker| mixers(*worker)).unwrap_or_default()
    }

    /// The telephones of the room hear this track, if it is sound.
    pub(super) fn mixer_hears(&mut self, id: &TrackId) {
        let Some((peer, track)) = self.track(id) else { return };
        let (shard, stream, room) = (peer.shard, track.stream(), peer.room.clone());
        if track.shape.kind != TrackKind::Audio || peer.phone.is_some() {
            return;
        }
        let receives = formats(&track.shape.chosen);
        let Some(mixer) = self.rooms.get(&room).and_then(|room| room.mixer.as_ref()) else { return };
        let (worker, mixer) = (mixer.worker, mixer.id);
        let link = self.link();
        let ear = AudioId(self.numbers.take());
        let to = self.engine.audio_index(worker);
        self.command(shard, Command::ExportStream { stream, link, to });
        let config = Box::new(ParticipantConfig {
            receives,
            sends: None,
            start: Start::default(),
            auto_level: true,
            detect_tones: false,
            keys: SendKeys::Never,
            delay_ms_min: DELAY_MS,
        });
        self.audio(
            worker,
            AudioCommand::Join { room: mixer, id: ear, input: Some(link), outputs: Vec::new(), config },
        );
        if let Some(mixer) = self.rooms.get_mut(&room).and_then(|room| room.mixer.as_mut()) {
            mixer.voices.insert(id.clone(), (ear, link));
        }
    }

    /// The telephones of the room no longer hear this track: it ends.
    pub(super) fn mixer_forgets(&mut self, id: &TrackId) {
        let Some((peer, _)) = self.track(id) else { return };
        let (shard, room) = (peer.shard, peer.room.clone());
        let Some(mixer) = self.rooms.get_mut(&room).and_then(|room| room.mixer.as_mut()) else { return };
        let Some((ear, link)) = mixer.voices.remove(id) else { return };
        let worker = mixer.worker;
        self.command(shard, Command::EndExport { link });
        self.audio(worker, AudioCommand::Remove { id: ear });
        self.numbers.free(ear.0);
    }
}

/// What the mixer reads of a track: Opus, whatever its numbers.
fn formats(chosen: &Chosen) -> Vec<StreamFormat> {
    vec![StreamFormat {
        payload_type: chosen.main.number,
        receives: Receives::Audio(AudioCodec::Opus(OpusConfig::default())),
    }]
}
