//! Telephones in rooms. Whoever made the call (see [`crate::calls`]) brings a line: a stream that comes from the telephone
//! and a sender that goes to it. Here both become part of a room:
//! - the caller's voice is transcoded to Opus and published as a track, which others subscribe to like any;
//! - the caller hears the mix of all microphones and telephones of the room but its own.
//!
//! Both are an audio worker's work; a room with telephones has one mixer there, and a room without costs nothing.

use kaname_engine::ShardId;
use kaname_engine::audio::{
    AudioCommand, AudioEvent, AudioId, Output, ParticipantConfig, Prompt, SendFormat, SendKeys, Start,
    StreamFormat, TranscoderConfig,
};
use kaname_engine::core::command::{Codec, LinkId, PayloadMap, SenderId, StreamId};
use kaname_engine::core::{Command, Time};

use super::api::*;
use super::error::NodeError;
use super::mixer::DELAY_MS;
use super::model::Peer;
use super::phone_sound::TONE;
use super::pins::Entry;
use super::state::State;
use super::stay::End;
use super::voice::{for_browsers, import};

/// The m-line of a telephone's one track.
const MID: &str = "phone";
/// Levels that stand for speaking and for silence where only that is known, in -dBov.
const SPEAKS: u8 = 30;
const SILENT: u8 = 127;

/// A telephone's connection: made, changed and ended by the calls; the room only listens and talks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneLine {
    /// Where its leg is.
    pub shard: ShardId,
    /// What comes from it.
    pub stream: StreamId,
    /// What goes to it.
    pub sender: SenderId,
    /// Payload types that it may send.
    pub receives: Vec<StreamFormat>,
    /// What it is sent.
    pub sends: SendFormat,
    /// It put the room on hold: what comes from it is its own music, which nobody wants.
    pub held: bool,
}

/// A telephone that wants into a room.
#[derive(Clone, Debug)]
pub struct PhoneRequest {
    /// Created when it does not exist.
    pub room: String,
    /// Who it is, for logs.
    pub identity: Option<String>,
    /// What others are shown: a name or a number.
    pub name: String,
    /// Whose wrong PINs are counted: its number, say.
    pub caller: Option<String>,
    /// Whether it is asked for a PIN.
    pub entry: Entry,
    /// Its connection.
    pub line: PhoneLine,
}

/// A telephone in a room.
#[derive(Debug)]
pub(super) struct Phone {
    line: PhoneLine,
    /// Its voice for the mixer and for the transcoder.
    voice: LinkId,
    /// Its place in the mixer, and what that makes for it.
    pub(super) ear: AudioId,
    mix_stream: StreamId,
    /// Writes what it says and what the room says.
    pub(super) recorder: Option<AudioId>,
}

impl State {
    /// Where a telephone's leg is best made for this room.
    pub(super) fn phone_shard(&mut self, room: &str) -> Result<ShardId, NodeError> {
        super::names::check_room(room)?;
        match self.rooms.contains_key(room) {
            true => self.room_for_one_more(room),
            false => self.least_loaded(),
        }
    }

    pub(super) fn join_phone(&mut self, now: Time, request: PhoneRequest) -> Result<Joined, NodeError> {
        if self.engine.audio_workers() == 0 {
            return Err(NodeError::NoAudio);
        }
        self.check_shard(request.line.shard)?;
        self.check_entry(now, &request)?;
        let PhoneRequest { room, identity, name, line, .. } = request;
        let grants =
            Grants { room: room.clone(), join: true, publish: true, subscribe: true, ..Grants::default() };
        let joined =
            self.join_at(now, JoinRequest { room, identity, name, grants, news: false }, Some(line.shard))?;
        self.connect_phone(&joined.peer.id, line);
        self.tone(&joined.room.name, Prompt::join_tone);
        Ok(Joined { peer: self.peer(&joined.peer.id)?.info(), ..joined })
    }

    /// The telephone's codecs or its connection changed. Its track goes on, and so does what is recorded of it.
    pub(super) fn change_phone(&mut self, id: &PeerId, line: PhoneLine) -> Result<(), NodeError> {
        let peer = self.peer(id)?;
        let (Some(phone), Some(track)) = (&peer.phone, &peer.voice) else {
            return Err(NodeError::NoSuchPeer);
        };
        if peer.shard != line.shard {
            return Err(NodeError::NoSuchPeer);
        }
        let mixer = self.rooms.get(&peer.room).and_then(|room| room.mixer.as_ref());
        let (Some(worker), old) = (mixer.map(|mixer| mixer.worker), phone.line.clone()) else {
            return Err(NodeError::NoSuchPeer);
        };
        let muted = line.held || peer.tracks.iter().any(|track| track.muted);
        let (shard, stream) = (line.shard, line.stream);
        let (transcoder, ear, mut voice, mut mix) = (track.id, phone.ear, phone.voice, phone.mix_stream);
        let at = self.engine.audio_index(worker);
        if old.stream != stream {
            // The old stream has ended, and its link with it.
            voice = self.link();
            self.command(shard, Command::ExportStream { stream, link: voice, to: at });
            for id in [transcoder, ear] {
                self.audio(worker, AudioCommand::SetInput { id, input: Some(voice) });
            }
        }
        self.command(shard, Command::MuteStream { stream, muted });
        if old.receives != line.receives || old.sends != line.sends {
            let config = Box::new(self.transcoder(&line));
            self.audio(worker, AudioCommand::ChangeTranscoder { id: transcoder, config });
            let config = Box::new(self.ear(&line));
            self.audio(worker, AudioCommand::ChangeParticipant { id: ear, config });
        }
        let numbers = |sends: SendFormat| (sends.payload_type, sends.codec.clock_hz());
        if numbers(old.sends) == numbers(line.sends) {
            self.route_mix(&line, mix);
        } else {
            // An import has its payload types for good.
            let ended = std::mem::replace(&mut mix, StreamId(self.numbers.take()));
            let link = self.link();
            self.audio(worker, AudioCommand::SetOutputs { id: ear, outputs: vec![Output { shard, link }] });
            self.import_mix(&line, mix, link, at);
            self.command(shard, Command::RemoveStream { stream: ended });
            self.numbers.free(ended.0);
        }
        if let Some(phone) = self.peers.get_mut(id).and_then(|peer| peer.phone.as_mut()) {
            (phone.line, phone.voice, phone.mix_stream) = (line, voice, mix);
        }
        Ok(())
    }

    fn connect_phone(&mut self, id: &PeerId, line: PhoneLine) {
        let Some(room) = self.peers.get(id).map(|peer| peer.room.clone()) else { return };
        let (worker, mixer) = self.mixer(&room);
        let at = self.engine.audio_index(worker);
        let shard = line.shard;
        let voice = self.link();
        let track = self.new_voice(worker, shard);
        let (ear, mix, mix_stream) =
            (AudioId(self.numbers.take()), self.link(), StreamId(self.numbers.take()));
        self.command(shard, Command::ExportStream { stream: line.stream, link: voice, to: at });
        self.command(shard, Command::MuteStream { stream: line.stream, muted: line.held });
        let config = Box::new(self.transcoder(&line));
        self.audio(
            worker,
            AudioCommand::AddTranscoder {
                id: track.id,
                input: Some(voice),
                outputs: track.outputs.clone(),
                config,
            },
        );
        let config = Box::new(self.ear(&line));
        let join = AudioCommand::Join {
            room: mixer,
            id: ear,
            input: Some(voice),
            outputs: vec![Output { shard, link: mix }],
            config,
        };
        self.audio(worker, join);
        self.import_mix(&line, mix_stream, mix, at);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.phone = Some(Phone { line, voice, ear, mix_stream, recorder: None });
        }
        self.publish_voice(id, MID, track);
    }

    /// What the mixer makes for a telephone comes to its shard.
    fn import_mix(&mut self, line: &PhoneLine, stream: StreamId, link: LinkId, from: usize) {
        let config = Box::new(import(line.sends.payload_type, Codec::Other, line.sends.codec.clock_hz()));
        self.command(line.shard, Command::ImportStream { stream, link, from, config });
        self.route_mix(line, stream);
    }

    /// The telephone is sent the mix, unless it holds.
    fn route_mix(&mut self, line: &PhoneLine, mix: StreamId) {
        let (sender, number) = (line.sender, line.sends.payload_type);
        let command = match line.held {
            true => Command::Unroute { sender },
            false => {
                let payload_types = vec![PayloadMap { from: number, to: number, rtx: None }];
                Command::Route { sender, stream: mix, payload_types }
            }
        };
        self.command(line.shard, command);
    }

    /// What a telephone had in the audio worker and on its shard ends; its leg is the calls'.
    pub(super) fn hang_up(&mut self, peer: &Peer, phone: &Phone) {
        let (shard, room) = (phone.line.shard, &peer.room);
        self.end_recorder(room, phone.recorder);
        self.command(shard, Command::EndExport { link: phone.voice });
        self.command(shard, Command::RemoveStream { stream: phone.mix_stream });
        self.numbers.free(phone.mix_stream.0);
        let Some(mixer) = self.rooms.get_mut(room).and_then(|room| room.mixer.as_mut()) else { return };
        let worker = mixer.worker;
        mixer.phones -= 1;
        self.audio(worker, AudioCommand::Remove { id: phone.ear });
        self.numbers.free(phone.ear.0);
        if let Some(voice) = &peer.voice {
            self.remove_voice(voice);
        }
        self.drop_mixer(room);
    }

    /// Muting silences a telephone at its source: for those who are sent its track and for the mixer.
    pub(super) fn mute_phone(&mut self, owner: &PeerId, muted: bool) {
        let Some(phone) = self.peers.get(owner).and_then(|peer| peer.phone.as_ref()) else { return };
        let (shard, stream, muted) = (phone.line.shard, phone.line.stream, muted || phone.line.held);
        self.command(shard, Command::MuteStream { stream, muted });
    }

    /// News of an audio worker.
    pub(super) fn audio_event(&mut self, now: Time, event: AudioEvent) {
        match event {
            AudioEvent::Speaking { id, on, .. } => {
                let Some((peer, room)) = self.owner_of(id) else { return };
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.speakers.level(now, &peer, if on { SPEAKS } else { SILENT });
                }
            }
            AudioEvent::PlayEnded { id, token, .. } => {
                if token == TONE {
                    self.tone_over(id);
                }
                self.announcements_over(id, Some(token));
            }
            AudioEvent::Refused { id, command, why } => self.sound_failed(id, command, &why.to_string()),
            AudioEvent::Recorded { id, path, ms, lost_ms } => {
                tracing::info!(file = %path.display(), ms, lost_ms, "recorded");
                self.recording_over(id);
            }
            AudioEvent::Failed { id, why } => {
                self.sound_failed(id, "Record", &why.to_string());
                let Some((peer, _)) = self.owner_of(id) else { return };
                tracing::error!(peer = %peer, why = %why, "the audio of a peer failed; it leaves");
                self.end(&peer, End::Leave(LeaveReason::Timeout));
            }
            _ => {}
        }
    }

    /// Whose ear or voice it is.
    fn owner_of(&self, id: AudioId) -> Option<(PeerId, String)> {
        let hears = |peer: &Peer| peer.phone.as_ref().is_some_and(|phone| phone.ear == id);
        let speaks = |peer: &Peer| peer.voice.as_ref().is_some_and(|voice| voice.id == id);
        let peer = self.peers.values().find(|peer| hears(peer) || speaks(peer))?;
        Some((peer.id.clone(), peer.room.clone()))
    }

    pub(super) fn link(&mut self) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        link
    }

    pub(super) fn start(&mut self) -> Start {
        let number = self.random.number();
        Start { sequence: number as u16 & 0x7fff, timestamp: (number >> 16) as u32 }
    }

    /// What makes its track of what comes from it.
    fn transcoder(&mut self, line: &PhoneLine) -> TranscoderConfig {
        TranscoderConfig {
            receives: line.receives.clone(),
            sends: for_browsers(),
            noise_type: None,
            detect_tones: false,
            keys: SendKeys::Never,
            auto_level: true,
            delay_ms_min: DELAY_MS,
            start: self.start(),
        }
    }

    fn ear(&mut self, line: &PhoneLine) -> ParticipantConfig {
        ParticipantConfig {
            receives: line.receives.clone(),
            sends: Some(line.sends),
            start: self.start(),
            auto_level: true,
            detect_tones: false,
            keys: SendKeys::Never,
            delay_ms_min: DELAY_MS,
        }
    }
}
