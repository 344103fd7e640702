//! What the engine tells, and what time brings.

use kaname_engine::core::command::{LegId, StreamId};
use kaname_engine::core::event::{CommandError, Event};
use kaname_engine::core::{Command, Time};
use kaname_engine::{EngineEvent, ShardId};

use super::api::*;
use super::state::State;
use super::stay::End;

const TIMEOUT: End = End::Leave(LeaveReason::Timeout);

impl State {
    pub(super) fn event(&mut self, now: Time, shard: ShardId, event: EngineEvent) {
        match event {
            EngineEvent::Core(event) => self.core_event(now, shard, event),
            EngineEvent::Secured { leg, profile, dtls } => {
                tracing::debug!(leg = leg.0, ?profile, dtls, "secured");
                self.secured(shard, leg);
            }
            EngineEvent::SecureFailed { leg, reason } => {
                let message = format!("the connection failed: {reason}; join again");
                self.fail(shard, leg, "secure_failed", message);
            }
            // Rooms have RTP and RTCP on one port.
            EngineEvent::RtcpSecureFailed { .. } => {}
            // The peer said goodbye itself, so this is no time-out.
            EngineEvent::LegClosed { leg } => self.end_leg(shard, leg, End::Leave(LeaveReason::Left)),
            EngineEvent::ChannelOpened { leg, channel, label, .. } => {
                self.channel_opened(shard, leg, channel, label);
            }
            EngineEvent::ChannelMessage { leg, channel, kind, data } => {
                self.channel_message(now, (shard, leg), channel, kind, data);
            }
            EngineEvent::ChannelClosed { leg, channel } => self.channel_closed(shard, leg, channel),
            EngineEvent::Audio(event) => self.audio_event(now, event),
            EngineEvent::IoChanged { message } => {
                tracing::warn!(shard = shard.0, "{message}");
            }
            EngineEvent::PinFailed { error } => {
                tracing::warn!(shard = shard.0, error, "the shard runs unpinned");
            }
            EngineEvent::ShardFailed { message } => self.shard_failed(shard, &message),
        }
    }

    fn core_event(&mut self, now: Time, shard: ShardId, event: Event) {
        match event {
            Event::ConsentLost { leg } => self.end_leg(shard, leg, TIMEOUT),
            Event::KeyExhausted { leg } => {
                let message = "the connection's keys are used up; join again".to_owned();
                self.fail(shard, leg, "key_exhausted", message);
            }
            Event::StreamStarted { stream, .. } => self.layer_heard(now, shard, stream, Some(now)),
            Event::StreamEnded { stream } => self.layer_heard(now, shard, stream, None),
            Event::AudioLevel { stream, level, .. } => self.audio_level(now, shard, stream, level),
            Event::Stats { token, stats } => self.stats_arrived(now, token, &stats),
            Event::CommandFailed { leg, command, error } => self.command_failed(shard, leg, command, error),
            // Of interest to the handshake workers only.
            Event::PathValidated { .. }
            | Event::PathSelected { .. }
            | Event::RemoteLearned { .. }
            | Event::Datagram { .. } => {}
        }
    }

    fn end_leg(&mut self, shard: ShardId, leg: LegId, end: End) {
        if let Some(id) = self.peer_of(shard, leg).map(|p| p.id.clone()) {
            self.end(&id, end);
        }
    }

    /// The peer is told what went wrong, and leaves.
    fn fail(&mut self, shard: ShardId, leg: LegId, code: &'static str, message: String) {
        if let Some(id) = self.peer_of(shard, leg).map(|p| p.id.clone()) {
            tracing::warn!(peer = %id, code, message, "connection lost");
            self.tell(&id, Notice::Error { id: None, code, message });
            self.end(&id, TIMEOUT);
        }
    }

    fn secured(&mut self, shard: ShardId, leg: LegId) {
        let Some(peer) = self.peer_of(shard, leg) else { return };
        if let Some(leg) = &mut peer.leg {
            leg.connected = true;
        }
        let watched: Vec<TrackId> = peer.subscriptions.iter().map(|s| s.track.clone()).collect();
        for track in watched {
            let Some((_, track)) = self.track(&track) else { continue };
            if track.shape.kind == TrackKind::Video {
                let stream = track.stream();
                self.command(shard, Command::RequestKeyFrame { stream });
            }
        }
    }

    fn layer_heard(&mut self, now: Time, shard: ShardId, stream: StreamId, alive: Option<Time>) {
        let Some((peer, track)) = self.shards.get(shard.0).and_then(|s| s.streams.get(&stream)).cloned()
        else {
            return;
        };
        let tracks = self.peers.get_mut(&peer).map(|p| p.tracks.iter_mut());
        let Some(track) = tracks.and_then(|mut tracks| tracks.find(|t| t.id == track)) else { return };
        if let Some(layer) = track.layers.iter_mut().find(|l| l.stream == stream) {
            layer.alive = alive;
        }
        self.choose_layers(now, &peer);
    }

    fn audio_level(&mut self, now: Time, shard: ShardId, stream: StreamId, level: u8) {
        let Some((peer, track)) = self.shards.get(shard.0).and_then(|s| s.streams.get(&stream)) else {
            return;
        };
        let Some(found) = self.peers.get(peer) else { return };
        let speaks = |t: &super::model::Track| t.shape.source == Source::Microphone && !t.muted;
        if found.track(track).is_some_and(speaks)
            && let Some(room) = self.rooms.get_mut(&found.room)
        {
            room.speakers.level(now, peer, level);
        }
    }

    fn command_failed(
        &mut self,
        shard: ShardId,
        leg: Option<LegId>,
        command: &'static str,
        error: CommandError,
    ) {
        let reason = match error {
            CommandError::UnknownLeg => "unknown_leg",
            CommandError::UnknownStream => "unknown_stream",
            CommandError::UnknownSender => "unknown_sender",
            CommandError::Duplicate => "duplicate",
            CommandError::Full => "full",
            CommandError::NoPath => "no_path",
            CommandError::Invalid => "invalid",
        };
        *self.counters.commands_failed_total.entry(reason).or_default() += 1;
        tracing::debug!(
            shard = shard.0,
            leg = leg.map(|l| l.0),
            command,
            reason,
            "a shard refused a command"
        );
        // Unknown names are commands that crossed with an end, and the handshake's commands are not ours. The
        // others break the promise of an answer: better to end that stay than to leave it half working.
        let ours = matches!(command, "AddLeg" | "RestartIce" | "SetExtensions" | "AddStream" | "AddSender");
        let broken =
            ours && matches!(error, CommandError::Full | CommandError::Duplicate | CommandError::Invalid);
        if let (true, Some(leg)) = (broken, leg) {
            self.fail(shard, leg, "at_capacity", "the node is full; join again later".to_owned());
        }
    }

    fn shard_failed(&mut self, shard: ShardId, message: &str) {
        tracing::error!(shard = shard.0, message, "a shard died; its peers leave");
        let Some(state) = self.shards.get_mut(shard.0) else { return };
        state.dead = true;
        state.backlog.clear();
        let here = |id: &&PeerId| self.peers.get(*id).is_some_and(|p| p.shard == shard);
        let peers: Vec<PeerId> =
            self.rooms.values().flat_map(|r| r.peers.iter().filter(here)).cloned().collect();
        for id in peers {
            self.end(&id, TIMEOUT);
        }
        let announced = |(name, room): (&String, &super::model::Room)| {
            let announcer = self.peers.get(room.announcer.as_ref()?.peer())?;
            (announcer.shard == shard).then(|| name.clone())
        };
        for name in self.rooms.iter().filter_map(announced).collect::<Vec<_>>() {
            self.dismiss_announcer(&name);
        }
        // Permanent rooms that have nobody elsewhere would stay without a shard.
        let left = self.rooms.iter().filter(|(_, room)| room.shard == shard && room.peers.is_empty());
        for name in left.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.forget_room(&name);
        }
    }

    /// Every 100 ms.
    pub(super) fn tick(&mut self, now: Time) {
        self.flush();
        self.settle_load(now);
        self.expire_stats(now);
        self.check_layers(now);
        self.begin_announcements(now);
        let late =
            |p: &&super::model::Peer| p.leg.as_ref().is_some_and(|l| !l.connected && now >= l.deadline);
        let mut ghosts: Vec<PeerId> = self.peers.values().filter(late).map(|p| p.id.clone()).collect();
        ghosts.sort();
        for id in ghosts {
            let message = "no connection was made in time; let UDP or TCP through to the node".to_owned();
            self.tell(&id, Notice::Error { id: None, code: "not_connected", message });
            self.end(&id, TIMEOUT);
        }
        let told: Vec<(String, Vec<PeerId>)> = self
            .rooms
            .iter_mut()
            .filter_map(|(name, room)| Some((name.clone(), room.speakers.step(now)?)))
            .collect();
        for (room, peers) in told {
            self.tell_room(&room, None, &Notice::Speakers { peers });
        }
    }
}
