//! Decides whether a packet goes on: to the senders of its stream, and into the stream's repair cache.
//!
//! Next: fan-out.
//! Drops: `Muted`, `NoRoute`, `ForwardOverflow`.

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
        if let Err(reason) = route(state, stream, slot) {
            state.counters.drop(reason);
            state.arena.release(slot);
        }
    }
}

fn route(state: &mut State, index: u32, slot: u32) -> Result<(), DropReason> {
    let stream = state.streams.get_mut(index).ok_or(DropReason::NoRoute)?;
    if stream.muted {
        return Err(DropReason::Muted);
    }
    if stream.senders.is_empty() {
        return Err(DropReason::NoRoute);
    }
    if !state.forwards.push(index, slot) {
        return Err(DropReason::ForwardOverflow);
    }
    if stream.kind == MediaKind::Video {
        let sequence = state.arena.meta(slot).sequence;
        stream.cache.put(sequence, slot, &mut state.arena);
    }
    Ok(())
}
