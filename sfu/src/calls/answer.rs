//! An answer: what both ends agreed on, and the description for who offered. From here on media flows.

use super::actor::Now;
use super::error::CallError;
use super::fax;
use super::formats::{self, Towards};
use super::model::{Agreed, Call, Media, Pending, PendingMedia, PendingRtp, Signalled, Wishes, address_of};
use super::offer::{base, family, ice_lines};
use super::plan::{Effects, Manner, Security};
use super::tools::Tools;
use super::write;
use crate::ng::flags::{DtlsMode, Flags, IceMode};
use crate::ng::sdp::codecs::{self, Flow};
use crate::ng::sdp::crypto;
use crate::ng::sdp::direction::answer_within;
use crate::ng::sdp::dtls::{DtlsRole, answer_role, offer_role};
use crate::ng::sdp::mux::{MuxOffer, agreed_mux, answered_mux};
use crate::ng::sdp::protocol::answered_protocol;
use crate::ng::sdp::security::{
    Security as Keys, SecurityRefused, SecurityRules, agreed_security, taken_security,
};
use crate::ng::sdp::{Change, DtlsLines, MediaRewrite, MediaView, SessionText, rewrite};

/// Takes an answer, and gives the description for who offered.
pub(super) fn answer(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    text: &SessionText,
) -> Result<String, CallError> {
    let (from, to) = parties(call, flags)?;
    let Some(pending) = call.parties[to].pending.take() else { return Err(CallError::NoOffer) };
    let outcome = settle(tools, now, call, (from, to), &pending, flags, text);
    // An offer may be answered again: by an early answer and the last one, or by several phones.
    call.parties[to].pending = Some(pending);
    let (settled, medias) = outcome?;
    let address =
        settled.iter().flatten().find_map(|_| call.parties[from].medias.iter().find_map(|m| m.ports));
    take(call, (from, to), settled, text);
    introduce(call, (from, to), flags);
    call.answered = call.answered.or(Some(now));
    let has_ice = medias.iter().any(|media| matches!(media.ice, crate::ng::sdp::IceChange::Set(_)));
    let mut changes =
        write::session(flags, text, medias, address.map(|ports| ports.address), &tools.loop_mark);
    changes.ice_lite = Some(has_ice);
    let rewritten = rewrite(text, &changes);
    Ok(call.parties[from].origin.apply(rewritten, write::origin_rules(flags)))
}

/// Who offered and who answers. Some proxies name the two the other way round.
fn parties(call: &Call, flags: &Flags) -> Result<(usize, usize), CallError> {
    let from = flags.from_tag.as_deref().and_then(|tag| call.by_tag(tag));
    let to = flags.to_tag.as_deref().filter(|tag| !tag.is_empty()).and_then(|tag| call.by_tag(tag));
    let waits = |of: usize, by: usize| call.parties[of].pending.as_ref().is_some_and(|p| p.offerer == by);
    match (from, to) {
        (Some(from), Some(to)) if from != to && waits(to, from) => Ok((from, to)),
        (Some(from), Some(to)) if from != to && waits(from, to) => Ok((to, from)),
        (Some(_), Some(_)) => Err(CallError::NoOffer),
        (Some(from), None) => {
            let waiting = || call.live().filter(|(index, _)| *index != from && waits(*index, from));
            let branch = flags.via_branch.as_deref();
            let named = branch
                .and_then(|b| call.live().find(|(i, p)| waits(*i, from) && p.branch.as_deref() == Some(b)));
            let found = named.or_else(|| waiting().find(|(_, party)| party.tag.is_empty()));
            // Another phone of a branch that was forked behind us.
            found.or_else(|| waiting().next()).map(|(to, _)| (from, to)).ok_or(CallError::NoOffer)
        }
        (None, Some(to)) => {
            let pending = call.parties[to].pending.as_ref();
            pending.map(|pending| (pending.offerer, to)).ok_or(CallError::UnknownTag)
        }
        (None, None) => Err(CallError::UnknownTag),
    }
}

/// Each knows the other from now on.
fn introduce(call: &mut Call, (from, to): (usize, usize), flags: &Flags) {
    let tag = flags.to_tag.as_deref().unwrap_or_default();
    let swapped = call.by_tag(tag) == Some(from);
    let party = &mut call.parties[to];
    if !swapped && party.tag != tag {
        let before = std::mem::replace(&mut party.tag, tag.to_owned());
        party.other_tags.retain(|other| other != tag);
        if !before.is_empty() {
            party.other_tags.push(before);
        }
    }
    if flags.label.is_some() && !swapped {
        party.label.clone_from(&flags.label);
    }
    party.peer = Some(from);
    call.parties[from].peer = Some(to);
}

/// Both sides of one m-line: the offerer's, then the answerer's.
pub(super) struct Settled {
    pub(super) offerer: Agreed,
    pub(super) answerer: Agreed,
    pub(super) offerer_view: MediaView,
    pub(super) offerer_keys: Option<crypto::CryptoPair>,
    pub(super) answerer_keys: Option<crypto::CryptoPair>,
}

type Outcome = (Vec<Option<Settled>>, Vec<MediaRewrite>);

/// Finds out what is agreed, without changing what flows.
fn settle(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    ends: (usize, usize),
    pending: &Pending,
    flags: &Flags,
    text: &SessionText,
) -> Result<Outcome, CallError> {
    let (answered, offered) = (text.medias().len(), pending.medias.len());
    if answered != offered {
        return Err(CallError::Lines { answered, offered });
    }
    let (mut settled, mut lines) = (Vec::new(), Vec::new());
    for (view, waits) in text.medias().iter().zip(&pending.medias) {
        let rejected = || MediaRewrite { rejected: true, ..MediaRewrite::default() };
        let (outcome, line) = match waits {
            PendingMedia::Off => (None, rejected()),
            PendingMedia::Foreign => (None, MediaRewrite::default()),
            PendingMedia::Rtp(_) | PendingMedia::Fax(_) if view.is_off() => (None, rejected()),
            PendingMedia::Fax(_) if !view.is_t38() => (None, rejected()),
            PendingMedia::Fax(offered) => {
                let (outcome, line) =
                    fax::settle(tools, now, call, ends, offered, &pending.wishes, (flags, view))?;
                (Some(outcome), line)
            }
            PendingMedia::Rtp(rtp) => {
                let given = Given { pending, rtp, flags, text, view };
                match media(tools, now, call, ends, &given)? {
                    Some((outcome, line)) => (Some(outcome), line),
                    None => (None, rejected()),
                }
            }
        };
        settled.push(outcome);
        lines.push(line);
    }
    Ok((settled, lines))
}

/// What an m-line is settled from.
struct Given<'a> {
    pending: &'a Pending,
    rtp: &'a PendingRtp,
    flags: &'a Flags,
    text: &'a SessionText,
    view: &'a MediaView,
}

/// `None`: they have no codec in common.
fn media(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    (from, to): (usize, usize),
    given: &Given<'_>,
) -> Result<Option<(Settled, MediaRewrite)>, CallError> {
    let Given { pending, rtp, flags, text, view } = *given;
    let wishes = &pending.wishes;
    let plan = codecs::plan(&rtp.codecs, &view.formats, &wishes.codecs, &|format| tools.can(format));
    if plan.answer.is_empty() {
        return Ok(None);
    }
    let (home, tos) = (call.told.home(), call.tos);
    let offerer = &mut call.parties[from];
    while offerer.medias.len() <= view.index {
        offerer.medias.push(Media::default());
    }
    let v4 = rtp.theirs.connection.as_ref().and_then(|host| host.ip()).map(|ip| ip.is_ipv4());
    let v4 = flags.address_family.and(family(flags, text)).or(v4);
    let ports = tools.some_ports_of(now, home, tos, offerer, view.index, v4)?;
    let (answerer_security, answerer_keys) =
        answerer_security(&call.parties[to].medias[view.index], rtp, view)?;
    let line = &mut call.parties[from].medias[view.index];
    line.kind.clone_from(&view.kind);
    let prefer = prefer(flags, wishes);
    let (offerer_security, offerer_keys, role) = offerer_security(tools, line, rtp, view, wishes, prefer)?;

    let ice = rtp.theirs.ice.as_ref().filter(|_| !wishes.reject_ice && flags.ice != IceMode::Remove);
    if let Some(theirs) = ice
        && (line.ice.is_none() || line.ice_for != theirs.ufrag)
    {
        // The first time, or a restart (RFC 8445 section 9): then both sides take new ones.
        line.ice = Some(tools.random.ice(home.shard));
        line.ice_for.clone_from(&theirs.ufrag);
    }
    let mux = answered_mux(rtp.theirs.rtcp_mux, &wishes.mux) && answered_mux(true, &flags.rtcp_mux);
    let protocol = answered_protocol(&rtp.theirs.protocol, &view.protocol, &flags.protocol);
    let protocol = if protocol.is_secure() == rtp.theirs.protocol.is_secure() {
        protocol
    } else {
        rtp.theirs.protocol.clone()
    };
    let direction = answer_within(rtp.theirs.direction, view.direction);

    let mut change = base(flags, view, ports, MuxOffer { offered: mux, required: mux });
    change.direction = Some(direction);
    change.ice = ice_lines(flags, line, ports, mux, ice.is_some());
    change.remove_feedback = !protocol.has_feedback();
    change.formats = Some(plan.answer.clone());
    change.crypto = Some(offerer_keys.iter().map(|pair| pair.ours.clone()).collect());
    change.pad_crypto = flags.security.crypto.pad || wishes.security.crypto.pad;
    change.dtls = match (&tools.fingerprint, role) {
        (Some(fingerprint), Some(role)) => {
            Change::Set(DtlsLines { fingerprint: fingerprint.clone(), setup: role.setup(), tls_id: None })
        }
        _ => Change::Remove,
    };
    // RFC 5888: an answer names m-lines as the offer did.
    change.mid = rtp.theirs.mid.clone().map_or(Change::Remove, Change::Set);
    if let Some(ms) = flags.ptime_ms.or(wishes.ptime_reverse_ms) {
        change.ptime = Change::Set(ms);
    }
    change.protocol = Some(protocol);

    let feedback = rtp.theirs.protocol.has_feedback() && rtp.theirs.has_feedback_lines;
    let answerer_feedback = view.protocol.has_feedback() && view.has_feedback_lines;
    let both_lite = pending.ice_lite;
    let offerer = Agreed {
        mux: is_muxed(mux, &offerer_security, ice.is_some(), &call.parties[from].medias[view.index]),
        security: offerer_security,
        ice: ice.filter(|_| !both_lite).map(|ice| ice.ufrag.clone()),
        remote: signalled(&rtp.theirs, wishes.address),
        sound: formats::sound(&plan.to_answerer, feedback),
        formats: plan.answer.clone(),
        sends: rtp.theirs.meant_direction().sends(),
        receives: rtp.theirs.meant_direction().receives(),
        protocol: rtp.theirs.protocol.name().to_owned(),
        ..flows(tools, &plan.to_offerer, wishes.ptime_reverse_ms.or(rtp.theirs.ptime), wishes, view)
    };
    let answerer_ice = view.ice.as_ref().filter(|_| rtp.ice && !text.session().ice_lite);
    let answerer = Agreed {
        mux: is_muxed(
            agreed_mux(rtp.mux, view.rtcp_mux),
            &answerer_security,
            answerer_ice.is_some(),
            &call.parties[to].medias[view.index],
        ),
        security: answerer_security,
        ice: answerer_ice.map(|ice| ice.ufrag.clone()),
        remote: signalled(view, address_of(flags)),
        sound: formats::sound(&plan.to_offerer, answerer_feedback),
        formats: view.formats.clone(),
        sends: view.meant_direction().sends(),
        receives: view.meant_direction().receives(),
        protocol: view.protocol.name().to_owned(),
        ..flows(tools, &plan.to_answerer, wishes.ptime_ms.or(view.ptime), wishes, view)
    };
    let [offerer, answerer] = [(offerer, &rtp.theirs), (answerer, view)].map(|(agreed, view)| {
        let towards = Towards { ptime_ms: view.ptime, rules: &wishes.codecs };
        let codecs = tools.engine.codecs();
        let solo = formats::solo(&agreed.formats, towards, &mut tools.random);
        let solo = solo.and_then(|config| formats::codable(config, codecs));
        let tap = formats::tap(&view.formats, codecs);
        Agreed { solo: solo.map(|config| Manner::Solo(Box::new(config))), tap, ..agreed }
    });
    let settled =
        Settled { offerer, answerer, offerer_view: rtp.theirs.clone(), offerer_keys, answerer_keys };
    Ok(Some((settled, change)))
}

/// What has to do with how sound gets to a side; the rest is filled in by the caller.
fn flows(tools: &mut Tools, flow: &Flow, ptime_ms: Option<u32>, wishes: &Wishes, view: &MediaView) -> Agreed {
    let towards = Towards { ptime_ms, rules: &wishes.codecs };
    let manner = formats::manner(flow, towards, &mut tools.random);
    let worked = match &manner {
        Manner::Pass(_) => formats::transcoder(flow, towards, &mut tools.random)
            .and_then(|config| formats::codable(config, tools.engine.codecs()))
            .map(|config| Manner::Transcode { config: Box::new(config), effects: Effects::default() }),
        _ => None,
    };
    Agreed {
        security: Security::Plain,
        mux: false,
        ice: None,
        remote: Signalled::default(),
        sound: Default::default(),
        formats: Vec::new(),
        flow: manner,
        worked,
        solo: None,
        tap: None,
        sends: false,
        receives: false,
        video: view.kind.eq_ignore_ascii_case("video"),
        protocol: String::new(),
    }
}

/// Whether RTP and RTCP of a side share a port. With keys by DTLS that stays as it was: a leg on other ports would have to shake
/// hands anew, and nothing makes the peer begin. Where there is ICE too they always share it, as with browsers.
fn is_muxed(agreed: bool, security: &Security, has_ice: bool, line: &Media) -> bool {
    let before = line.agreed.as_ref().filter(|before| is_dtls(&before.security)).map(|before| before.mux);
    match is_dtls(security) {
        true => before.unwrap_or(agreed || has_ice),
        false => agreed,
    }
}

fn is_dtls(security: &Security) -> bool {
    matches!(security, Security::Dtls { .. })
}

/// Who begins the handshake with an offerer who leaves it open. We wait: it may be behind address translation.
fn prefer(flags: &Flags, wishes: &Wishes) -> DtlsRole {
    let modes = [flags.dtls, flags.dtls_reverse, wishes.dtls_reverse];
    if modes.contains(&DtlsMode::Active) { DtlsRole::Active } else { DtlsRole::Passive }
}

pub(super) fn signalled(view: &MediaView, instead: Option<std::net::IpAddr>) -> Signalled {
    let at = |address: Option<std::net::SocketAddr>| {
        address.map(|address| std::net::SocketAddr::new(instead.unwrap_or(address.ip()), address.port()))
    };
    Signalled {
        rtp: at(view.rtp_address()),
        rtcp: at(view.rtcp_address()),
        held: view.is_zero() && view.ice.is_none(),
    }
}

type Secured = (Security, Option<crypto::CryptoPair>);

/// What the answerer took of what it was offered.
fn answerer_security(line: &Media, rtp: &PendingRtp, view: &MediaView) -> Result<Secured, CallError> {
    let index = view.index + 1;
    let keys = agreed_security(rtp.security, view).map_err(|why| CallError::Security(index, why))?;
    match keys {
        Keys::Plain => Ok((Security::Plain, None)),
        Keys::Sdes => {
            let pair = crypto::agreed(&line.crypto_offered, &view.crypto).ok_or(CallError::NoKeys(index))?;
            Ok((sdes(&pair).ok_or(CallError::NoKeys(index))?, Some(pair)))
        }
        Keys::Dtls => {
            let dtls = view.dtls.as_ref();
            let fingerprint = dtls.and_then(|dtls| dtls.fingerprints.first()).cloned();
            let fingerprint = fingerprint.ok_or(CallError::Security(index, SecurityRefused::NoKeys))?;
            let role =
                offer_role(rtp.setup, dtls.and_then(|dtls| dtls.setup)).ok_or(CallError::NoRole(index))?;
            Ok((Security::Dtls { fingerprint, active: role == DtlsRole::Active }, None))
        }
    }
}

/// How the offerer's own offer is taken.
fn offerer_security(
    tools: &mut Tools,
    line: &Media,
    rtp: &PendingRtp,
    view: &MediaView,
    wishes: &Wishes,
    prefer: DtlsRole,
) -> Result<(Security, Option<crypto::CryptoPair>, Option<DtlsRole>), CallError> {
    let index = view.index + 1;
    let theirs = &rtp.theirs;
    // Flags that keep keys from the answerer are no reason to refuse those of the offerer, if it has no others.
    let taken = match taken_security(theirs, &wishes.security) {
        Err(SecurityRefused::SwitchedOff) => taken_security(theirs, &SecurityRules::default()),
        taken => taken,
    };
    let keys = taken.map_err(|why| CallError::Security(index, why))?;
    // RFC 8643: keys under a plain protocol that the answerer refused are refused, unless we are to take them.
    let refused_further = theirs.is_osrtp() && !wishes.security.osrtp_accept && !view.is_osrtp();
    match keys {
        Keys::Plain => Ok((Security::Plain, None, None)),
        _ if refused_further && rtp.security.optional => Ok((Security::Plain, None, None)),
        Keys::Sdes => {
            let random = &mut tools.random;
            let fill = &mut |bytes: &mut [u8]| random.fill(bytes);
            let pair = crypto::answer(&theirs.crypto, &wishes.security.crypto, line.crypto.as_ref(), fill);
            let pair = pair.ok_or(CallError::Security(index, SecurityRefused::NoSuite))?;
            let security = sdes(&pair).ok_or(CallError::NoKeys(index))?;
            Ok((security, Some(pair), None))
        }
        Keys::Dtls => {
            let dtls = theirs.dtls.as_ref();
            let fingerprint = dtls.and_then(|dtls| dtls.fingerprints.first()).cloned();
            let fingerprint = fingerprint.ok_or(CallError::Security(index, SecurityRefused::NoKeys))?;
            let role =
                answer_role(dtls.and_then(|dtls| dtls.setup), prefer).ok_or(CallError::NoRole(index))?;
            Ok((Security::Dtls { fingerprint, active: role == DtlsRole::Active }, None, Some(role)))
        }
    }
}

fn sdes(pair: &crypto::CryptoPair) -> Option<Security> {
    Some(Security::Sdes { theirs: Box::new(pair.theirs.keying()?), ours: Box::new(pair.ours.keying()?) })
}

/// What is agreed becomes what is.
fn take(call: &mut Call, (from, to): (usize, usize), settled: Vec<Option<Settled>>, text: &SessionText) {
    for (index, outcome) in settled.into_iter().enumerate() {
        match outcome {
            Some(outcome) => {
                let line = &mut call.parties[from].medias[index];
                line.theirs = Some(outcome.offerer_view);
                line.crypto = outcome.offerer_keys;
                line.agreed = Some(outcome.offerer);
                let line = &mut call.parties[to].medias[index];
                line.theirs = text.medias().get(index).cloned();
                line.crypto = outcome.answerer_keys;
                line.agreed = Some(outcome.answerer);
            }
            None => {
                for party in [from, to] {
                    if let Some(line) = call.parties[party].medias.get_mut(index) {
                        line.agreed = None;
                    }
                }
            }
        }
    }
    // A description may be shorter than an earlier one only by a fault: what it does not name is over.
    let named = text.medias().len();
    for party in [from, to] {
        for line in call.parties[party].medias.iter_mut().skip(named) {
            line.agreed = None;
        }
    }
}
