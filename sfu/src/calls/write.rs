//! What flags ask of the text itself.

use std::net::{IpAddr, SocketAddr};

use super::ports::OwnPorts;
use crate::ng::flags::{Flags, Switch};
use crate::ng::sdp::ice::Candidate;
use crate::ng::sdp::{Change, MediaRewrite, OriginRules, Rewrite, RtcpLine, SessionText};

/// The whole rewrite, around m-lines that are decided.
pub(super) fn session(
    flags: &Flags,
    text: &SessionText,
    medias: Vec<MediaRewrite>,
    address: Option<IpAddr>,
    loop_mark: &str,
) -> Rewrite {
    let has_bundle = !text.session().bundles.is_empty();
    Rewrite {
        medias,
        origin: address.filter(|_| flags.replace.origin),
        connection: address.filter(|_| flags.replace.session_connection),
        remove_dtls: true,
        remove_ice: true,
        remove_media_defaults: true,
        remove_extensions: true,
        // Each m-line has ports of its own.
        bundle: if has_bundle { Change::Set(Vec::new()) } else { Change::Keep },
        loop_mark: flags.has(Switch::LoopProtect).then(|| loop_mark.to_owned()),
        attributes: flags.attributes.clone(),
        ..Rewrite::default()
    }
}

/// `o=` and `s=` over the life of a dialogue.
pub(super) fn origin_rules(flags: &Flags) -> OriginRules {
    OriginRules {
        username: flags.replace.username,
        session_name: flags.replace.session_name,
        version: flags.replace.sdp_version,
        force: flags.replace.force_sdp_version,
    }
}

/// `a=rtcp`
pub(super) fn rtcp(flags: &Flags, ports: OwnPorts, muxed: bool) -> Change<RtcpLine> {
    if muxed || flags.has(Switch::NoRtcpAttribute) {
        return Change::Remove;
    }
    let port = ports.port.saturating_add(1);
    Change::Set(match flags.has(Switch::FullRtcpAttribute) {
        true => RtcpLine::Full(port, ports.address),
        false => RtcpLine::Port(port),
    })
}

/// Our candidates.
pub(super) fn candidates(ports: OwnPorts, muxed: bool) -> Vec<Candidate> {
    let at = |port, component| Candidate::host(SocketAddr::new(ports.address, port), component, u16::MAX);
    let mut all = vec![at(ports.port, 1)];
    if !muxed {
        all.push(at(ports.port.saturating_add(1), 2));
    }
    all
}
