//! Packets that wait, by sequence number.

use kaname_wire::extension::AudioLevel;

use crate::limits::JITTER_PACKETS;

/// What kind of packet waits, and for a codec's which of the stream's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(u8),
    Noise,
    Event,
    /// Never waits itself: its blocks do.
    Redundant,
}

/// A packet that waits. Its memory stays when it is played.
pub(super) struct Slot {
    used: bool,
    pub(super) sequence: i64,
    pub(super) timestamp: i64,
    pub(super) kind: Kind,
    pub(super) level: Option<AudioLevel>,
    pub(super) payload: Vec<u8>,
}

/// Bytes that nearly all speech fits.
const PAYLOAD_USUAL: usize = 256;

pub(super) struct Store {
    slots: Box<[Slot]>,
    waiting: usize,
}

impl Store {
    pub(super) fn new() -> Self {
        let slot = || Slot {
            used: false,
            sequence: 0,
            timestamp: 0,
            kind: Kind::Event,
            level: None,
            payload: Vec::new(),
        };
        Store { slots: std::iter::repeat_with(slot).take(JITTER_PACKETS).collect(), waiting: 0 }
    }

    fn index(sequence: i64) -> usize {
        sequence.rem_euclid(JITTER_PACKETS as i64) as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Whether the packet is here.
    pub(super) fn has(&self, sequence: i64) -> bool {
        let slot = &self.slots[Self::index(sequence)];
        slot.used && slot.sequence == sequence
    }

    /// Puts a packet in its place; gives whether another had to go.
    pub(super) fn put(
        &mut self,
        sequence: i64,
        timestamp: i64,
        kind: Kind,
        level: Option<AudioLevel>,
        payload: &[u8],
    ) -> bool {
        let slot = &mut self.slots[Self::index(sequence)];
        let replaced = slot.used;
        (slot.used, slot.sequence, slot.timestamp, slot.kind, slot.level) =
            (true, sequence, timestamp, kind, level);
        slot.payload.clear();
        if slot.payload.capacity() < payload.len() {
            // In big steps, so that payloads that vary a little soon find room everywhere.
            slot.payload.reserve_exact(payload.len().next_power_of_two().max(PAYLOAD_USUAL));
        }
        slot.payload.extend_from_slice(payload);
        self.waiting += usize::from(!replaced);
        replaced
    }

    /// The earliest packet from a sequence number on.
    pub(super) fn first_from(&self, sequence: i64) -> Option<&Slot> {
        if self.waiting == 0 {
            return None;
        }
        (sequence..sequence + JITTER_PACKETS as i64)
            .find(|&sequence| self.has(sequence))
            .map(|sequence| &self.slots[Self::index(sequence)])
    }

    /// Frees a packet's place.
    pub(super) fn remove(&mut self, sequence: i64) {
        if self.has(sequence) {
            self.slots[Self::index(sequence)].used = false;
            self.waiting -= 1;
        }
    }

    /// Frees the places of all ahead of a sequence number; gives how many there were.
    pub(super) fn remove_before(&mut self, sequence: i64) -> usize {
        let mut removed = 0;
        if self.waiting > 0 {
            for slot in self.slots.iter_mut().filter(|slot| slot.used && slot.sequence < sequence) {
                slot.used = false;
                removed += 1;
            }
            self.waiting -= removed;
        }
        removed
    }

    pub(super) fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.used = false);
        self.waiting = 0;
    }
}
