//! Finds the leg by the path, or by a port of its own, and the stream by the SSRC. Looks only: what a packet claims is not
//! yet believed. The one exception are sources in the clear that may become a leg's peer: they are counted, as nothing
//! will ever prove them ([`crate::command::Learn`]).
//!
//! Next: admit.
//! Drops: `UnknownPath`, `NoKeys`, `RtpMalformed`, `UnclaimedSsrc`, `PayloadTypeUnmapped`, `ForeignSource`,
//! `SourceNotLearned`, `WrongPort`.

use kaname_wire::extension::read_text;
use kaname_wire::rtp::RtpHeader;

use crate::batch::Incoming;
use crate::command::StreamId;
use crate::counters::DropReason;
use crate::leg::{Claim, Leg, Owner};
use crate::slab::Table;
use crate::state::State;
use crate::stream::Stream;
use crate::{Datagram, Stray, Time};

pub(crate) fn run(
    state: &mut State,
    batch: &mut Incoming,
    now: Time,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    let Incoming { media, leg: legs, owner: owners, .. } = batch;
    media.retain(|at| {
        let at = usize::from(*at);
        let datagram = &datagrams[at];
        match find(state, datagram, now) {
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

fn find(state: &mut State, datagram: &Datagram<'_>, now: Time) -> Result<(u32, Owner), DropReason> {
    let (index, by_port) = state.leg_at(&datagram.path).ok_or(DropReason::UnknownPath)?;
    let State { legs, streams, .. } = state;
    let leg = legs.get_mut(index).ok_or(DropReason::UnknownPath)?;
    let mut moved = false;
    if leg.inbound.is_closed() {
        return Err(DropReason::NoKeys);
    }
    let header = RtpHeader::parse(datagram.bytes).map_err(|_| DropReason::RtpMalformed)?;
    if by_port && let Some(ports) = &mut leg.ports {
        let (ssrc, sequence) = (header.ssrc(), header.sequence());
        let claim = Claim { ssrc, sequence, plain: leg.inbound.is_plain() };
        moved = ports.admits(&datagram.path, claim, now)?;
    }
    let owner = leg.sources.get(header.ssrc()).or_else(|| claim(streams, leg, &header));
    // A telephone's leg has one stream: what is not its own is another format.
    let owner = owner.ok_or(match leg.ports {
        None => DropReason::UnclaimedSsrc,
        Some(_) => DropReason::PayloadTypeUnmapped,
    });
    if moved {
        state.moved(index, now);
    }
    Ok((index, owner?))
}

/// Which stream of the leg a packet of an unknown SSRC belongs to: the one that its mid (and rid) name, else the
/// only one with its payload type. A stream whose SSRC is bound takes no other, but on a leg with ports of its own: there a
/// transfer or a music server may change it (inspect decides, once it is authentic).
fn claim(streams: &Table<StreamId, Stream>, leg: &Leg, header: &RtpHeader<'_>) -> Option<Owner> {
    let text = |id: Option<u8>| id.and_then(|id| header.extension(id)).and_then(read_text);
    let mid = text(leg.extensions().mid);
    let rid = text(leg.extensions().rid);
    let repaired = text(leg.extensions().repaired_rid);
    let number = header.payload_type();
    let mut found = None;
    for &index in &leg.streams {
        let Some(stream) = streams.get(index) else { continue };
        let repair = match (stream.payload_type(number), stream.repaired_by(number)) {
            (Some(_), _) => false,
            (None, Some(_)) => true,
            (None, None) => continue,
        };
        let is_bound = match repair {
            true => stream.repair_ssrc.is_some(),
            false => stream.ssrc.is_some() && leg.ports.is_none(),
        };
        if is_bound || !is_named(stream, mid, if repair { repaired.or(rid) } else { rid }) {
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
