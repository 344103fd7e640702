//! Telephones in rooms. Whoever made the call (see [`crate::calls`]) brings a line: a stream that comes from the telephone
//! and a sender that goes to it. Here both become part of a room:
//! - the caller's voice is transcoded to Opus and published as a track, which others subscribe to like any;
//! - the caller hears the mix of all microphones and telephones of the room but its own.
//!
//! Both are an audio worker's work; a room with telephones has one mixer there, and a room without costs nothing.

use kaname_engine::ShardId;
use kaname_engine::audio::{
    AudioCommand, AudioEvent, AudioId, Codec as AudioCodec, OpusConfig, Output, ParticipantConfig, Prompt,
    SendFormat, SendKeys, Start, StreamFormat, TranscoderConfig,
};
use kaname_engine::core::command::{
    Codec, ImportConfig, LinkId, MediaKind, PayloadMap, PayloadType, SenderId, StreamId,
};
use kaname_engine::core::{Command, Time};

use super::api::*;
use super::error::NodeError;
use super::mixer::{DELAY_MS, PTIME_MS};
use super::model::{Layer, Shape, Span};
use super::phone_sound::TONE;
use super::pins::Entry;
use super::state::State;
use super::stay::End;
use crate::sdp::Chosen;

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
    /// Makes its track.
    pub(super) transcoder: AudioId,
    /// Where the track goes: one for each shard on which somebody is sent it.
    outputs: Vec<Output>,
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
        let Some(phone) = peer.phone.as_ref().filter(|_| peer.shard == line.shard) else {
            return Err(NodeError::NoSuchPeer);
        };
        let mixer = self.rooms.get(&peer.room).and_then(|room| room.mixer.as_ref());
        let (Some(worker), old) = (mixer.map(|mixer| mixer.worker), phone.line.clone()) else {
            return Err(NodeError::NoSuchPeer);
        };
        let muted = line.held || peer.tracks.iter().any(|track| track.muted);
        let (shard, stream) = (line.shard, line.stream);
        let (transcoder, ear, mut voice, mut mix) =
            (phone.transcoder, phone.ear, phone.voice, phone.mix_stream);
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
            let config = Box::new(self.for_browsers(&line));
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
        let [voice, heard, mix] = [self.link(), self.link(), self.link()];
        let [transcoder, ear] = [AudioId(self.numbers.take()), AudioId(self.numbers.take())];
        let [stream, mix_stream] = [StreamId(self.numbers.take()), StreamId(self.numbers.take())];
        self.command(shard, Command::ExportStream { stream: line.stream, link: voice, to: at });
        self.command(shard, Command::MuteStream { stream: line.stream, muted: line.held });
        let outputs = vec![Output { shard, link: heard }];
        let config = Box::new(self.for_browsers(&line));
        self.audio(
            worker,
            AudioCommand::AddTranscoder {
                id: transcoder,
                input: Some(voice),
                outputs: outputs.clone(),
                config,
            },
        );
        let chosen = Chosen::opus();
        let config = Box::new(import(chosen.main.number, Codec::Opus, chosen.main.clock_rate));
        self.command(shard, Command::ImportStream { stream, link: heard, from: at, config });
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
            peer.phone = Some(Phone { line, voice, transcoder, outputs, ear, mix_stream, recorder: None });
        }
        self.publish_phone(id, &room, stream, chosen);
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

    /// The caller's voice becomes a track.
    fn publish_phone(&mut self, id: &PeerId, room: &str, stream: StreamId, chosen: Chosen) {
        let shape = Shape {
            kind: TrackKind::Audio,
            source: Source::Microphone,
            chosen,
            ssrc: None,
            rtx_ssrc: None,
            rids: Vec::new(),
            transport_cc: false,
        };
        let layers = vec![Layer { rid: None, stream, packets: 0, alive: None }];
        self.add_track(id, room, MID, shape, layers);
    }

    /// What a telephone had in the audio worker and on its shard ends; its leg is the calls'.
    pub(super) fn hang_up(&mut self, room: &str, phone: &Phone) {
        let shard = phone.line.shard;
        self.end_recorder(room, phone.recorder);
        self.command(shard, Command::EndExport { link: phone.voice });
        self.command(shard, Command::RemoveStream { stream: phone.mix_stream });
        self.numbers.free(phone.mix_stream.0);
        let Some(mixer) = self.rooms.get_mut(room).and_then(|room| room.mixer.as_mut()) else { return };
        let worker = mixer.worker;
        mixer.phones -= 1;
        let last = !mixer.is_needed();
        self.audio(worker, AudioCommand::Remove { id: phone.ear });
        self.audio(worker, AudioCommand::Remove { id: phone.transcoder });
        self.numbers.free(phone.ear.0);
        self.numbers.free(phone.transcoder.0);
        if last {
            self.remove_mixer(room);
        }
    }

    /// A telephone's track goes to another shard: the worker sends it there, as it does to the first.
    pub(super) fn span_phone(&mut self, track_id: &TrackId, to: ShardId) -> bool {
        let link = LinkId(self.next_link);
        let Some(owner) = self.tracks.get(track_id).cloned() else { return false };
        let Some(peer) = self.peers.get_mut(&owner) else { return false };
        let room = peer.room.clone();
        let Some(phone) = peer.phone.as_mut() else { return false };
        let Some(track) = peer.tracks.iter_mut().find(|track| track.id == *track_id) else { return false };
        self.next_link += 1;
        phone.outputs.push(Output { shard: to, link });
        let change = AudioCommand::SetOutputs { id: phone.transcoder, outputs: phone.outputs.clone() };
        let (stream, muted) = (track.stream(), track.muted);
        let main = &track.shape.chosen.main;
        let config = Box::new(import(main.number, Codec::Opus, main.clock_rate));
        track.spans.insert(to, Span { subscriptions: 1, links: vec![link] });
        let Some(worker) =
            self.rooms.get(&room).and_then(|room| room.mixer.as_ref()).map(|mixer| mixer.worker)
        else {
            return true;
        };
        let from = self.engine.audio_index(worker);
        self.command(to, Command::ImportStream { stream, link, from, config });
        if muted {
            self.command(to, Command::MuteStream { stream, muted });
        }
        self.audio(worker, change);
        true
    }

    /// The last subscription there has ended. False: no telephone's track.
    pub(super) fn unspan_phone(&mut self, track_id: &TrackId, links: &[LinkId]) -> bool {
        let Some(owner) = self.tracks.get(track_id).cloned() else { return false };
        let Some(peer) = self.peers.get_mut(&owner) else { return false };
        let room = peer.room.clone();
        let Some(phone) = peer.phone.as_mut() else { return false };
        phone.outputs.retain(|output| !links.contains(&output.link));
        let change = AudioCommand::SetOutputs { id: phone.transcoder, outputs: phone.outputs.clone() };
        if let Some(worker) =
            self.rooms.get(&room).and_then(|room| room.mixer.as_ref()).map(|mixer| mixer.worker)
        {
            self.audio(worker, change);
        }
        true
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
                let Some((peer, room)) = self.phone_of(id) else { return };
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.speakers.level(now, &peer, if on { SPEAKS } else { SILENT });
                }
            }
            AudioEvent::PlayEnded { id, token: TONE, .. } => self.tone_over(id),
            AudioEvent::Refused { id, command, why } => self.sound_failed(id, command, &why.to_string()),
            AudioEvent::Recorded { id, path, ms, lost_ms } => {
                tracing::info!(file = %path.display(), ms, lost_ms, "recorded");
                self.recording_over(id);
            }
            AudioEvent::Failed { id, why } => {
                self.sound_failed(id, "Record", &why.to_string());
                let Some((peer, _)) = self.phone_of(id) else { return };
                tracing::error!(peer = %peer, why = %why, "the audio of a telephone failed; it leaves");
                self.end(&peer, End::Leave(LeaveReason::Timeout));
            }
            _ => {}
        }
    }

    /// Whose ear or transcoder it is.
    fn phone_of(&self, id: AudioId) -> Option<(PeerId, String)> {
        let is = |phone: &Phone| phone.ear == id || phone.transcoder == id;
        let peer = self.peers.values().find(|peer| peer.phone.as_ref().is_some_and(is))?;
        Some((peer.id.clone(), peer.room.clone()))
    }

    pub(super) fn link(&mut self) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        link
    }

    fn start(&mut self) -> Start {
        let number = self.random.number();
        Start { sequence: number as u16 & 0x7fff, timestamp: (number >> 16) as u32 }
    }

    fn for_browsers(&mut self, line: &PhoneLine) -> TranscoderConfig {
        TranscoderConfig {
            receives: line.receives.clone(),
            sends: SendFormat {
                codec: AudioCodec::Opus(OpusConfig::default()),
                payload_type: Chosen::opus().main.number,
                ptime_ms: PTIME_MS,
            },
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

fn import(number: u8, codec: Codec, clock_rate: u32) -> ImportConfig {
    ImportConfig {
        kind: MediaKind::Audio,
        payload_types: vec![PayloadType { number, rtx: None, codec, clock_rate }],
    }
}
