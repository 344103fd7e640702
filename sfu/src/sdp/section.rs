//! One m-line and its attributes.

use sdp_types::Media;

use super::attribute::{self, Value};
use super::codec::{self, Payload};
use super::error::{Place, SdpError, bounded};
use super::extension::Extension;
use super::limits;

/// What an m-line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// `m=audio … UDP/TLS/RTP/SAVPF`
    Audio,
    /// `m=video … UDP/TLS/RTP/SAVPF`
    Video,
    /// `m=application … UDP/DTLS/SCTP webrtc-datachannel`
    Data,
    /// Anything else; it is rejected.
    Other,
}

/// `a=sendrecv` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways, also when nothing is said (RFC 8866 section 6.7).
    #[default]
    SendRecv,
    /// The offerer sends.
    SendOnly,
    /// The offerer receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    pub(super) fn parse(text: &str) -> Option<Direction> {
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
            .into_iter()
            .find(|d| d.name() == text)
    }

    /// As in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Whoever says so sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whoever says so receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same seen from the other side.
    pub fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }
}

/// A layer that the offerer announces with `a=rid:… send` (RFC 8851).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rid {
    /// Its name.
    pub id: String,
    /// `pt=`: the payload types it is limited to; empty: all.
    pub payload_types: Vec<u8>,
}

/// One m-line of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it carries.
    pub kind: SectionKind,
    /// The media name, transport and formats as offered, for the answer's m-line.
    pub media: String,
    /// The transport protocol as offered.
    pub proto: String,
    /// The formats as offered.
    pub formats: String,
    /// `a=mid`; empty if the offer has none and needs none.
    pub mid: String,
    /// Port 0 without `a=bundle-only`: switched off by the offerer.
    pub off: bool,
    /// Part of the bundle, so it can be accepted.
    pub bundled: bool,
    /// Who sends, from the offerer's view.
    pub direction: Direction,
    /// `a=rtcp-mux` (RFC 5761).
    pub rtcp_mux: bool,
    /// `a=rtcp-rsize` (RFC 5506).
    pub rtcp_rsize: bool,
    /// The codecs, in the order of the m-line.
    pub payloads: Vec<Payload>,
    /// Header extensions in order.
    pub extensions: Vec<Extension>,
    /// SSRCs in order of appearance.
    pub ssrcs: Vec<u32>,
    /// `a=ssrc-group:FID` pairs: media, RTX.
    pub repairs: Vec<(u32, u32)>,
    /// Layers that the offerer would send, best first; empty without simulcast.
    pub layers: Vec<Rid>,
    /// `a=sctp-port` (RFC 8841).
    pub sctp_port: u16,
    /// `a=max-message-size`; 0: any.
    pub max_message_size: u32,
}

/// RFC 8841 section 6.1: the default when the attribute is absent.
const DEFAULT_MESSAGE_SIZE: u32 = 64 * 1024;
/// Customary in WebRTC; RFC 8841 has the attribute mandatory.
const DEFAULT_SCTP_PORT: u16 = 5000;

impl Section {
    /// The first SSRC that is not a repair, and its repair.
    pub fn ssrc(&self) -> (Option<u32>, Option<u32>) {
        if let Some((media, rtx)) = self.repairs.first() {
            return (Some(*media), Some(*rtx));
        }
        (self.ssrcs.first().copied(), None)
    }

    /// Whether this extension was offered with a number the node can use.
    pub fn has_extension(&self, uri: &str) -> bool {
        super::extension::accepted(self).any(|e| e.uri == uri)
    }
}

fn kind(media: &Media) -> SectionKind {
    let rtp = media.proto.ends_with("TLS/RTP/SAVPF") || media.proto.ends_with("TLS/RTP/SAVP");
    match media.media.as_str() {
        "audio" if rtp => SectionKind::Audio,
        "video" if rtp => SectionKind::Video,
        "application" if media.proto.ends_with("DTLS/SCTP") && media.fmt.trim() == "webrtc-datachannel" => {
            SectionKind::Data
        }
        _ => SectionKind::Other,
    }
}

/// Reads one m-line. `session_direction` is the default of the session part.
pub(super) fn parse(media: &Media, index: usize, session_direction: Direction) -> Result<Section, SdpError> {
    let place = Place::Section(index);
    bounded(media.attributes.len(), limits::ATTRIBUTES, place, "attributes")?;
    let kind = kind(media);
    let bundle_only = media.attributes.iter().any(|a| a.attribute == "bundle-only");
    let mut section = Section {
        kind,
        media: media.media.clone(),
        proto: media.proto.clone(),
        formats: media.fmt.clone(),
        mid: String::new(),
        off: media.port == 0 && !bundle_only,
        bundled: false,
        direction: session_direction,
        rtcp_mux: false,
        rtcp_rsize: false,
        payloads: Vec::new(),
        extensions: Vec::new(),
        ssrcs: Vec::new(),
        repairs: Vec::new(),
        layers: Vec::new(),
        sctp_port: DEFAULT_SCTP_PORT,
        max_message_size: DEFAULT_MESSAGE_SIZE,
    };
    let mut rids = Vec::new();
    let mut simulcast = Vec::new();
    for attribute in &media.attributes {
        let text = attribute.value.as_deref().unwrap_or_default();
        let value = |attribute| Value { place, attribute, text };
        match attribute.attribute.as_str() {
            "mid" => section.mid = value("mid").name()?,
            "rtcp-mux" => section.rtcp_mux = true,
            "rtcp-rsize" => section.rtcp_rsize = true,
            "extmap" => read_extension(&mut section, value("extmap"))?,
            "ssrc" => read_ssrc(&mut section, value("ssrc"))?,
            "ssrc-group" => read_group(&mut section, value("ssrc-group"))?,
            "rid" => read_rid(&mut rids, value("rid"))?,
            "simulcast" => simulcast = attribute::simulcast_send(value("simulcast"))?,
            "sctp-port" => section.sctp_port = value("sctp-port").number("a port number")?,
            "max-message-size" => {
                section.max_message_size = value("max-message-size").number("a number of bytes")?;
            }
            name => section.direction = Direction::parse(name).unwrap_or(section.direction),
        }
    }
    section.layers =
        simulcast.into_iter().filter_map(|id| rids.iter().find(|r| r.id == id).cloned()).collect();
    if matches!(kind, SectionKind::Audio | SectionKind::Video) {
        section.payloads = codec::parse(media, place)?;
    }
    Ok(section)
}

fn read_extension(section: &mut Section, value: Value<'_>) -> Result<(), SdpError> {
    let (id, direction, uri) = attribute::extmap(value)?;
    bounded(section.extensions.len() + 1, limits::EXTENSIONS, value.place, "header extensions")?;
    if section.extensions.iter().any(|e| e.id == id) {
        return Err(SdpError::Twice {
            place: value.place,
            what: "header extension",
            value: super::error::Quoted::new(value.text),
        });
    }
    section.extensions.push(Extension { id, direction, uri: uri.to_owned() });
    Ok(())
}

fn read_ssrc(section: &mut Section, value: Value<'_>) -> Result<(), SdpError> {
    let ssrc = attribute::ssrc(value)?;
    if !section.ssrcs.contains(&ssrc) {
        bounded(section.ssrcs.len() + 1, limits::SSRCS, value.place, "SSRCs")?;
        section.ssrcs.push(ssrc);
    }
    Ok(())
}

fn read_group(section: &mut Section, value: Value<'_>) -> Result<(), SdpError> {
    if let Some(pair) = attribute::ssrc_group(value)? {
        bounded(section.repairs.len() + 1, limits::SSRCS, value.place, "ssrc-groups")?;
        section.repairs.push(pair);
    }
    Ok(())
}

/// `<id> send|recv [pt=…;…]`
fn read_rid(rids: &mut Vec<Rid>, value: Value<'_>) -> Result<(), SdpError> {
    const SHAPE: &str = "`<name> send` or `<name> recv`, with restrictions if any";
    let (id, rest) = value.head(SHAPE)?;
    let id = Value { text: id, ..value }.name()?;
    let (direction, restrictions) = rest.split_once(' ').unwrap_or((rest, ""));
    match direction {
        "recv" => return Ok(()),
        "send" => {}
        _ => return Err(value.invalid(SHAPE)),
    }
    bounded(rids.len() + 1, limits::RIDS, value.place, "rids")?;
    if rids.iter().any(|r| r.id == id) {
        return Err(SdpError::Twice {
            place: value.place,
            what: "rid",
            value: super::error::Quoted::new(&id),
        });
    }
    let mut payload_types = Vec::new();
    for number in attribute::parameter(restrictions, "pt").iter().flat_map(|list| list.split(',')) {
        payload_types.push(attribute::payload_type(number.trim(), value, SHAPE)?);
        bounded(payload_types.len(), limits::PAYLOAD_TYPES, value.place, "payload types")?;
    }
    rids.push(Rid { id, payload_types });
    Ok(())
}
