//! Another SSRC in the place of a stream's, or the same one begun anew: a transfer, a music server, a restarted phone. Only
//! legs on ports of their own have such streams; a browser's SSRCs stand in its description.

use super::Stream;
use crate::{Time, limits};

/// A sequence of packets that may take over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    ssrc: u32,
    /// The number that its next packet has.
    next: u16,
    packets: u8,
    /// What the stream had received by then: whoever is still heard is not replaced.
    received: u64,
}

impl Stream {
    /// Counts an authentic packet that does not continue the stream; whether it is the one to go on with (RFC 3550
    /// appendix A.1: so many in a row are no accident).
    pub(crate) fn yields_to(&mut self, ssrc: u32, sequence: u16, now: Time) -> bool {
        let received = self.reception.packets;
        let last = self.newcomer.filter(|it| (it.ssrc, it.next, it.received) == (ssrc, sequence, received));
        let packets = last.map_or(1, |last| last.packets.saturating_add(1));
        let has_just_changed = self.changed.is_some_and(|at| now.since(at) < limits::SSRC_INTERVAL);
        let yields = packets >= limits::SSRC_PACKETS && !has_just_changed;
        let next = sequence.wrapping_add(1);
        self.newcomer = (!yields).then_some(Newcomer { ssrc, next, packets, received });
        yields
    }

    /// Goes on with a packet of these numbers: sequence numbers without a gap, timestamps with the time that passed.
    pub(crate) fn go_on_with(&mut self, sequence: u16, timestamp: u32, now: Time) {
        let clock_rate = self.clock_rate;
        if let Some(highest) = self.reception.highest() {
            self.sequence_offset = (highest as u16).wrapping_add(1).wrapping_sub(sequence);
        }
        if let Some(expected) = self.reception.expected_timestamp(now, clock_rate) {
            self.timestamp_offset = expected.wrapping_sub(timestamp);
        }
        self.changed = Some(now);
        self.reception.begin_anew();
        self.missing.clear();
        self.remote_report = None;
        // Tells its SSRC.
        self.started = false;
    }
}
