//! One shared plaintext, many copies: a descriptor for each sender of the packet's stream, all packets of a run to
//! one destination before the next destination's.
//!
//! Next: rewrite, then protect.

use crate::Time;
use crate::batch::Departing;
use crate::stage::rewrite;
use crate::state::State;

pub(crate) fn run(state: &mut State, departing: &mut Departing, now: Time) {
    while !departing.packets.is_full() {
        let Some(step) = state.forwards.next() else { return };
        let senders = state.streams.get(step.stream).map(|stream| stream.senders.as_slice());
        match senders.and_then(|senders| senders.get(step.sender)) {
            Some(&sender) => {
                if let Err(reason) = rewrite::run(state, departing, step.stream, sender, step.slot, now) {
                    state.counters.drop(reason);
                }
            }
            None => state.forwards.end_run(&mut state.arena),
        }
    }
}
