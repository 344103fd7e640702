//! Sorts datagrams by their first bytes (RFC 7983).
//!
//! Next: stun, dtls, bridge, lookup (media), rtcp.
//! Drops: `BatchOverflow`, `UnknownProtocol`, `TooShort`, `TooLong`.

use kaname_wire::demux::{Class, DemuxError, classify};

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::state::State;
use crate::{Datagram, limits};

pub(crate) fn run(state: &mut State, batch: &mut Incoming, datagrams: &[Datagram<'_>]) {
    for list in [&mut batch.media, &mut batch.rtcp, &mut batch.stun, &mut batch.dtls, &mut batch.bridged] {
        list.clear();
    }
    let overflow = datagrams.len().saturating_sub(limits::BATCH);
    state.counters.drop_many(DropReason::BatchOverflow, overflow as u64);
    state.counters.packets_in += datagrams.len() as u64;
    for (at, datagram) in datagrams.iter().take(limits::BATCH).enumerate() {
        let len = datagram.bytes.len();
        state.counters.bytes_in += len as u64;
        let (list, max) = match classify(datagram.bytes) {
            _ if state.is_bridged(&datagram.path) => (&mut batch.bridged, limits::SLOT_LEN),
            Ok(Class::Rtp) => (&mut batch.media, limits::SLOT_LEN),
            Ok(Class::Rtcp) => (&mut batch.rtcp, limits::RTCP_LEN),
            Ok(Class::Stun) => (&mut batch.stun, limits::STUN_LEN),
            Ok(Class::Dtls) => (&mut batch.dtls, limits::DATAGRAM_LEN),
            Err(DemuxError::TooShort(_)) => {
                state.counters.drop(DropReason::TooShort);
                continue;
            }
            // We allocate no TURN channels.
            Ok(Class::TurnChannel) | Err(_) => {
                state.counters.drop(DropReason::UnknownProtocol);
                continue;
            }
        };
        if len > max {
            state.counters.drop(DropReason::TooLong);
        } else {
            list.push(at as u16);
        }
    }
}
