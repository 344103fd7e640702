//! What goes in and out of the node: identifiers, requests, replies and notices. What is serialisable here has
//! the shape that clients see on the WebSocket and the HTTP API.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::pins::Pin;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        #[derive(utoipa::ToSchema)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text, as it came from a client: it may name nothing.
            pub fn new(text: impl Into<String>) -> Self {
                $name(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A participant of a room, `p_…`. Never used twice while the node runs.
    PeerId
);
name_type!(
    /// A published track, `t_…`. Never used twice while the node runs.
    TrackId
);

/// What a bearer may do. Filled from a verified token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The room, or `*` for every room.
    pub room: String,
    /// May join it.
    pub join: bool,
    /// May publish tracks.
    pub publish: bool,
    /// May subscribe to tracks.
    pub subscribe: bool,
    /// May use data channels.
    pub data: bool,
    /// May mute others.
    pub admin: bool,
}

impl Grants {
    /// Whether they are for this room.
    pub fn covers(&self, room: &str) -> bool {
        self.room == "*" || self.room == room
    }
}

/// A wish to join.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`; created when it does not exist.
    pub room: String,
    /// Who it is by the token (`sub`), for logs and the API; need not be unique.
    pub identity: Option<String>,
    /// What others are shown: 1 to 64 characters, no control characters. Need not be unique.
    pub name: String,
    /// What the peer may do.
    pub grants: Grants,
    /// Whether the peer is told what happens in the room. A front door that has no way to tell it (WHIP, WHEP) says no, and
    /// is told the end only; a join then costs the same however many are in the room.
    pub news: bool,
}

/// Which of the room's tracks a viewer without a wish by m-line (WHEP) is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Whatever there is, of one publisher as far as possible.
    #[default]
    Any,
    /// Tracks of this publisher only.
    Peer(PeerId),
    /// This track only.
    Track(TrackId),
}

/// The reply to a join.
#[derive(Debug)]
pub struct Joined {
    /// The new peer (without tracks).
    pub peer: PeerInfo,
    /// The room and everyone else in it; nobody if the peer wants no news.
    pub room: RoomInfo,
    /// News of the room. When it ends without [`Notice::Closed`], the reader was too slow: the peer still
    /// exists and its media flows, and whoever read should call [`super::NodeHandle::leave`]. Nothing comes if the peer
    /// wants no news.
    pub notices: mpsc::Receiver<Notice>,
    /// Resolves (to an error, nothing is ever sent) when the stay is over.
    pub ended: oneshot::Receiver<()>,
}

/// Where a track comes from, as far as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(utoipa::ToSchema)]
pub enum Source {
    /// A microphone.
    Microphone,
    /// A camera.
    Camera,
    /// A shared screen (its picture or its sound).
    Screen,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(utoipa::ToSchema)]
pub enum TrackKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// A published track as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrackInfo {
    /// Its name.
    pub id: TrackId,
    /// Audio or video.
    pub kind: TrackKind,
    /// What it shows.
    pub source: Source,
    /// Whether the node withholds it.
    pub muted: bool,
    /// The codec's name in SDP, such as `opus` or `VP8`.
    pub codec: String,
}

/// A peer as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PeerInfo {
    /// Its name in the protocol.
    pub id: PeerId,
    /// Its name for people.
    pub name: String,
    /// It is a telephone: it hears a mix, and never shows a picture.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub phone: bool,
    /// It is nobody, but the room's own voice: what is played to the room. Counts for nothing, and hears nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcer: bool,
    /// What it publishes.
    pub tracks: Vec<TrackInfo>,
}

/// A room with its peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoomInfo {
    /// Its name.
    pub name: String,
    /// Who is in it (in a [`Joined`]: who else).
    pub peers: Vec<PeerInfo>,
}

/// A line of the list of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RoomSummary {
    /// Its name.
    pub name: String,
    /// How many peers.
    pub peers: usize,
    /// How many published tracks.
    pub tracks: usize,
    /// Stays when the last peer leaves (it was created through the API, not by a join).
    pub permanent: bool,
    /// Telephones that call it have to type a PIN.
    pub pin: bool,
}

/// How a room that is created differs from one that is only joined.
#[derive(Clone, Debug, Default)]
pub struct RoomSettings {
    /// What telephones that call it have to type.
    pub pin: Option<Pin>,
    /// Telephones in it hear a tone when somebody joins or leaves.
    pub tones: bool,
}

/// An offer and what it is meant for. The maps state the whole wish each time: a mid that is not named any more
/// is unpublished or unsubscribed.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    /// The offer.
    pub sdp: String,
    /// By mid of the m-lines that send.
    pub publish: BTreeMap<String, Source>,
    /// By mid of the m-lines that receive. A track that has just gone is left out of the answer's map, and its
    /// m-line is answered `inactive`.
    pub subscribe: BTreeMap<String, TrackId>,
}

/// The answer to a [`Negotiation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The answer.
    pub sdp: String,
    /// What is published, by mid.
    pub publish: BTreeMap<String, TrackId>,
    /// What is subscribed, by mid.
    pub subscribe: BTreeMap<String, TrackId>,
}

/// Why a peer is gone, as the others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// By itself.
    Left,
    /// It never connected, or its connection was lost.
    Timeout,
    /// An administrator removed it.
    Kicked,
}

/// Why the node ended a peer's stay, as it is told itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// An administrator removed it.
    Kicked,
    /// The room was deleted.
    RoomDeleted,
    /// The node stops.
    Shutdown,
    /// It never connected, or its connection was lost.
    Timeout,
}

/// News for one peer; serialises to the WebSocket's message (`{"type":"peer_joined",…}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// Someone joined.
    PeerJoined {
        /// Who.
        peer: PeerInfo,
    },
    /// Someone is gone.
    PeerLeft {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// There is something new to subscribe to.
    TrackPublished {
        /// Whose.
        peer: PeerId,
        /// What.
        track: TrackInfo,
    },
    /// A track is gone.
    TrackUnpublished {
        /// Whose.
        peer: PeerId,
        /// Which.
        track: TrackId,
    },
    /// A track was muted or is heard again (the owner is told as well).
    TrackMuted {
        /// Which.
        track: TrackId,
        /// Muted from now on.
        muted: bool,
    },
    /// Who speaks, loudest first; empty when nobody does. At most three a second.
    Speakers {
        /// Who.
        peers: Vec<PeerId>,
    },
    /// What the peer did outside a request was refused, such as a data message that was too large. `id` is
    /// always null.
    Error {
        /// Always `None`: it answers no request.
        id: Option<u64>,
        /// Stable.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The stay is over; nothing follows.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// The reply to an ICE fragment (RFC 8840) of a WHIP or WHEP client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FragmentReply {
    /// Only candidates, which an ICE-lite node does not need: answer 204.
    Accepted,
    /// An ICE restart: answer 200 with this `application/trickle-ice-sdpfrag`.
    Restarted(String),
}

/// Figures of one peer since it connected. `{"peer":"p_1","connected":true,"round_trip_ms":12.5,…}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PeerStats {
    /// Whose.
    pub peer: PeerId,
    /// Its handshake is complete.
    pub connected: bool,
    /// Where its packets go, `udp 192.0.2.7:5000`; null before ICE has chosen.
    pub path: Option<String>,
    /// Round trip by RTCP in milliseconds; null before the first report.
    pub round_trip_ms: Option<f64>,
    /// Datagrams from the peer, all kinds.
    pub packets_in: u64,
    /// Bytes from the peer.
    pub bytes_in: u64,
    /// Datagrams to the peer.
    pub packets_out: u64,
    /// Bytes to the peer.
    pub bytes_out: u64,
    /// What the peer publishes, one line for each encoding.
    pub published: Vec<PublishedStats>,
    /// What the peer is sent, one line for each subscription.
    pub subscribed: Vec<SubscribedStats>,
}

/// Figures of one encoding that the node receives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublishedStats {
    /// Of this track.
    pub track: TrackId,
    /// Its m-line.
    pub mid: String,
    /// Its simulcast layer; null without simulcast.
    pub rid: Option<String>,
    /// Audio or video.
    pub kind: TrackKind,
    /// What it shows.
    pub source: Source,
    /// The codec's name in SDP.
    pub codec: String,
    /// Authenticated packets, without repairs.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Expected less received (RFC 3550 appendix A.3).
    pub lost: i64,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: f64,
    /// Packets that the node asked for again.
    pub nacks: u64,
    /// Packets recovered by RTX.
    pub recovered: u64,
    /// Key frames seen.
    pub key_frames: u64,
    /// Key frames that the node asked for.
    pub key_frame_requests: u64,
}

/// Figures of one subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubscribedStats {
    /// The track that is sent.
    pub track: TrackId,
    /// Its publisher.
    pub from: PeerId,
    /// The m-line at the subscriber.
    pub mid: String,
    /// Audio or video.
    pub kind: TrackKind,
    /// The codec's name in SDP.
    pub codec: String,
    /// Packets sent, without repairs.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// Lost on the way, by the receiver's reports.
    pub lost: i64,
    /// Jitter at the receiver in milliseconds, by its reports.
    pub jitter_ms: f64,
    /// Key frames that the receiver asked for.
    pub key_frame_requests: u64,
}

/// Counts for `/metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeCounters {
    /// Rooms now.
    pub rooms: u64,
    /// Peers now.
    pub peers: u64,
    /// Peers whose handshake is complete, now.
    pub connected: u64,
    /// Published tracks now.
    pub tracks: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Ways of tracks to other shards than their publisher's, now.
    pub spans: u64,
    /// Joins since the start.
    pub joins_total: u64,
    /// Answers given since the start.
    pub answers_total: u64,
    /// Requests refused since the start, by code of the error.
    pub refused_total: BTreeMap<&'static str, u64>,
    /// Peers gone since the start, by reason.
    pub left_total: BTreeMap<&'static str, u64>,
    /// Data messages relayed (counted once each receiver).
    pub data_relayed_total: u64,
    /// Data messages refused (too large, too fast, not text).
    pub data_refused_total: u64,
    /// Readers of notices that were too slow and were cut off.
    pub slow_readers_total: u64,
    /// Commands that a shard refused, by its reason.
    pub commands_failed_total: BTreeMap<&'static str, u64>,
    /// Events of media that came faster than the node could take them, and were dropped.
    pub events_dropped_total: u64,
    /// PINs that telephones typed, by what became of them: `right`, `wrong`, or `blocked` without being looked at.
    pub pins_total: BTreeMap<&'static str, u64>,
    /// Each shard's own counts, by name; `packets_dropped_…` by the core's reason.
    pub shards: Vec<BTreeMap<String, u64>>,
    /// Each audio worker's own counts, by name; `dropped_…` by its reason.
    pub audio: Vec<BTreeMap<String, u64>>,
}
