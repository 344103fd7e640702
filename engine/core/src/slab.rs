//! A table with stable small indices, found by the control plane's names.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::quality::FixedState;

/// Values in slots that are used again after removal, and their names.
pub(crate) struct Table<N, T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    names: HashMap<N, u32, FixedState>,
    capacity: usize,
}

impl<N: Copy + Eq + Hash, T> Table<N, T> {
    pub(crate) fn new(capacity: usize, hash_seed: u64) -> Self {
        let names = HashMap::with_hasher(FixedState::with_seed(hash_seed));
        Table { slots: Vec::new(), free: Vec::new(), names, capacity }
    }

    pub(crate) fn contains(&self, name: N) -> bool {
        self.names.contains_key(&name)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.names.len() >= self.capacity
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Puts `value` under a name that is not taken into a free slot.
    pub(crate) fn insert(&mut self, name: N, value: T) -> u32 {
        debug_assert!(!self.contains(name) && !self.is_full());
        let index = self.free.pop().unwrap_or(self.slots.len() as u32);
        if index as usize == self.slots.len() {
            self.slots.push(Some(value));
        } else {
            self.slots[index as usize] = Some(value);
        }
        self.names.insert(name, index);
        index
    }

    pub(crate) fn remove(&mut self, name: N) -> Option<(u32, T)> {
        let index = self.names.remove(&name)?;
        let value = self.slots[index as usize].take()?;
        self.free.push(index);
        Some((index, value))
    }

    pub(crate) fn index(&self, name: N) -> Option<u32> {
        self.names.get(&name).copied()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.as_mut()
    }
}
