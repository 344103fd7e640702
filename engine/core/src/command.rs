//! What the control plane tells a shard. The core knows only legs (a transport, its keys, its streams) and
//! routes between streams; rooms and calls are compiled into these.

mod transport;

use kaname_srtp::Keying;
use kaname_wire::path::Path;

pub use crate::crossing::LinkId;
pub use transport::{IceCredentials, Learn, LegConfig, Ports, Remote, Transport};

/// A transport and all that runs on it. Chosen by the control plane; unique among the live legs of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u32);

/// One encoding that a leg receives. Chosen by the control plane; unique among the live streams of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// One SSRC that a leg sends. Chosen by the control plane; unique among the live senders of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderId(pub u32);

/// What a port of a leg carries that has one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keyed {
    /// Media.
    Rtp,
    /// Reports.
    Rtcp,
}

/// An instruction to a shard. An instruction that names what does not exist, or exceeds a limit, changes
/// nothing and is answered by [`crate::Event::CommandFailed`].
#[derive(Debug)]
pub enum Command {
    /// A new leg: from now on connectivity checks with its credentials are answered, or packets at its ports heard.
    AddLeg(Box<LegConfig>),
    /// Where the peer of a leg on ports of its own is from now on (a new offer or answer, hold, a handshake that
    /// proved an address). Its SSRCs, sequence numbers, timestamps and roll-over counters go on.
    SetRemote {
        /// The leg.
        leg: LegId,
        /// The addresses, and whom to believe.
        remote: Remote,
    },
    /// ICE restart (RFC 8445 section 9): the new credentials count from now on; the old ones keep the old path
    /// alive until a check with the new ones nominates another.
    RestartIce {
        /// The leg.
        leg: LegId,
        /// The new credentials.
        ice: IceCredentials,
    },
    /// A renegotiation changed which header extensions the leg uses.
    SetExtensions {
        /// The leg.
        leg: LegId,
        /// The identifiers from now on.
        extensions: ExtensionIds,
    },
    /// The leg's media flows in the clear from now on (RTP/AVP); only for a leg on ports of its own.
    SetPlain {
        /// The leg.
        leg: LegId,
    },
    /// The keys of the leg, after its handshake or from SDES (RFC 4568). Media flows from now on. A second call
    /// re-keys the directions whose keying is another; a direction with the same keying goes on as it was. Each
    /// direction has a suite of its own.
    SetKeys {
        /// The leg.
        leg: LegId,
        /// What the peer protects with.
        inbound: Box<Keying>,
        /// What we protect with.
        outbound: Box<Keying>,
    },
    /// As [`Command::SetKeys`], of one of the leg's two ports, where each has a handshake of its own (RFC 5764 section
    /// 4.1): from now on RTCP is neither read nor sent under the keys of media. Only for a leg on ports of its own, one of which is
    /// for RTCP.
    SetKeysOf {
        /// The leg.
        leg: LegId,
        /// What they protect.
        of: Keyed,
        /// What the peer protects with.
        inbound: Box<Keying>,
        /// What we protect with.
        outbound: Box<Keying>,
    },
    /// Ends the leg with its streams, senders and routes. RTCP BYE is sent for its senders' SSRCs where the
    /// routes end at other legs' senders, those fall silent.
    RemoveLeg {
        /// The leg.
        leg: LegId,
    },
    /// The leg will receive this encoding.
    AddStream {
        /// The leg that receives it.
        leg: LegId,
        /// The new stream.
        stream: StreamId,
        /// How to recognise and treat it.
        config: Box<StreamConfig>,
    },
    /// The stream ends, and every route from it.
    RemoveStream {
        /// The stream.
        stream: StreamId,
    },
    /// The packets of the stream go to another shard as well, which imports it.
    ExportStream {
        /// The stream; not itself imported.
        stream: StreamId,
        /// Names this way of it; new for each.
        link: LinkId,
        /// The other shard.
        to: usize,
    },
    /// The stream no longer goes to that shard. Ends with the stream anyhow.
    EndExport {
        /// From its export.
        link: LinkId,
    },
    /// A stream that another shard exports: it is routed, muted and removed like one of a leg.
    ImportStream {
        /// What it is called here; often the same name as there.
        stream: StreamId,
        /// As in its export.
        link: LinkId,
        /// The shard that exports it.
        from: usize,
        /// How to treat it.
        config: Box<ImportConfig>,
    },
    /// The leg will send this SSRC.
    AddSender {
        /// The leg that sends it.
        leg: LegId,
        /// The new sender.
        sender: SenderId,
        /// Its identity on the wire.
        config: Box<SenderConfig>,
    },
    /// The sender ends, with an RTCP BYE.
    RemoveSender {
        /// The sender.
        sender: SenderId,
    },
    /// The sender forwards this stream from now on. Replaces an earlier route of the sender (another simulcast
    /// layer, another speaker): sequence and timestamps continue; video switches at the next key frame, which
    /// is asked for.
    Route {
        /// Where packets go.
        sender: SenderId,
        /// Where they come from.
        stream: StreamId,
        /// Payload types of the publisher and what they are called at the subscriber; packets of others are
        /// dropped and counted.
        payload_types: Vec<PayloadMap>,
    },
    /// The sender falls silent but keeps its sequence.
    Unroute {
        /// The sender.
        sender: SenderId,
    },
    /// A muted stream is not forwarded, whatever its publisher sends.
    MuteStream {
        /// The stream.
        stream: StreamId,
        /// Silent from now on, or heard again (video asks for a key frame).
        muted: bool,
    },
    /// Asks the publisher of the stream for a key frame, within the rate limit.
    RequestKeyFrame {
        /// The stream.
        stream: StreamId,
    },
    /// The leg carries no RTP: what its peer sends to its port goes to the peer of another leg as it is (UDPTL, ITU-T T.38).
    /// Sources are believed as those of media in the clear are, by UDPTL's sequence numbers. Only for legs in the clear on
    /// ports of their own without ICE; for good, but for where it goes to. Each direction is bridged by itself.
    Bridge {
        /// The leg whose peer sends.
        leg: LegId,
        /// Whose peer is sent to; `None`: nobody now.
        to: Option<LegId>,
    },
    /// A DTLS record for the peer.
    SendDatagram {
        /// The leg.
        leg: LegId,
        /// The way to go; `None`: the leg's current path. A leg on ports of its own sends through these alone; one
        /// with ICE over validated paths alone.
        path: Option<Path>,
        /// The datagram.
        data: Box<[u8]>,
    },
    /// Answered by [`crate::Event::Stats`].
    QueryStats {
        /// The leg.
        leg: LegId,
        /// Handed back in the answer.
        token: u64,
    },
}

/// Identifiers of RTP header extensions on one leg (RFC 8285); `None`: not negotiated. The same identifiers
/// hold for all media of the bundle (RFC 8843 section 9.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    pub repaired_rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    pub audio_level: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    pub abs_send_time: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: Option<u8>,
    /// `urn:3gpp:video-orientation`
    pub video_orientation: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    pub playout_delay: Option<u8>,
    /// AV1's dependency descriptor
    pub dependency_descriptor: Option<u8>,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Audio: forwarded at once, no repair.
    Audio,
    /// Video: key frames matter, lost packets are asked for and repaired.
    Video,
}

/// What a payload type carries, as far as forwarding cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587
    Opus,
    /// RFC 2198 redundancy around the same audio
    Red,
    /// RFC 4733
    TelephoneEvent,
    /// RFC 7741
    Vp8,
    /// RFC 9628
    Vp9,
    /// RFC 6184
    H264,
    /// RFC 7798
    H265,
    /// AV1 RTP payload specification
    Av1,
    /// Anything else, forwarded unseen
    Other,
}

/// A payload type that a stream may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadType {
    /// Its number at the publisher.
    pub number: u8,
    /// The number of its RTX twin (RFC 4588) at the publisher.
    pub rtx: Option<u8>,
    /// What it carries.
    pub codec: Codec,
    /// Ticks a second.
    pub clock_rate: u32,
}

/// How to recognise and treat a stream. It is recognised by SSRC if given, else by mid (and rid) in header
/// extensions, else as the only stream of the leg with that payload type.
#[derive(Clone, Debug)]
pub struct StreamConfig {
    /// Audio or video.
    pub kind: MediaKind,
    /// `a=mid`, at most 16 bytes.
    pub mid: Option<String>,
    /// `a=rid`, at most 16 bytes.
    pub rid: Option<String>,
    /// `a=ssrc`
    pub ssrc: Option<u32>,
    /// The second SSRC of `a=ssrc-group:FID`.
    pub rtx_ssrc: Option<u32>,
    /// What it may carry.
    pub payload_types: Vec<PayloadType>,
    /// Generic NACK was negotiated (RFC 4585): losses are asked for.
    pub nack: bool,
    /// PLI was negotiated; else FIR is used when `fir`.
    pub pli: bool,
    /// FIR was negotiated (RFC 5104).
    pub fir: bool,
    /// Transport-wide feedback was negotiated.
    pub transport_cc: bool,
}

/// How to treat a stream that another shard exports.
#[derive(Clone, Debug)]
pub struct ImportConfig {
    /// Audio or video.
    pub kind: MediaKind,
    /// What it may carry.
    pub payload_types: Vec<PayloadType>,
}

impl ImportConfig {
    /// What its publisher would be asked for, the other shard is: that knows what the publisher negotiated.
    pub(crate) fn as_stream(&self) -> StreamConfig {
        StreamConfig {
            kind: self.kind,
            mid: None,
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
            payload_types: self.payload_types.clone(),
            nack: false,
            pli: true,
            fir: false,
            transport_cc: false,
        }
    }
}

/// A sender's identity on the wire.
#[derive(Clone, Debug)]
pub struct SenderConfig {
    /// Audio or video.
    pub kind: MediaKind,
    /// The SSRC that the subscriber was told.
    pub ssrc: u32,
    /// The RTX SSRC, when RTX was negotiated.
    pub rtx_ssrc: Option<u32>,
    /// CNAME in our SDES.
    pub cname: String,
    /// `a=mid`, stamped into packets when the leg negotiated the extension.
    pub mid: Option<String>,
}

/// One line of a route's payload type table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadMap {
    /// At the publisher.
    pub from: u8,
    /// At the subscriber.
    pub to: u8,
    /// The RTX payload type at the subscriber that repairs `to`.
    pub rtx: Option<u8>,
}
