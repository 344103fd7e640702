//! Gives a copy its subscriber's numbers: SSRC, continuous sequence and timestamp, payload type, extension
//! identifiers. What belongs to the publisher's hop (mid, rid, send times, transport-wide numbers) is left out.
//!
//! Next: protect.
//! Drops: `LegNotReady`, `AwaitingKeyFrame`, `PayloadTypeUnmapped`, `BeforeSwitch`, `DoesNotFit`.

use std::ops::Range;

use arrayvec::ArrayVec;
use kaname_wire::extension::Element;
use kaname_wire::rtp::HeaderBuilder;

use crate::Time;
use crate::arena::Arena;
use crate::batch::{Departing, Outgoing, Payload};
use crate::command::{ExtensionIds, MediaKind, PayloadMap};
use crate::counters::DropReason;
use crate::extensions::{PASSED, PASSED_COUNT};
use crate::leg::Leg;
use crate::sender::Sender;
use crate::state::State;
use crate::stream::Stream;

/// Rewrites packets of stream `stream` for `sender`: those at `packets` of the first run that waits.
pub(crate) fn run(
    state: &mut State,
    departing: &mut Departing,
    stream: u32,
    sender: u32,
    packets: Range<usize>,
    now: Time,
) {
    let State { legs, streams, senders, arena, forwards, counters, .. } = state;
    let to = senders.get_mut(sender);
    let found = streams.get(stream).zip(to).and_then(|(from, to)| Some((from, legs.get(to.leg)?, to)));
    let Some((from, leg, to)) = found else {
        counters.drop_many(DropReason::Removed, packets.len() as u64);
        return;
    };
    if !leg.can_send() {
        to.mapping.interrupt();
        counters.drop_many(DropReason::LegNotReady, packets.len() as u64);
        return;
    }
    let mut left = None;
    for position in packets {
        let slot = forwards.slot(position);
        let copied = switch(to, stream, arena, slot).and_then(|switched| {
            left = left.or(switched);
            copy(departing, (from, stream), (to, sender), leg, (arena, slot), now)
        });
        if let Err(reason) = copied {
            counters.drop(reason);
        }
    }
    if let Some(left) = left {
        leave(state, left, sender);
    }
}

/// Adds one copy to the departing.
fn copy(
    departing: &mut Departing,
    (from, stream): (&Stream, u32),
    (to, sender): (&mut Sender, u32),
    leg: &Leg,
    (arena, slot): (&mut Arena, u32),
    now: Time,
) -> Result<(), DropReason> {
    debug_assert!(to.route.as_ref().is_some_and(|route| route.stream == stream));
    let (payload, sequence, timestamp) = number(from, to, arena, slot, now)?;
    let numbers = Numbers { ssrc: to.ssrc, payload_type: payload.to, sequence, timestamp };
    let Departing { packets, headers, templates, .. } = departing;
    let out = &mut headers[packets.len()];
    let template = templates.of(slot, leg.shape(), &to.mid);
    let header_len = match template.filled() {
        Some(len) => len,
        None => template.fill(|out| header(arena, slot, to, leg.extensions(), numbers, out))?,
    };
    template.write(numbers, out);
    arena.retain(slot);
    packets.push(Outgoing {
        sender,
        leg: to.leg,
        slot,
        ssrc: to.ssrc,
        sequence,
        header_len: header_len as u16,
        payload: Payload::Shared,
        index: None,
    });
    Ok(())
}

/// Whether the sender takes this packet; a pending route takes over at a key frame. Gives the stream that the
/// sender left thereby.
fn switch(to: &mut Sender, stream: u32, arena: &Arena, slot: u32) -> Result<Option<u32>, DropReason> {
    let is_pending = to.pending.as_ref().is_some_and(|pending| pending.stream == stream);
    if is_pending && (to.kind == MediaKind::Audio || arena.meta(slot).key_frame) {
        let left = to.route.take().map(|route| route.stream);
        to.route = to.pending.take();
        return Ok(left.filter(|left| *left != stream));
    }
    let is_current = to.route.as_ref().is_some_and(|route| route.stream == stream);
    if is_current { Ok(None) } else { Err(DropReason::AwaitingKeyFrame) }
}

/// The sender no longer forwards `stream`.
fn leave(state: &mut State, stream: u32, sender: u32) {
    let senders = state.streams.get_mut(stream).map(|stream| &mut stream.senders);
    let Some(senders) = senders else { return };
    if let Some(position) = senders.iter().position(|other| *other == sender) {
        senders.remove(position);
        state.forwards.sender_left(stream, position);
        state.tell_wanted(stream);
    }
}

fn number(
    from: &Stream,
    to: &mut Sender,
    arena: &Arena,
    slot: u32,
    now: Time,
) -> Result<(PayloadMap, u16, u32), DropReason> {
    let meta = arena.meta(slot);
    let payload = to.route.as_mut().and_then(|route| route.payload_type(meta.payload_type));
    let Some(payload) = payload else {
        to.mapping.interrupt();
        return Err(DropReason::PayloadTypeUnmapped);
    };
    let mapped = to
        .mapping
        .map(from.id, meta.sequence, meta.timestamp, now, from.clock_rate)
        .ok_or(DropReason::BeforeSwitch)?;
    Ok((payload, mapped.sequence as u16, mapped.timestamp))
}

/// What a copy is called at its subscriber.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

/// Writes the header of a copy, of the packet itself or of its repair; its length in bytes.
pub(crate) fn header(
    arena: &Arena,
    slot: u32,
    sender: &Sender,
    ids: &ExtensionIds,
    numbers: Numbers,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let meta = arena.meta(slot);
    let mut elements = ArrayVec::<Element<'_>, { PASSED_COUNT + 1 }>::new();
    if let (Some(id), Some(mid)) = (ids.mid, &sender.mid) {
        elements.push(Element { id, data: mid.as_bytes() });
    }
    for (passed, span) in PASSED.iter().zip(meta.extensions) {
        if let (Some(id), Some(span)) = (passed.id(ids), span) {
            elements.push(Element { id, data: arena.span(slot, span) });
        }
    }
    let fixed = kaname_wire::rtp::FIXED_HEADER_LEN;
    let header = HeaderBuilder {
        marker: meta.marker,
        padding: meta.padding,
        payload_type: numbers.payload_type,
        sequence: numbers.sequence,
        timestamp: numbers.timestamp,
        ssrc: numbers.ssrc,
        csrcs: &arena.bytes(slot)[fixed..fixed + usize::from(meta.csrc_len)],
        extensions: &elements,
    };
    header.write(out).map_err(|_| DropReason::DoesNotFit)
}
