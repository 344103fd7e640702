//! Telephone events of a stream, each once, whatever is lost or repeated.

use kaname_wire::payload::telephone_event::TelephoneEvent;
use kaname_wire::sequence::timestamp_distance;

use super::{Key, KeyEvent};

/// An event whose end is lost is over when nothing was heard of it for so long.
const SILENCE_NS: u64 = 150_000_000;

struct Running {
    key: Key,
    /// Of the event, and of its last segment (RFC 4733 section 2.5.1.3).
    timestamp: u32,
    segment: u32,
    duration: u32,
    heard_ns: u64,
}

/// Reads the events of one stream.
pub struct EventReceiver {
    clock_hz: u32,
    running: Option<Running>,
    /// Timestamp of the last event, over or not: earlier ones are repetitions.
    last: Option<u32>,
}

impl EventReceiver {
    /// Nothing was pressed yet. `clock_hz` is that of the events' payload type.
    pub fn new(clock_hz: u32) -> Self {
        EventReceiver { clock_hz: clock_hz.max(1_000), running: None, last: None }
    }

    /// The key that is down.
    pub fn down(&self) -> Option<Key> {
        self.running.as_ref().map(|running| running.key)
    }

    /// Takes a packet's payload; tells `heard` what is new in it. Payloads that are no event, and events that are no
    /// keys, change nothing.
    pub fn packet(&mut self, timestamp: u32, payload: &[u8], now_ns: u64, heard: &mut dyn FnMut(KeyEvent)) {
        let Ok(event) = TelephoneEvent::parse(payload) else { return };
        let Some(key) = Key::from_event(event.event) else { return };
        if !self.continues(timestamp, key) {
            let stale = self.last.is_some_and(|last| timestamp_distance(timestamp, last) <= 0);
            if stale {
                return;
            }
            self.end(heard);
            heard(KeyEvent::Down(key));
            self.last = Some(timestamp);
            self.running =
                Some(Running { key, timestamp, segment: timestamp, duration: 0, heard_ns: now_ns });
        }
        let Some(running) = &mut self.running else { return };
        if timestamp != running.segment {
            running.segment = timestamp;
            self.last = Some(timestamp);
        }
        let duration = timestamp.wrapping_sub(running.timestamp).saturating_add(u32::from(event.duration));
        running.duration = running.duration.max(duration);
        running.heard_ns = now_ns;
        if event.end {
            self.end(heard);
        }
    }

    /// Lets time pass: an event of which nothing more is heard is over.
    pub fn tick(&mut self, now_ns: u64, heard: &mut dyn FnMut(KeyEvent)) {
        if self.running.as_ref().is_some_and(|running| now_ns.saturating_sub(running.heard_ns) > SILENCE_NS) {
            self.end(heard);
        }
    }

    /// Whether a packet is about the event that runs: the same timestamp, or the segment right behind it.
    fn continues(&self, timestamp: u32, key: Key) -> bool {
        self.running.as_ref().is_some_and(|running| {
            let next = running.timestamp.wrapping_add(running.duration);
            let segment = timestamp == next && running.duration >= u32::from(u16::MAX) / 2;
            running.key == key && (timestamp == running.segment || segment)
        })
    }

    fn end(&mut self, heard: &mut dyn FnMut(KeyEvent)) {
        if let Some(running) = self.running.take() {
            heard(KeyEvent::Up(running.key, running.duration / (self.clock_hz / 1000)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
        TelephoneEvent { event, end, volume: 10, duration }.write()
    }

    fn events(packets: &[(u32, [u8; 4], u64)]) -> Vec<KeyEvent> {
        let mut receiver = EventReceiver::new(8_000);
        let mut events = Vec::new();
        for (timestamp, payload, ms) in packets {
            receiver.tick(ms * MS, &mut |event| events.push(event));
            receiver.packet(*timestamp, payload, ms * MS, &mut |event| events.push(event));
        }
        receiver.tick(100_000 * MS, &mut |event| events.push(event));
        events
    }

    #[test]
    fn an_event_and_its_repetitions_are_one_key() {
        let five = Key::from_event(5).unwrap();
        let packets: Vec<_> = (1..=4)
            .map(|n| (1000, payload(5, n == 4, 160 * n), u64::from(n) * 20))
            .chain([(1000, payload(5, true, 640), 100), (1000, payload(5, true, 640), 120)])
            .collect();
        assert_eq!(events(&packets), [KeyEvent::Down(five), KeyEvent::Up(five, 80)]);
        // Only the last end arrives, or the end never does.
        assert_eq!(events(&packets[5..]), [KeyEvent::Down(five), KeyEvent::Up(five, 80)]);
        assert_eq!(events(&packets[..2]), [KeyEvent::Down(five), KeyEvent::Up(five, 40)]);
    }

    #[test]
    fn the_same_key_twice_is_twice() {
        let (one, pressed) = (Key::from_event(1).unwrap(), payload(1, true, 400));
        let all =
            events(&[(1000, pressed, 0), (1000, pressed, 20), (2000, pressed, 200), (1000, pressed, 210)]);
        assert_eq!(
            all,
            [KeyEvent::Down(one), KeyEvent::Up(one, 50), KeyEvent::Down(one), KeyEvent::Up(one, 50)]
        );
    }

    #[test]
    fn a_long_press_is_one_though_it_has_segments() {
        let nine = Key::from_event(9).unwrap();
        let all = events(&[
            (0, payload(9, false, 65_535), 0),
            (65_535, payload(9, false, 160), 20),
            (65_535, payload(9, true, 8_000), 40),
            (65_535, payload(9, true, 8_000), 60),
        ]);
        assert_eq!(all, [KeyEvent::Down(nine), KeyEvent::Up(nine, 73_535 / 8)]);
    }

    #[test]
    fn what_is_no_key_is_nothing() {
        assert_eq!(events(&[(0, payload(16, true, 100), 0), (5, payload(255, true, 9), 9)]), []);
        let mut receiver = EventReceiver::new(0);
        receiver.packet(1, &[1, 2], 0, &mut |_| panic!("too short"));
    }
}
