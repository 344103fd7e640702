//! Words that are on or off.

use super::word::same;

/// A word of the `flags` list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Switch {
    /// `allow-transcoding`
    AllowTranscoding,
    /// `asymmetric`
    Asymmetric,
    /// `block-short`, `block-short-packets`
    BlockShortPackets,
    /// `debug`, `debugging`
    Debug,
    /// `detect-DTMF`
    DetectDtmf,
    /// `discard-recording`
    DiscardRecording,
    /// `exclude-recording`
    ExcludeRecording,
    /// `early-media`
    EarlyMedia,
    /// `fatal`: an unknown call is an error for `delete`.
    Fatal,
    /// `full-rtcp-attribute`
    FullRtcpAttribute,
    /// `generate-mid`
    GenerateMid,
    /// `inactive`
    Inactive,
    /// `inject-DTMF`
    InjectDtmf,
    /// `loop-protect`
    LoopProtect,
    /// `media-handover`
    MediaHandover,
    /// `NAT-wait`
    NatWait,
    /// `no-port-latching`
    NoPortLatching,
    /// `no-rtcp-attribute`
    NoRtcpAttribute,
    /// `original-sendrecv`
    OriginalSendrecv,
    /// `pause`: `stop recording` only pauses.
    Pause,
    /// `pierce-NAT`
    PierceNat,
    /// `port-latching`
    PortLatching,
    /// `reject-ICE`
    RejectIce,
    /// `reset`
    Reset,
    /// `RTCP-mirror`
    RtcpMirror,
    /// `SIP-source-address`
    SipSourceAddress,
    /// `strict-source`
    StrictSource,
    /// `strip-extmap`
    StripExtmap,
    /// `symmetric`
    Symmetric,
    /// `trickle-ICE`
    TrickleIce,
    /// `trust-address`
    TrustAddress,
    /// `unidirectional`
    Unidirectional,
    /// Known, and without meaning for this node: `force`, `no-redis-update`, `force-answer`, `to-tag`.
    Ignored,
}

const WORDS: [(&str, Switch); 40] = [
    ("allow-transcoding", Switch::AllowTranscoding),
    ("asymmetric", Switch::Asymmetric),
    ("block-short", Switch::BlockShortPackets),
    ("block-short-packets", Switch::BlockShortPackets),
    ("debug", Switch::Debug),
    ("debugging", Switch::Debug),
    ("detect-DTMF", Switch::DetectDtmf),
    ("discard-recording", Switch::DiscardRecording),
    ("exclude-recording", Switch::ExcludeRecording),
    ("early-media", Switch::EarlyMedia),
    ("fatal", Switch::Fatal),
    ("full-rtcp-attribute", Switch::FullRtcpAttribute),
    ("full-rtcp-attr", Switch::FullRtcpAttribute),
    ("generate-mid", Switch::GenerateMid),
    ("inactive", Switch::Inactive),
    ("inject-DTMF", Switch::InjectDtmf),
    ("loop-protect", Switch::LoopProtect),
    ("media-handover", Switch::MediaHandover),
    ("NAT-wait", Switch::NatWait),
    ("no-port-latching", Switch::NoPortLatching),
    ("no-rtcp-attribute", Switch::NoRtcpAttribute),
    ("no-rtcp-attr", Switch::NoRtcpAttribute),
    ("original-sendrecv", Switch::OriginalSendrecv),
    ("pause", Switch::Pause),
    ("pierce-NAT", Switch::PierceNat),
    ("port-latching", Switch::PortLatching),
    ("reject-ICE", Switch::RejectIce),
    ("reset", Switch::Reset),
    ("RTCP-mirror", Switch::RtcpMirror),
    ("SIP-source-address", Switch::SipSourceAddress),
    ("strict-source", Switch::StrictSource),
    ("strip-extmap", Switch::StripExtmap),
    ("symmetric", Switch::Symmetric),
    ("trickle-ICE", Switch::TrickleIce),
    ("trust-address", Switch::TrustAddress),
    ("unidirectional", Switch::Unidirectional),
    ("force", Switch::Ignored),
    ("no-redis-update", Switch::Ignored),
    ("force-answer", Switch::Ignored),
    ("to-tag", Switch::Ignored),
];

impl Switch {
    /// Reads a word.
    pub(super) fn parse(word: &str) -> Option<Switch> {
        WORDS.into_iter().find(|(name, _)| same(name, word)).map(|(_, switch)| switch)
    }
}

/// Which words are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches(u64);

impl Switches {
    /// Whether it is there.
    pub fn has(self, switch: Switch) -> bool {
        self.0 & (1 << switch as u8) != 0
    }

    /// Adds one.
    pub fn add(&mut self, switch: Switch) {
        self.0 |= 1 << switch as u8;
    }
}
