//! The node's WebSocket messages, as far as a client needs them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// From the client to the node.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    /// First of all.
    Join {
        /// JWT.
        token: String,
        /// Name to show.
        name: String,
    },
    /// The whole wish, each time.
    Offer {
        /// Comes back in the answer.
        id: u64,
        /// The offer.
        sdp: String,
        /// By mid, what is sent.
        publish: BTreeMap<String, Publish>,
        /// By mid, the track to receive.
        subscribe: BTreeMap<String, String>,
    },
    /// Mutes or unmutes an own track.
    Mute {
        /// Track.
        track: String,
        /// Muted or not.
        muted: bool,
    },
    /// Keeps the session alive.
    Ping,
    /// Goodbye.
    Leave,
}

/// What an m-line sends.
#[derive(Clone, Debug, Serialize)]
pub struct Publish {
    /// `microphone`, `camera` or `screen`.
    pub source: &'static str,
}

/// From the node to the client. Unknown kinds are left aside.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNode {
    /// Welcome.
    Joined {
        /// Oneself.
        peer: PeerInfo,
        /// Who is there.
        #[serde(default)]
        peers: Vec<PeerInfo>,
    },
    /// The answer to an offer.
    Answer {
        /// Of the offer.
        id: u64,
        /// The answer.
        sdp: String,
        /// By mid, the track made.
        #[serde(default)]
        publish: BTreeMap<String, String>,
        /// By mid, the track received.
        #[serde(default)]
        subscribe: BTreeMap<String, String>,
    },
    /// A refusal.
    Error {
        /// Of the offer, when it was one.
        id: Option<u64>,
        /// Machine-readable.
        code: String,
        /// For people.
        message: String,
    },
    /// Somebody came.
    PeerJoined {
        /// Who.
        peer: PeerInfo,
    },
    /// Somebody went.
    PeerLeft {
        /// Who.
        peer: String,
    },
    /// Something new to receive.
    TrackPublished {
        /// From whom.
        peer: String,
        /// What.
        track: TrackInfo,
    },
    /// Nothing more to receive.
    TrackUnpublished {
        /// What.
        track: String,
    },
    /// Muted or not any more.
    TrackMuted {
        /// What.
        track: String,
        /// Muted or not.
        muted: bool,
    },
    /// Who speaks.
    Speakers {
        /// Loudest first.
        peers: Vec<String>,
    },
    /// The end.
    Closed {
        /// Why.
        reason: String,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

/// A peer as the node describes it.
#[derive(Debug, Deserialize)]
pub struct PeerInfo {
    /// Id.
    pub id: String,
    /// Name to show.
    #[serde(default)]
    pub name: String,
    /// What it sends.
    #[serde(default)]
    pub tracks: Vec<TrackInfo>,
}

/// A track as the node describes it.
#[derive(Debug, Deserialize)]
pub struct TrackInfo {
    /// Id.
    pub id: String,
    /// `audio` or `video`.
    pub kind: String,
    /// Muted or not.
    #[serde(default)]
    pub muted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_the_protocol_has_them() {
        let joined = r#"{"type":"joined","peer":{"id":"p_1","name":"Ada"},"room":{"name":"lobby"},
            "peers":[{"id":"p_2","name":"Bo","tracks":[{"id":"t_9","kind":"audio","source":"microphone","muted":false}]}],
            "grants":{"publish":true,"subscribe":true,"data":true}}"#;
        let FromNode::Joined { peer, peers } = serde_json::from_str(joined).unwrap() else { panic!() };
        assert_eq!((peer.id.as_str(), peers[0].tracks[0].id.as_str()), ("p_1", "t_9"));
        assert!(matches!(serde_json::from_str(r#"{"type":"stats","x":1}"#).unwrap(), FromNode::Other));
        let mute = serde_json::to_value(ToNode::Mute { track: "t_x".into(), muted: true }).unwrap();
        assert_eq!(mute, serde_json::json!({"type":"mute","track":"t_x","muted":true}));
    }
}
