//! Decides whether a packet goes on: to the senders of its stream, to other shards that watch it, and into the
//! stream's repair cache.
//!
//! Next: fan-out, cross.
//! Drops: `Muted`, `NoRoute`, `ForwardOverflow`, `CrossingFull`.

use crate::batch::Incoming;
use crate::command::MediaKind;
use crate::counters::DropReason;
use crate::state::State;

pub(crate) fn run(state: &mut State, batch: &mut Incoming) {
    let Incoming { media, owner: owners, slot: slots, .. } = batch;
    // Packets of one stream behind each other, in order of arrival: each destination then gets one run.
    media.sort_unstable_by_key(|at| (owners[usize::from(*at)].index, *at));
    for &at in media.iter() {
        let (stream, slot) = (owners[usize::from(at)].index, slots[usize::from(at)]);
        run_one(state, stream, slot);
    }
}

/// One packet that came from another shard.
pub(crate) fn run_one(state: &mut State, stream: u32, slot: u32) {
    if let Err(reason) = route(state, stream, slot) {
        state.counters.drop(reason);
        state.arena.release(slot);
    }
}

fn route(state: &mut State, index: u32, slot: u32) -> Result<(), DropReason> {
    let stream = state.streams.get_mut(index).ok_or(DropReason::NoRoute)?;
    if stream.muted {
        return Err(DropReason::Muted);
    }
    if !stream.is_watched() {
        return Err(DropReason::NoRoute);
    }
    for export in stream.exports.iter().filter(|export| export.wanted) {
        state.arena.retain(slot);
        if !state.crossings.push(export, slot) {
            state.arena.release(slot);
            state.counters.drop(DropReason::CrossingFull);
        }
    }
    if stream.kind == MediaKind::Video {
        let sequence = state.arena.meta(slot).sequence;
        stream.cache.put(sequence, slot, &mut state.arena);
    }
    if stream.senders.is_empty() {
        state.arena.release(slot);
    } else if !state.forwards.push(index, slot) {
        return Err(DropReason::ForwardOverflow);
    }
    Ok(())
}
