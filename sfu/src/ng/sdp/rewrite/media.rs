//! An m-line with its attributes, rewritten.

use zeroize::Zeroizing;

use super::attributes::EditScope;
use super::writer::{Part, address, harmless};
use super::{Change, DtlsLines, IceChange, MediaRewrite, RtcpLine};
use crate::ng::sdp::crypto::CryptoLine;
use crate::ng::sdp::format::Format;
use crate::ng::sdp::ice::{Candidate, CandidateKind, Ice};
use crate::ng::sdp::rewrite::AttributeEdit;
use crate::ng::sdp::text::SessionText;
use crate::ng::sdp::view::{Host, MediaView};

const ICE: [&str; 8] = [
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "candidate",
    "remote-candidates",
    "end-of-candidates",
    "ice-mismatch",
    "ice-pacing",
];
const DTLS: [&str; 4] = ["fingerprint", "setup", "tls-id", "connection"];
const DIRECTIONS: [&str; 4] = ["sendrecv", "sendonly", "recvonly", "inactive"];
const CODEC: [&str; 3] = ["rtpmap", "fmtp", "rtcp-fb"];

/// What the session's `c=` was and is: an m-line without its own may need one now.
#[derive(Clone, Copy)]
pub(super) struct SessionConnection<'t> {
    pub(super) before: Option<&'t Host>,
    pub(super) after: Option<std::net::IpAddr>,
}

/// Rewrites an m-line.
pub(super) fn write<'t>(
    text: &'t SessionText,
    view: &MediaView,
    media: &MediaRewrite,
    session: SessionConnection<'_>,
    edits: &[AttributeEdit],
) -> Part<'t> {
    let mut part = Part::new(text.media_lines(view.index));
    first_line(&mut part, text, view, media);
    connect(&mut part, view, media, session);
    if let Some(formats) = &media.formats {
        codecs(&mut part, view, formats);
    }
    if media.remove_feedback {
        part.remove(&["rtcp-fb"]);
    }
    rtcp(&mut part, media);
    if let Some(direction) = media.direction {
        part.set_one(&DIRECTIONS, direction.name().to_owned());
    }
    change(&mut part, "ptime", &media.ptime);
    keys(&mut part, media);
    ice(&mut part, &media.ice);
    change(&mut part, "mid", &media.mid);
    change(&mut part, "label", &media.label);
    if media.remove_ssrcs {
        part.remove(&["ssrc", "ssrc-group"]);
    }
    if media.remove_extensions {
        part.remove(&["extmap", "extmap-allow-mixed"]);
    }
    if media.rejected {
        part.remove(&ICE);
        part.remove(&DTLS);
        part.remove(&["crypto", "bundle-only"]);
    }
    for edit in edits.iter().filter(|e| e.scope == EditScope::Kind(view.kind.to_ascii_lowercase())) {
        part.edit(edit);
    }
    part
}

fn first_line(part: &mut Part<'_>, text: &SessionText, view: &MediaView, media: &MediaRewrite) {
    let port = if media.rejected { Some(0) } else { media.port };
    if port.is_none() && media.protocol.is_none() && media.formats.is_none() {
        return;
    }
    let came = text.media_lines(view.index).next().map_or("", |line| line.value);
    let mut words = came.split_ascii_whitespace();
    let (kind, port_came) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let protocol_came = words.next().unwrap_or_default();
    let port = port.map_or(port_came.to_owned(), |port| port.to_string());
    let protocol = media.protocol.as_ref().map_or(protocol_came, |protocol| protocol.name());
    let formats = match &media.formats {
        // RFC 8866 section 5.14: there is at least one.
        Some(formats) if !formats.is_empty() => {
            formats.iter().map(|format| format.payload_type.to_string()).collect::<Vec<_>>().join(" ")
        }
        _ => view.format_words.join(" "),
    };
    part.replace(b'm', format!("m={kind} {port} {protocol} {formats}"));
}

fn connect(part: &mut Part<'_>, view: &MediaView, media: &MediaRewrite, session: SessionConnection<'_>) {
    match media.address {
        Some(ip) if view.own_connection || session.after != Some(ip) => part.connect(&address(ip)),
        Some(_) => {}
        // It relied on a line that says something else now.
        None if !view.own_connection && session.after.is_some() => {
            if let Some(Host::Ip(ip)) = session.before
                && session.after != Some(*ip)
                && !media.rejected
                && !view.is_off()
            {
                part.connect(&address(*ip));
            }
        }
        None => {}
    }
}

/// Lines of formats that stay, stay; those of formats that go, go; new ones are added behind.
fn codecs(part: &mut Part<'_>, view: &MediaView, formats: &[Format]) {
    // As it was: an m-line without formats is none.
    if formats.is_empty() {
        return;
    }
    let before = |payload_type: u8| view.formats.iter().find(|f| f.payload_type == payload_type);
    let stays = |format: &Format| before(format.payload_type) == Some(format);
    let kept = |payload_type: u8| formats.iter().any(|f| f.payload_type == payload_type && stays(f));
    let listed = |payload_type: u8| {
        before(payload_type).is_some() || formats.iter().any(|f| f.payload_type == payload_type)
    };
    part.remove_where(|attribute| {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let number = value.split([' ', '/']).next().and_then(|number| number.parse().ok());
        CODEC.contains(&name) && number.is_some_and(|number| listed(number) && !kept(number))
    });
    let mut lines = Vec::new();
    for format in formats.iter().filter(|format| !stays(format)) {
        if !format.name.is_empty() {
            lines.push(format!("rtpmap:{}", format.rtpmap()));
        }
        if let Some(fmtp) = &format.fmtp {
            lines.push(format!("fmtp:{} {fmtp}", format.payload_type));
        }
    }
    part.add_behind(&CODEC, lines);
}

fn rtcp(part: &mut Part<'_>, media: &MediaRewrite) {
    match media.rtcp {
        Change::Keep => {}
        Change::Remove => part.remove(&["rtcp"]),
        Change::Set(RtcpLine::Port(port)) => part.set_one(&["rtcp"], format!("rtcp:{port}")),
        Change::Set(RtcpLine::Full(port, ip)) => {
            part.set_one(&["rtcp"], format!("rtcp:{port} {}", address(ip)));
        }
    }
    match media.rtcp_mux {
        Some(true) => part.ensure("rtcp-mux"),
        Some(false) => part.remove(&["rtcp-mux", "rtcp-mux-only"]),
        None => {}
    }
}

fn change<T: std::fmt::Display>(part: &mut Part<'_>, name: &str, change: &Change<T>) {
    match change {
        Change::Keep => {}
        Change::Remove => part.remove(&[name]),
        Change::Set(value) => match harmless(&value.to_string()) {
            Some(value) => part.set_one(&[name], format!("{name}:{value}")),
            None => part.remove(&[name]),
        },
    }
}

fn keys(part: &mut Part<'_>, media: &MediaRewrite) {
    if let Some(lines) = &media.crypto {
        let line = |line: &CryptoLine| {
            let value = line.print(media.pad_crypto);
            Zeroizing::new(format!("crypto:{}", *value))
        };
        part.set(&["crypto"], lines.iter().map(line).collect());
    }
    match &media.dtls {
        Change::Keep => {}
        Change::Remove => part.remove(&DTLS),
        Change::Set(DtlsLines { fingerprint, setup, tls_id }) => {
            let id = tls_id.as_ref().map(|id| format!("tls-id:{id}"));
            let lines = [format!("fingerprint:{fingerprint}"), format!("setup:{}", setup.name())];
            part.set(&DTLS, lines.into_iter().chain(id).map(Zeroizing::new).collect());
        }
    }
}

fn ice(part: &mut Part<'_>, change: &IceChange) {
    match change {
        IceChange::Keep => {}
        IceChange::Remove => part.remove(&ICE),
        IceChange::Set(ice) => part.set(&ICE, ice_lines(ice)),
        IceChange::Add(ours) => {
            part.remove_where(|attribute| {
                let candidate = attribute.strip_prefix("candidate:").and_then(Candidate::parse);
                candidate.is_some_and(|candidate| candidate.kind == CandidateKind::Relay)
            });
            let lines = ours.iter().map(|candidate| format!("candidate:{candidate}"));
            part.add_behind(&["candidate"], lines.collect());
        }
    }
}

fn ice_lines(ice: &Ice) -> Vec<Zeroizing<String>> {
    let options = (!ice.options.is_empty()).then(|| format!("ice-options:{}", ice.options.join(" ")));
    let candidates = ice.candidates.iter().map(|candidate| format!("candidate:{candidate}"));
    let ended = ice.ended.then(|| "end-of-candidates".to_owned());
    [format!("ice-ufrag:{}", ice.ufrag), format!("ice-pwd:{}", ice.pwd)]
        .into_iter()
        .chain(options)
        .chain(candidates)
        .chain(ended)
        .map(Zeroizing::new)
        .collect()
}
