//! Codecs of an m-line: what is offered, what the node forwards, and which of a subscriber's formats carries a
//! publisher's.

use kaname_engine::core::command::Codec;
use sdp_types::Media;

use super::attribute::{self, Value, parameter};
use super::error::{Place, Quoted, SdpError, bounded};
use super::limits;
use super::section::{Section, SectionKind};

/// `a=rtcp-fb` kinds that the node uses (RFC 4585, RFC 5104).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// `nack`
    pub nack: bool,
    /// `nack pli`
    pub pli: bool,
    /// `ccm fir`
    pub fir: bool,
    /// `transport-cc`
    pub transport_cc: bool,
}

impl Feedback {
    fn add(&mut self, kind: &str) {
        match kind {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            _ => {}
        }
    }

    fn or(self, other: Feedback) -> Feedback {
        Feedback {
            nack: self.nack || other.nack,
            pli: self.pli || other.pli,
            fir: self.fir || other.fir,
            transport_cc: self.transport_cc || other.transport_cc,
        }
    }

    /// The lines that say so.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.transport_cc, "transport-cc"),
            (self.fir, "ccm fir"),
            (self.nack, "nack"),
            (self.pli, "nack pli"),
        ]
        .into_iter()
        .filter_map(|(on, name)| on.then_some(name))
    }
}

/// What distinguishes formats of one codec, as far as a decoder cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Nothing does.
    Plain,
    /// RFC 6184 section 8.1
    H264 { mode: u8, profile: H264Profile },
    /// VP9 (RFC 9628 section 6.1), AV1 and H265 (RFC 7798 section 7.1): a number.
    Profile(u8),
    /// Parameters that make no sense; matches nothing.
    Broken,
}

/// Profiles of H.264 with the constraint flags folded in (RFC 6184 section 8.1, table 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum H264Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    Other(u8, u8),
}

impl H264Profile {
    fn parse(text: &str) -> Option<H264Profile> {
        use H264Profile::*;
        if text.len() != 6 || !text.is_ascii() {
            return None;
        }
        let idc = u8::from_str_radix(&text[0..2], 16).ok()?;
        let flags = u8::from_str_radix(&text[2..4], 16).ok()?;
        u8::from_str_radix(&text[4..6], 16).ok()?;
        let set = |bit: u8| flags & (0x80 >> bit) != 0;
        Some(match idc {
            0x42 if set(1) => ConstrainedBaseline,
            0x4d if set(0) => ConstrainedBaseline,
            0x58 if set(0) && set(1) => ConstrainedBaseline,
            0x42 => Baseline,
            0x58 if set(0) => Baseline,
            0x4d => Main,
            0x64 if set(4) && set(5) => ConstrainedHigh,
            0x64 => High,
            _ => Other(idc, flags),
        })
    }

    /// A decoder of `self` also decodes `stream` (H.264 annex A.2).
    fn decodes(self, stream: H264Profile) -> bool {
        use H264Profile::*;
        self == stream
            || matches!(
                (self, stream),
                (Baseline | Main | ConstrainedHigh | High, ConstrainedBaseline)
                    | (High, Main | ConstrainedHigh)
            )
    }
}

/// One format of an m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The payload type.
    pub number: u8,
    /// What the core calls it.
    pub codec: Codec,
    /// The encoding name as offered.
    pub name: String,
    /// Ticks a second.
    pub clock_rate: u32,
    /// The third part of the rtpmap.
    pub channels: Option<u8>,
    /// `a=fmtp`, as offered.
    pub fmtp: Option<String>,
    /// What the node uses of the offered feedback.
    pub feedback: Feedback,
    format: Format,
}

impl Payload {
    fn new(map: &attribute::RtpMap<'_>, fmtp: Option<&str>, feedback: Feedback) -> Payload {
        let name = map.name.to_ascii_lowercase();
        let codec = match name.as_str() {
            "opus" => Codec::Opus,
            "red" => Codec::Red,
            "telephone-event" => Codec::TelephoneEvent,
            "vp8" => Codec::Vp8,
            "vp9" => Codec::Vp9,
            "h264" => Codec::H264,
            "h265" => Codec::H265,
            "av1" | "av1x" => Codec::Av1,
            _ => Codec::Other,
        };
        Payload {
            number: map.number,
            codec,
            name: map.name.to_owned(),
            clock_rate: map.clock_rate,
            channels: map.channels,
            fmtp: fmtp.map(str::to_owned),
            feedback,
            format: format(codec, fmtp.unwrap_or_default()),
        }
    }

    fn is_rtx_of(&self, number: u8) -> bool {
        self.name.eq_ignore_ascii_case("rtx")
            && self.fmtp.as_deref().and_then(|f| parameter(f, "apt")).and_then(|apt| apt.parse().ok())
                == Some(number)
    }

    /// RFC 2198 section 3: `a=fmtp:<red> <pt>/<pt>…`, every block being the same codec here.
    fn is_red_of(&self, number: u8) -> bool {
        let Some(fmtp) = self.fmtp.as_deref() else { return false };
        self.codec == Codec::Red && fmtp.trim().split('/').all(|pt| pt.parse() == Ok(number))
    }

    /// For people: the name with what distinguishes it.
    pub fn describe(&self) -> String {
        match self.format {
            Format::H264 { mode, .. } => {
                let fmtp = self.fmtp.as_deref().unwrap_or_default();
                let profile = parameter(fmtp, "profile-level-id").unwrap_or(H264_DEFAULT);
                format!("{} packetization-mode={mode} profile-level-id={profile}", self.name)
            }
            Format::Profile(profile) if profile > 0 && self.codec != Codec::H265 => {
                format!("{} profile {profile}", self.name)
            }
            _ => self.name.clone(),
        }
    }

    /// How well this format of a subscriber carries what a publisher sends: 0 the same, 1 it decodes it too.
    fn carries(&self, stream: &Payload) -> Option<u8> {
        if self.codec != stream.codec || self.clock_rate != stream.clock_rate {
            return None;
        }
        match (self.format, stream.format) {
            (Format::Broken, _) | (_, Format::Broken) => None,
            (mine, theirs) if mine == theirs => Some(0),
            (Format::H264 { mode, profile }, Format::H264 { mode: sent, profile: stream }) => {
                (mode >= sent && profile.decodes(stream)).then_some(1)
            }
            _ => None,
        }
    }
}

/// RFC 6184 section 8.1: "If no profile-level-id is present, the Baseline profile, without additional
/// constraints at Level 1, MUST be inferred."
const H264_DEFAULT: &str = "42000a";

fn format(codec: Codec, fmtp: &str) -> Format {
    let number = |key: &str, default: u8| match parameter(fmtp, key) {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    let profile = |key: &str, default: u8| number(key, default).map_or(Format::Broken, Format::Profile);
    match codec {
        Codec::H264 => {
            let text = parameter(fmtp, "profile-level-id").unwrap_or(H264_DEFAULT);
            match (number("packetization-mode", 0), H264Profile::parse(text)) {
                // Mode 2 is interleaved (RFC 6184 section 5.4): no browser has it and the core cannot read it.
                (Some(mode @ 0..=1), Some(profile)) => Format::H264 { mode, profile },
                _ => Format::Broken,
            }
        }
        Codec::Vp9 => profile("profile-id", 0),
        Codec::Av1 => profile("profile", 0),
        Codec::H265 => profile("profile-id", 1),
        _ => Format::Plain,
    }
}

/// Reads the formats of an m-line.
pub(super) fn parse(media: &Media, place: Place) -> Result<Vec<Payload>, SdpError> {
    let mut maps: [Option<attribute::RtpMap<'_>>; 128] = [const { None }; 128];
    let mut fmtps: [Option<&str>; 128] = [None; 128];
    let mut feedback = [Feedback::default(); 128];
    let mut feedback_all = Feedback::default();
    for attribute in &media.attributes {
        let text = attribute.value.as_deref().unwrap_or_default();
        let value = |attribute| Value { place, attribute, text };
        match attribute.attribute.as_str() {
            "rtpmap" => {
                let map = attribute::rtpmap(value("rtpmap"))?;
                let slot = &mut maps[usize::from(map.number)];
                if slot.is_some() {
                    return Err(twice(place, map.number));
                }
                *slot = Some(map);
            }
            "fmtp" => {
                const SHAPE: &str = "`<payload type> <parameters>`";
                let (number, parameters) = value("fmtp").head(SHAPE)?;
                let number = attribute::payload_type(number, value("fmtp"), SHAPE)?;
                fmtps[usize::from(number)] = Some(parameters);
            }
            "rtcp-fb" => {
                const SHAPE: &str = "`<payload type or *> <kind>`";
                let (number, kind) = value("rtcp-fb").head(SHAPE)?;
                match number {
                    "*" => feedback_all.add(kind),
                    _ => {
                        let number = attribute::payload_type(number, value("rtcp-fb"), SHAPE)?;
                        feedback[usize::from(number)].add(kind);
                    }
                }
            }
            _ => {}
        }
    }
    let mut seen = [false; 128];
    let mut payloads = Vec::new();
    for (count, word) in media.fmt.split_ascii_whitespace().enumerate() {
        bounded(count + 1, limits::PAYLOAD_TYPES, place, "payload types")?;
        let value = Value { place, attribute: "rtpmap (m-line)", text: word };
        let number = usize::from(attribute::payload_type(word, value, "payload types from 0 to 127")?);
        if std::mem::replace(&mut seen[number], true) {
            return Err(SdpError::Twice { place, what: "payload type", value: Quoted::new(word) });
        }
        if let Some(map) = &maps[number] {
            payloads.push(Payload::new(map, fmtps[number], feedback[number].or(feedback_all)));
        }
    }
    Ok(payloads)
}

fn twice(place: Place, number: u8) -> SdpError {
    SdpError::Twice { place, what: "rtpmap of payload type", value: Quoted::new(&number.to_string()) }
}

/// The formats that an accepted m-line uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The codec itself.
    pub main: Payload,
    /// Its retransmissions (RFC 4588).
    pub rtx: Option<Payload>,
    /// Redundancy around it (RFC 2198).
    pub red: Option<Payload>,
    /// The offer prefers redundancy.
    pub red_first: bool,
}

impl Chosen {
    /// Opus that the node itself makes.
    pub fn opus() -> Chosen {
        let map = attribute::RtpMap { number: 111, name: "opus", clock_rate: 48_000, channels: Some(2) };
        let main = Payload::new(&map, Some("minptime=10;useinbandfec=1"), Feedback::default());
        Chosen { main, rtx: None, red: None, red_first: false }
    }

    /// All formats, in the order of preference.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        let (first, second) =
            if self.red_first { (self.red.as_ref(), None) } else { (None, self.red.as_ref()) };
        first.into_iter().chain([&self.main]).chain(second).chain(&self.rtx)
    }

    /// For people: what a subscriber must be able to receive.
    pub fn describe(&self) -> String {
        let main = self.main.describe();
        if self.red_first { format!("red around {main}") } else { main }
    }

    fn around(section: &Section, main: &Payload) -> Chosen {
        let position = |found: &Payload| section.payloads.iter().position(|p| p.number == found.number);
        let audio = section.kind == SectionKind::Audio;
        let mut main = main.clone();
        if audio {
            // Audio is forwarded at once and never asked for again.
            main.feedback = Feedback { transport_cc: main.feedback.transport_cc, ..Feedback::default() };
        }
        let red = section.payloads.iter().find(|p| audio && p.is_red_of(main.number));
        let rtx = section.payloads.iter().find(|p| main.feedback.nack && p.is_rtx_of(main.number));
        let without_feedback = |p: &Payload| Payload { feedback: Feedback::default(), ..p.clone() };
        Chosen {
            red_first: red.is_some_and(|red| position(red) < position(&main)),
            red: red.map(|p| Payload { feedback: main.feedback, ..p.clone() }),
            rtx: rtx.map(without_feedback),
            main,
        }
    }
}

/// What the node forwards, for messages.
fn wanted(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Audio => "opus/48000/2",
        _ => "VP8, VP9, H264, AV1 or H265",
    }
}

fn forwarded(section: &Section, payload: &Payload) -> bool {
    let codec = match section.kind {
        SectionKind::Audio => payload.codec == Codec::Opus && payload.clock_rate == 48_000,
        SectionKind::Video => {
            matches!(payload.codec, Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::H265 | Codec::Av1)
                && payload.clock_rate == 90_000
        }
        _ => false,
    };
    codec && payload.format != Format::Broken
}

/// For a publisher: the first codec of the m-line that the node forwards.
pub(super) fn choose(section: &Section, index: usize) -> Result<Chosen, SdpError> {
    let main = section.payloads.iter().find(|p| forwarded(section, p));
    match main {
        Some(main) => Ok(Chosen::around(section, main)),
        None => Err(SdpError::NoCodec { place: Place::Section(index), wanted: wanted(section.kind) }),
    }
}

/// For a subscriber: its format that carries what the publisher sends.
pub fn matching(section: &Section, publisher: &Chosen) -> Option<Chosen> {
    let fits = section.payloads.iter().filter(|p| forwarded(section, p));
    let best = fits.filter_map(|p| Some((p.carries(&publisher.main)?, p))).min_by_key(|(rank, _)| *rank)?;
    let mut chosen = Chosen::around(section, best.1);
    if publisher.red.is_none() {
        chosen.red = None;
        chosen.red_first = false;
    }
    // A publisher that prefers redundancy is silence for who cannot read it.
    if publisher.red_first && chosen.red.is_none() { None } else { Some(chosen) }
}
