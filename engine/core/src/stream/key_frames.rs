//! When a publisher is asked for a key frame: many wishes, few requests.

use std::time::Duration;

use crate::{Time, limits};

/// The state of one stream's requests.
#[derive(Debug, Default)]
pub(crate) struct KeyFrames {
    /// Someone waits for a key frame.
    wanted: bool,
    asked: Option<Time>,
    /// Earliest next request.
    due: Time,
    /// Of FIR (RFC 5104 section 4.3.1.1): grows with each new request.
    fir_sequence: u8,
    /// Timestamp of the last one.
    last: Option<u32>,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Key frames seen.
    pub(crate) seen: u64,
}

impl KeyFrames {
    /// A subscriber lost a picture, or the control plane asks: at most one request an interval.
    pub(crate) fn want(&mut self, now: Time) {
        self.wish(now, limits::KEY_FRAME_INTERVAL);
    }

    /// A route is new and shows nothing until a key frame comes: at once, but for storms.
    pub(crate) fn want_for_route(&mut self, now: Time) {
        self.wish(now, limits::KEY_FRAME_ROUTE_INTERVAL);
    }

    fn wish(&mut self, now: Time, interval: Duration) {
        let due = self.asked.map_or(now, |asked| now.max(asked + interval));
        self.due = if self.wanted { self.due.min(due) } else { due };
        self.wanted = true;
    }

    /// Whether a key frame of this timestamp has begun already. Whoever was not there then cannot begin in the midst of
    /// it: an H.264 key frame begins at its parameter sets, and its slice alone decodes to nothing.
    pub(crate) fn has_begun(&self, timestamp: u32) -> bool {
        self.last == Some(timestamp)
    }

    /// The packet that begins one came. Wishes that come later are for the next.
    pub(crate) fn arrived(&mut self, timestamp: u32) {
        self.wanted = false;
        self.last = Some(timestamp);
        self.seen += 1;
    }

    /// Nobody waits any more.
    pub(crate) fn cancel(&mut self) {
        self.wanted = false;
    }

    pub(crate) fn due(&self) -> Option<Time> {
        self.wanted.then_some(self.due)
    }

    /// Whether to send a request now; it is repeated until a key frame arrives. Gives FIR's sequence number.
    pub(crate) fn ask(&mut self, now: Time) -> Option<u8> {
        if !self.wanted || self.due > now {
            return None;
        }
        self.asked = Some(now);
        self.due = now + limits::KEY_FRAME_INTERVAL;
        self.requests += 1;
        self.fir_sequence = self.fir_sequence.wrapping_add(1);
        Some(self.fir_sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_wishes_is_one_request_a_second() {
        let mut keys = KeyFrames::default();
        let sent = (0..5000u64)
            .filter(|ms| {
                let now = Time::from_nanos(ms * 1_000_000);
                keys.want(now);
                if ms % 100 == 50 {
                    keys.arrived(7);
                }
                keys.ask(now).is_some()
            })
            .count();
        assert_eq!(sent, 5);
    }

    #[test]
    fn a_frame_begins_once() {
        let mut keys = KeyFrames::default();
        assert!(!keys.has_begun(7));
        keys.arrived(7);
        assert!(keys.has_begun(7) && !keys.has_begun(8));
        // Who comes in the midst of it is served by the next.
        keys.want(Time::from_nanos(9));
        assert!(keys.has_begun(7) && keys.due().is_some());
    }

    #[test]
    fn repeats_until_one_arrives() {
        let mut keys = KeyFrames::default();
        let start = Time::from_nanos(7);
        keys.want(start);
        assert_eq!(keys.ask(start), Some(1));
        assert_eq!(keys.ask(start + Duration::from_millis(999)), None);
        assert_eq!(keys.ask(start + Duration::from_secs(1)), Some(2));
        keys.arrived(7);
        assert_eq!(keys.due(), None);
        assert_eq!(keys.ask(start + Duration::from_secs(9)), None);
    }

    #[test]
    fn a_new_route_does_not_wait_a_second() {
        let mut keys = KeyFrames::default();
        let start = Time::from_nanos(7);
        keys.want(start);
        assert!(keys.ask(start).is_some());
        keys.arrived(7);
        let later = start + limits::KEY_FRAME_ROUTE_INTERVAL;
        keys.want_for_route(start);
        assert!(keys.ask(start).is_none());
        assert!(keys.ask(later).is_some());
    }
}
