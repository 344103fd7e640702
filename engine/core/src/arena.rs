//! Plaintext packets, each stored once and shared by all who forward or keep it.
//!
//! Slots are boxes that change hands: a packet is decrypted into a staging box, and only a good one is swapped
//! with the box of a free slot. So garbage never touches the arena, and nothing is copied or allocated.

use crate::{Time, limits};

/// The memory of one packet.
pub(crate) type Buffer = Box<[u8; limits::SLOT_LEN]>;

pub(crate) fn buffer() -> Buffer {
    Box::new([0; limits::SLOT_LEN])
}

/// Where an extension element's data lies in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) len: u8,
}

/// What is known about a packet, so that nobody parses it twice. Fields of the original packet where it came
/// inside a repair.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meta {
    /// The sequence number without wraps, by its stream's count.
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    /// The P bit; the padding stays part of the payload.
    pub(crate) padding: bool,
    pub(crate) key_frame: bool,
    pub(crate) payload_start: u16,
    pub(crate) payload_end: u16,
    pub(crate) csrc_len: u8,
    /// Elements that are passed on, by [`crate::extensions::PASSED`].
    pub(crate) extensions: [Option<Span>; crate::extensions::PASSED_COUNT],
    pub(crate) arrival: Time,
}

impl Meta {
    pub(crate) fn payload_len(&self) -> usize {
        usize::from(self.payload_end - self.payload_start)
    }
}

/// Reference-counted slots.
pub(crate) struct Arena {
    buffers: Vec<Buffer>,
    metas: Vec<Meta>,
    holders: Vec<u32>,
    free: Vec<u32>,
}

impl Arena {
    pub(crate) fn new() -> Arena {
        let mut arena =
            Arena { buffers: Vec::new(), metas: Vec::new(), holders: Vec::new(), free: Vec::new() };
        arena.grow(limits::ARENA_SLOTS_MIN);
        arena
    }

    fn grow(&mut self, slots: usize) {
        for _ in 0..slots {
            self.free.push(self.buffers.len() as u32);
            self.buffers.push(buffer());
            self.metas.push(Meta::default());
            self.holders.push(0);
        }
    }

    /// Adds slots when few are free: called by ticks, never on the way of a packet.
    pub(crate) fn replenish(&mut self) {
        if self.is_short() {
            self.grow(limits::ARENA_STEP.min(limits::ARENA_SLOTS_MAX - self.buffers.len()));
        }
    }

    /// Takes a packet in by swapping its buffer with a free slot's; the caller is its first holder.
    pub(crate) fn admit(&mut self, buffer: &mut Buffer, meta: Meta) -> Option<u32> {
        let slot = self.free.pop()?;
        std::mem::swap(&mut self.buffers[slot as usize], buffer);
        self.metas[slot as usize] = meta;
        self.holders[slot as usize] = 1;
        Some(slot)
    }

    pub(crate) fn retain(&mut self, slot: u32) {
        self.holders[slot as usize] += 1;
    }

    pub(crate) fn release(&mut self, slot: u32) {
        let holders = &mut self.holders[slot as usize];
        debug_assert!(*holders > 0);
        *holders -= 1;
        if *holders == 0 {
            self.free.push(slot);
        }
    }

    pub(crate) fn meta(&self, slot: u32) -> &Meta {
        &self.metas[slot as usize]
    }

    pub(crate) fn bytes(&self, slot: u32) -> &[u8] {
        &self.buffers[slot as usize][..]
    }

    pub(crate) fn payload(&self, slot: u32) -> &[u8] {
        let meta = self.meta(slot);
        &self.bytes(slot)[usize::from(meta.payload_start)..usize::from(meta.payload_end)]
    }

    pub(crate) fn span(&self, slot: u32, span: Span) -> &[u8] {
        &self.bytes(slot)[usize::from(span.start)..][..usize::from(span.len)]
    }

    pub(crate) fn used(&self) -> usize {
        self.buffers.len() - self.free.len()
    }

    /// A tick would add slots.
    pub(crate) fn is_short(&self) -> bool {
        self.free.len() < limits::ARENA_STEP && self.buffers.len() < limits::ARENA_SLOTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_after_its_last_holder() {
        let mut arena = Arena::new();
        let mut staging = buffer();
        staging[0] = 42;
        let slot = arena.admit(&mut staging, Meta { payload_end: 1, ..Meta::default() }).unwrap();
        assert_eq!((staging[0], arena.payload(slot)), (0, &[42][..]));
        arena.retain(slot);
        arena.release(slot);
        assert_eq!(arena.used(), 1);
        arena.release(slot);
        assert_eq!(arena.used(), 0);
    }

    #[test]
    fn a_full_arena_refuses_and_grows_only_when_told() {
        let mut arena = Arena::new();
        let mut staging = buffer();
        let admitted = std::iter::from_fn(|| arena.admit(&mut staging, Meta::default())).count();
        assert_eq!(admitted, limits::ARENA_SLOTS_MIN);
        arena.replenish();
        assert!(arena.admit(&mut staging, Meta::default()).is_some());
        for _ in 0..2 * limits::ARENA_SLOTS_MAX / limits::ARENA_STEP {
            arena.replenish();
            while arena.admit(&mut staging, Meta::default()).is_some() {}
        }
        assert_eq!(arena.used(), limits::ARENA_SLOTS_MAX);
    }
}
