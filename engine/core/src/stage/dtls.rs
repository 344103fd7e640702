//! Hands DTLS records from validated paths up (RFC 7983); a stranger's hello never becomes state.
//!
//! Next: the handshake workers, by event.
//! Drops: `DtlsUnknownPath`, `DtlsRate`.

use crate::batch::Incoming;
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
        let leg = state.paths.get(&datagram.path).copied();
        let Some(leg) = leg.and_then(|index| state.legs.get_mut(index)) else {
            state.give_up(datagram, DropReason::DtlsUnknownPath, stray);
            continue;
        };
        let rate = limits::DATAGRAMS_PER_SECOND;
        if !leg.datagrams.take(now, rate, rate) {
            state.counters.drop(DropReason::DtlsRate);
            continue;
        }
        leg.packets_in += 1;
        leg.bytes_in += datagram.bytes.len() as u64;
        let (path, data) = (datagram.path, datagram.bytes.into());
        state.events.push_back(Event::Datagram { leg: leg.id, path, data });
    }
}
