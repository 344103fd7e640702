//! Hands DTLS records up (RFC 7983): of legs with ICE from validated paths alone, so that a stranger's hello never becomes
//! state; of legs on ports of their own from anyone, few a second, since the peer may be elsewhere than it was said to be.
//!
//! Next: the handshake workers, by event.
//! Drops: `DtlsUnknownPath`, `DtlsRate`, `ForeignSource`.

use crate::batch::Incoming;
use crate::command::LegId;
use crate::counters::DropReason;
use crate::event::Event;
use crate::state::State;
use crate::{Datagram, Stray, Time, limits};

pub(crate) fn run(
    state: &mut State,
    batch: &Incoming,
    now: Time,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    for &at in &batch.dtls {
        let datagram = &datagrams[usize::from(at)];
        match admit(state, datagram, now) {
            Ok(leg) => {
                let (path, data) = (datagram.path, datagram.bytes.into());
                state.events.push_back(Event::Datagram { leg, path, data });
            }
            Err(reason) => state.give_up(datagram, reason, stray),
        }
    }
}

fn admit(state: &mut State, datagram: &Datagram<'_>, now: Time) -> Result<LegId, DropReason> {
    let (index, by_port) = state.leg_at(&datagram.path).ok_or(DropReason::DtlsUnknownPath)?;
    let leg = state.legs.get_mut(index).ok_or(DropReason::DtlsUnknownPath)?;
    if by_port {
        let ports = leg.ports.as_mut().ok_or(DropReason::DtlsUnknownPath)?;
        ports.admits_dtls(&datagram.path, &mut leg.datagrams, now)?;
    } else if !leg.datagrams.take(now, limits::DATAGRAMS_PER_SECOND, limits::DATAGRAMS_PER_SECOND) {
        return Err(DropReason::DtlsRate);
    }
    // From whom it is, the handshake will tell: it says nothing of the peer's being alive.
    leg.packets_in += 1;
    leg.bytes_in += datagram.bytes.len() as u64;
    Ok(leg.id)
}
