//! Passes on what comes to a leg that carries no RTP: the bytes as they are, from the peer of one leg to that of another and to
//! nobody else. UDPTL (ITU-T T.38) begins with a sequence number of 16 bits; by it a peer that is not where it was said to
//! be is told from others.
//!
//! Next: outbox.
//! Drops: `TooShort`, `UnknownPath`, `NoKeys`, `WrongPort`, `ForeignSource`, `SourceNotLearned`, `MediaRate`, `NoRoute`,
//! `LegNotReady`, `OutboxFull`.

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::leg::{Bridge, Claim, Sending};
use crate::outbox::Way;
use crate::state::State;
use crate::{Datagram, Time, limits};

/// UDPTL has none: one peer is one source.
const SOURCE: u32 = 0;

pub(crate) fn run(state: &mut State, batch: &Incoming, now: Time, datagrams: &[Datagram<'_>]) {
    for &at in &batch.bridged {
        let datagram = &datagrams[usize::from(at)];
        if let Err(reason) = pass(state, datagram, now) {
            state.counters.drop(reason);
        }
    }
}

fn pass(state: &mut State, datagram: &Datagram<'_>, now: Time) -> Result<(), DropReason> {
    let index = state.owner(&datagram.path).ok_or(DropReason::UnknownPath)?;
    let leg = state.legs.get_mut(index).ok_or(DropReason::UnknownPath)?;
    let &[high, low, _, ..] = datagram.bytes else { return Err(DropReason::TooShort) };
    // Nothing proves where it is from: that is only for legs in the clear.
    if !leg.inbound.is_plain() {
        return Err(DropReason::NoKeys);
    }
    let ports = leg.ports.as_mut().ok_or(DropReason::UnknownPath)?;
    let claim = Claim { ssrc: SOURCE, sequence: u16::from_be_bytes([high, low]), plain: true };
    let moved =
        ports.admits(&datagram.path, claim, now)? | ports.hear(datagram.path.remote, SOURCE, true, now);
    if !leg.media.take(now, limits::MEDIA_PER_SECOND, limits::MEDIA_BURST) {
        return Err(DropReason::MediaRate);
    }
    leg.count_in(datagram.bytes.len(), now);
    let to = leg.bridge.and_then(|Bridge(to)| to);
    if moved {
        state.moved(index, now);
    }
    let to = to.and_then(|to| state.legs.index(to)).ok_or(DropReason::NoRoute)?;
    let listener = state.legs.get(to).filter(|leg| matches!(leg.outbound, Sending::Plain));
    let path = listener.and_then(|leg| leg.path()).ok_or(DropReason::LegNotReady)?;
    state.post(to, Way::Plain(path), datagram.bytes);
    Ok(())
}
