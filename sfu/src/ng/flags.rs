//! What a command asks for: every key and flag of the `ng` protocol, typed.
//!
//! Proxies write the same thing in several ways: as a key with a value, as a word in the `flags` list
//! (`rtcp-mux-offer`, `codec-strip-PCMU`, `ICE=force`), or all together as one string (`rtpp-flags`). All end in the same
//! fields. Blanks and hyphens are the same. What nobody knows is collected and never fatal.

mod attributes;
mod command;
mod error;
mod key;
mod options;
mod reader;
mod switch;
mod word;

use std::net::IpAddr;

use zeroize::Zeroizing;

pub use command::Command;
pub use error::FlagError;
pub use options::{
    All, AudioPlayer, DtlsMode, DtmfBlocking, DtmfOptions, EndpointLearning, Family, IceLite, IceMode,
    MediaEcho, PinWish, Play, ReplaceRules, T38Rules, Traffic,
};
pub use switch::{Switch, Switches};

use super::sdp::AttributeEdit;
use super::sdp::codecs::CodecRules;
use super::sdp::mux::MuxRules;
use super::sdp::protocol::ProtocolWish;
use super::sdp::security::SecurityRules;
use super::value::Dictionary;

/// How much is read, each with its reason.
pub mod limits {
    /// Bytes of a text that is no SDP and no blob. Call-IDs and tags have at most some hundred.
    pub const TEXT_BYTES: usize = 4_096;
    /// Entries of one list: as many codecs as there are payload types.
    pub const LIST: usize = 128;
    /// Words that are kept for the log because nobody knows them.
    pub const UNKNOWN: usize = 16;
}

/// A command with everything that it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// What is to be done.
    pub command: Command,
    /// `call-id`
    pub call_id: String,
    /// `from-tag`
    pub from_tag: Option<String>,
    /// `to-tag`
    pub to_tag: Option<String>,
    /// `via-branch`: the branch itself. Proxies resolve `auto`, `1`, `extra` and so on; left unresolved, they are no
    /// branch and are collected as unknown.
    pub via_branch: Option<String>,
    /// `from-tags`
    pub from_tags: Vec<String>,
    /// `label` or `from-label`
    pub label: Option<String>,
    /// `to-label`
    pub to_label: Option<String>,
    /// `set-label`
    pub set_label: Option<String>,
    /// `address`: selects a participant by its media address.
    pub address: Option<IpAddr>,
    /// `all`
    pub all: All,
    /// `sdp`. Holds keys: zeroized, and not printed.
    pub sdp: Option<Secret>,
    /// The words of the `flags` list that are simply on or off.
    pub switches: Switches,
    /// `replace`
    pub replace: ReplaceRules,
    /// `direction`, or one `interface`: towards the sender of the message, and towards the receiver.
    pub direction: Vec<String>,
    /// `received-from`
    pub received_from: Option<IpAddr>,
    /// `media-address`
    pub media_address: Option<IpAddr>,
    /// `address-family`
    pub address_family: Option<Family>,
    /// `ICE`
    pub ice: IceMode,
    /// `ICE-lite`
    pub ice_lite: Option<IceLite>,
    /// `rtcp-mux`
    pub rtcp_mux: MuxRules,
    /// `transport-protocol`, or `RTP`, `SRTP`, `AVP`, `AVPF`, `DTLS` one by one.
    pub protocol: ProtocolWish,
    /// `DTLS`; [`DtlsMode::Off`] stands in [`Flags::security`] too.
    pub dtls: DtlsMode,
    /// `DTLS-reverse`
    pub dtls_reverse: DtlsMode,
    /// `DTLS-fingerprint`: the name of a hash function.
    pub dtls_fingerprint: Option<kaname_engine::HashAlgorithm>,
    /// `SDES`, `OSRTP` and what of `DTLS` concerns the choice of keys.
    pub security: SecurityRules,
    /// `codec`, and the switches about codecs.
    pub codecs: CodecRules,
    /// `ptime`, in milliseconds.
    pub ptime_ms: Option<u32>,
    /// `ptime-reverse`, in milliseconds.
    pub ptime_reverse_ms: Option<u32>,
    /// `repacketize`, in milliseconds.
    pub repacketize_ms: Option<u32>,
    /// DTMF: blocking, triggers, delay.
    pub dtmf: DtmfOptions,
    /// `T.38`
    pub t38: T38Rules,
    /// `media-echo`
    pub media_echo: Option<MediaEcho>,
    /// `drop-traffic`
    pub traffic: Option<Traffic>,
    /// `audio-player`
    pub audio_player: AudioPlayer,
    /// `endpoint-learning`
    pub endpoint_learning: Option<EndpointLearning>,
    /// `TOS`: `Some(None)` leaves it as it is (negative), absent reverts to the default.
    pub tos: Option<Option<u8>>,
    /// `delay-buffer`, in milliseconds.
    pub delay_buffer_ms: Option<u32>,
    /// `delete-delay`, in seconds.
    pub delete_delay_s: Option<u32>,
    /// `generate-RTCP`
    pub generate_rtcp: Option<bool>,
    /// `record-call`
    pub record_call: Option<bool>,
    /// `metadata`
    pub metadata: Option<String>,
    /// `output-destination`
    pub output_destination: Option<String>,
    /// `xmlrpc-callback`
    pub xmlrpc_callback: Option<IpAddr>,
    /// What to play, and keys to press.
    pub play: Play,
    /// `limit` of `list`.
    pub limit: Option<u32>,
    /// `sdp-attr`: edits of the outgoing text, in order.
    pub attributes: Vec<AttributeEdit>,
    /// `room`: the caller joins this room of the node, which answers by itself. Not of rtpengine's protocol.
    pub room: Option<String>,
    /// `display-name`: what others in the room see of the caller.
    pub display_name: Option<String>,
    /// `from-number`: the same, when there is no name.
    pub from_number: Option<String>,
    /// `pin`: whether the caller has to type the room's PIN. Not of rtpengine's protocol.
    pub pin: PinWish,
    /// `supports` has `load limit`: a full node says so instead of an error.
    pub knows_load_limit: bool,
    /// Keys and words that nobody knows, escaped, for the log.
    pub unknown: Vec<crate::sdp::Quoted>,
}

/// A text that holds keys. Zeroized on drop, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a text.
    pub fn new(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl Flags {
    /// Reads a command.
    ///
    /// # Errors
    /// A [`FlagError`] names the key: an unknown command, a key that the command needs and lacks, a value of the wrong
    /// type or one that is none of its choices.
    pub fn read(dictionary: &Dictionary) -> Result<Flags, FlagError> {
        reader::read(dictionary)
    }

    /// Whether a word of the `flags` list is there.
    pub fn has(&self, switch: Switch) -> bool {
        self.switches.has(switch)
    }
}

#[cfg(test)]
mod tests;
