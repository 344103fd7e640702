//! What the node remembers: rooms, peers, their connections, tracks and subscriptions.

use std::collections::{BTreeMap, HashMap, HashSet};

use kaname_engine::core::Time;
use kaname_engine::core::command::{ExtensionIds, LegId, LinkId, MediaKind, SenderId, StreamId};
use kaname_engine::{DtlsParams, ShardId};
use tokio::sync::{mpsc, oneshot};

use super::announcer::Announcer;
use super::api::*;
use super::data::Bucket;
use super::mixer::Mixer;
use super::names::Ssrcs;
use super::phones::Phone;
use super::pins::{Pin, Wrong};
use super::speakers::Speakers;
use super::voice::Voice;
use crate::sdp::{Chosen, Ice};

/// A room. It lives on one shard as long as it fits there; packets of a larger one cross once for each other shard.
#[derive(Debug)]
pub(super) struct Room {
    /// Where it grows.
    pub(super) shard: ShardId,
    /// Created through the API.
    pub(super) permanent: bool,
    /// In the order of joining.
    pub(super) peers: Vec<PeerId>,
    /// Of these, who reads news.
    pub(super) readers: Vec<PeerId>,
    /// Of these, who publishes, by the number of their joining.
    pub(super) publishers: BTreeMap<u64, PeerId>,
    pub(super) speakers: Speakers,
    /// While telephones are in it, something is played to it, or its sound is recorded.
    pub(super) mixer: Option<Mixer>,
    /// From the first prompt that is played to it, until nobody is in it any more. None of its `peers`.
    pub(super) announcer: Option<Announcer>,
    /// What telephones have to type, and how often they typed something else.
    pub(super) pin: Option<Pin>,
    pub(super) wrong_pins: Wrong,
    /// The mixer plays a tone when somebody comes or goes.
    pub(super) tones: bool,
}

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerKind {
    /// A browser, or what speaks like one.
    Client,
    Phone,
    /// The room's own voice, which is no participant.
    Announcer,
}

/// A participant, or what is shown as one.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) name: String,
    pub(super) room: String,
    pub(super) shard: ShardId,
    pub(super) grants: Grants,
    /// `None` if nobody reads, once the reader is gone, or was cut off.
    pub(super) notices: Option<mpsc::Sender<Notice>>,
    /// Whoever waits for the end of the stay learns of it when this is dropped.
    pub(super) _stay: oneshot::Sender<()>,
    /// Joins of the node before this one.
    pub(super) order: u64,
    pub(super) kind: PeerKind,
    /// What a telephone has in place of a leg.
    pub(super) phone: Option<Phone>,
    /// What makes its track, where that is an audio worker.
    pub(super) voice: Option<Voice>,
    /// `None` before the first answer.
    pub(super) leg: Option<Leg>,
    pub(super) tracks: Vec<Track>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Open data channels and their labels.
    pub(super) channels: HashMap<u16, String>,
    pub(super) messages: Bucket,
    pub(super) message_bytes: Bucket,
    /// When the peer may next be told that it sends too fast.
    pub(super) next_warning: Time,
}

/// A peer's connection.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) local: Ice,
    pub(super) remote: Ice,
    /// What the handshake workers were told.
    pub(super) dtls: DtlsParams,
    pub(super) extensions: ExtensionIds,
    /// `o=` of the answers.
    pub(super) session_id: u64,
    pub(super) version: u64,
    /// What the leg sends under.
    pub(super) ssrcs: Ssrcs,
    /// How many m-lines the latest offer had.
    pub(super) sections: usize,
    /// The m-line of the bundle's transport: media, protocol, formats, mid.
    pub(super) tagged: [String; 4],
    /// The handshake is complete.
    pub(super) connected: bool,
    /// When the handshake must be complete.
    pub(super) deadline: Time,
}

/// How a published m-line is received. If it changes, the track ends and another begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: TrackKind,
    pub(super) source: Source,
    pub(super) chosen: Chosen,
    pub(super) ssrc: Option<u32>,
    pub(super) rtx_ssrc: Option<u32>,
    /// Simulcast layers, best first; empty without simulcast.
    pub(super) rids: Vec<String>,
    pub(super) transport_cc: bool,
}

/// What a peer publishes on one m-line.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: TrackId,
    pub(super) mid: String,
    pub(super) shape: Shape,
    pub(super) muted: bool,
    /// Best first; one without simulcast.
    pub(super) layers: Vec<Layer>,
    /// The layer that subscribers get.
    pub(super) best: usize,
    /// Other shards that it goes to.
    pub(super) spans: HashMap<ShardId, Span>,
}

/// A track's way to another shard: all its layers, of which the ones that nobody watches do not cross.
#[derive(Debug)]
pub(super) struct Span {
    /// Subscriptions there.
    pub(super) subscriptions: usize,
    /// One for each layer.
    pub(super) links: Vec<LinkId>,
}

/// One encoding of a track.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) rid: Option<String>,
    pub(super) stream: StreamId,
    /// Packets at the latest look, and when they last grew.
    pub(super) packets: u64,
    pub(super) alive: Option<Time>,
}

/// What a peer is sent on one m-line.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) mid: String,
    pub(super) track: TrackId,
    pub(super) from: PeerId,
    pub(super) sender: SenderId,
    pub(super) ssrc: u32,
    pub(super) rtx_ssrc: Option<u32>,
    pub(super) chosen: Chosen,
}

impl TrackKind {
    pub(super) fn core(self) -> MediaKind {
        match self {
            TrackKind::Audio => MediaKind::Audio,
            TrackKind::Video => MediaKind::Video,
        }
    }
}

impl Subscription {
    /// Whether it is this one, and so goes on as it is.
    pub(super) fn is(&self, mid: &str, track: &TrackId, chosen: &Chosen) -> bool {
        self.mid == mid && self.track == *track && self.chosen == *chosen
    }
}

impl Track {
    pub(super) fn info(&self) -> TrackInfo {
        TrackInfo {
            id: self.id.clone(),
            kind: self.shape.kind,
            source: self.shape.source,
            muted: self.muted,
            codec: self.shape.chosen.main.name.clone(),
        }
    }

    /// The stream that subscribers get.
    pub(super) fn stream(&self) -> StreamId {
        self.layers[self.best].stream
    }
}

impl Peer {
    pub(super) fn info(&self) -> PeerInfo {
        PeerInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            phone: self.kind == PeerKind::Phone,
            announcer: self.kind == PeerKind::Announcer,
            tracks: self.tracks.iter().map(Track::info).collect(),
        }
    }

    pub(super) fn track(&self, id: &TrackId) -> Option<&Track> {
        self.tracks.iter().find(|t| t.id == *id)
    }

    /// The SSRCs that the peer sends.
    pub(super) fn own_ssrcs(&self) -> HashSet<u32> {
        self.tracks.iter().flat_map(|t| [t.shape.ssrc, t.shape.rtx_ssrc]).flatten().collect()
    }
}

impl Source {
    /// The MediaStream of a subscription: what belongs together lip-synchronously has one name (RFC 8830).
    pub(super) fn stream_name(self, publisher: &PeerId) -> String {
        match self {
            Source::Microphone | Source::Camera => publisher.to_string(),
            Source::Screen => format!("{publisher}-screen"),
        }
    }
}
