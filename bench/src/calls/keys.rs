//! Telephone keys as events (RFC 4733): each stream presses one, and its far end has to hear that one and no other.

use super::case::Sound;
use super::sdp::Types;

/// Packets in which the key is down.
const DOWN: u64 = 6;
/// RFC 4733 section 2.5.1.4: the packet that ends an event is sent three times.
const ENDS: u64 = 3;
/// About -10 dBm0, what telephones send.
const VOLUME: u8 = 10;
/// The events of keys: 0 to 9, star, pound, A to D.
const EVENTS: u8 = 16;
/// What a stream hears at most before the rest is ignored: it has to hear one.
const HEARD_MAX: usize = 8;

/// The key that a stream presses.
pub(super) fn key_of(stream: usize) -> u8 {
    (stream % usize::from(EVENTS)) as u8
}

/// A packet of an event that stands in the place of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventPacket {
    pub(super) payload: [u8; 4],
    /// Packets of sound since the event began: its timestamp stays there.
    pub(super) since: u64,
}

/// The event's packet `place` packets after the key went down.
pub(super) fn event(key: u8, place: u64, types: Types, sound: Sound) -> Option<(u8, EventPacket)> {
    let (payload_type, clock) = types.keys?;
    if place >= DOWN + ENDS {
        return None;
    }
    let ended = place >= DOWN;
    // The clock of events need not be that of the sound.
    let ticks =
        if clock == sound.clock_hz() { sound.ticks() } else { clock / super::limits::PACKETS_PER_SECOND };
    let duration = (place.min(DOWN - 1) as u32 + 1) * ticks;
    let [high, low] = (duration as u16).to_be_bytes();
    let payload = [key, u8::from(ended) << 7 | VOLUME, high, low];
    Some((payload_type, EventPacket { payload, since: place }))
}

/// Hears the events of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear {
    /// Timestamp, key, whether it ended.
    heard: Vec<(u32, u8, bool)>,
}

impl Ear {
    /// A packet of an event.
    pub(super) fn packet(&mut self, timestamp: u32, payload: &[u8]) {
        let &[key, flags, ..] = payload else { return };
        let ended = flags & 0x80 != 0;
        if let Some(known) = self.heard.iter_mut().find(|(at, of, _)| (*at, *of) == (timestamp, key)) {
            known.2 |= ended;
        } else if self.heard.len() < HEARD_MAX {
            self.heard.push((timestamp, key, ended));
        }
    }

    /// Whether exactly this key was pressed and let go.
    pub(super) fn heard_only(&self, key: u8) -> bool {
        matches!(self.heard[..], [(_, heard, true)] if heard == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(key: u8, types: Types) -> Vec<EventPacket> {
        (0..20).map_while(|place| event(key, place, types, Sound::Opus)).map(|(_, packet)| packet).collect()
    }

    #[test]
    fn a_key_is_pressed_let_go_and_heard_once() {
        let types = Types { sound: 111, keys: Some((101, 48_000)) };
        let packets = pressed(11, types);
        assert_eq!(packets.len(), 9);
        assert_eq!(packets[0].payload, [11, 10, 3, 0xc0]);
        assert_eq!(packets[8].payload, [11, 0x8a, 22, 0x80]);
        let mut ear = Ear::default();
        for (place, packet) in packets.iter().enumerate() {
            assert!(!ear.heard_only(11) || place > 6);
            ear.packet(500, &packet.payload);
        }
        assert!(ear.heard_only(11) && !ear.heard_only(10));
        ear.packet(900, &packets[0].payload);
        assert!(!ear.heard_only(11));
    }

    #[test]
    fn events_have_their_own_clock_and_may_be_missing() {
        let slow = pressed(1, Types { sound: 111, keys: Some((98, 8_000)) });
        assert_eq!(slow[0].payload, [1, 10, 0, 160]);
        assert!(pressed(1, Types { sound: 111, keys: None }).is_empty());
        let mut ear = Ear::default();
        ear.packet(1, &[]);
        assert!(!ear.heard_only(0));
    }
}
