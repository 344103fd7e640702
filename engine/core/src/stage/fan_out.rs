//! One shared plaintext, many copies: a descriptor for each sender of the packet's stream, all packets of a run to
//! one destination before the next destination's.
//!
//! Next: rewrite, then protect.
//! Drops: `Removed`.

use crate::Time;
use crate::batch::Departing;
use crate::stage::rewrite;
use crate::state::State;

pub(crate) fn run(state: &mut State, departing: &mut Departing, now: Time) {
    while !departing.packets.is_full() {
        let Some(mut step) = state.forwards.next() else { return };
        let senders = state.streams.get(step.stream).map(|stream| stream.senders.as_slice());
        let Some(&sender) = senders.and_then(|senders| senders.get(step.sender)) else {
            state.forwards.end_run(&mut state.arena);
            continue;
        };
        if (step.sender, step.packets.start) == (0, 0) {
            departing.templates.forget();
        }
        let room = departing.packets.remaining_capacity();
        step.packets.end = step.packets.end.min(step.packets.start + room);
        let end = step.packets.end;
        rewrite::run(state, departing, step.stream, sender, step.packets, now);
        state.forwards.advance(end);
    }
}
