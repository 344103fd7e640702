//! One direction of a call: what it sends next, and what came of it.

use rtp_types::RtpPacket;

use super::super::end::End;
use super::super::judge::{Capture, Kept};
use super::super::keys::{Ear, event};
use super::super::limits::SENT_KEPT;
use super::super::sound::Material;
use super::super::track::{Place, Track};

/// Sequence numbers begin so near their end that each stream wraps while it is measured.
const FIRST_SEQUENCE: u16 = 65_400;
/// Timestamps wrap as well, on either clock.
const FIRST_TIMESTAMP: u32 = u32::MAX - 20_000;
/// Source identifier of the first stream.
const SSRC: u32 = 0x0500_0000;

/// A stream.
pub(super) struct Stream {
    index: usize,
    /// The end that sends it, and the one that gets it.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) material: Material,
    pub(super) track: Track,
    pub(super) ear: Ear,
    /// Number and time of packets sent lately.
    sent: Vec<(u64, u64)>,
    kept: Option<Vec<Kept>>,
    scratch: Vec<u8>,
}

impl Stream {
    pub(super) fn new(index: usize, from: usize, to: usize, material: Material) -> Stream {
        Stream {
            index,
            from,
            to,
            material,
            track: Track::new(),
            ear: Ear::default(),
            sent: vec![(u64::MAX, 0); SENT_KEPT],
            kept: None,
            scratch: Vec::new(),
        }
    }

    /// Whether what it sends is bytes with a stamp rather than sound.
    pub(super) fn is_stamped(&self) -> bool {
        matches!(self.material, Material::Stamped { .. })
    }

    /// Writes a packet; from `keys_at` on, a key is pressed once.
    pub(super) fn write(&self, number: u64, keys_at: u64, end: &End, out: &mut Vec<u8>) {
        let sound = end.side.sound;
        let pressed = number
            .checked_sub(keys_at)
            .and_then(|place| event(super::super::keys::key_of(self.index), place, end.sends, sound));
        let (payload_type, back, marker) = match &pressed {
            Some((payload_type, packet)) => (*payload_type, packet.since, packet.since == 0),
            None => (end.sends.sound, 0, number == 0),
        };
        let timestamp = FIRST_TIMESTAMP.wrapping_add(((number - back) as u32).wrapping_mul(sound.ticks()));
        out.clear();
        out.extend_from_slice(&[0x80, u8::from(marker) << 7 | payload_type]);
        out.extend_from_slice(&FIRST_SEQUENCE.wrapping_add(number as u16).to_be_bytes());
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&(SSRC + self.index as u32).to_be_bytes());
        match pressed {
            Some((_, packet)) => out.extend_from_slice(&packet.payload),
            None => self.material.payload(number, out),
        }
    }

    /// A packet was handed to the kernel.
    pub(super) fn sent(&mut self, number: u64, at_ns: u64) {
        self.sent[number as usize % SENT_KEPT] = (number, at_ns);
    }

    /// A packet came. The delay of one that was forwarded as it was, in nanoseconds.
    pub(super) fn take(&mut self, packet: &[u8], at_ns: u64, end: &End) -> Option<u64> {
        let Ok(rtp) = RtpPacket::parse(packet) else {
            self.track.counts.unauthentic += 1;
            return None;
        };
        let payload_type = rtp.payload_type();
        if end.gets.keys.is_some_and(|(keys, _)| keys == payload_type) {
            // Their sequence numbers are the stream's.
            self.track.extend(rtp.ssrc(), rtp.sequence_number());
            self.ear.packet(rtp.timestamp(), rtp.payload());
            return None;
        }
        if payload_type != end.gets.sound {
            self.track.counts.wrong_type += 1;
            return None;
        }
        if self.is_stamped() {
            return self.take_stamped(rtp.payload(), at_ns);
        }
        if !end.side.sound.takes_len(rtp.payload().len()) {
            self.track.counts.wrong_payload += 1;
        }
        let number = self.track.extend(rtp.ssrc(), rtp.sequence_number());
        let place = self.track.packet(number, at_ns);
        if let (Some(kept), Place::Next | Place::Disordered) = (&mut self.kept, place) {
            let payload = rtp.payload().to_vec();
            kept.push(Kept { number, timestamp: rtp.timestamp(), at_ns, payload });
        }
        None
    }

    fn take_stamped(&mut self, payload: &[u8], at_ns: u64) -> Option<u64> {
        let Some(number) = self.material.number(payload, &mut self.scratch) else {
            self.track.counts.wrong_payload += 1;
            return None;
        };
        let place = self.track.packet(number, at_ns);
        let (known, sent_ns) = self.sent[number as usize % SENT_KEPT];
        (known == number && place != Place::Copy).then(|| at_ns.saturating_sub(sent_ns))
    }

    /// Keeps what comes from now on.
    pub(super) fn keep(&mut self) {
        self.kept = (!self.is_stamped()).then(Vec::new);
    }

    /// What was kept; `begin_ns` is when the stream's first packet was due.
    pub(super) fn kept(&mut self, begin_ns: i64, at_s: f64, end: &End) -> Option<Capture> {
        let packets = self.kept.take()?;
        Some(Capture { sound: end.side.sound, material: self.material.clone(), begin_ns, packets, at_s })
    }
}
