//! Sends what is not media: STUN answers and DTLS records as they are, RTCP as
//! SRTCP or in the clear. Ahead of media, since a late
//! answer to a check costs a connection.
//!
//! Next: the io backend sends.
//! Drops: `Removed`, `LegNotReady`, `KeyExhausted`.

use kaname_srtp::SrtpError;

use crate::TxSlots;
use crate::counters::DropReason;
use crate::event::Event;
use crate::leg::{Leg, Sending};
use crate::limits::{RTCP_OUT_LEN, SLOT_LEN};
use crate::outbox::Way;
use crate::state::State;

/// False: the slots are full, and the rest waits.
pub(crate) fn run<'a>(state: &mut State, tx: &mut impl TxSlots<'a>) -> bool {
    while !state.outbox.is_empty() {
        match send(state, tx) {
            Ok(true) => {}
            Ok(false) => return false,
            Err(reason) => state.counters.drop(reason),
        }
        state.outbox.pop();
    }
    true
}

fn send<'a>(state: &mut State, tx: &mut impl TxSlots<'a>) -> Result<bool, DropReason> {
    let State { outbox, legs, counters, events, .. } = state;
    let Some((message, bytes)) = outbox.front() else { return Ok(true) };
    let mut leg = legs.get_mut(message.leg);
    let mut protected = [0; SLOT_LEN];
    let (path, bytes) = match (message.way, &mut leg) {
        (Way::Plain(path), _) => (path, bytes),
        // An index is lost when no slot is left: the next try takes another, which SRTCP allows.
        (Way::Rtcp, Some(leg)) => {
            let path = leg.rtcp_path().ok_or(DropReason::LegNotReady)?;
            match protect(leg, bytes, &mut protected, |event| events.push_back(event))? {
                Some(len) => (path, &protected[..len]),
                None => (path, bytes),
            }
        }
        (Way::Rtcp, None) => return Err(DropReason::Removed),
    };
    let Some(out) = tx.take(&path, bytes.len()) else { return Ok(false) };
    out.copy_from_slice(bytes);
    if let Some(leg) = leg {
        leg.packets_out += 1;
        leg.bytes_out += bytes.len() as u64;
    }
    counters.packets_out += 1;
    counters.bytes_out += bytes.len() as u64;
    Ok(true)
}

/// The bytes written to `out`; `None`: they leave as they are.
fn protect(
    leg: &mut Leg,
    bytes: &[u8],
    out: &mut [u8; SLOT_LEN],
    mut tell: impl FnMut(Event),
) -> Result<Option<usize>, DropReason> {
    debug_assert!(bytes.len() <= RTCP_OUT_LEN);
    let is_exhausted = leg.exhausted;
    let outbound = match leg.rtcp_outbound() {
        Sending::Plain => return Ok(None),
        Sending::Secure(outbound) if !is_exhausted => outbound,
        _ => return Err(DropReason::LegNotReady),
    };
    match outbound.protect_rtcp(bytes, out) {
        Ok(len) => Ok(Some(len)),
        Err(SrtpError::KeyExhausted) => {
            leg.exhausted = true;
            tell(Event::KeyExhausted { leg: leg.id });
            Err(DropReason::KeyExhausted)
        }
        Err(error) => Err(super::admit::reason(error)),
    }
}
