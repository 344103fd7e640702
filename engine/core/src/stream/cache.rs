//! The packets of a video stream that may be asked for again, by all its subscribers.

use crate::arena::Arena;
use crate::{Time, limits};

/// Slots by sequence number; holds each slot it remembers.
#[derive(Default)]
pub(crate) struct Cache {
    /// Empty until the first packet: streams that nobody repairs cost nothing.
    entries: Vec<Option<(u64, u32)>>,
    /// One beyond the highest sequence number put in, and the lowest that may still be there.
    next: u64,
    oldest: u64,
}

impl Cache {
    const SIZE: u64 = limits::CACHE_PACKETS as u64;

    /// Makes room ahead of the first packet, so that none allocates.
    pub(crate) fn reserve(&mut self) {
        if self.entries.is_empty() {
            self.entries.resize(limits::CACHE_PACKETS, None);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.oldest == self.next
    }

    pub(crate) fn put(&mut self, sequence: u64, slot: u32, arena: &mut Arena) {
        if self.entries.is_empty() || sequence + Self::SIZE <= self.next {
            return;
        }
        if self.is_empty() {
            (self.oldest, self.next) = (sequence, sequence);
        }
        self.next = self.next.max(sequence + 1);
        self.oldest = self.oldest.min(sequence).max(self.next.saturating_sub(Self::SIZE));
        arena.retain(slot);
        let entry = &mut self.entries[(sequence % Self::SIZE) as usize];
        if let Some((_, old)) = entry.replace((sequence, slot)) {
            arena.release(old);
        }
    }

    pub(crate) fn get(&self, sequence: u64) -> Option<u32> {
        let (at, slot) = (*self.entries.get((sequence % Self::SIZE) as usize)?)?;
        (at == sequence).then_some(slot)
    }

    /// Whether a packet that is not here would be kept if it came: it is not too old.
    pub(crate) fn may_come(&self, sequence: u64) -> bool {
        !self.entries.is_empty() && sequence >= self.oldest && sequence < self.next
    }

    /// Lets go of what arrived before `before`.
    pub(crate) fn forget(&mut self, before: Time, arena: &mut Arena) {
        while self.oldest < self.next {
            let entry = &mut self.entries[(self.oldest % Self::SIZE) as usize];
            if let Some((sequence, slot)) = *entry {
                if sequence == self.oldest && arena.meta(slot).arrival >= before {
                    return;
                }
                if sequence <= self.oldest {
                    arena.release(slot);
                    *entry = None;
                }
            }
            self.oldest += 1;
        }
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self, arena: &mut Arena) {
        self.entries.iter_mut().filter_map(Option::take).for_each(|(_, slot)| arena.release(slot));
        self.oldest = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{Meta, buffer};

    fn put(cache: &mut Cache, arena: &mut Arena, sequence: u64) {
        let meta = Meta { arrival: Time::from_nanos(sequence), ..Meta::default() };
        let slot = arena.admit(&mut buffer(), meta).unwrap();
        cache.put(sequence, slot, arena);
        arena.release(slot);
    }

    #[test]
    fn holds_the_last_packets_and_lets_the_others_go() {
        let (mut cache, mut arena) = (Cache::default(), Arena::new());
        cache.reserve();
        for sequence in (1000..3000).filter(|sequence| sequence % 7 != 0) {
            put(&mut cache, &mut arena, sequence);
            assert!(arena.used() <= limits::CACHE_PACKETS);
        }
        assert!(
            cache.get(2999).is_some() && cache.get(2996).is_none() && cache.get(2999 - Cache::SIZE).is_none()
        );
        put(&mut cache, &mut arena, 2996);
        assert!(cache.get(2996).is_some());
        cache.forget(Time::from_nanos(2998), &mut arena);
        assert!(cache.get(2997).is_none() && cache.get(2998).is_some());
        assert_eq!(arena.used(), 2);
        cache.clear(&mut arena);
        assert_eq!(arena.used(), 0);
    }

    #[test]
    fn a_leap_ahead_leaves_nothing_behind_for_ever() {
        let (mut cache, mut arena) = (Cache::default(), Arena::new());
        cache.reserve();
        for sequence in [5, 6, 100_000, 7, 100_001] {
            put(&mut cache, &mut arena, sequence);
        }
        cache.forget(Time::from_nanos(u64::MAX), &mut arena);
        cache.clear(&mut arena);
        assert_eq!(arena.used(), 0);
    }
}
