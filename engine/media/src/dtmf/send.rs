//! Keys as telephone events (RFC 4733 section 2.5.1).

use std::collections::VecDeque;

use kaname_wire::payload::telephone_event::TelephoneEvent;

use super::{Key, KeysFull};
use crate::limits::KEYS_MAX;

/// About -10 dBm0, what telephones send.
pub const VOLUME: u8 = 10;
/// RFC 4733 section 2.3.3: "power levels range from 0 to -63 dBm0".
const VOLUME_MAX: u8 = 63;
/// RFC 4733 section 2.5.1.4: the packet that ends an event is sent "a total of three times".
const ENDS: u8 = 3;
/// RFC 4733 section 2.5.1.3: a longer event goes on in another segment.
const SEGMENT_MAX: u32 = 0xffff;
/// Shorter ones are missed by some receivers.
const PRESS_MS_MIN: u32 = 40;
/// Between two keys.
const PAUSE_MS: u32 = 40;

/// A packet to be sent in place of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// RTP marker: the first packet of an event.
    pub marker: bool,
    /// RTP timestamp: when the event, or its segment, began.
    pub timestamp: u32,
    /// RTP payload.
    pub payload: [u8; 4],
}

enum State {
    Idle,
    /// `left` is `None` while somebody holds the key.
    Down {
        key: Key,
        volume: u8,
        segment: u32,
        elapsed: u32,
        left: Option<u32>,
        first: bool,
    },
    Ending {
        packet: EventPacket,
        times: u8,
    },
    Pause {
        left: u32,
    },
}

/// Sends keys as events, a packet a tick.
pub struct EventSender {
    ticks_per_ms: u32,
    waiting: VecDeque<(Key, u8, Option<u32>)>,
    state: State,
}

impl EventSender {
    /// Nothing is pressed. `clock_hz` is that of the stream.
    pub fn new(clock_hz: u32) -> Self {
        EventSender {
            ticks_per_ms: clock_hz / 1000,
            waiting: VecDeque::with_capacity(KEYS_MAX),
            state: State::Idle,
        }
    }

    /// Presses a key for so many milliseconds (40 at least), so loud in -dBm0, after those that wait.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn press(&mut self, key: Key, ms: u32, volume: u8) -> Result<(), KeysFull> {
        let ticks = ms.clamp(PRESS_MS_MIN, 60_000) * self.ticks_per_ms;
        self.wait(key, volume.min(VOLUME_MAX), Some(ticks))
    }

    /// Presses a key until [`EventSender::release`], so loud in -dBm0.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn hold(&mut self, key: Key, volume: u8) -> Result<(), KeysFull> {
        self.wait(key, volume.min(VOLUME_MAX), None)
    }

    fn wait(&mut self, key: Key, volume: u8, ticks: Option<u32>) -> Result<(), KeysFull> {
        if self.waiting.len() == KEYS_MAX {
            return Err(KeysFull);
        }
        self.waiting.push_back((key, volume, ticks));
        Ok(())
    }

    /// Lets a held key go, once it was down for the shortest time.
    pub fn release(&mut self) {
        let least = PRESS_MS_MIN * self.ticks_per_ms;
        match (&mut self.state, self.waiting.back_mut()) {
            (_, Some((_, _, ticks @ None))) => *ticks = Some(least),
            (State::Down { elapsed, left: left @ None, .. }, _) => {
                *left = Some(least.saturating_sub(*elapsed))
            }
            _ => {}
        }
    }

    /// Whether events go out now, or wait: no audio is to be sent meanwhile.
    pub fn is_busy(&self) -> bool {
        !(matches!(self.state, State::Idle) && self.waiting.is_empty())
    }

    /// The packet for a tick that begins at `timestamp` and lasts `ticks` of the clock; `None` if none is due.
    pub fn tick(&mut self, timestamp: u32, ticks: u32) -> Option<EventPacket> {
        if let State::Pause { left } = &mut self.state {
            *left = left.saturating_sub(ticks);
            if *left > 0 {
                return None;
            }
            self.state = State::Idle;
        }
        if matches!(self.state, State::Idle) {
            let (key, volume, left) = self.waiting.pop_front()?;
            self.state = State::Down { key, volume, segment: timestamp, elapsed: 0, left, first: true };
        }
        match &mut self.state {
            State::Down { key, volume, segment, elapsed, left, first } => {
                if timestamp.wrapping_sub(*segment) + ticks > SEGMENT_MAX {
                    *segment = timestamp;
                }
                *elapsed += ticks;
                let over = left.is_some_and(|left| left <= ticks);
                *left = left.map(|left| left.saturating_sub(ticks));
                let event = TelephoneEvent {
                    event: key.event(),
                    end: over,
                    volume: *volume,
                    duration: (timestamp.wrapping_sub(*segment) + ticks) as u16,
                };
                let packet = EventPacket { marker: *first, timestamp: *segment, payload: event.write() };
                *first = false;
                if over {
                    let packet = EventPacket { marker: false, ..packet };
                    self.state = State::Ending { packet, times: ENDS - 1 };
                }
                Some(packet)
            }
            State::Ending { packet, times } => {
                let packet = *packet;
                *times -= 1;
                if *times == 0 {
                    self.state = State::Pause { left: PAUSE_MS * self.ticks_per_ms };
                }
                Some(packet)
            }
            State::Idle | State::Pause { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{EventReceiver, KeyEvent};

    fn key(name: char) -> Key {
        Key::from_char(name).unwrap()
    }

    #[test]
    fn a_press_is_reported_until_its_third_end() {
        let mut sender = EventSender::new(8_000);
        sender.press(key('7'), 60, 20).unwrap();
        let packets: Vec<_> = (0..12).map(|n| sender.tick(1000 + n * 160, 160)).collect();
        let reports: Vec<_> = packets
            .iter()
            .flatten()
            .map(|packet| {
                let event = TelephoneEvent::parse(&packet.payload).unwrap();
                assert_eq!((packet.timestamp, event.event, event.volume), (1000, 7, 20));
                (packet.marker, event.end, event.duration)
            })
            .collect();
        assert_eq!(
            reports,
            [
                (true, false, 160),
                (false, false, 320),
                (false, true, 480),
                (false, true, 480),
                (false, true, 480)
            ]
        );
        assert!(!sender.is_busy());
    }

    #[test]
    fn a_number_arrives_though_most_packets_are_lost() {
        let mut sender = EventSender::new(48_000);
        let mut receiver = EventReceiver::new(48_000);
        let number = "0123456789*#";
        number.chars().for_each(|name| sender.press(key(name), 80, VOLUME).unwrap());
        let mut heard = String::new();
        let mut sent = 0;
        for n in 0..1000u32 {
            let now_ns = u64::from(n) * 20_000_000;
            receiver.tick(now_ns, &mut |_| {});
            if let Some(packet) = sender.tick(n * 960, 960) {
                sent += 1;
                if sent % 3 == 0 {
                    receiver.packet(packet.timestamp, &packet.payload, now_ns, &mut |event| {
                        if let KeyEvent::Down(key) = event {
                            heard.push(key.name());
                        }
                    });
                }
            }
        }
        assert_eq!(heard, number);
    }

    #[test]
    fn a_held_key_goes_on_in_segments() {
        let mut sender = EventSender::new(8_000);
        sender.hold(key('1'), VOLUME).unwrap();
        let mut segments = Vec::new();
        for n in 0..600u32 {
            let packet = sender.tick(n * 160, 160).unwrap();
            if segments.last() != Some(&packet.timestamp) {
                segments.push(packet.timestamp);
            }
        }
        assert_eq!(segments, [0, 409 * 160]);
        sender.release();
        let ends = (600..610u32).filter_map(|n| sender.tick(n * 160, 160)).count();
        assert_eq!(ends, 3);
        for _ in 0..KEYS_MAX {
            sender.hold(key('2'), VOLUME).unwrap();
        }
        assert_eq!(sender.hold(key('2'), VOLUME), Err(KeysFull));
    }
}
