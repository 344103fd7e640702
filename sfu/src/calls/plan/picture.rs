//! What a call is to be.

use std::collections::BTreeMap;

use kaname_engine::Fingerprint;
use kaname_engine::audio::{KeyMask, TapConfig, TranscoderConfig};
use kaname_engine::core::command::{IceCredentials, MediaKind, PayloadMap, PayloadType, Remote};
use kaname_engine::srtp::Keying;

/// A side of an m-line: what one party's phone talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::calls) struct SideKey {
    /// Which party of the call.
    pub(in crate::calls) party: usize,
    /// Which m-line.
    pub(in crate::calls) media: usize,
}

/// Every side that is to live.
pub(in crate::calls) type Picture = BTreeMap<SideKey, Side>;

/// What a side is to be.
#[derive(Clone, Debug)]
pub(in crate::calls) struct Side {
    pub(in crate::calls) kind: MediaKind,
    /// It carries no RTP, but datagrams that are only relayed.
    pub(in crate::calls) is_fax: bool,
    /// Open ports, as the engine names them.
    pub(in crate::calls) rtp: u32,
    /// `None`: RTCP comes to the same port.
    pub(in crate::calls) rtcp: Option<u32>,
    pub(in crate::calls) ice: Option<IceCredentials>,
    pub(in crate::calls) remote: Remote,
    pub(in crate::calls) security: Security,
    /// What may come.
    pub(in crate::calls) sound: Sound,
    pub(in crate::calls) cname: String,
    /// What it is sent; `None`: nothing now.
    pub(in crate::calls) hears: Option<Hearing>,
    /// A worker listens to what comes, besides those who hear it.
    pub(in crate::calls) tap: Option<TapConfig>,
    /// What stands for its keys; nobody who listens hears them.
    pub(in crate::calls) mask: Option<KeyMask>,
}

/// What may come from a side. Another one begins a new stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::calls) struct Sound {
    pub(in crate::calls) formats: Vec<PayloadType>,
    /// Lost packets and key frames can be asked for (RFC 4585).
    pub(in crate::calls) feedback: bool,
}

/// How a side is protected.
#[derive(Clone, Debug)]
pub(in crate::calls) enum Security {
    /// Not at all.
    Plain,
    /// Keys that were signalled (RFC 4568).
    Sdes {
        /// What the peer protects with.
        theirs: Box<Keying>,
        /// What we protect with.
        ours: Box<Keying>,
    },
    /// Keys by handshake.
    Dtls {
        /// Of the peer's certificate.
        fingerprint: Fingerprint,
        /// Whether we begin.
        active: bool,
    },
}

/// What a side is sent.
#[derive(Clone, Debug)]
pub(in crate::calls) struct Hearing {
    /// Whom it hears.
    pub(in crate::calls) from: SideKey,
    /// How.
    pub(in crate::calls) manner: Manner,
}

/// How sound gets from one side to another.
#[derive(Clone, Debug)]
pub(in crate::calls) enum Manner {
    /// Datagrams pass as they are, whatever they are.
    Relay,
    /// Packets pass as they are, under other payload types.
    Pass(Vec<PayloadMap>),
    /// Nobody is heard, but what a worker plays.
    Solo(Box<TranscoderConfig>),
    /// A worker makes them anew.
    Transcode {
        /// From what to what.
        config: Box<TranscoderConfig>,
        /// What else it does to them.
        effects: Effects,
    },
}

/// What a worker does to what it hears of somebody, besides coding it anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::calls) struct Effects {
    /// Silence instead of what comes.
    pub(in crate::calls) silent: bool,
    /// What stands for keys.
    pub(in crate::calls) mask: Option<KeyMask>,
}
