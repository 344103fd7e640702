//! What a client has seen so far, for its owner to look at and to wait on.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::ClientError;

/// How long a client is waited for before it is called hung. Nothing that works takes a tenth of it, except the end of
/// consent (30 s, RFC 7675).
const HUNG: Duration = Duration::from_secs(75);

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Opus.
    Audio,
    /// H.264.
    Video,
}

/// What came of one remote track.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Who sends it: the peer's id, and the number in its name (`publisher-7` is 7).
    pub peer: String,
    /// The number at the end of the sender's name, by which its pictures and sounds are recognised.
    pub sender: u16,
    /// Sound or picture.
    pub kind: Kind,
    /// The node says that it is muted.
    pub muted: bool,
    /// RTP packets that came, repairs included.
    pub packets: u64,
    /// Pictures, or stretches of 20 ms of sound, that were what was sent.
    pub right: u64,
    /// Pictures that were not, or could not be decoded. For sound, stretches without the tone.
    pub wrong: u64,
    /// Packets given up when pictures were put together.
    pub gaps: u64,
    /// SSRCs its packets came under.
    pub ssrcs: Vec<u32>,
}

impl Heard {
    /// Nothing has come yet.
    pub fn new(peer: &str, sender: u16, kind: Kind) -> Heard {
        Heard {
            peer: peer.to_owned(),
            sender,
            kind,
            muted: false,
            packets: 0,
            right: 0,
            wrong: 0,
            gaps: 0,
            ssrcs: Vec::new(),
        }
    }
}

/// Everything a client has seen.
#[derive(Clone, Debug, Default)]
pub struct PeerState {
    /// Own id, once joined.
    pub id: Option<String>,
    /// ICE and DTLS stand.
    pub connected: bool,
    /// `1.2` or `1.3`, once connected.
    pub dtls: Option<String>,
    /// ICE says that the path is lost.
    pub disconnected: bool,
    /// Own tracks by id.
    pub published: BTreeMap<String, Kind>,
    /// Other peers in the room: id to name.
    pub peers: BTreeMap<String, String>,
    /// Remote tracks by id, as far as subscribed.
    pub heard: BTreeMap<String, Heard>,
    /// Data channels that are open, by label.
    pub channels: Vec<String>,
    /// Messages that came over data channels: label and text.
    pub messages: Vec<(String, String)>,
    /// Key frames that receivers asked this client for.
    pub key_frame_requests: u64,
    /// RTX packets sent, and received.
    pub repairs: (u64, u64),
    /// The user name of its connectivity checks (RFC 8445 section 7.2.2): the node's fragment, `:`, its own.
    pub ice_user: Option<String>,
    /// Offers answered by the node.
    pub negotiations: u64,
    /// Who speaks, loudest first, as the node last said.
    pub speakers: Vec<String>,
    /// Refusals of the node that did not end the session: code and message.
    pub refusals: Vec<(String, String)>,
    /// Why the session ended, once it has.
    pub ended: Option<String>,
}

impl PeerState {
    /// Whether `tracks` remote tracks bring at least `at_least` right pictures or sounds each.
    pub fn receives(&self, tracks: usize, at_least: u64) -> bool {
        self.heard.len() >= tracks && self.heard.values().all(|h| h.right >= at_least)
    }
}

/// Waits until a client has seen what a condition asks for.
pub(super) async fn until(
    state: &mut watch::Receiver<PeerState>,
    condition: impl Fn(&PeerState) -> bool,
) -> Result<PeerState, ClientError> {
    let came = {
        let wait = tokio::time::timeout(HUNG, state.wait_for(|s| condition(s) || s.ended.is_some()));
        wait.await.map(|came| came.map(|s| s.clone()))
    };
    let Ok(came) = came else {
        return Err(ClientError::Hung(Box::new(state.borrow().clone())));
    };
    let seen = came.map_err(|_| ClientError::Closed("the client's task ended".into()))?;
    if condition(&seen) {
        return Ok(seen);
    }
    Err(ClientError::Closed(seen.ended.unwrap_or_default()))
}
