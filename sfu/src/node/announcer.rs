//! What is played to a whole room. Telephones have it in their mix, and so has the room's recording; those who are sent tracks
//! are sent it as one more: of the room's announcer, a peer that nobody is. It has no connection, and the mixer does not hear
//! it. A player on an audio worker is its voice, so that a prompt is encoded once for all of them.
//!
//! It comes with the first prompt and stays, silent between prompts, as long as anybody is in the room: a track that came anew
//! with each would have to be subscribed to each time.

use std::time::Duration;

use kaname_engine::audio::{AudioCommand, AudioId, Prompt};
use kaname_engine::core::Time;

use super::api::*;
use super::error::NodeError;
use super::model::{Peer, PeerKind, Room};
use super::phone_sound::{PROMPT, play};
use super::state::State;
use super::voice::for_browsers;

/// What it is called where peers are shown.
const NAME: &str = "Announcements";
/// The m-line of its one track.
const MID: &str = "announcer";
/// Browsers have so long to subscribe to the track before a room's first prompt begins: their offer and its answer take a few
/// round trips, and a busy page some hundred milliseconds beside. Nobody is to miss the beginning.
const LEAD: Duration = Duration::from_secs(1);
/// Prompts that a room waits for or hears at once. A worker takes eight, of which one may be the tone of a join.
const PROMPTS: usize = 7;

/// A room's own voice.
#[derive(Debug)]
pub(super) struct Announcer {
    peer: PeerId,
    /// From when on prompts are played, and those that wait for that, with how often each is to be played.
    ready: Time,
    waiting: Vec<(Prompt, u32)>,
    /// What sounds, by the token of its playing.
    sounding: Vec<u64>,
}

impl Announcer {
    pub(super) fn peer(&self) -> &PeerId {
        &self.peer
    }

    pub(super) fn sounds(&self) -> bool {
        !self.sounding.is_empty()
    }
}

impl State {
    /// Plays something to all in a room.
    pub(super) fn announce(
        &mut self,
        now: Time,
        name: &str,
        prompt: Prompt,
        times: u32,
    ) -> Result<(), NodeError> {
        if self.engine.audio_workers() == 0 {
            return Err(NodeError::NoAudio);
        }
        let room = self.rooms.get(name).ok_or(NodeError::NoSuchRoom)?;
        if !self.anybody_hears(&room.peers) {
            return Err(NodeError::NoListeners);
        }
        if room.announcer.is_none() {
            self.engage_announcer(now, name)?;
        }
        let Some(announcer) = self.announcer(name) else { return Err(NodeError::NoSuchRoom) };
        if announcer.waiting.len() + announcer.sounding.len() >= PROMPTS {
            let hint = "stop what is played first";
            return Err(NodeError::AtCapacity {
                what: "room",
                limit: PROMPTS,
                unit: "prompts at once",
                hint,
            });
        }
        announcer.waiting.push((prompt, times));
        self.begin(now, name);
        Ok(())
    }

    fn anybody_hears(&self, peers: &[PeerId]) -> bool {
        peers.iter().filter_map(|id| self.peers.get(id)).any(|peer| peer.grants.subscribe)
    }

    fn announcer(&mut self, room: &str) -> Option<&mut Announcer> {
        self.rooms.get_mut(room)?.announcer.as_mut()
    }

    /// The announcer comes into the room, and its track with it.
    fn engage_announcer(&mut self, now: Time, name: &str) -> Result<(), NodeError> {
        let shard = self.room_for_one_more(name)?;
        self.check_shard(shard)?;
        let room = self.rooms.get(name).ok_or(NodeError::NoSuchRoom)?;
        let ready = if self.anybody_hears(&room.readers) { now + LEAD } else { now };
        let worker = room.mixer.as_ref().map_or_else(|| self.least_mixing(), |mixer| mixer.worker);
        let request = JoinRequest {
            room: name.to_owned(),
            identity: None,
            name: NAME.to_owned(),
            grants: Grants::default(),
            news: false,
        };
        let (peer, ..) = self.new_peer(now, PeerKind::Announcer, shard, &request);
        let (id, info) = (peer.id.clone(), peer.info());
        self.peers.insert(id.clone(), peer);
        if let Some(room) = self.rooms.get_mut(name) {
            let (waiting, sounding) = (Vec::new(), Vec::new());
            room.announcer = Some(Announcer { peer: id.clone(), ready, waiting, sounding });
        }
        self.tell_room(name, None, &Notice::PeerJoined { peer: info });
        let voice = self.new_voice(worker, shard);
        let player = AudioCommand::AddPlayer {
            id: voice.id,
            outputs: voice.outputs.clone(),
            sends: for_browsers(),
            start: self.start(),
        };
        self.audio(worker, player);
        self.publish_voice(&id, MID, voice);
        Ok(())
    }

    /// Prompts whose time has come are played.
    pub(super) fn begin_announcements(&mut self, now: Time) {
        let waits = |room: &Room| room.announcer.as_ref().is_some_and(|it| !it.waiting.is_empty());
        let waiting = self.rooms.iter().filter(|(_, room)| waits(room)).map(|(name, _)| name.clone());
        for name in waiting.collect::<Vec<_>>() {
            self.begin(now, &name);
        }
    }

    /// Plays what waits, if it is time: to those who are sent tracks and, in the mix, to telephones and the recording.
    fn begin(&mut self, now: Time, name: &str) {
        let Some(announcer) = self.announcer(name).filter(|it| now >= it.ready) else { return };
        let prompts = std::mem::take(&mut announcer.waiting);
        let id = announcer.peer.clone();
        let voice = self.peers.get(&id).and_then(|peer| peer.voice.as_ref());
        let Some((worker, voice)) = voice.map(|voice| (voice.worker, voice.id)) else { return };
        for (prompt, times) in prompts {
            let (mixing, mixer) = self.open_mixer(name);
            let token = self.token();
            self.audio(worker, play(voice, token, prompt.clone(), times));
            self.audio(mixing, play(mixer, PROMPT, prompt, times));
            if let Some(announcer) = self.announcer(name) {
                announcer.sounding.push(token);
            }
        }
    }

    /// Ends what is played to a room, and what waits to be.
    pub(super) fn stop_announcements(&mut self, name: &str) -> Result<(), NodeError> {
        let room = self.rooms.get_mut(name).ok_or(NodeError::NoSuchRoom)?;
        let Some(announcer) = room.announcer.as_mut() else { return Ok(()) };
        announcer.waiting.clear();
        let voice = self.peers.get(&announcer.peer).and_then(|peer| peer.voice.as_ref());
        let voice = voice.map(|voice| (voice.worker, voice.id, None));
        let mixer = room.mixer.as_ref().map(|mixer| (mixer.worker, mixer.id, Some(PROMPT)));
        for (worker, to, token) in voice.into_iter().chain(mixer) {
            self.audio(worker, AudioCommand::StopPlaying { to, token });
        }
        Ok(())
    }

    /// A playing is over; all of them if none is named.
    pub(super) fn announcements_over(&mut self, voice: AudioId, token: Option<u64>) {
        let Some(room) = self.room_of_voice(voice) else { return };
        if let Some(announcer) = self.announcer(&room) {
            announcer.sounding.retain(|it| token.is_some_and(|token| token != *it));
        }
        self.drop_mixer(&room);
    }

    /// The announcer has no voice.
    pub(super) fn dismiss_voice(&mut self, voice: AudioId) {
        if let Some(room) = self.room_of_voice(voice) {
            self.dismiss_announcer(&room);
        }
    }

    fn room_of_voice(&self, voice: AudioId) -> Option<String> {
        let speaks = |peer: &&Peer| {
            peer.kind == PeerKind::Announcer && peer.voice.as_ref().is_some_and(|it| it.id == voice)
        };
        self.peers.values().find(speaks).map(|peer| peer.room.clone())
    }

    /// The room of which a peer is the announcer.
    pub(super) fn announced_room(&self, id: &PeerId) -> Option<String> {
        let peer = self.peers.get(id).filter(|peer| peer.kind == PeerKind::Announcer)?;
        Some(peer.room.clone())
    }

    /// The announcer leaves, and what is played ends: nobody is in the room any more, or it was removed.
    pub(super) fn dismiss_announcer(&mut self, name: &str) {
        let _stopped = self.stop_announcements(name);
        let Some(announcer) = self.rooms.get_mut(name).and_then(|room| room.announcer.take()) else { return };
        let id = announcer.peer;
        let tracks = self.peers.get(&id).map(|peer| peer.tracks.iter().map(|track| track.id.clone()));
        for track in tracks.map(Iterator::collect::<Vec<_>>).unwrap_or_default() {
            self.unpublish(&id, &track);
        }
        if let Some(voice) = self.peers.remove(&id).and_then(|peer| peer.voice) {
            self.remove_voice(&voice);
        }
        self.tell_room(name, None, &Notice::PeerLeft { peer: id, reason: LeaveReason::Left });
        self.drop_mixer(name);
    }
}
