//! The state of a node and what all operations share. Nothing here waits: time is an argument, and the engine is
//! told in commands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use kaname_engine::ShardId;
use kaname_engine::audio::{AudioCommand, AudioId};
use kaname_engine::core::command::{LegId, StreamId};
use kaname_engine::core::{Command, Time};
use tokio::sync::mpsc::error::TrySendError;

use super::announcer::Announcer;
use super::api::*;
use super::engine::{MediaEngine, Refused};
use super::error::NodeError;
use super::handle::{NodeConfig, StartError};
use super::model::{Peer, Room, Track};
use super::names::{Numbers, Random};
use super::phone_sound::SoundOf;
use super::pins::Callers;
use super::stats::Pending;

/// Commands waiting for a shard whose queue is full; with more, nothing new is begun there. What ends is always
/// queued, so that there are no ghosts.
const BACKLOG: usize = 1_024;

/// All that a node knows.
pub(super) struct State {
    pub(super) engine: Arc<dyn MediaEngine>,
    pub(super) config: NodeConfig,
    pub(super) fingerprint: String,
    pub(super) random: Random,
    pub(super) numbers: Numbers,
    pub(super) shards: Vec<Shard>,
    /// Commands that an audio worker's full queue refused, by worker.
    pub(super) audio_backlogs: Vec<VecDeque<AudioCommand>>,
    pub(super) rooms: BTreeMap<String, Room>,
    pub(super) peers: HashMap<PeerId, Peer>,
    /// What is recorded, by recorder; a name is free again when its file is complete.
    pub(super) recordings: HashMap<AudioId, SoundOf>,
    /// Telephones that typed wrong PINs.
    pub(super) callers: Callers,
    /// Who publishes a track.
    pub(super) tracks: HashMap<TrackId, PeerId>,
    pub(super) pending: HashMap<u64, Pending>,
    pub(super) next_token: u64,
    /// Never one twice.
    pub(super) next_link: u64,
    pub(super) next_settling: Time,
    pub(super) next_layer_check: Time,
    pub(super) counters: NodeCounters,
    /// Set by a drain: nothing new is accepted.
    pub(super) closing: bool,
}

/// What the node knows of a shard.
pub(super) struct Shard {
    /// What candidates name.
    pub(super) addresses: Vec<SocketAddr>,
    /// Peers placed here, and those so lately that the load does not show them.
    pub(super) peers: usize,
    pub(super) fresh: u32,
    pub(super) legs: HashMap<LegId, PeerId>,
    pub(super) streams: HashMap<StreamId, (PeerId, TrackId)>,
    pub(super) backlog: VecDeque<Command>,
    /// Its thread has died.
    pub(super) dead: bool,
}

impl State {
    pub(super) fn new(
        engine: Arc<dyn MediaEngine>,
        config: NodeConfig,
        random: Random,
    ) -> Result<State, StartError> {
        let mut shards = Vec::new();
        for index in 0..engine.shards() {
            let bound = engine.addresses(ShardId(index));
            shards.push(Shard {
                addresses: candidates(&bound, &config)?,
                peers: 0,
                fresh: 0,
                legs: HashMap::new(),
                streams: HashMap::new(),
                backlog: VecDeque::new(),
                dead: false,
            });
        }
        if shards.is_empty() {
            return Err(StartError::NoAddress);
        }
        let fingerprint = engine.fingerprint();
        let audio_backlogs = std::iter::repeat_with(VecDeque::new).take(engine.audio_workers()).collect();
        Ok(State {
            engine,
            config,
            fingerprint,
            random,
            numbers: Numbers::default(),
            shards,
            audio_backlogs,
            rooms: BTreeMap::new(),
            peers: HashMap::new(),
            recordings: HashMap::new(),
            callers: Callers::default(),
            tracks: HashMap::new(),
            pending: HashMap::new(),
            next_token: 0,
            next_link: 0,
            next_settling: Time::ZERO,
            next_layer_check: Time::ZERO,
            counters: NodeCounters::default(),
            closing: false,
        })
    }

    /// Hands a shard a command, behind those that wait.
    pub(super) fn command(&mut self, shard: ShardId, command: Command) {
        let Some(state) = self.shards.get_mut(shard.0).filter(|s| !s.dead) else { return };
        if !state.backlog.is_empty() {
            state.backlog.push_back(command);
            return;
        }
        if let Err(Refused::Full(command)) = self.engine.command(shard, command) {
            state.backlog.push_back(command);
        }
    }

    /// Hands an audio worker a command, behind those that wait.
    pub(super) fn audio(&mut self, worker: usize, command: AudioCommand) {
        let Some(backlog) = self.audio_backlogs.get_mut(worker) else { return };
        if !backlog.is_empty() {
            backlog.push_back(command);
        } else if let Err(command) = self.engine.audio(worker, command) {
            backlog.push_back(command);
        }
    }

    /// Tries the commands that wait again.
    pub(super) fn flush(&mut self) {
        for (worker, backlog) in self.audio_backlogs.iter_mut().enumerate() {
            while let Some(command) = backlog.pop_front() {
                if let Err(command) = self.engine.audio(worker, command) {
                    backlog.push_front(command);
                    break;
                }
            }
        }
        for (index, shard) in self.shards.iter_mut().enumerate() {
            while let Some(command) = shard.backlog.pop_front() {
                if let Err(Refused::Full(command)) = self.engine.command(ShardId(index), command) {
                    shard.backlog.push_front(command);
                    break;
                }
            }
        }
    }

    pub(super) fn has_backlog(&self) -> bool {
        self.shards.iter().any(|s| !s.backlog.is_empty()) || self.audio_backlogs.iter().any(|b| !b.is_empty())
    }

    /// Whether something new may begin on this shard.
    pub(super) fn check_shard(&self, shard: ShardId) -> Result<(), NodeError> {
        match self.shards.get(shard.0) {
            Some(state) if !state.dead && state.backlog.len() <= BACKLOG => Ok(()),
            _ => Err(NodeError::Busy),
        }
    }

    pub(super) fn peer(&self, id: &PeerId) -> Result<&Peer, NodeError> {
        self.peers.get(id).ok_or(NodeError::NoSuchPeer)
    }

    /// How many are in the rooms.
    pub(super) fn participants(&self) -> usize {
        self.shards.iter().map(|shard| shard.peers).sum()
    }

    /// Names what will be told of later. Never one twice.
    pub(super) fn token(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        token
    }

    /// The track with its publisher.
    pub(super) fn track(&self, id: &TrackId) -> Option<(&Peer, &Track)> {
        let peer = self.peers.get(self.tracks.get(id)?)?;
        Some((peer, peer.track(id)?))
    }

    /// Tells one peer. A reader that does not keep up is cut off: the room does not wait for it.
    pub(super) fn tell(&mut self, id: &PeerId, notice: Notice) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(notices) = &peer.notices else { return };
        match notices.try_send(notice) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!(peer = %id, "too slow to read its notices, cut off");
                self.counters.slow_readers_total += 1;
                peer.notices = None;
            }
            Err(TrySendError::Closed(_)) => peer.notices = None,
        }
    }

    /// Tells everyone in a room but one.
    pub(super) fn tell_room(&mut self, room: &str, but: Option<&PeerId>, notice: &Notice) {
        let Some(room) = self.rooms.get(room) else { return };
        for id in room.readers.clone() {
            if Some(&id) != but {
                self.tell(&id, notice.clone());
            }
        }
    }

    pub(super) fn rooms(&self) -> Vec<RoomSummary> {
        let tracks =
            |room: &Room| room.peers.iter().filter_map(|p| Some(self.peers.get(p)?.tracks.len())).sum();
        let summary = |(name, room): (&String, &Room)| RoomSummary {
            name: name.clone(),
            peers: room.peers.len(),
            tracks: tracks(room),
            permanent: room.permanent,
            pin: room.pin.is_some(),
        };
        self.rooms.iter().map(summary).collect()
    }

    /// A room with its peers, without one of them.
    pub(super) fn room(&self, name: &str, but: Option<&PeerId>) -> Result<RoomInfo, NodeError> {
        let room = self.rooms.get(name).ok_or(NodeError::NoSuchRoom)?;
        let announcer = room.announcer.as_ref().map(Announcer::peer);
        let others = room.peers.iter().filter(|id| Some(*id) != but).chain(announcer);
        let peers = others.filter_map(|id| Some(self.peers.get(id)?.info())).collect();
        Ok(RoomInfo { name: name.to_owned(), peers })
    }

    pub(super) fn counters(&self) -> NodeCounters {
        let connected = |p: &&Peer| p.leg.as_ref().is_some_and(|l| l.connected);
        let shard = |index| {
            let counters = self.engine.counters(ShardId(index));
            let values = counters.values.into_iter().map(|(name, value)| (name.to_owned(), value));
            let drops =
                counters.drops.into_iter().map(|(why, value)| (format!("packets_dropped_{why}"), value));
            values.chain(drops).collect()
        };
        let worker = |index| {
            let counters = self.engine.audio_counters(index);
            let plain = |name: &str| name.strip_prefix("audio_").unwrap_or(name).to_owned();
            let values = counters.values.into_iter().map(|(name, value)| (plain(name), value));
            let drops =
                counters.drops.into_iter().map(|(why, value)| (format!("dropped_{}", plain(why)), value));
            values.chain(drops).collect()
        };
        NodeCounters {
            rooms: self.rooms.len() as u64,
            peers: self.participants() as u64,
            connected: self.peers.values().filter(connected).count() as u64,
            tracks: self.tracks.len() as u64,
            spans: self.peers.values().flat_map(|p| &p.tracks).map(|t| t.spans.len() as u64).sum(),
            subscriptions: self.peers.values().map(|p| p.subscriptions.len() as u64).sum(),
            shards: (0..self.shards.len()).map(shard).collect(),
            audio: (0..self.engine.audio_workers()).map(worker).collect(),
            ..self.counters.clone()
        }
    }

    /// Counts a refusal.
    pub(super) fn count<T>(&mut self, result: Result<T, NodeError>) -> Result<T, NodeError> {
        if let Err(error) = &result {
            *self.counters.refused_total.entry(error.code()).or_default() += 1;
        }
        result
    }
}

/// The addresses for candidates: the advertised ones with the shard's port, else the bound ones.
fn candidates(bound: &[SocketAddr], config: &NodeConfig) -> Result<Vec<SocketAddr>, StartError> {
    let mut addresses: Vec<SocketAddr> = match (config.advertise.as_slice(), bound.first()) {
        (_, None) => return Err(StartError::NoAddress),
        ([], _) => bound.iter().copied().filter(|a| !a.ip().is_unspecified()).collect(),
        (advertised, Some(first)) => {
            // Ports may differ by family only when chosen by the system.
            let port = |v4| bound.iter().find(|a| a.is_ipv4() == v4).unwrap_or(first).port();
            advertised.iter().map(|ip| SocketAddr::new(*ip, port(ip.is_ipv4()))).collect()
        }
    };
    addresses.dedup();
    if addresses.is_empty() { Err(StartError::NoAddress) } else { Ok(addresses) }
}
