//! Takes a send index for each copy and encrypts many of them together, out of the arena straight into the transmit
//! slots.
//!
//! Next: the io backend sends.
//! Drops: `Removed`, `LegNotReady`, `IndexTaken`, `KeyExhausted`, `DoesNotFit`.

use arrayvec::ArrayVec;
use kaname_srtp::{ProtectJob, SrtpError, protect_batch};

use crate::TxSlots;
use crate::batch::{Departing, Outgoing, Payload};
use crate::counters::DropReason;
use crate::event::Event;
use crate::limits::PROTECT_BATCH;
use crate::stage::admit::reason;
use crate::state::State;

/// A copy with its slot.
struct Ready<'a> {
    /// Its place among the departing.
    at: usize,
    out: &'a mut [u8],
}

/// False: the slots are full, and what is left of the departing waits.
pub(crate) fn run<'a>(state: &mut State, departing: &mut Departing, tx: &mut impl TxSlots<'a>) -> bool {
    let mut has_room = true;
    while has_room && departing.done < departing.packets.len() {
        let mut ready = ArrayVec::<Ready<'a>, PROTECT_BATCH>::new();
        let begin = departing.done;
        while departing.done < departing.packets.len() && !ready.is_full() {
            let packet = &mut departing.packets[departing.done];
            match reserve(state, packet, tx) {
                Ok(Some(out)) => ready.push(Ready { at: departing.done, out }),
                Ok(None) => {
                    has_room = false;
                    break;
                }
                Err(reason) => state.counters.drop(reason),
            }
            departing.done += 1;
        }
        encrypt(state, departing, ready);
        for packet in &departing.packets[begin..departing.done] {
            state.arena.release(packet.slot);
        }
    }
    if has_room {
        departing.clear();
    }
    has_room
}

/// Takes the index and the slot of one copy. `None`: no slot; the index is kept for the next try.
fn reserve<'a>(
    state: &mut State,
    packet: &mut Outgoing,
    tx: &mut impl TxSlots<'a>,
) -> Result<Option<&'a mut [u8]>, DropReason> {
    let State { legs, senders, arena, counters, events, .. } = state;
    let sender = senders.get_mut(packet.sender).ok_or(DropReason::Removed)?;
    let leg = legs.get_mut(packet.leg).ok_or(DropReason::Removed)?;
    let path = leg.agent.path().ok_or(DropReason::LegNotReady)?;
    let outbound = leg.outbound.as_mut().filter(|_| !leg.exhausted).ok_or(DropReason::LegNotReady)?;
    if packet.index.is_none() {
        match outbound.take_rtp(packet.ssrc, packet.sequence) {
            Ok(index) => packet.index = Some(index),
            Err(error) => {
                if error == SrtpError::KeyExhausted {
                    leg.exhausted = true;
                    events.push_back(Event::KeyExhausted { leg: leg.id });
                }
                return Err(reason(error));
            }
        }
    }
    let payload_len = match packet.payload {
        Payload::Shared => arena.meta(packet.slot).payload_len(),
        Payload::Scratch { len, .. } => len,
    };
    let len = packet.header_len + payload_len + outbound.rtp_overhead();
    let Some(out) = tx.take(&path, len) else { return Ok(None) };
    leg.packets_out += 1;
    leg.bytes_out += len as u64;
    counters.packets_out += 1;
    counters.bytes_out += len as u64;
    if packet.payload == Payload::Shared {
        sender.packets += 1;
        sender.bytes += payload_len as u64;
        sender.repairs.earn(len);
        counters.forwarded += 1;
    } else {
        sender.retransmitted += 1;
        counters.repaired += 1;
    }
    Ok(Some(out))
}

fn encrypt(state: &mut State, departing: &mut Departing, ready: ArrayVec<Ready<'_>, PROTECT_BATCH>) {
    let State { legs, arena, counters, .. } = state;
    let Departing { packets, headers, scratch, .. } = departing;
    let mut jobs = ArrayVec::<ProtectJob<'_>, PROTECT_BATCH>::new();
    for Ready { at, out } in ready {
        let packet = &mut packets[at];
        let outbound = legs.get(packet.leg).and_then(|leg| leg.outbound.as_ref());
        let (Some(outbound), Some(index)) = (outbound, packet.index.take()) else { continue };
        let header = &headers[at][..packet.header_len];
        let payload = match packet.payload {
            Payload::Shared => arena.payload(packet.slot),
            Payload::Scratch { at, len } => &scratch[at][..len],
        };
        match ProtectJob::new(outbound.keys(), index, header, payload, out) {
            Ok(job) => jobs.push(job),
            Err(error) => counters.drop(reason(error)),
        }
    }
    protect_batch(&mut jobs);
}
