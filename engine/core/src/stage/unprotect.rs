//! Authenticates and decrypts all packets of the batch together, out of the receive buffers into staging, and only
//! then takes their indices into the sessions (RFC 3711 section 3.3).
//!
//! Next: inspect.
//! Drops: `BadTag`, `Replayed` (a copy in the same batch), `SrtpMalformed`.

use arrayvec::ArrayVec;
use kaname_srtp::{UnprotectJob, unprotect_batch};

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::leg::Receiving;
use crate::limits::BATCH;
use crate::stage::admit::reason;
use crate::state::State;
use crate::{Datagram, Time};

pub(crate) fn run(state: &mut State, batch: &mut Incoming, now: Time, datagrams: &[Datagram<'_>]) {
    if batch.media.is_empty() {
        return;
    }
    decrypt(state, batch, datagrams);
    let State { legs, counters, .. } = state;
    let Incoming { media, leg: of_leg, authentic, .. } = batch;
    media.retain(|at| {
        let at = usize::from(*at);
        let Some(leg) = legs.get_mut(of_leg[at]) else { return false };
        let committed = match (&mut leg.inbound, authentic[at].take()) {
            (Receiving::Secure(inbound), Some(proof)) => inbound.commit_rtp(proof),
            // Its source vouches for it, as far as anything can.
            (Receiving::Plain, None) => Ok(()),
            _ => return false,
        };
        match committed {
            Ok(()) => {
                leg.media.charge();
                leg.count_in(datagrams[at].bytes.len(), now);
                counters.media_in += 1;
            }
            Err(error) => counters.drop(reason(error)),
        }
        committed.is_ok()
    });
}

fn decrypt(state: &mut State, batch: &mut Incoming, datagrams: &[Datagram<'_>]) {
    let State { legs, counters, .. } = state;
    let Incoming { media, leg: of_leg, ticket: tickets, authentic, staging, plain_len, .. } = batch;
    let mut jobs = ArrayVec::<UnprotectJob<'_>, BATCH>::new();
    let mut places = ArrayVec::<u16, BATCH>::new();
    // The list is in order of arrival, so one walk over staging meets all its buffers.
    let mut list = media.iter().copied().peekable();
    for (at, buffer) in staging.iter_mut().enumerate() {
        if list.next_if_eq(&(at as u16)).is_none() {
            continue;
        }
        let Some(ticket) = tickets[at].take() else { continue };
        let inbound = legs.get(of_leg[at]).and_then(|leg| leg.inbound.session());
        let Some(inbound) = inbound else { continue };
        plain_len[at] = ticket.plain_len() as u16;
        match UnprotectJob::new(inbound.keys(), ticket, datagrams[at].bytes, &mut buffer[..]) {
            Ok(job) => {
                jobs.push(job);
                places.push(at as u16);
            }
            Err(error) => counters.drop(reason(error)),
        }
    }
    unprotect_batch(&mut jobs);
    for (job, at) in jobs.drain(..).zip(places) {
        match job.finish() {
            Ok(proof) => authentic[usize::from(at)] = Some(proof),
            Err(_) => counters.drop(DropReason::BadTag),
        }
    }
}
