//! An m-line and its attributes.

use super::read::{self, invalid, number, token};
use super::{Dtls, Host, MediaView};
use crate::ng::sdp::crypto::{CryptoLine, CryptoRefused};
use crate::ng::sdp::dtls::Setup;
use crate::ng::sdp::error::{SdpError, bounded};
use crate::ng::sdp::format::Format;
use crate::ng::sdp::ice::{Candidate, Ice};
use crate::ng::sdp::limits;
use crate::ng::sdp::protocol::Protocol;
use crate::ng::sdp::text::LineView;
use crate::sdp::{Direction, Place};

/// What has been read of an m-line, or of the session as its default.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    place: Place,
    pub(super) connection: Option<Host>,
    connections: usize,
    maps: Vec<Format>,
    fmtps: Vec<(u8, String)>,
    rtcp: Option<(u16, Option<Host>)>,
    rtcp_mux: bool,
    rtcp_mux_only: bool,
    rtcp_rsize: bool,
    direction: Option<Direction>,
    ptime: Option<u32>,
    maxptime: Option<u32>,
    crypto: Vec<CryptoLine>,
    crypto_refused: Vec<CryptoRefused>,
    dtls: Dtls,
    fingerprints: usize,
    ufrag: Option<String>,
    pwd: Option<String>,
    ice: Ice,
    ice_mismatch: bool,
    mid: Option<String>,
    bundle_only: bool,
    label: Option<String>,
    ssrcs: Vec<u32>,
    ssrc_lines: usize,
    has_feedback_lines: bool,
}

/// The first three words and the formats of an m-line.
struct Head {
    kind: String,
    port: u16,
    port_count: u16,
    protocol: Protocol,
    words: Vec<String>,
}

/// Reads a `c=` line.
pub(super) fn connection(line: LineView<'_>) -> Result<Host, SdpError> {
    read::host(line.value).ok_or_else(|| invalid(line, "c=", "`IN IP4 <address>` or `IN IP6 <address>`"))
}

/// Reads an m-line with what follows it.
pub(crate) fn media<'t>(
    index: usize,
    mut lines: impl Iterator<Item = LineView<'t>>,
    defaults: &Builder,
) -> Result<MediaView, SdpError> {
    let place = Place::Section(index);
    let Some(first) = lines.next() else { return Err(SdpError::NoMedia) };
    let head = head(first, place)?;
    let mut builder = Builder::new(place);
    for line in lines {
        match (line.letter, line.attribute()) {
            (b'v' | b'o' | b's' | b't', _) => {
                let problem = "v=, o=, s= and t= stand ahead of the first m-line, once";
                return Err(SdpError::NotSdp { line: line.number, problem });
            }
            (b'c', _) => {
                let host = connection(line)?;
                builder.connections += 1;
                bounded(builder.connections, limits::CONNECTIONS, place, "c= lines")?;
                builder.connection.get_or_insert(host);
            }
            (b'a', Some((name, value))) => builder.attribute(line, name, value)?,
            _ => {}
        }
    }
    let formats = builder.formats(first, &head)?;
    Ok(builder.finish(index, head, formats, defaults))
}

fn head(line: LineView<'_>, place: Place) -> Result<Head, SdpError> {
    const SHAPE: &str = "`<media> <port 0 to 65535> <protocol> <formats>`";
    let refuse = || invalid(line, "m=", SHAPE);
    let mut words = line.value.split_ascii_whitespace();
    let kind = words.next().ok_or_else(refuse)?.to_owned();
    let port = words.next().ok_or_else(refuse)?;
    let (port, count) = port.split_once('/').unwrap_or((port, "1"));
    let (port, port_count): (u16, u16) = number(port).zip(number(count)).ok_or_else(refuse)?;
    if port_count == 0 || port.checked_add(port_count - 1).is_none() {
        return Err(refuse());
    }
    let protocol = Protocol::parse(words.next().ok_or_else(refuse)?);
    let words: Vec<String> = words.take(limits::FORMATS + 1).map(str::to_owned).collect();
    bounded(words.len(), limits::FORMATS, place, "formats")?;
    if words.is_empty() {
        return Err(refuse());
    }
    Ok(Head { kind, port, port_count, protocol, words })
}

impl Builder {
    pub(super) fn new(place: Place) -> Builder {
        Builder {
            place,
            connection: None,
            connections: 0,
            maps: Vec::new(),
            fmtps: Vec::new(),
            rtcp: None,
            rtcp_mux: false,
            rtcp_mux_only: false,
            rtcp_rsize: false,
            direction: None,
            ptime: None,
            maxptime: None,
            crypto: Vec::new(),
            crypto_refused: Vec::new(),
            dtls: Dtls::default(),
            fingerprints: 0,
            ufrag: None,
            pwd: None,
            ice: Ice::default(),
            ice_mismatch: false,
            mid: None,
            bundle_only: false,
            label: None,
            ssrcs: Vec::new(),
            ssrc_lines: 0,
            has_feedback_lines: false,
        }
    }

    /// Reads an attribute. Those that nobody here knows say nothing.
    pub(super) fn attribute(&mut self, line: LineView<'_>, name: &str, value: &str) -> Result<(), SdpError> {
        match name {
            "rtpmap" => self.rtpmap(line, value)?,
            "fmtp" => self.fmtp(value)?,
            "rtcp-fb" => self.has_feedback_lines = true,
            "rtcp" => self.rtcp = Some(read::rtcp(line, value)?),
            "rtcp-mux" => self.rtcp_mux = true,
            "rtcp-mux-only" => (self.rtcp_mux, self.rtcp_mux_only) = (true, true),
            "rtcp-rsize" => self.rtcp_rsize = true,
            "ptime" => self.ptime = milliseconds(value),
            "maxptime" => self.maxptime = milliseconds(value),
            "crypto" => self.crypto(value)?,
            "fingerprint" => self.fingerprint(value)?,
            "setup" => {
                let expected = "actpass, active, passive or holdconn";
                let setup = Setup::parse(value).ok_or_else(|| invalid(line, "a=setup", expected))?;
                self.dtls.setup = Some(setup);
            }
            "tls-id" => self.dtls.tls_id = token(value, 255),
            "mid" => {
                let expected = "a word of at most 64 characters";
                self.mid = Some(token(value, 64).ok_or_else(|| invalid(line, "a=mid", expected))?);
            }
            "bundle-only" => self.bundle_only = true,
            "label" => self.label = token(value, 255),
            "ssrc" => self.ssrc(value)?,
            "ice-mismatch" => self.ice_mismatch = true,
            _ if name.starts_with("ice-") || name.ends_with("candidate") || name == "end-of-candidates" => {
                self.ice(line, name, value)?;
            }
            _ => {
                let directions =
                    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
                let direction = directions.into_iter().find(|d| value.is_empty() && d.name() == name);
                self.direction = direction.or(self.direction);
            }
        }
        Ok(())
    }

    /// `<payload type> <name>/<clock rate>[/<channels>]`
    fn rtpmap(&mut self, line: LineView<'_>, value: &str) -> Result<(), SdpError> {
        let refuse =
            || invalid(line, "a=rtpmap", "`<payload type 0 to 127> <name>/<clock rate>[/<channels>]`");
        let (payload_type, rest) = value.trim().split_once(' ').ok_or_else(refuse)?;
        let payload_type = payload_type_of(payload_type).ok_or_else(refuse)?;
        let mut parts = rest.trim().split('/');
        let name = parts.next().and_then(|name| token(name, 64)).ok_or_else(refuse)?;
        let rate =
            parts.next().and_then(|rate| number(rate.trim())).filter(|rate| *rate > 0).ok_or_else(refuse)?;
        let channels = match parts.next().map(str::trim) {
            None | Some("") => 1,
            Some(text) => number(text).filter(|n| *n > 0).ok_or_else(refuse)?,
        };
        let format = Format::new(payload_type, &name, rate, channels);
        match self.maps.iter().find(|map| map.payload_type == payload_type) {
            None => self.maps.push(format),
            Some(same) if *same == format => {}
            Some(_) => {
                return Err(SdpError::Twice { line: line.number, what: "the rtpmap of a payload type" });
            }
        }
        Ok(())
    }

    /// `<format> <parameters>`. Formats that are no payload types (T.38) are passed.
    fn fmtp(&mut self, value: &str) -> Result<(), SdpError> {
        let Some((format, parameters)) = value.trim().split_once(' ') else { return Ok(()) };
        let Some(payload_type) = payload_type_of(format) else { return Ok(()) };
        if self.fmtps.iter().all(|(known, _)| *known != payload_type) {
            bounded(self.fmtps.len() + 1, limits::FORMATS, self.place, "a=fmtp lines")?;
            self.fmtps.push((payload_type, parameters.trim().to_owned()));
        }
        Ok(())
    }

    /// Lines that cannot be used are left out (RFC 4568 section 5.1.2), the text stands without them.
    fn crypto(&mut self, value: &str) -> Result<(), SdpError> {
        bounded(
            self.crypto.len() + self.crypto_refused.len() + 1,
            limits::CRYPTOS,
            self.place,
            "a=crypto lines",
        )?;
        match CryptoLine::parse(value) {
            Ok(line) => self.crypto.push(line),
            Err(refused) => self.crypto_refused.push(refused),
        }
        Ok(())
    }

    fn fingerprint(&mut self, value: &str) -> Result<(), SdpError> {
        self.fingerprints += 1;
        bounded(self.fingerprints, limits::FINGERPRINTS, self.place, "a=fingerprint lines")?;
        self.dtls.fingerprints.extend(value.parse::<kaname_engine::Fingerprint>().ok());
        Ok(())
    }

    fn ssrc(&mut self, value: &str) -> Result<(), SdpError> {
        self.ssrc_lines += 1;
        bounded(self.ssrc_lines, limits::SSRC_LINES, self.place, "a=ssrc lines")?;
        let ssrc = value.split_ascii_whitespace().next().and_then(number);
        self.ssrcs.extend(ssrc.filter(|ssrc| !self.ssrcs.contains(ssrc)));
        Ok(())
    }

    fn ice(&mut self, line: LineView<'_>, name: &str, value: &str) -> Result<(), SdpError> {
        match name {
            "ice-ufrag" | "ice-pwd" => {
                let expected = "a word of at most 256 characters";
                let text = token(value, limits::ICE_BYTES);
                // The value of a password stands in no message.
                let text = text.ok_or_else(|| SdpError::Invalid {
                    line: line.number,
                    what: "an ICE credential",
                    value: crate::sdp::Quoted::new("…"),
                    expected,
                })?;
                *(if name == "ice-ufrag" { &mut self.ufrag } else { &mut self.pwd }) = Some(text);
            }
            "ice-options" => {
                self.ice.options = value.split_ascii_whitespace().take(16).map(str::to_owned).collect();
            }
            "candidate" => {
                bounded(self.ice.candidates.len() + 1, limits::CANDIDATES, self.place, "candidates")?;
                self.ice.candidates.extend(Candidate::parse(value));
            }
            "end-of-candidates" => self.ice.ended = true,
            _ => {}
        }
        Ok(())
    }

    fn formats(&self, line: LineView<'_>, head: &Head) -> Result<Vec<Format>, SdpError> {
        let mut formats: Vec<Format> = Vec::new();
        if !head.protocol.is_rtp() {
            return Ok(formats);
        }
        for word in &head.words {
            let expected = "payload types 0 to 127 behind the protocol";
            let payload_type = payload_type_of(word).ok_or_else(|| invalid(line, "m=", expected))?;
            // Some devices name one twice.
            if formats.iter().any(|known| known.payload_type == payload_type) {
                continue;
            }
            let map = self.maps.iter().find(|map| map.payload_type == payload_type);
            let fmtp = self.fmtps.iter().find(|(known, _)| *known == payload_type);
            let format = map.cloned().unwrap_or_else(|| Format::fixed(payload_type));
            formats.push(Format { fmtp: fmtp.map(|(_, text)| text.clone()), ..format });
        }
        Ok(formats)
    }

    fn finish(self, index: usize, head: Head, formats: Vec<Format>, session: &Builder) -> MediaView {
        let own_connection = self.connection.is_some();
        let inherit =
            |own: &Option<String>, session: &Option<String>| own.clone().or_else(|| session.clone());
        let ufrag = inherit(&self.ufrag, &session.ufrag);
        let pwd = inherit(&self.pwd, &session.pwd);
        let ice = ufrag.zip(pwd).map(|(ufrag, pwd)| {
            let options = if self.ice.options.is_empty() { &session.ice.options } else { &self.ice.options };
            Ice { ufrag, pwd, options: options.clone(), ..self.ice.clone() }
        });
        let crypto_own = !(self.crypto.is_empty() && self.crypto_refused.is_empty());
        let (crypto, crypto_refused) = if crypto_own || !head.protocol.is_rtp() {
            (self.crypto.clone(), self.crypto_refused.clone())
        } else {
            (session.crypto.clone(), session.crypto_refused.clone())
        };
        MediaView {
            dtls: self.dtls_with(session),
            index,
            kind: head.kind,
            port: head.port,
            port_count: head.port_count,
            protocol: head.protocol,
            format_words: head.words,
            formats,
            connection: self.connection.or_else(|| session.connection.clone()),
            own_connection,
            // These are of the m-line alone (RFC 3605, RFC 5761).
            rtcp: self.rtcp,
            rtcp_mux: self.rtcp_mux,
            rtcp_mux_only: self.rtcp_mux_only,
            rtcp_rsize: self.rtcp_rsize,
            direction: self.direction.or(session.direction).unwrap_or_default(),
            ptime: self.ptime.or(session.ptime),
            maxptime: self.maxptime.or(session.maxptime),
            crypto,
            crypto_refused,
            ice,
            ice_mismatch: self.ice_mismatch,
            mid: self.mid,
            bundle_only: self.bundle_only,
            label: self.label,
            ssrcs: self.ssrcs,
            has_feedback_lines: self.has_feedback_lines,
        }
    }

    fn dtls_with(&self, session: &Builder) -> Option<Dtls> {
        let source = if self.fingerprints > 0 { self } else { session };
        (source.fingerprints > 0).then(|| Dtls {
            fingerprints: source.dtls.fingerprints.clone(),
            only_weak: source.dtls.fingerprints.is_empty(),
            setup: self.dtls.setup.or(session.dtls.setup),
            tls_id: self.dtls.tls_id.clone().or_else(|| session.dtls.tls_id.clone()),
        })
    }
}

fn payload_type_of(text: &str) -> Option<u8> {
    number(text).filter(|number| *number < 128)
}

/// Some devices write fractions; whole milliseconds are enough. What is no time says nothing: no call fails for it.
fn milliseconds(value: &str) -> Option<u32> {
    let whole = value.trim().split('.').next().unwrap_or_default();
    number(whole).filter(|ms| limits::PTIME_MS.contains(ms))
}
