//! Answers connectivity checks as a lite agent (RFC 8445 section 7.3) and learns paths from them.
//!
//! Silence for everything that does not prove the password, so that nobody can be flooded through us and nobody
//! learns whether a user name exists.
//!
//! Next: outbox.
//! Drops: `StunMalformed`, `StunNotRequest`, `StunUnknownUser`, `StunRate`, `StunBadIntegrity`, `StunPathTaken`,
//! `StunAmplifies`.

use kaname_wire::path::{Carrier, Path};

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::event::Event;
use crate::ice::{Check, Fault};
use crate::outbox::Way;
use crate::state::State;
use crate::{Datagram, Stray, Time};

pub(crate) fn run(
    state: &mut State,
    batch: &Incoming,
    now: Time,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    for &at in &batch.stun {
        let datagram = &datagrams[usize::from(at)];
        if let Err(reason) = check(state, datagram, now) {
            state.give_up(datagram, reason, stray);
        }
    }
}

fn check(state: &mut State, datagram: &Datagram<'_>, now: Time) -> Result<(), DropReason> {
    let path = datagram.path;
    let check = Check::parse(datagram.bytes).map_err(|fault| match fault {
        Fault::Malformed => DropReason::StunMalformed,
        Fault::NotRequest => DropReason::StunNotRequest,
    })?;
    let (ours, theirs) = check.user_name.split_once(':').ok_or(DropReason::StunMalformed)?;
    let index = *state.fragments.get(ours).ok_or(DropReason::StunUnknownUser)?;
    let leg = state.legs.get_mut(index).ok_or(DropReason::StunUnknownUser)?;
    let agent = leg.agent.as_ref().ok_or(DropReason::StunUnknownUser)?;
    let (credentials, is_current) = agent.credentials(ours, theirs).ok_or(DropReason::StunUnknownUser)?;
    // A leg is reached at its own ports alone, and they are reached by it alone.
    let owner = state.locals.get(&path.local).filter(|_| path.carrier == Carrier::Udp);
    if owner.is_some_and(|owner| *owner != index) || (owner.is_none() && leg.ports.is_some()) {
        return Err(DropReason::StunPathTaken);
    }
    let is_validated = state.paths.get(&path) == Some(&index);
    if !state.check_limits.allow(&path.remote, is_validated, now) {
        return Err(DropReason::StunRate);
    }
    if !check.verify(&credentials.key) {
        return Err(DropReason::StunBadIntegrity);
    }
    let accepted = !check.has_unknown() && !check.role_conflict;
    let answer = if check.has_unknown() {
        check.unknown_error(&credentials.key)
    } else if check.role_conflict {
        check.role_conflict_error(&credentials.key)
    } else {
        check.success(path.remote, &credentials.key)
    };
    if answer.len() > datagram.bytes.len() {
        return Err(DropReason::StunAmplifies);
    }
    leg.count_in(datagram.bytes.len(), now);
    if accepted {
        accept(state, index, path, check.use_candidate, is_current, now)?;
        state.counters.checks_answered += 1;
    }
    state.post(index, Way::Plain(path), &answer);
    Ok(())
}

/// The check is good: the path is validated, and perhaps selected.
fn accept(
    state: &mut State,
    index: u32,
    path: Path,
    nominates: bool,
    is_current: bool,
    now: Time,
) -> Result<(), DropReason> {
    // A leg whose peer is alive keeps its path: else a participant could take another's by forging its address.
    if state.paths.get(&path).is_some_and(|owner| *owner != index) {
        return Err(DropReason::StunPathTaken);
    }
    let Some(leg) = state.legs.get_mut(index) else { return Err(DropReason::StunUnknownUser) };
    let could_send = leg.can_send();
    let Some(agent) = &mut leg.agent else { return Err(DropReason::StunUnknownUser) };
    let changes = agent.checked(path, nominates, now);
    // RFC 8445 section 9: the restart is over when the new credentials nominate; the old ones are void then.
    if nominates
        && is_current
        && let Some(previous) = agent.previous.take()
    {
        state.fragments.remove(&previous.local_ufrag);
    }
    leg.settle();
    let (id, due, can_send) = (leg.id, leg.consent_due(), leg.can_send());
    if let Some(evicted) = changes.evicted {
        state.paths.remove(&evicted);
    }
    if changes.is_new {
        state.paths.insert(path, index);
        state.events.push_back(Event::PathValidated { leg: id, path });
    }
    if changes.selected {
        state.events.push_back(Event::PathSelected { leg: id, path });
    }
    state.wake(index, due);
    if can_send && !could_send {
        state.leg_is_ready(index, now);
    }
    Ok(())
}
