//! Tracks that an audio worker makes: of telephones and of the announcer. The worker sends its packets to each shard on which
//! somebody is sent the track, as it does to the first.

use kaname_engine::ShardId;
use kaname_engine::audio::{AudioCommand, AudioId, Codec as AudioCodec, OpusConfig, Output, SendFormat};
use kaname_engine::core::Command;
use kaname_engine::core::command::{Codec, ImportConfig, LinkId, MediaKind, PayloadType, StreamId};

use super::api::*;
use super::mixer::PTIME_MS;
use super::model::{Layer, Shape, Span};
use super::state::State;
use crate::sdp::Chosen;

/// What makes a track.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) worker: usize,
    /// Its name there.
    pub(super) id: AudioId,
    /// Where its packets go: the peer's own shard first.
    pub(super) outputs: Vec<Output>,
}

impl State {
    /// Names and a way for a voice; whoever asks for it makes what bears the name.
    pub(super) fn new_voice(&mut self, worker: usize, shard: ShardId) -> Voice {
        let output = Output { shard, link: self.link() };
        Voice { worker, id: AudioId(self.numbers.take()), outputs: vec![output] }
    }

    /// The voice that a worker makes becomes a peer's one track.
    pub(super) fn publish_voice(&mut self, id: &PeerId, mid: &str, voice: Voice) {
        let stream = StreamId(self.numbers.take());
        let chosen = Chosen::opus();
        for output in &voice.outputs {
            self.import_voice(voice.worker, *output, stream, &chosen);
        }
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.voice = Some(voice);
        let room = peer.room.clone();
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
        self.add_track(id, &room, mid, shape, layers);
    }

    fn import_voice(&mut self, worker: usize, to: Output, stream: StreamId, chosen: &Chosen) {
        let from = self.engine.audio_index(worker);
        let config = Box::new(import(chosen.main.number, Codec::Opus, chosen.main.clock_rate));
        self.command(to.shard, Command::ImportStream { stream, link: to.link, from, config });
    }

    /// The track goes to another shard. False: no worker makes it.
    pub(super) fn span_voice(&mut self, track_id: &TrackId, to: ShardId) -> bool {
        let link = LinkId(self.next_link);
        let Some(owner) = self.tracks.get(track_id) else { return false };
        let Some(peer) = self.peers.get_mut(owner) else { return false };
        let Some(voice) = peer.voice.as_mut() else { return false };
        let Some(track) = peer.tracks.iter_mut().find(|track| track.id == *track_id) else { return false };
        self.next_link += 1;
        let output = Output { shard: to, link };
        voice.outputs.push(output);
        let change = AudioCommand::SetOutputs { id: voice.id, outputs: voice.outputs.clone() };
        let (worker, stream, muted) = (voice.worker, track.stream(), track.muted);
        let chosen = track.shape.chosen.clone();
        track.spans.insert(to, Span { subscriptions: 1, links: vec![link] });
        self.import_voice(worker, output, stream, &chosen);
        if muted {
            self.command(to, Command::MuteStream { stream, muted });
        }
        self.audio(worker, change);
        true
    }

    /// The last subscription there has ended. False: no worker makes the track.
    pub(super) fn unspan_voice(&mut self, track_id: &TrackId, links: &[LinkId]) -> bool {
        let Some(owner) = self.tracks.get(track_id) else { return false };
        let Some(voice) = self.peers.get_mut(owner).and_then(|peer| peer.voice.as_mut()) else {
            return false;
        };
        voice.outputs.retain(|output| !links.contains(&output.link));
        let change = AudioCommand::SetOutputs { id: voice.id, outputs: voice.outputs.clone() };
        let worker = voice.worker;
        self.audio(worker, change);
        true
    }

    /// What made a track ends.
    pub(super) fn remove_voice(&mut self, voice: &Voice) {
        self.audio(voice.worker, AudioCommand::Remove { id: voice.id });
        self.numbers.free(voice.id.0);
    }
}

/// What browsers are sent.
pub(super) fn for_browsers() -> SendFormat {
    SendFormat {
        codec: AudioCodec::Opus(OpusConfig::default()),
        payload_type: Chosen::opus().main.number,
        ptime_ms: PTIME_MS,
    }
}

/// A worker's stream, as a shard takes it.
pub(super) fn import(number: u8, codec: Codec, clock_rate: u32) -> ImportConfig {
    ImportConfig {
        kind: MediaKind::Audio,
        payload_types: vec![PayloadType { number, rtx: None, codec, clock_rate }],
    }
}
