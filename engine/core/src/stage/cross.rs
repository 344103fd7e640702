//! Packets to and from other shards: out, each is copied once for a shard that watches; in, it goes on like one of our
//! own, to the senders here and into the repair cache here.
//!
//! Next: fan-out.
//! Drops: `CrossingFull`, `Removed`, `UnknownLink`, and those of route.

use crate::Time;
use crate::counters::DropReason;
use crate::crossing::{Body, Links, Note, Parcel};
use crate::limits::CACHE_AGE;
use crate::stage::route;
use crate::state::State;

/// Hands over what waits.
pub(crate) fn leave(state: &mut State, links: &mut impl Links, now: Time) {
    while let Some((link, to, slot)) = state.crossings.packets.pop_front() {
        match state.crossings.exports.get(&link) {
            None => state.counters.drop(DropReason::Removed),
            Some(&stream) => match links.room(to) {
                Some(mut parcel) => {
                    parcel.fill(link, state.arena.meta(slot), state.arena.bytes(slot));
                    links.send(to, parcel);
                    state.counters.crossed_out += 1;
                }
                None => {
                    state.counters.drop(DropReason::CrossingFull);
                    // Whoever waits for it there asks nobody else.
                    if state.arena.meta(slot).key_frame {
                        state.want_key_frame(stream, false, now);
                    }
                }
            },
        }
        state.arena.release(slot);
    }
    while let Some((to, note)) = state.crossings.notes.front().copied() {
        if !links.note(to, note) {
            return;
        }
        state.crossings.notes.pop_front();
        if let Body::KeyFrame { new_route } = note.body {
            forget_wish(state, note, new_route);
        }
    }
}

/// The next wish is told anew.
fn forget_wish(state: &mut State, note: Note, new_route: bool) {
    let index = state.crossings.imports.get(&note.link).copied();
    let stream = index.and_then(|index| state.streams.get_mut(index));
    if let Some(import) = stream.and_then(|stream| stream.import.as_mut()) {
        import.wished[usize::from(new_route)] = false;
    }
}

/// Takes a packet in by swapping its memory with a free slot's.
pub(crate) fn arrive(state: &mut State, parcel: &mut Parcel) -> Result<(), DropReason> {
    let State { crossings, streams, arena, counters, .. } = state;
    let index = *crossings.imports.get(&parcel.link).ok_or(DropReason::UnknownLink)?;
    let stream = streams.get_mut(index).ok_or(DropReason::UnknownLink)?;
    counters.crossed_in += 1;
    if stream.cache.get(parcel.meta.sequence).is_some() {
        return Err(DropReason::Duplicate);
    }
    if let Some(payload) = stream.payload_type(parcel.meta.payload_type) {
        stream.clock_rate = payload.clock_rate;
    }
    // Streams of a leg are looked at when the leg is due; this one has none.
    stream.cache.forget(parcel.meta.arrival - CACHE_AGE, arena);
    let slot = arena.admit(&mut parcel.buffer, parcel.meta).ok_or(DropReason::ArenaFull)?;
    route::run_one(state, index, slot);
    Ok(())
}

/// Does what another shard asks.
pub(crate) fn heed(state: &mut State, note: Note, now: Time) {
    let State { crossings, streams, arena, counters, .. } = state;
    if let Body::Report(report) = note.body {
        let stream = crossings.imports.get(&note.link).and_then(|index| streams.get_mut(*index));
        if let Some(stream) = stream {
            stream.remote_report = Some(report);
        }
        return;
    }
    let Some(&index) = crossings.exports.get(&note.link) else { return };
    let Some(stream) = streams.get_mut(index) else { return };
    let Some(export) = stream.exports.iter_mut().find(|export| export.link == note.link) else { return };
    match note.body {
        Body::KeyFrame { new_route } => state.want_key_frame(index, new_route, now),
        Body::Again { sequence } => {
            let Some(slot) = stream.cache.get(sequence).filter(|_| !stream.muted) else { return };
            arena.retain(slot);
            if !crossings.push(export, slot) {
                arena.release(slot);
                counters.drop(DropReason::CrossingFull);
            }
        }
        Body::Wanted(wanted) => {
            export.wanted = wanted;
            if !stream.is_watched() {
                stream.key_frames.cancel();
            }
        }
        Body::Report(_) => {}
    }
}
