//! The way of a packet, top to bottom.

use crate::batch::{Departing, Incoming};
use crate::stage::{
    admit, bridge, classify, dtls, fan_out, inspect, lookup, outbox, protect, repair, route, rtcp, stun,
    unprotect,
};
use crate::state::State;
use crate::{Datagram, Stray, Time, TxSlots};

/// In: from the receive buffers into the arena. Ahead of `unprotect` nothing changes any state but counters.
/// What belongs to no leg here may be another shard's: `stray` decides.
pub(crate) fn arrive(
    state: &mut State,
    batch: &mut Incoming,
    now: Time,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    classify::run(state, batch, datagrams);

    stun::run(state, batch, now, datagrams, stray);
    dtls::run(state, batch, now, datagrams, stray);
    bridge::run(state, batch, now, datagrams);

    lookup::run(state, batch, now, datagrams, stray);
    admit::run(state, batch, now, datagrams);
    unprotect::run(state, batch, now, datagrams);
    inspect::run(state, batch, now, datagrams);
    route::run(state, batch);

    rtcp::run(state, batch, now, datagrams, stray);
}

/// Out: from the arena into the transmit slots. False: the slots are full, and the rest waits.
pub(crate) fn leave<'a>(
    state: &mut State,
    departing: &mut Departing,
    now: Time,
    tx: &mut impl TxSlots<'a>,
) -> bool {
    if !outbox::run(state, tx) {
        return false;
    }
    loop {
        if !protect::run(state, departing, tx) {
            return false;
        }
        repair::run(state, departing);
        // Each step is rewritten at once: sequence numbers are given in the order of departure.
        fan_out::run(state, departing, now);
        if departing.packets.is_empty() {
            return true;
        }
    }
}
