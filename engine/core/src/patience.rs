//! Which legs lose nothing when their packets are taken in late: those on ports of their own whose media goes to audio
//! workers alone, which look at it at turns of their own.

use std::collections::VecDeque;

use crate::leg::Leg;
use crate::state::State;

/// What is known of it.
pub(crate) struct Patience {
    /// Places of the mesh from this one on have turns of their own.
    pub(crate) turns_from: usize,
    /// Ports that may wait from now on, and those that may not any more.
    pub(crate) changed: VecDeque<(u32, bool)>,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { turns_from: usize::MAX, changed: VecDeque::new() }
    }
}

impl State {
    /// After any change to the streams of a leg, to where they go, or to its keys.
    pub(crate) fn settle_patience(&mut self, leg: u32) {
        let waits = self.legs.get(leg).is_some_and(|leg| self.is_patient(leg));
        let Some(leg) = self.legs.get_mut(leg) else { return };
        let Some(ports) = leg.ports.as_mut().filter(|ports| ports.waits != Some(waits)) else { return };
        ports.waits = Some(waits);
        self.patience.changed.push_back((ports.rtp, waits));
    }

    fn is_patient(&self, leg: &Leg) -> bool {
        // A handshake has peers that wait for each of its flights, and feedback on arrivals a sender that waits for it.
        if leg.inbound.is_closed() || leg.arrivals.is_some() || leg.streams.is_empty() {
            return false;
        }
        leg.streams.iter().filter_map(|stream| self.streams.get(*stream)).all(|stream| {
            let has_turns = |to: usize| to >= self.patience.turns_from;
            let is_exported = !stream.exports.is_empty();
            stream.senders.is_empty()
                && is_exported
                && stream.exports.iter().all(|export| has_turns(export.to))
        })
    }
}
