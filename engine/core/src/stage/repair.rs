//! Sends packets of the repair cache again as RTX (RFC 4588), with the numbers that they had at the subscriber.
//!
//! Next: protect.
//! Drops: `Removed`, `LegNotReady`, `DoesNotFit`.

use kaname_wire::payload::rtx;

use crate::batch::{Departing, Outgoing, Payload};
use crate::counters::DropReason;
use crate::stage::rewrite::{Numbers, header};
use crate::state::{Repair, State};

pub(crate) fn run(state: &mut State, departing: &mut Departing) {
    while departing.scratch_used < departing.scratch.len() && !departing.packets.is_full() {
        let Some(repair) = state.repairs.pop_front() else { return };
        if let Err(reason) = rewrite(state, departing, repair) {
            state.counters.drop(reason);
            state.arena.release(repair.slot);
        }
    }
}

/// The copy takes over the repair's hold of the slot.
fn rewrite(state: &mut State, departing: &mut Departing, repair: Repair) -> Result<(), DropReason> {
    let State { legs, senders, arena, .. } = state;
    let sender = senders.get_mut(repair.sender).ok_or(DropReason::Removed)?;
    let leg = legs.get(sender.leg).ok_or(DropReason::Removed)?;
    let ssrc = sender.rtx_ssrc.filter(|_| leg.can_send()).ok_or(DropReason::LegNotReady)?;
    let at = departing.packets.len();
    let sequence = sender.rtx_sequence;
    let numbers = Numbers { ssrc, payload_type: repair.payload_type, sequence, timestamp: repair.timestamp };
    let header_len =
        header(arena, repair.slot, sender, leg.extensions(), numbers, &mut departing.headers[at])?;
    let scratch = departing.scratch_used;
    let len = rtx::write(&mut departing.scratch[scratch], repair.sequence, arena.payload(repair.slot))
        .ok_or(DropReason::DoesNotFit)?;
    sender.rtx_sequence = sequence.wrapping_add(1);
    departing.scratch_used += 1;
    departing.packets.push(Outgoing {
        sender: repair.sender,
        leg: sender.leg,
        slot: repair.slot,
        ssrc,
        sequence,
        header_len: header_len as u16,
        payload: Payload::Scratch { at: scratch as u16, len: len as u16 },
        index: None,
    });
    Ok(())
}
