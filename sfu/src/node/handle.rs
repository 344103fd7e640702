//! The handle that the front doors hold, and how a node is started.

use std::net::IpAddr;
use std::sync::Arc;

use kaname_engine::ShardId;
use tokio::sync::{mpsc, oneshot};

use super::actor;
use super::api::*;
use super::engine::MediaEngine;
use super::error::NodeError;
use super::limits::NodeLimits;
use super::names::Random;
use super::phone_sound::SoundWish;
use super::phones::{PhoneLine, PhoneRequest};
use super::plan::Wish;
use super::queue::{EventQueue, EventSink, event_queue};
use super::state::State;
use crate::sdp::{Offer, SdpError};

/// Requests waiting for the actor. Each is handled in well under a millisecond, so this is a fraction of a second
/// of work; beyond, callers wait.
const REQUESTS: usize = 1_024;

/// How a node is started.
#[derive(Clone, Debug, Default)]
pub struct NodeConfig {
    /// How much it takes on.
    pub limits: NodeLimits,
    /// Addresses to put into candidates in place of the bound ones (a machine behind one-to-one address
    /// translation), with the shard's port. Empty: the engine's own.
    pub advertise: Vec<IpAddr>,
    /// The engine listens on TCP as well: offer passive TCP candidates (RFC 6544).
    pub tcp: bool,
}

/// Why a node did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The engine listens nowhere that a peer could be told.
    #[error("the engine has no address that a peer could be told; bind to a real address or advertise one")]
    NoAddress,
}

/// A node that is not running yet. Its sink exists before the engine does, since the engine needs it to start:
/// ```text
/// let (node, sink) = Node::new(config);
/// let engine = Engine::start(engine_config, move |shard, event| sink.push(shard, event))?;
/// let handle = node.start(Arc::new(engine))?;
/// ```
#[derive(Debug)]
pub struct Node {
    config: NodeConfig,
    events: EventQueue,
}

impl Node {
    /// A node and the sink for its engine's events.
    pub fn new(config: NodeConfig) -> (Node, EventSink) {
        let (sink, events) = event_queue();
        (Node { config, events }, sink)
    }

    /// Starts the actor as a task of the current tokio runtime. It ends after [`NodeHandle::drain`], or when all
    /// handles are gone.
    pub fn start(self, engine: Arc<dyn MediaEngine>) -> Result<NodeHandle, StartError> {
        self.start_with(engine, Random::system())
    }

    pub(super) fn start_with(
        self,
        engine: Arc<dyn MediaEngine>,
        random: Random,
    ) -> Result<NodeHandle, StartError> {
        let state = State::new(engine, self.config, random)?;
        let (requests, queue) = mpsc::channel(REQUESTS);
        tokio::spawn(actor::run(state, queue, self.events));
        Ok(NodeHandle { requests })
    }
}

/// What can be asked of the actor; each with the way back.
pub(super) enum Request {
    Join(JoinRequest, oneshot::Sender<Result<Joined, NodeError>>),
    Negotiate(PeerId, Result<Wish, SdpError>, oneshot::Sender<Result<Answer, NodeError>>),
    Ingest(PeerId, Result<Offer, SdpError>, oneshot::Sender<Result<Answer, NodeError>>),
    Watch(PeerId, Result<Offer, SdpError>, Choice, oneshot::Sender<Result<Answer, NodeError>>),
    Fragment(PeerId, String, oneshot::Sender<Result<FragmentReply, NodeError>>),
    Mute(PeerId, TrackId, bool, oneshot::Sender<Result<(), NodeError>>),
    MuteIn(String, TrackId, bool, oneshot::Sender<Result<(), NodeError>>),
    PhoneShard(String, oneshot::Sender<Result<ShardId, NodeError>>),
    JoinPhone(PhoneRequest, oneshot::Sender<Result<Joined, NodeError>>),
    ChangePhone(PeerId, PhoneLine, oneshot::Sender<Result<(), NodeError>>),
    Leave(PeerId, LeaveReason, oneshot::Sender<Result<(), NodeError>>),
    Kick(String, PeerId, oneshot::Sender<Result<(), NodeError>>),
    Rooms(oneshot::Sender<Vec<RoomSummary>>),
    Room(String, oneshot::Sender<Result<RoomInfo, NodeError>>),
    CreateRoom(String, RoomSettings, oneshot::Sender<Result<RoomInfo, NodeError>>),
    Sound(SoundWish, oneshot::Sender<Result<(), NodeError>>),
    DeleteRoom(String, oneshot::Sender<Result<(), NodeError>>),
    Stats(PeerId, oneshot::Sender<Result<PeerStats, NodeError>>),
    Counters(oneshot::Sender<NodeCounters>),
    Drain(oneshot::Sender<()>),
}

/// The node, for its front doors. Cheap to clone. Every operation either happens as a whole or changes nothing.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    requests: mpsc::Sender<Request>,
}

impl NodeHandle {
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, NodeError>>) -> Request,
    ) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| NodeError::ShuttingDown)?;
        answer.await.map_err(|_| NodeError::ShuttingDown)?
    }

    /// Joins a room, which is created when it does not exist. Needs the `join` grant for it.
    pub async fn join(&self, request: JoinRequest) -> Result<Joined, NodeError> {
        self.ask(|reply| Request::Join(request, reply)).await
    }

    /// Answers an offer: the first one connects the peer, later ones change what it publishes and subscribes to,
    /// or restart ICE. A refused offer changes nothing.
    pub async fn negotiate(&self, peer: PeerId, wish: Negotiation) -> Result<Answer, NodeError> {
        let wish = Wish::read(wish);
        self.ask(|reply| Request::Negotiate(peer, wish, reply)).await
    }

    /// WHIP: publishes every m-line of the offer that sends; audio as microphone, video as camera.
    pub async fn ingest(&self, peer: PeerId, offer: String) -> Result<Answer, NodeError> {
        let offer = Offer::parse(&offer);
        self.ask(|reply| Request::Ingest(peer, offer, reply)).await
    }

    /// WHEP: subscribes each m-line of the offer that receives to a chosen track of its kind.
    pub async fn watch(&self, peer: PeerId, offer: String, choice: Choice) -> Result<Answer, NodeError> {
        let offer = Offer::parse(&offer);
        self.ask(|reply| Request::Watch(peer, offer, choice, reply)).await
    }

    /// WHIP and WHEP: an `application/trickle-ice-sdpfrag` (RFC 8840, RFC 9725 section 4.3).
    pub async fn fragment(&self, peer: PeerId, fragment: String) -> Result<FragmentReply, NodeError> {
        self.ask(|reply| Request::Fragment(peer, fragment, reply)).await
    }

    /// Mutes or unmutes a track: the peer's own, or with the `admin` grant anyone's in the room.
    pub async fn mute(&self, by: PeerId, track: TrackId, muted: bool) -> Result<(), NodeError> {
        self.ask(|reply| Request::Mute(by, track, muted, reply)).await
    }

    /// The same for an administrator who is no peer. The caller has checked that.
    pub async fn mute_in(&self, room: String, track: TrackId, muted: bool) -> Result<(), NodeError> {
        self.ask(|reply| Request::MuteIn(room, track, muted, reply)).await
    }

    /// Where a telephone's leg is best made for this room.
    pub async fn phone_shard(&self, room: String) -> Result<ShardId, NodeError> {
        self.ask(|reply| Request::PhoneShard(room, reply)).await
    }

    /// A telephone joins a room, which is created when it does not exist: everyone is sent its voice as a track, and it is
    /// sent the mix of the others. It leaves by [`NodeHandle::leave`]; whoever made its leg ends that, also when
    /// [`Joined::ended`] says that the stay is over.
    pub async fn join_phone(&self, request: PhoneRequest) -> Result<Joined, NodeError> {
        self.ask(|reply| Request::JoinPhone(request, reply)).await
    }

    /// The telephone's codecs changed, or its connection.
    pub async fn change_phone(&self, peer: PeerId, line: PhoneLine) -> Result<(), NodeError> {
        self.ask(|reply| Request::ChangePhone(peer, line, reply)).await
    }

    /// The peer is gone, with all it published and subscribed to.
    pub async fn leave(&self, peer: PeerId, reason: LeaveReason) -> Result<(), NodeError> {
        self.ask(|reply| Request::Leave(peer, reason, reply)).await
    }

    /// Removes a peer; it is told why. The caller has checked the `admin` grant.
    pub async fn kick(&self, room: String, peer: PeerId) -> Result<(), NodeError> {
        self.ask(|reply| Request::Kick(room, peer, reply)).await
    }

    /// All rooms, by name. Empty when the node has stopped.
    pub async fn rooms(&self) -> Vec<RoomSummary> {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Rooms(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// One room with its peers and tracks.
    pub async fn room(&self, name: String) -> Result<RoomInfo, NodeError> {
        self.ask(|reply| Request::Room(name, reply)).await
    }

    /// Creates a room that stays when it is empty.
    pub async fn create_room(&self, name: String, settings: RoomSettings) -> Result<RoomInfo, NodeError> {
        self.ask(|reply| Request::CreateRoom(name, settings, reply)).await
    }

    /// Plays into a room or to one telephone in it, or records it.
    pub async fn sound(&self, wish: SoundWish) -> Result<(), NodeError> {
        self.ask(|reply| Request::Sound(wish, reply)).await
    }

    /// Ends a room; its peers are told.
    pub async fn delete_room(&self, name: String) -> Result<(), NodeError> {
        self.ask(|reply| Request::DeleteRoom(name, reply)).await
    }

    /// Figures of a peer.
    pub async fn stats(&self, peer: PeerId) -> Result<PeerStats, NodeError> {
        self.ask(|reply| Request::Stats(peer, reply)).await
    }

    /// Counts for the metrics. Zeros when the node has stopped.
    pub async fn counters(&self) -> NodeCounters {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Counters(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// A clean stop: everyone is told `shutdown`, legs are removed, later requests fail with `shutting_down`.
    /// Returns when that is done; the engine can be shut down then.
    pub async fn drain(&self) {
        let (reply, answer) = oneshot::channel();
        let _ = self.requests.send(Request::Drain(reply)).await;
        let _ = answer.await;
    }
}
