//! Lets in what may cost a decryption: within the leg's rate, and not replayed (RFC 3711 section 3.3.2). Looks only. What
//! comes in the clear is copied to where decryption would put it.
//!
//! Next: unprotect.
//! Drops: `MediaRate`, `Replayed`, `TooOld`, `SrtpMalformed`, `UnclaimedSsrc`.

use kaname_srtp::SrtpError;

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::leg::Receiving;
use crate::state::State;
use crate::{Datagram, Time, limits};

pub(crate) fn run(state: &mut State, batch: &mut Incoming, now: Time, datagrams: &[Datagram<'_>]) {
    let Incoming { media, leg: legs, ticket: tickets, staging, plain_len, .. } = batch;
    let State { legs: table, counters, .. } = state;
    media.retain(|at| {
        let at = usize::from(*at);
        let Some(leg) = table.get_mut(legs[at]) else { return false };
        // Charged after authentication, so that forged packets use up nobody's share.
        if !leg.media.allows(now, limits::MEDIA_PER_SECOND, limits::MEDIA_BURST) {
            counters.drop(DropReason::MediaRate);
            return false;
        }
        let bytes = datagrams[at].bytes;
        let inbound = match &leg.inbound {
            Receiving::Secure(inbound) => inbound,
            Receiving::Plain => {
                staging[at][..bytes.len()].copy_from_slice(bytes);
                plain_len[at] = bytes.len() as u16;
                return true;
            }
            Receiving::Closed => return false,
        };
        match inbound.prepare_rtp(bytes) {
            Ok(ticket) => tickets[at] = Some(ticket),
            Err(error) => counters.drop(reason(error)),
        }
        tickets[at].is_some()
    });
}

/// What an error of SRTP is counted as.
pub(crate) fn reason(error: SrtpError) -> DropReason {
    match error {
        SrtpError::Tag => DropReason::BadTag,
        SrtpError::Replayed => DropReason::Replayed,
        SrtpError::TooOld => DropReason::TooOld,
        SrtpError::TooManyStreams => DropReason::UnclaimedSsrc,
        SrtpError::KeyExhausted => DropReason::KeyExhausted,
        SrtpError::IndexTaken | SrtpError::Retired => DropReason::IndexTaken,
        _ => DropReason::SrtpMalformed,
    }
}
