//! An offer: what one party wants becomes what another is offered. Only ports are opened; what flows stays as it was until
//! somebody answers.

use std::net::IpAddr;

use super::actor::Now;
use super::error::CallError;
use super::fax;
use super::limits::PARTIES;
use super::model::{Call, Media, Party, Pending, PendingMedia, PendingRtp, Wishes};
use super::ports::OwnPorts;
use super::tools::Tools;
use super::write;
use crate::ng::flags::{DtlsMode, Family, Flags, IceMode, Switch};
use crate::ng::sdp::codecs;
use crate::ng::sdp::crypto;
use crate::ng::sdp::dtls::Setup;
use crate::ng::sdp::ice::Candidate;
use crate::ng::sdp::mux::{MuxOffer, offered_mux};
use crate::ng::sdp::protocol::offered_protocol;
use crate::ng::sdp::security::{SecurityOffer, offered_security};
use crate::ng::sdp::{Change, DtlsLines, IceChange, MediaRewrite, MediaView, SessionText, rewrite};

/// Takes an offer, and gives the description for whom it is for.
pub(super) fn offer(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    text: &SessionText,
) -> Result<String, CallError> {
    if flags.has(Switch::LoopProtect) && text.session().loop_marks.contains(&tools.loop_mark) {
        // It has been here before, on its way through another proxy.
        return Ok(text.as_str().to_owned());
    }
    let (from, to) = parties(tools, now, call, flags)?;
    let v4 = family(flags, text);
    let mut medias = Vec::with_capacity(text.medias().len());
    let mut pending = Vec::with_capacity(text.medias().len());
    for view in text.medias() {
        let (line, waits) = media(tools, now, call, to, flags, view, v4)?;
        medias.push(line);
        pending.push(waits);
    }
    let address = address(&call.parties[to], &pending);
    let mut changes = write::session(flags, text, medias, address, &tools.loop_mark);
    changes.ice_lite = Some(offers_ice(&pending));
    let party = &mut call.parties[to];
    party.pending = Some(Pending {
        offerer: from,
        medias: pending,
        ice_lite: text.session().ice_lite,
        wishes: Wishes::of(flags),
    });
    let rewritten = rewrite(text, &changes);
    Ok(party.origin.apply(rewritten, write::origin_rules(flags)))
}

/// The two ends, made where they are new.
fn parties(tools: &Tools, now: Now, call: &mut Call, flags: &Flags) -> Result<(usize, usize), CallError> {
    let names = interfaces(tools, flags)?;
    let from_tag = flags.from_tag.as_deref().unwrap_or_default();
    let from = match call.by_tag(from_tag) {
        Some(from) => from,
        None => add(call, now, from_tag, names[0].as_deref().unwrap_or(tools.ports.default_name()))?,
    };
    let known = match flags.to_tag.as_deref().filter(|tag| !tag.is_empty()) {
        Some(tag) => call.by_tag(tag),
        None => unanswered(call, from, flags.via_branch.as_deref()),
    };
    let to = match known.filter(|to| *to != from) {
        Some(to) => to,
        None => {
            let tag = flags.to_tag.as_deref().unwrap_or_default();
            let to = add(call, now, tag, names[1].as_deref().unwrap_or(tools.ports.default_name()))?;
            call.parties[to].branch.clone_from(&flags.via_branch);
            to
        }
    };
    for (party, name) in [(from, &names[0]), (to, &names[1])] {
        // An interface is picked for good: ports are open on it.
        let party = &mut call.parties[party];
        if let Some(name) = name.as_ref().filter(|_| party.medias.iter().all(|media| media.ports.is_none())) {
            party.interface.clone_from(name);
        }
    }
    if flags.label.is_some() {
        call.parties[from].label.clone_from(&flags.label);
    }
    // What the offerer was itself offered is void: it offers instead of answering.
    call.parties[to].peer = call.parties[to].peer.or(Some(from));
    call.parties[from].peer = call.parties[from].peer.or(Some(to));
    Ok((from, to))
}

/// The names for both ends, as far as the flags say some.
fn interfaces(tools: &Tools, flags: &Flags) -> Result<[Option<String>; 2], CallError> {
    let mut names =
        [flags.direction.first().cloned(), flags.direction.get(1).or(flags.direction.first()).cloned()];
    for name in &mut names {
        match name.as_deref() {
            Some(given) if !tools.ports.has(given) => {
                // The old way to say IPv4 and IPv6, where no interfaces have these names.
                if !["internal", "external"].contains(&given) {
                    return Err(CallError::UnknownInterface(given.chars().take(64).collect()));
                }
                *name = None;
            }
            _ => {}
        }
    }
    Ok(names)
}

/// A branch that this offerer has offered to and that nobody has answered: by its name, or the only one without.
fn unanswered(call: &Call, from: usize, branch: Option<&str>) -> Option<usize> {
    let mut waiting = call.live().filter(|(_, party)| party.peer == Some(from) && party.pending.is_some());
    match branch {
        Some(branch) => waiting.find(|(_, party)| party.branch.as_deref() == Some(branch)),
        None => waiting.find(|(_, party)| party.tag.is_empty()),
    }
    .map(|(index, _)| index)
}

fn add(call: &mut Call, now: Now, tag: &str, interface: &str) -> Result<usize, CallError> {
    if call.parties.len() >= PARTIES {
        return Err(CallError::TooManyParties);
    }
    call.parties.push(Party {
        tag: tag.to_owned(),
        created: now.unix,
        interface: interface.to_owned(),
        ..Party::default()
    });
    Ok(call.parties.len() - 1)
}

/// The family of addresses for the other end: as the flags say, else as the description has it.
pub(super) fn family(flags: &Flags, text: &SessionText) -> Option<bool> {
    match flags.address_family {
        Some(Family::Ip4) => Some(true),
        Some(Family::Ip6) => Some(false),
        None => {
            let ip = text.medias().iter().find_map(|media| media.connection.as_ref()?.ip());
            ip.map(|ip| ip.is_ipv4())
        }
    }
}

fn media(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    to: usize,
    flags: &Flags,
    view: &MediaView,
    v4: Option<bool>,
) -> Result<(MediaRewrite, PendingMedia), CallError> {
    let (home, tos) = (call.told.home(), call.tos);
    let party = &mut call.parties[to];
    while party.medias.len() <= view.index {
        party.medias.push(Media::default());
    }
    if view.is_off() {
        return Ok((MediaRewrite { rejected: true, ..MediaRewrite::default() }, PendingMedia::Off));
    }
    if !view.protocol.is_rtp() && !view.is_t38() {
        return Ok((MediaRewrite::default(), PendingMedia::Foreign));
    }
    let ports = match flags.address_family {
        Some(_) => tools.ports_of(now, home, tos, party, view.index, v4)?,
        // A family that the interface lacks was not asked for by anyone but the other end's network.
        None => tools.some_ports_of(now, home, tos, party, view.index, v4)?,
    };
    if view.is_t38() {
        let line = &mut party.medias[view.index];
        line.kind.clone_from(&view.kind);
        // Keys of the voice that was must not come back with the voice that will be.
        line.crypto_offered.clear();
        return Ok((fax::rewritten(flags, view, ports), PendingMedia::Fax(Box::new(view.clone()))));
    }
    let line = &mut party.medias[view.index];
    line.kind.clone_from(&view.kind);
    let protocol = offered_protocol(&view.protocol, &flags.protocol);
    let security = offered_security(&protocol, Some(view), &flags.security);
    let security = SecurityOffer { dtls: security.dtls && tools.fingerprint.is_some(), ..security };
    let codecs = codecs::offer(&view.formats, &flags.codecs, &|format| tools.can(format));
    if security.sdes {
        let random = &mut tools.random;
        // A key that was in use and is no longer must not come back: only the one that is agreed stays, or all that
        // nobody has answered yet.
        let earlier = match &line.crypto {
            Some(agreed) => vec![agreed.ours.clone()],
            None => line.crypto_offered.clone(),
        };
        let rules = &flags.security.crypto;
        line.crypto_offered = crypto::offer(&view.crypto, rules, &earlier, &mut |bytes| random.fill(bytes));
    } else {
        line.crypto_offered.clear();
    }
    let mux = offered_mux(view.rtcp_mux, view.rtcp_mux_only, &flags.rtcp_mux);
    // A handshake is for one port (RFC 5764 section 4.1): with keys by DTLS alone both had better share it.
    let mux = MuxOffer { offered: mux.offered || (security.dtls && !security.sdes), ..mux };
    let has_ice = view.ice.is_some();
    let ice = match flags.ice {
        IceMode::Default => has_ice,
        IceMode::Remove | IceMode::ForceRelay => false,
        IceMode::Force | IceMode::Optional => true,
    };
    let setup = match flags.dtls {
        DtlsMode::Passive => Setup::Passive,
        DtlsMode::Active => Setup::Active,
        DtlsMode::Default | DtlsMode::Off => Setup::ActPass,
    };
    if ice && line.ice.is_none() {
        line.ice = Some(tools.random.ice(home.shard));
    }
    let mut change = base(flags, view, ports, mux);
    change.ice = ice_lines(flags, line, ports, mux.required, ice);
    change.remove_feedback = !protocol.has_feedback();
    change.protocol = Some(protocol);
    change.formats = Some(codecs.formats.clone());
    change.crypto = Some(line.crypto_offered.clone());
    change.pad_crypto = flags.security.crypto.pad;
    change.dtls = match &tools.fingerprint {
        Some(fingerprint) if security.dtls => {
            Change::Set(DtlsLines { fingerprint: fingerprint.clone(), setup, tls_id: None })
        }
        _ => Change::Remove,
    };
    if let Some(ms) = flags.ptime_ms {
        change.ptime = Change::Set(ms);
    }
    let waits = PendingRtp { theirs: view.clone(), codecs, security, mux, ice, setup };
    Ok((change, PendingMedia::Rtp(Box::new(waits))))
}

/// Lines that offers and answers have alike.
pub(super) fn base(flags: &Flags, view: &MediaView, ports: OwnPorts, mux: MuxOffer) -> MediaRewrite {
    let keeps_zero = view.is_zero() && !flags.replace.zero_address;
    MediaRewrite {
        address: (!keeps_zero).then_some(ports.address),
        port: Some(ports.port),
        rtcp: write::rtcp(flags, ports, mux.required),
        rtcp_mux: Some(mux.offered),
        direction: Some(view.direction),
        mid: match &view.mid {
            None if flags.has(Switch::GenerateMid) => Change::Set((view.index + 1).to_string()),
            _ => Change::Keep,
        },
        remove_ssrcs: true,
        remove_extensions: true,
        ..MediaRewrite::default()
    }
}

/// Our ICE lines, or none. With `force-relay` theirs stay, and we are one more candidate.
pub(super) fn ice_lines(flags: &Flags, line: &Media, ports: OwnPorts, muxed: bool, ours: bool) -> IceChange {
    let candidates = || write::candidates(ports, muxed);
    match &line.ice {
        _ if flags.ice == IceMode::ForceRelay => IceChange::Add(candidates().iter().map(relayed).collect()),
        Some(ice) if ours => {
            IceChange::Set(crate::ng::sdp::ice::Ice { candidates: candidates(), ended: true, ..ice.clone() })
        }
        _ => IceChange::Remove,
    }
}

fn relayed(candidate: &Candidate) -> Candidate {
    use crate::ng::sdp::ice::{CandidateKind, priority};
    let kind = CandidateKind::Relay;
    Candidate {
        kind,
        priority: priority(kind, u16::MAX, candidate.component),
        related: candidate.address,
        ..candidate.clone()
    }
}

/// What `o=` and the session's `c=` say: the first m-line's address.
fn address(party: &Party, pending: &[PendingMedia]) -> Option<IpAddr> {
    let lines = party.medias.iter().zip(pending);
    lines
        .filter(|(_, pending)| matches!(pending, PendingMedia::Rtp(_) | PendingMedia::Fax(_)))
        .find_map(|(line, _)| Some(line.ports?.address))
}

fn offers_ice(pending: &[PendingMedia]) -> bool {
    pending.iter().any(|pending| matches!(pending, PendingMedia::Rtp(rtp) if rtp.ice))
}
