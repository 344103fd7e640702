//! Values that are one of a few, and groups of keys that belong together.

/// `ICE`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IceMode {
    /// ICE goes out if it came in.
    #[default]
    Default,
    /// It is removed.
    Remove,
    /// Ours goes out, whether any came or not.
    Force,
    /// Theirs stays, without relayed candidates, and we are added as a relay.
    ForceRelay,
    /// Ours goes out if none came; otherwise we are added with low priority.
    Optional,
}

/// `ICE-lite`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceLite {
    /// Towards the receiver of the offer.
    Forward,
    /// Towards its sender.
    Backward,
    /// Both.
    Both,
    /// Neither.
    Off,
}

/// `DTLS`, `DTLS-reverse`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsMode {
    /// Nothing is said.
    #[default]
    Default,
    /// Neither offered nor accepted.
    Off,
    /// We wait for the ClientHello.
    Passive,
    /// We send it.
    Active,
}

/// `pin`: a caller of a room
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PinWish {
    /// Types its PIN if it has one.
    #[default]
    Ask,
    /// Types its PIN; a room without one does not let it in.
    Require,
    /// Is known to the proxy, and types none.
    Skip,
}

/// `address-family`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
}

/// `all`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum All {
    /// Only who is named.
    #[default]
    None,
    /// Everybody.
    All,
    /// Flows of offers and answers.
    OfferAnswer,
    /// Flows of subscriptions.
    ExceptOfferAnswer,
    /// All flows there are now.
    Flows,
}

/// `media-echo`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaEcho {
    /// Nothing is forwarded.
    Blackhole,
    /// The receiver of the message hears itself.
    Forward,
    /// Its sender does.
    Backwards,
    /// Both do.
    Both,
}

/// `drop-traffic`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// `start`: everything is dropped.
    Drop,
    /// `stop`: no longer.
    Pass,
}

/// `audio-player`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AudioPlayer {
    /// As configured.
    #[default]
    Default,
    /// When something is transcoded.
    Transcoding,
    /// Never.
    Off,
    /// Always.
    Always,
}

/// `endpoint-learning`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointLearning {
    /// Not at all.
    Off,
    /// From the first packet.
    Immediate,
    /// After a while.
    Delayed,
    /// By likeness to what was signalled.
    Heuristic,
}

/// `replace`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaceRules {
    /// The address of `o=`.
    pub origin: bool,
    /// The address of the session's `c=`, also where m-lines have their own.
    pub session_connection: bool,
    /// `s=` stays the same towards a peer.
    pub session_name: bool,
    /// The version of `o=` counts changes.
    pub sdp_version: bool,
    /// It counts every message.
    pub force_sdp_version: bool,
    /// The user name of `o=` stays the same towards a peer.
    pub username: bool,
    /// Address zero is replaced by a real one.
    pub zero_address: bool,
}

/// `T.38`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct T38Rules {
    /// Fax becomes audio. Not done here.
    pub decode: bool,
    /// Audio becomes fax. Not done here.
    pub force: bool,
    /// Back to passing through.
    pub stop: bool,
}

/// `DTMF-security`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtmfBlocking {
    /// Event packets are dropped.
    #[default]
    Drop,
    /// Silence instead.
    Silence,
    /// A tone instead.
    Tone,
    /// Other keys instead.
    Random,
    /// `0` instead.
    Zero,
    /// A given key instead.
    Key,
    /// Nothing is blocked.
    Off,
}

/// Keys about DTMF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtmfOptions {
    /// `DTMF-security`
    pub blocking: Option<DtmfBlocking>,
    /// `DTMF-security-trigger`
    pub trigger_blocking: Option<DtmfBlocking>,
    /// `DTMF-security-trigger-end`
    pub trigger_end_blocking: Option<DtmfBlocking>,
    /// `trigger`: keys.
    pub trigger: Option<String>,
    /// `trigger-end` or `end-trigger`
    pub trigger_end: Option<String>,
    /// `trigger-end-time`
    pub trigger_end_ms: Option<u32>,
    /// `trigger-end-digits`
    pub trigger_end_digits: Option<u32>,
    /// `DTMF-delay`
    pub delay_ms: Option<u32>,
    /// `DTMF-log-dest`
    pub log_to: Option<std::net::SocketAddr>,
    /// `frequency`, `frequencies`
    pub frequencies_hz: Vec<u32>,
}

/// Keys of `play media`, `stop media` and `play DTMF`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Play {
    /// `file`
    pub file: Option<String>,
    /// `blob`
    pub blob: Option<Vec<u8>>,
    /// `db-id`. There is no database here.
    pub db_id: Option<i64>,
    /// `repeat-times`; 1 when nothing is said.
    pub repeat_times: Option<u32>,
    /// `start-pos`, in frames.
    pub start_pos: Option<u32>,
    /// `code` or `digit`: the event of RFC 4733, 0 to 15.
    pub key: Option<u8>,
    /// `duration`, in milliseconds, brought to 100..=5000.
    pub duration_ms: Option<u32>,
    /// `pause`, in milliseconds, brought to 100..=5000.
    pub pause_ms: Option<u32>,
    /// `volume`, in -dB (positive), 0..=63.
    pub volume: Option<u8>,
}
