//! Answers (RFC 8829 section 5.3): ICE-lite, DTLS passive, one bundle.

use std::fmt::Write as _;
use std::net::SocketAddr;

use sdp_types::{Attribute, Connection, Media, Origin, Session};

use super::codec::Chosen;
use super::error::SdpError;
use super::extension;
use super::offer::{Ice, Offer};
use super::section::{Direction, Section};

/// What all m-lines of an answer share.
#[derive(Clone, Copy, Debug)]
pub struct AnswerSpec<'a> {
    /// `o=` session id, the same for all answers of a connection.
    pub session_id: u64,
    /// `o=` version, one more each answer.
    pub version: u64,
    /// Our credentials.
    pub ice: &'a Ice,
    /// `sha-256 AB:CD:…` of our certificate.
    pub fingerprint: &'a str,
    /// Where the shard listens, best first.
    pub addresses: &'a [SocketAddr],
    /// It listens there for TCP as well.
    pub tcp: bool,
}

/// The answer to one m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerSection {
    /// Port 0.
    Rejected,
    /// Data channels.
    Data {
        /// The largest message that we take, in bytes.
        max_message_size: usize,
    },
    /// Audio or video.
    Media(Box<AnswerMedia>),
}

/// The answer to an m-line of audio or video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerMedia {
    /// The formats in use.
    pub chosen: Chosen,
    /// What we send; `None`: nothing.
    pub send: Option<SendIdentity>,
    /// We receive.
    pub receive: bool,
    /// The simulcast layers that we receive, best first.
    pub layers: Vec<String>,
}

/// Under which names something is sent (RFC 5576, RFC 8830).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendIdentity {
    /// The SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions, when RTX was negotiated.
    pub rtx_ssrc: Option<u32>,
    /// What belongs to one clock has one name.
    pub cname: String,
    /// The MediaStream's id.
    pub stream: String,
    /// The MediaStreamTrack's id.
    pub track: String,
}

/// Writes the answer. There must be one of `sections` for each m-line of the offer.
pub fn build(offer: &Offer, spec: &AnswerSpec<'_>, sections: &[AnswerSection]) -> Result<String, SdpError> {
    let mut session = Session::new(
        Origin::new(
            spec.session_id,
            spec.version,
            sdp_types::NetType::In,
            sdp_types::AddrType::Ip4,
            "127.0.0.1",
        ),
        "-",
    );
    let accepted =
        || offer.sections.iter().zip(sections).filter(|(_, a)| !matches!(a, AnswerSection::Rejected));
    if offer.has_bundle {
        let mids: String = accepted().fold(String::from("BUNDLE"), |list, (s, _)| list + " " + &s.mid);
        session.attributes.push(Attribute::with_value("group", mids));
    }
    if offer.allow_mixed {
        session.attributes.push(Attribute::new("extmap-allow-mixed"));
    }
    session.attributes.push(Attribute::with_value("msid-semantic", " WMS *"));
    session.attributes.push(Attribute::new("ice-lite"));
    let mut first = true;
    for (section, answer) in offer.sections.iter().zip(sections) {
        let mut lines = Lines::default();
        let port = match answer {
            AnswerSection::Rejected => {
                lines.mid(section);
                lines.flag("inactive");
                0
            }
            _ => {
                lines.transport(section, spec, first);
                first = false;
                9
            }
        };
        let formats = lines.body(section, answer);
        session.medias.push(media(section, port, formats, lines));
    }
    write(&session)
}

fn media(section: &Section, port: u16, formats: String, lines: Lines) -> Media {
    Media {
        media: section.media.clone(),
        port,
        num_ports: None,
        proto: section.proto.clone(),
        fmt: formats,
        media_title: None,
        connections: vec![Connection::from_ip_addr(std::net::Ipv4Addr::UNSPECIFIED)],
        bandwidths: Vec::new(),
        key: None,
        attributes: lines.0,
    }
}

fn write(session: &Session) -> Result<String, SdpError> {
    const PROBLEM: SdpError = SdpError::NotSdp { line: 0, problem: "it cannot be echoed as text" };
    let mut bytes = Vec::with_capacity(4096);
    session.write(&mut bytes).map_err(|_| PROBLEM)?;
    String::from_utf8(bytes).map_err(|_| PROBLEM)
}

/// The attributes of one m-line in the making.
#[derive(Default)]
struct Lines(Vec<Attribute>);

impl Lines {
    fn flag(&mut self, name: &str) {
        self.0.push(Attribute::new(name));
    }

    fn value(&mut self, name: &str, value: impl ToString) {
        self.0.push(Attribute::with_value(name, value));
    }

    fn mid(&mut self, section: &Section) {
        if !section.mid.is_empty() {
            self.value("mid", &section.mid);
        }
    }

    /// RFC 8839, RFC 8842. Candidates stand at the first accepted m-line, whose transport the bundle uses.
    fn transport(&mut self, section: &Section, spec: &AnswerSpec<'_>, first: bool) {
        if first {
            for line in candidates(spec.addresses, spec.tcp) {
                self.value("candidate", line);
            }
            self.flag("end-of-candidates");
        }
        self.value("ice-ufrag", &spec.ice.ufrag);
        self.value("ice-pwd", &spec.ice.pwd);
        self.value("fingerprint", spec.fingerprint);
        self.value("setup", "passive");
        self.mid(section);
    }

    /// The rest of the m-line; returns its formats.
    fn body(&mut self, section: &Section, answer: &AnswerSection) -> String {
        match answer {
            AnswerSection::Rejected => section.formats.clone(),
            AnswerSection::Data { max_message_size } => {
                self.value("sctp-port", 5000);
                self.value("max-message-size", max_message_size);
                section.formats.clone()
            }
            AnswerSection::Media(media) => {
                self.media(section, media);
                let numbers: Vec<String> = media.chosen.payloads().map(|p| p.number.to_string()).collect();
                numbers.join(" ")
            }
        }
    }

    fn media(&mut self, section: &Section, media: &AnswerMedia) {
        for extension in extension::accepted(section) {
            match extension.direction {
                Direction::SendRecv => self.value("extmap", format!("{} {}", extension.id, extension.uri)),
                other => {
                    let direction = other.mirrored().name();
                    self.value("extmap", format!("{}/{direction} {}", extension.id, extension.uri));
                }
            }
        }
        self.flag(match (media.send.is_some(), media.receive) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        });
        if let Some(send) = &media.send {
            self.value("msid", format!("{} {}", send.stream, send.track));
        }
        self.flag("rtcp-mux");
        if section.rtcp_rsize {
            self.flag("rtcp-rsize");
        }
        self.formats(&media.chosen);
        self.layers(&media.layers);
        if let Some(send) = &media.send {
            self.identity(send);
        }
    }

    fn formats(&mut self, chosen: &Chosen) {
        for payload in chosen.payloads() {
            let number = payload.number;
            let mut map = format!("{number} {}/{}", payload.name, payload.clock_rate);
            if let Some(channels) = payload.channels {
                // Writing to a String cannot fail.
                let _ = write!(map, "/{channels}");
            }
            self.value("rtpmap", map);
            for feedback in payload.feedback.names() {
                self.value("rtcp-fb", format!("{number} {feedback}"));
            }
            if let Some(fmtp) = &payload.fmtp {
                self.value("fmtp", format!("{number} {fmtp}"));
            }
        }
    }

    /// RFC 8853 section 5.3: what is offered as send is accepted as recv.
    fn layers(&mut self, layers: &[String]) {
        if layers.is_empty() {
            return;
        }
        for rid in layers {
            self.value("rid", format!("{rid} recv"));
        }
        self.value("simulcast", format!("recv {}", layers.join(";")));
    }

    fn identity(&mut self, send: &SendIdentity) {
        if let Some(rtx) = send.rtx_ssrc {
            self.value("ssrc-group", format!("FID {} {rtx}", send.ssrc));
        }
        for ssrc in [Some(send.ssrc), send.rtx_ssrc].into_iter().flatten() {
            self.value("ssrc", format!("{ssrc} cname:{}", send.cname));
            self.value("ssrc", format!("{ssrc} msid:{} {}", send.stream, send.track));
        }
    }
}

/// Host candidates (RFC 8839 section 5.1, RFC 6544 section 4.5): UDP ahead of TCP, in the order given.
pub(super) fn candidates(addresses: &[SocketAddr], tcp: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, address) in (0u32..).zip(addresses) {
        let (ip, port) = (address.ip(), address.port());
        // RFC 8445 section 5.1.2.1: type preference 126 for host, the order as local preference.
        let priority = (126 << 24) | ((65_535 - index.min(65_535)) << 8) | 255;
        lines.push(format!("{} 1 udp {priority} {ip} {port} typ host", index + 1));
    }
    for (index, address) in (0u32..).zip(addresses).filter(|_| tcp) {
        let (ip, port) = (address.ip(), address.port());
        // RFC 6544 section 4.2: a lower type preference, and 4 as the direction preference of passive.
        let local = (4 << 13) | (8_191 - index.min(8_191));
        let priority = (90 << 24) | (local << 8) | 255;
        lines.push(format!("{} 1 tcp {priority} {ip} {port} typ host tcptype passive", index + 101));
    }
    lines
}
