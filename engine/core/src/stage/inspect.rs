//! Reads what authenticated packets tell: whose they are, order and loss, levels, key frames, repairs; and moves
//! them into the arena.
//!
//! Next: route.
//! Drops: `RtpMalformed`, `UnclaimedSsrc`, `PayloadTypeUnmapped`, `RepairMalformed`, `Probe`, `Duplicate`, `ArenaFull`.

use kaname_wire::extension::dependency::Descriptor;
use kaname_wire::extension::{AudioLevel, read_transport_sequence};
use kaname_wire::path::Path;
use kaname_wire::payload::{PayloadError, Starts, av1, h264, h265, vp8, vp9};
use kaname_wire::rtp::RtpView;

use crate::arena::{Meta, Span};
use crate::batch::Incoming;
use crate::command::{Codec, ExtensionIds, MediaKind, PayloadType};
use crate::counters::DropReason;
use crate::event::Event;
use crate::extensions::{PASSED, PASSED_COUNT, Passed};
use crate::leg::{Leg, Owner};
use crate::state::State;
use crate::stream::{Place, Stream};
use crate::{Datagram, Time};

pub(crate) fn run(state: &mut State, batch: &mut Incoming, now: Time, datagrams: &[Datagram<'_>]) {
    let Incoming { media, leg: of_leg, owner: owners, staging, plain_len, slot: slots, .. } = batch;
    media.retain(|at| {
        let at = usize::from(*at);
        let bytes = &staging[at][..usize::from(plain_len[at])];
        let datagram = &datagrams[at];
        let kept = inspect(state, (of_leg[at], owners[at]), bytes, now - datagram.waited, &datagram.path)
            .and_then(|meta| state.arena.admit(&mut staging[at], meta).ok_or(DropReason::ArenaFull));
        match kept {
            Ok(slot) => slots[at] = slot,
            Err(reason) => state.counters.drop(reason),
        }
        kept.is_ok()
    });
}

/// One packet that came at `now`: what is to be kept of it, or why it goes no further.
fn inspect(
    state: &mut State,
    (leg_index, owner): (u32, Owner),
    bytes: &[u8],
    now: Time,
    path: &Path,
) -> Result<Meta, DropReason> {
    let view = RtpView::parse(bytes).map_err(|_| DropReason::RtpMalformed)?;
    let State { legs, streams, events, counters, agenda, .. } = state;
    let leg = legs.get_mut(leg_index).ok_or(DropReason::UnclaimedSsrc)?;
    let stream = streams.get_mut(owner.index).ok_or(DropReason::UnclaimedSsrc)?;
    let ids = *leg.extensions();
    if leg.sources.get(view.ssrc()).is_none() {
        bind(leg, stream, owner, &view, now)?;
    }
    if let Some(arrivals) = &mut leg.arrivals
        && let Some(number) = element(&view, ids.transport_cc).and_then(read_transport_sequence)
    {
        arrivals.note(number, now);
        if let Some(due) = arrivals.due() {
            agenda.wake(leg_index, due);
        }
    }
    let original = if owner.repair { unwrap(&view, stream)? } else { original(&view, stream)? };
    let payload = &bytes[usize::from(original.payload_start)..usize::from(original.payload_end)];
    if leg.inbound.is_plain() && !owner.repair && has_restarted(stream, &view, now) {
        stream.go_on_with(view.sequence(), view.timestamp(), now);
    }
    let number = original.sequence.wrapping_add(stream.sequence_offset);
    let timestamp = view.timestamp().wrapping_add(stream.timestamp_offset);
    let (sequence, place) = stream.reception.place(number);
    if place == Place::Duplicate {
        return Err(DropReason::Duplicate);
    }
    if !owner.repair {
        stream.reception.count(payload.len());
        // RFC 4733 section 2.2: the timestamp of an event is where it began, and may count by another clock.
        if original.kind.codec != Codec::TelephoneEvent {
            stream.clock_rate = original.kind.clock_rate;
            stream.reception.time(timestamp, now, stream.clock_rate);
        }
        if !stream.started {
            stream.started = true;
            events.push_back(Event::StreamStarted { stream: stream.id, ssrc: view.ssrc() });
        }
    }
    if stream.missing.found(sequence) && owner.repair {
        stream.recovered += 1;
        counters.recovered += 1;
    }
    let meta = Meta {
        sequence,
        timestamp,
        payload_type: original.kind.number,
        marker: view.marker(),
        padding: original.padding,
        key_frame: !stream.key_frames.has_begun(timestamp)
            && begins_key_frame(
                stream,
                original.kind.codec,
                payload,
                element(&view, ids.dependency_descriptor),
            ),
        payload_start: original.payload_start,
        payload_end: original.payload_end,
        csrc_len: view.csrc_bytes().len() as u8,
        extensions: passed(&view, &ids),
        arrival: now,
    };
    if let Place::New { gap: gap @ 1.. } = place {
        note_gap(stream, sequence, gap, now);
    }
    if meta.key_frame {
        stream.key_frames.arrived(meta.timestamp);
        stream.missing.forget_before(sequence);
    }
    [stream.missing.due(), stream.key_frames.due()]
        .into_iter()
        .flatten()
        .for_each(|due| agenda.wake(leg_index, due));
    if let Some(level) = element(&view, ids.audio_level).and_then(AudioLevel::read)
        && let Some((level, voice)) = stream.level.take(now, level.level, level.voice)
    {
        events.push_back(Event::AudioLevel { stream: stream.id, level, voice });
    }
    // What is late may come from where the peer was before.
    if matches!(place, Place::New { .. })
        && let Some(ports) = &mut leg.ports
        && ports.hear(path.remote, view.ssrc(), leg.inbound.is_plain(), now)
    {
        state.moved(leg_index, now);
    }
    Ok(meta)
}

/// The first authentic packet of an SSRC binds it to its stream: for good, but on a leg with ports of its own.
fn bind(
    leg: &mut Leg,
    stream: &mut Stream,
    owner: Owner,
    view: &RtpView<'_>,
    now: Time,
) -> Result<(), DropReason> {
    let ssrc = view.ssrc();
    if let Some(before) = stream.ssrc.filter(|_| leg.ports.is_some() && !owner.repair) {
        stream.payload_type(view.payload_type()).ok_or(DropReason::PayloadTypeUnmapped)?;
        if !stream.yields_to(ssrc, view.sequence(), now) {
            return Err(DropReason::UnclaimedSsrc);
        }
        leg.sources.remove(before);
        stream.ssrc = None;
        stream.go_on_with(view.sequence(), view.timestamp(), now);
        if stream.kind == MediaKind::Video {
            stream.key_frames.want(now);
        }
    }
    let bound = if owner.repair { &mut stream.repair_ssrc } else { &mut stream.ssrc };
    // Two SSRCs of one batch may have claimed it.
    if bound.is_some() || !leg.sources.bind(ssrc, owner) {
        return Err(DropReason::UnclaimedSsrc);
    }
    *bound = Some(ssrc);
    Ok(())
}

/// RFC 3550 appendix A.1: a leap back that goes on is a sender which began anew without another SSRC.
fn has_restarted(stream: &mut Stream, view: &RtpView<'_>, now: Time) -> bool {
    let number = view.sequence().wrapping_add(stream.sequence_offset);
    stream.reception.is_too_old(number) && stream.yields_to(view.ssrc(), view.sequence(), now)
}

/// The packet as its publisher made it first.
struct Original {
    kind: PayloadType,
    sequence: u16,
    payload_start: u16,
    payload_end: u16,
    padding: bool,
}

fn original(view: &RtpView<'_>, stream: &Stream) -> Result<Original, DropReason> {
    let kind = stream.payload_type(view.payload_type()).ok_or(DropReason::PayloadTypeUnmapped)?;
    Ok(Original {
        kind,
        sequence: view.sequence(),
        payload_start: view.header_len() as u16,
        // Padding stays: it is part of what was sent.
        payload_end: view.packet().len() as u16,
        padding: view.has_padding(),
    })
}

/// RFC 4588 section 4: the original sequence number stands in front of the original payload.
fn unwrap(view: &RtpView<'_>, stream: &Stream) -> Result<Original, DropReason> {
    let payload = view.payload();
    let (kind, sequence) = match (stream.repaired_by(view.payload_type()), payload) {
        (_, []) => return Err(DropReason::Probe),
        (Some(kind), [high, low, _, ..]) => (kind, u16::from_be_bytes([*high, *low])),
        _ => return Err(DropReason::RepairMalformed),
    };
    let range = view.payload_range();
    let (payload_start, payload_end) = (range.start as u16 + 2, range.end as u16);
    Ok(Original { kind, sequence, payload_start, payload_end, padding: false })
}

fn note_gap(stream: &mut Stream, sequence: u64, gap: u64, now: Time) {
    // What nobody watches is not worth asking for.
    if !stream.nack || !stream.is_watched() {
        return;
    }
    let too_many = !stream.missing.note(sequence, gap, now);
    if too_many && stream.kind == MediaKind::Video && (stream.pli || stream.fir) {
        // Only a key frame helps.
        stream.key_frames.want(now);
    }
}

fn begins_key_frame(stream: &Stream, codec: Codec, payload: &[u8], descriptor: Option<&[u8]>) -> bool {
    if stream.kind == MediaKind::Audio {
        return false;
    }
    let starts: Result<Starts, PayloadError> = match codec {
        Codec::Vp8 => vp8::starts(payload),
        Codec::Vp9 => vp9::starts(payload),
        Codec::H264 => h264::starts(payload),
        Codec::H265 => h265::starts(payload),
        Codec::Av1 => av1::starts(payload),
        // Forwarded unseen: any packet will do to begin with.
        _ => Ok(Starts { frame: true, key_frame: true }),
    };
    starts.is_ok_and(|starts| starts.key_frame)
        || descriptor.and_then(Descriptor::read).is_some_and(|descriptor| descriptor.key_frame_start())
}

fn element<'a>(view: &RtpView<'a>, id: Option<u8>) -> Option<&'a [u8]> {
    view.extension(id?)
}

/// Where the elements lie that subscribers get.
fn passed(view: &RtpView<'_>, ids: &ExtensionIds) -> [Option<Span>; PASSED_COUNT] {
    let mut spans = [None; PASSED_COUNT];
    if !view.has_extension() {
        return spans;
    }
    let base = view.packet().as_ptr() as usize;
    for found in view.extensions() {
        let passed = PASSED.iter().position(|passed: &Passed| passed.id(ids) == Some(found.id));
        if let Some(at) = passed {
            // Elements lie inside the packet, so the difference of addresses is their place in it.
            let start = (found.data.as_ptr() as usize - base) as u16;
            spans[at] = Some(Span { start, len: found.data.len() as u8 });
        }
    }
    spans
}
