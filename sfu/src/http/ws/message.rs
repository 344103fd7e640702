//! The messages of the page's WebSocket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::node::{Answer, Joined, Negotiation, NodeError, PeerInfo, PeerStats, Source, TrackId};
use crate::token::{GrantClaims, TokenError};

/// What a client says. Unknown types and unknown fields are errors that name them.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ClientMessage {
    Join {
        token: String,
        #[serde(default)]
        name: Option<String>,
    },
    Offer {
        id: u64,
        sdp: String,
        #[serde(default)]
        publish: BTreeMap<String, Publish>,
        #[serde(default)]
        subscribe: BTreeMap<String, TrackId>,
    },
    Mute {
        track: TrackId,
        muted: bool,
    },
    Stats {},
    Ping {},
    Leave {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    source: Source,
}

/// A frame that is no message: what is wrong, and the `id` it carried, if any.
pub(super) struct BadMessage {
    pub(super) id: Option<u64>,
    pub(super) message: String,
}

/// Parses one text frame.
pub(super) fn parse(text: &str) -> Result<ClientMessage, BadMessage> {
    if text.is_empty() {
        return Err(BadMessage { id: None, message: "send JSON in text frames".into() });
    }
    serde_json::from_str(text).map_err(|error| {
        #[derive(Deserialize)]
        struct Id {
            id: Option<u64>,
        }
        let id = serde_json::from_str::<Id>(text).ok().and_then(|found| found.id);
        BadMessage { id, message: format!("the message is not understood: {error}") }
    })
}

/// The wish of an offer.
pub(super) fn negotiation(
    sdp: String,
    publish: BTreeMap<String, Publish>,
    subscribe: BTreeMap<String, TrackId>,
) -> Negotiation {
    Negotiation {
        sdp,
        publish: publish.into_iter().map(|(mid, wish)| (mid, wish.source)).collect(),
        subscribe,
    }
}

/// What the node says, beside [`crate::node::Notice`], which is sent as it is.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage {
    Joined {
        peer: Me,
        room: Room,
        peers: Vec<PeerInfo>,
        grants: Granted,
    },
    Answer {
        id: u64,
        #[serde(flatten)]
        answer: Answer,
    },
    Error {
        id: Option<u64>,
        code: &'static str,
        message: String,
    },
    Stats {
        #[serde(flatten)]
        stats: Box<PeerStats>,
    },
    Pong {},
}

#[derive(Serialize)]
pub(super) struct Me {
    id: String,
    name: String,
}

#[derive(Serialize)]
pub(super) struct Room {
    name: String,
}

#[derive(Serialize)]
pub(super) struct Granted {
    publish: bool,
    subscribe: bool,
    data: bool,
    admin: bool,
}

impl ServerMessage {
    pub(super) fn joined(joined: &Joined, grants: GrantClaims) -> ServerMessage {
        ServerMessage::Joined {
            peer: Me { id: joined.peer.id.to_string(), name: joined.peer.name.clone() },
            room: Room { name: joined.room.name.clone() },
            peers: joined.room.peers.clone(),
            grants: Granted {
                publish: grants.publish,
                subscribe: grants.subscribe,
                data: grants.data,
                admin: grants.admin,
            },
        }
    }

    pub(super) fn error(id: Option<u64>, code: &'static str, message: impl Into<String>) -> ServerMessage {
        ServerMessage::Error { id, code, message: message.into() }
    }

    pub(super) fn node_error(id: Option<u64>, error: &NodeError) -> ServerMessage {
        ServerMessage::error(id, error.code(), error.to_string())
    }

    pub(super) fn token_error(error: &TokenError) -> ServerMessage {
        ServerMessage::error(None, error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> BadMessage {
        match parse(text) {
            Ok(_) => panic!("{text} was understood"),
            Err(error) => error,
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(wrong(r#"{"type":"jion"}"#).message.contains("jion"));
        assert!(wrong(r#"{"type":"ping","extra":1}"#).message.contains("extra"));
        assert!(wrong(r#"{"type":"join"}"#).message.contains("token"));
        assert!(wrong(r#"{"type":"join","token":"x","nmae":"Ada"}"#).message.contains("nmae"));
        assert!(wrong(r#"{"token":"x"}"#).message.contains("type"));
        let offer = wrong(r#"{"type":"offer","id":7,"sdp":"","publish":{"0":{"source":"telescope"}}}"#);
        assert!(offer.message.contains("telescope"));
        assert_eq!(offer.id, Some(7));
        assert_eq!(wrong(r#"{"type":"offer","id":7,"sdp":"","sdp":""}"#).id, Some(7));
        assert_eq!(wrong("garbage").id, None);
        assert_eq!(wrong(r#"{"type":"offer","id":-7}"#).id, None);
        wrong(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    }

    #[test]
    fn an_offer_states_the_whole_wish() {
        let text = r#"{"type":"offer","id":7,"sdp":"v=0","publish":{"0":{"source":"microphone"}},"subscribe":{"3":"t_abc"}}"#;
        let Ok(ClientMessage::Offer { id: 7, sdp, publish, subscribe }) = parse(text) else {
            panic!("not understood")
        };
        let wish = negotiation(sdp, publish, subscribe);
        assert_eq!(wish.publish["0"], Source::Microphone);
        assert_eq!(wish.subscribe["3"], TrackId::new("t_abc"));
    }

    #[test]
    fn answers_have_the_agreed_shape() {
        let answer = Answer {
            sdp: "v=0".into(),
            publish: BTreeMap::from([("0".into(), TrackId::new("t_a"))]),
            subscribe: BTreeMap::new(),
        };
        let text = serde_json::to_string(&ServerMessage::Answer { id: 7, answer }).unwrap();
        assert_eq!(text, r#"{"type":"answer","id":7,"sdp":"v=0","publish":{"0":"t_a"},"subscribe":{}}"#);
        assert_eq!(serde_json::to_string(&ServerMessage::Pong {}).unwrap(), r#"{"type":"pong"}"#);
        let error = ServerMessage::error(None, "bad_sdp", "x");
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"type":"error","id":null,"code":"bad_sdp","message":"x"}"#
        );
    }
}
