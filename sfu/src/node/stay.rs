//! Rooms, and the stay of a peer in one: joining, leaving, being removed.

use std::collections::BTreeMap;

use kaname_engine::ShardId;
use kaname_engine::audio::Prompt;
use kaname_engine::core::{Command, Time};
use tokio::sync::{mpsc, oneshot};

use super::api::*;
use super::data::Bucket;
use super::error::NodeError;
use super::model::{Peer, PeerKind, Room};
use super::names::{check_peer, check_room};
use super::pins::Wrong;
use super::speakers::Speakers;
use super::state::State;

/// Why a peer's stay ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The others are told this.
    Leave(LeaveReason),
    /// The room ends with all its peers.
    RoomDeleted,
    /// The node stops.
    Shutdown,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Leave(LeaveReason::Left) => "left",
            End::Leave(LeaveReason::Timeout) => "timeout",
            End::Leave(LeaveReason::Kicked) => "kicked",
            End::RoomDeleted => "room_deleted",
            End::Shutdown => "shutdown",
        }
    }

    /// What the peer itself is told; one that left knows.
    fn close(self) -> Option<CloseReason> {
        match self {
            End::Leave(LeaveReason::Left) => None,
            End::Leave(LeaveReason::Timeout) => Some(CloseReason::Timeout),
            End::Leave(LeaveReason::Kicked) => Some(CloseReason::Kicked),
            End::RoomDeleted => Some(CloseReason::RoomDeleted),
            End::Shutdown => Some(CloseReason::Shutdown),
        }
    }
}

impl State {
    pub(super) fn join(&mut self, now: Time, request: JoinRequest) -> Result<Joined, NodeError> {
        let room = request.room.clone();
        let joined = self.join_at(now, request, None)?;
        self.tone(&room, Prompt::join_tone);
        Ok(joined)
    }

    /// The same, for a telephone: its connection is on this shard already.
    pub(super) fn join_at(
        &mut self,
        now: Time,
        request: JoinRequest,
        at: Option<ShardId>,
    ) -> Result<Joined, NodeError> {
        if self.closing {
            return Err(NodeError::ShuttingDown);
        }
        check_room(&request.room)?;
        let request = JoinRequest { name: check_peer(&request.name)?, ..request };
        if !request.grants.join || !request.grants.covers(&request.room) {
            return Err(NodeError::Forbidden { action: "join this room" });
        }
        self.check_join(&request.room)?;
        let shard = at.unwrap_or(self.open_room(&request.room, false)?);
        let kind = if at.is_some() { PeerKind::Phone } else { PeerKind::Client };
        let (peer, notices, ended) = self.new_peer(now, kind, shard, &request);
        let id = peer.id.clone();
        tracing::info!(peer = %id, room = %request.room, shard = shard.0, identity = ?request.identity, "joined");
        let info = peer.info();
        self.peers.insert(id.clone(), peer);
        self.shards[shard.0].peers += 1;
        self.shards[shard.0].fresh += 1;
        if let Some(room) = self.rooms.get_mut(&request.room) {
            room.peers.push(id.clone());
            if request.news {
                room.readers.push(id.clone());
            }
        }
        self.counters.joins_total += 1;
        self.tell_room(&request.room, Some(&id), &Notice::PeerJoined { peer: info.clone() });
        let room = match request.news {
            true => self.room(&request.room, Some(&id))?,
            false => RoomInfo { name: request.room, peers: Vec::new() },
        };
        Ok(Joined { peer: info, room, notices, ended })
    }

    /// A peer that nobody knows yet, what it is told, and the end of its stay.
    pub(super) fn new_peer(
        &mut self,
        now: Time,
        kind: PeerKind,
        shard: ShardId,
        request: &JoinRequest,
    ) -> (Peer, mpsc::Receiver<Notice>, oneshot::Receiver<()>) {
        let limits = &self.config.limits;
        let (sender, notices) = mpsc::channel(limits.notices.max(1));
        let (stay, ended) = oneshot::channel();
        let peer = Peer {
            id: PeerId::new(format!("p_{}", self.random.letters(12))),
            name: request.name.clone(),
            room: request.room.clone(),
            shard,
            grants: request.grants.clone(),
            notices: request.news.then_some(sender),
            _stay: stay,
            order: self.counters.joins_total,
            kind,
            phone: None,
            voice: None,
            leg: None,
            tracks: Vec::new(),
            subscriptions: Vec::new(),
            channels: Default::default(),
            messages: Bucket::new(limits.messages_per_second, now),
            message_bytes: Bucket::new(limits.message_bytes_per_second, now),
            next_warning: now,
        };
        (peer, notices, ended)
    }

    fn check_join(&self, room: &str) -> Result<(), NodeError> {
        let limits = &self.config.limits;
        if self.participants() >= limits.peers {
            let hint = "join at another node, or when someone has left";
            return Err(NodeError::AtCapacity { what: "node", limit: limits.peers, unit: "peers", hint });
        }
        match self.rooms.get(room) {
            Some(room) if room.peers.len() >= limits.peers_per_room => Err(NodeError::AtCapacity {
                what: "room",
                limit: limits.peers_per_room,
                unit: "peers",
                hint: "join when someone has left",
            }),
            _ => Ok(()),
        }
    }

    /// Where the room grows; creates the room if it does not exist.
    fn open_room(&mut self, name: &str, permanent: bool) -> Result<ShardId, NodeError> {
        if self.rooms.contains_key(name) {
            return self.room_for_one_more(name);
        }
        let limit = self.config.limits.rooms;
        if self.rooms.len() >= limit {
            let hint = "delete one, or join one that exists";
            return Err(NodeError::AtCapacity { what: "node", limit, unit: "rooms", hint });
        }
        let shard = self.least_loaded()?;
        let room = Room {
            shard,
            permanent,
            peers: Vec::new(),
            readers: Vec::new(),
            publishers: BTreeMap::new(),
            speakers: Speakers::default(),
            mixer: None,
            announcer: None,
            pin: None,
            wrong_pins: Wrong::default(),
            tones: false,
        };
        self.rooms.insert(name.to_owned(), room);
        Ok(shard)
    }

    pub(super) fn create_room(&mut self, name: &str, settings: RoomSettings) -> Result<RoomInfo, NodeError> {
        if self.closing {
            return Err(NodeError::ShuttingDown);
        }
        check_room(name)?;
        if self.rooms.contains_key(name) {
            return Err(NodeError::RoomExists);
        }
        self.open_room(name, true)?;
        if let Some(room) = self.rooms.get_mut(name) {
            (room.pin, room.tones) = (settings.pin, settings.tones);
        }
        self.room(name, None)
    }

    pub(super) fn delete_room(&mut self, name: &str) -> Result<(), NodeError> {
        let room = self.rooms.get_mut(name).ok_or(NodeError::NoSuchRoom)?;
        room.permanent = false;
        for id in room.peers.clone() {
            self.end(&id, End::RoomDeleted);
        }
        self.forget_room(name);
        Ok(())
    }

    pub(super) fn kick(&mut self, room: &str, peer: &PeerId) -> Result<(), NodeError> {
        if self.peer(peer)?.room != room {
            return Err(NodeError::NoSuchPeer);
        }
        self.end(peer, End::Leave(LeaveReason::Kicked));
        Ok(())
    }

    pub(super) fn leave(&mut self, peer: &PeerId, reason: LeaveReason) -> Result<(), NodeError> {
        self.peer(peer)?;
        self.end(peer, End::Leave(reason));
        Ok(())
    }

    /// A clean stop.
    pub(super) fn drain(&mut self) {
        self.closing = true;
        let everyone: Vec<PeerId> = self.rooms.values().flat_map(|r| r.peers.clone()).collect();
        for id in everyone {
            self.end(&id, End::Shutdown);
        }
        for name in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.forget_room(&name);
        }
    }

    /// A room that nobody is in ends, and with it what is recorded of it.
    pub(super) fn forget_room(&mut self, name: &str) {
        self.dismiss_announcer(name);
        self.remove_mixer(name);
        self.rooms.remove(name);
    }

    /// Ends a stay: the others' subscriptions, the leg, the peer, and the room if it is left empty.
    pub(super) fn end(&mut self, id: &PeerId, end: End) {
        if let Some(room) = self.announced_room(id) {
            return self.dismiss_announcer(&room);
        }
        if let Some(reason) = end.close() {
            self.tell(id, Notice::Closed { reason });
        }
        let tracks = self.peers.get(id).map(|p| p.tracks.iter().map(|t| t.id.clone()).collect::<Vec<_>>());
        for track in tracks.unwrap_or_default() {
            self.mixer_forgets(&track);
            self.end_subscriptions(&track);
            self.tracks.remove(&track);
        }
        let Some(peer) = self.peers.remove(id) else { return };
        tracing::info!(peer = %id, room = %peer.room, reason = end.name(), "left");
        *self.counters.left_total.entry(end.name()).or_default() += 1;
        if let Some(phone) = &peer.phone {
            self.hang_up(&peer, phone);
            for layer in peer.tracks.iter().flat_map(|track| &track.layers) {
                self.command(peer.shard, Command::RemoveStream { stream: layer.stream });
            }
        }
        self.forget_leg(&peer, end);
        let (empty, ends) = self.rooms.get_mut(&peer.room).map_or((true, true), |room| {
            room.peers.retain(|p| p != id);
            room.readers.retain(|p| p != id);
            room.publishers.remove(&peer.order);
            room.speakers.forget(id);
            (room.peers.is_empty(), room.peers.is_empty() && !room.permanent)
        });
        if empty {
            self.dismiss_announcer(&peer.room);
        }
        if ends {
            self.forget_room(&peer.room);
        } else if let End::Leave(reason) = end {
            self.tell_room(&peer.room, Some(id), &Notice::PeerLeft { peer: id.clone(), reason });
            self.tone(&peer.room, Prompt::leave_tone);
        }
    }

    /// The leg ends with its streams and senders (so says the command); here their numbers become free.
    fn forget_leg(&mut self, peer: &Peer, end: End) {
        for subscription in &peer.subscriptions {
            self.unspan(&subscription.track, peer.shard);
        }
        let shard = &mut self.shards[peer.shard.0];
        shard.peers -= 1;
        shard.fresh = shard.fresh.saturating_sub(1);
        let shard = &mut self.shards[peer.shard.0];
        for layer in peer.tracks.iter().flat_map(|t| &t.layers) {
            shard.streams.remove(&layer.stream);
            self.numbers.free(layer.stream.0);
        }
        for subscription in &peer.subscriptions {
            self.numbers.free(subscription.sender.0);
        }
        let Some(leg) = &peer.leg else { return };
        shard.legs.remove(&leg.id);
        self.numbers.free(leg.id.0);
        // A peer that is still there is told goodbye, so that it need not wait for its own time-out. Behind
        // waiting commands it cannot be: they might be about this leg.
        let there = end != End::Leave(LeaveReason::Timeout) && shard.backlog.is_empty();
        if !there || self.engine.close(peer.shard, leg.id).is_err() {
            self.command(peer.shard, Command::RemoveLeg { leg: leg.id });
        }
    }
}
