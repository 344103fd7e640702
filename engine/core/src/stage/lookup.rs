//! Finds the leg by the path and the stream by the SSRC. Looks only: what a packet claims is not yet believed.
//!
//! Next: admit.
//! Drops: `UnknownPath`, `NoKeys`, `RtpMalformed`, `UnclaimedSsrc`.

use kaname_wire::extension::read_text;
use kaname_wire::rtp::RtpHeader;

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::leg::{Leg, Owner};
use crate::state::State;
use crate::stream::Stream;
use crate::{Datagram, Stray};

pub(crate) fn run(
    state: &mut State,
    batch: &mut Incoming,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    let Incoming { media, leg: legs, owner: owners, .. } = batch;
    media.retain(|at| {
        let at = usize::from(*at);
        let datagram = &datagrams[at];
        match find(state, datagram) {
            Ok((leg, owner)) => {
                (legs[at], owners[at]) = (leg, owner);
                true
            }
            Err(reason) => {
                state.give_up(datagram, reason, stray);
                false
            }
        }
    });
}

fn find(state: &State, datagram: &Datagram<'_>) -> Result<(u32, Owner), DropReason> {
    let index = *state.paths.get(&datagram.path).ok_or(DropReason::UnknownPath)?;
    let leg = state.legs.get(index).ok_or(DropReason::UnknownPath)?;
    if leg.inbound.is_none() {
        return Err(DropReason::NoKeys);
    }
    let header = RtpHeader::parse(datagram.bytes).map_err(|_| DropReason::RtpMalformed)?;
    let owner = leg.sources.get(header.ssrc()).or_else(|| claim(state, leg, &header));
    Ok((index, owner.ok_or(DropReason::UnclaimedSsrc)?))
}

/// Which stream of the leg a packet of an unknown SSRC belongs to: the one that its mid (and rid) name, else the
/// only one with its payload type. A stream whose SSRC is bound takes no other.
fn claim(state: &State, leg: &Leg, header: &RtpHeader<'_>) -> Option<Owner> {
    let text = |id: Option<u8>| id.and_then(|id| header.extension(id)).and_then(read_text);
    let mid = text(leg.extensions.mid);
    let rid = text(leg.extensions.rid);
    let repaired = text(leg.extensions.repaired_rid);
    let number = header.payload_type();
    let mut found = None;
    for &index in &leg.streams {
        let Some(stream) = state.streams.get(index) else { continue };
        let repair = match (stream.payload_type(number), stream.repaired_by(number)) {
            (Some(_), _) => false,
            (None, Some(_)) => true,
            (None, None) => continue,
        };
        let bound = if repair { stream.repair_ssrc } else { stream.ssrc };
        if bound.is_some() || !is_named(stream, mid, if repair { repaired.or(rid) } else { rid }) {
            continue;
        }
        // Two could claim it: nobody does.
        if found.replace(Owner { index, repair }).is_some() {
            return None;
        }
    }
    found
}

/// Whether names in the packet, where there are any, are the stream's.
fn is_named(stream: &Stream, mid: Option<&str>, rid: Option<&str>) -> bool {
    let mid_fits = match (&stream.mid, mid) {
        (Some(ours), Some(theirs)) => ours.as_str() == theirs,
        (None, Some(_)) => false,
        (_, None) => true,
    };
    let rid_fits = match (&stream.rid, rid) {
        (Some(ours), Some(theirs)) => ours.as_str() == theirs,
        // A layer is recognised by its rid or not at all.
        (Some(_), None) => false,
        (None, _) => true,
    };
    mid_fits && rid_fits
}
