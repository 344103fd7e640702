//! A bounded map from SSRC to a stream's state.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::SrtpError;

/// SSRCs that are found by comparing, all at once; a browser's transport seldom has more that are busy. The others are
/// found by hashing.
const NEAR: usize = 8;

/// State by SSRC, at most `limit` of it. RFC 3711 section 3.2.3: a context is identified by SSRC, destination address and port, of which
/// the last two are the caller's, who has a session for each. Section 3.2.1: replay list and counters MUST be each SSRC's own, also
/// where master keys are shared. Nothing here allocates unless a new SSRC is let in.
///
/// The first SSRC's state lies in the session itself: of many sessions it is the only one, and finding it elsewhere would
/// cost a cache line.
#[repr(C)]
pub(crate) struct Streams<T> {
    /// The SSRCs of the first slots.
    near: [u32; NEAR],
    first: Option<T>,
    /// The slots behind the first, each with its SSRC.
    others: Vec<(u32, T)>,
    limit: usize,
    /// The slots from [`NEAR`] on.
    far: HashMap<u32, usize, BuildHasherDefault<SsrcHasher>>,
}

impl<T> Streams<T> {
    pub(crate) fn new(limit: usize) -> Streams<T> {
        Streams { near: [0; NEAR], first: None, others: Vec::new(), limit, far: HashMap::default() }
    }

    fn len(&self) -> usize {
        if self.first.is_some() { 1 + self.others.len() } else { 0 }
    }

    /// The slot of an SSRC, if it has one.
    #[inline]
    pub(crate) fn find(&self, ssrc: u32) -> Option<usize> {
        let mut hits = 0u32;
        for (i, near) in self.near.iter().enumerate() {
            hits |= u32::from(*near == ssrc) << i;
        }
        // An empty slot has an SSRC too, but the slots are in use from the front.
        let slot = hits.trailing_zeros() as usize;
        if slot < NEAR.min(self.len()) { Some(slot) } else { self.find_far(ssrc) }
    }

    #[inline(never)]
    fn find_far(&self, ssrc: u32) -> Option<usize> {
        if self.len() <= NEAR { None } else { self.far.get(&ssrc).copied() }
    }

    /// The state in a slot that [`Streams::find`] gave.
    #[inline]
    pub(crate) fn at(&mut self, slot: usize) -> Option<&mut T> {
        if slot == 0 { self.first.as_mut() } else { self.others.get_mut(slot - 1).map(|(_, state)| state) }
    }

    /// The state of an SSRC, if it has the first slot.
    #[inline]
    pub(crate) fn first(&mut self, ssrc: u32) -> Option<&mut T> {
        if self.near[0] == ssrc { self.first.as_mut() } else { None }
    }

    /// The same to look at.
    #[inline]
    pub(crate) fn look_first(&self, ssrc: u32) -> Option<&T> {
        if self.near[0] == ssrc { self.first.as_ref() } else { None }
    }

    /// The same to look at.
    #[inline]
    pub(crate) fn look_at(&self, slot: usize) -> Option<&T> {
        if slot == 0 { self.first.as_ref() } else { self.others.get(slot - 1).map(|(_, state)| state) }
    }

    /// Whether a slot that [`Streams::find`] gave some time ago is still that of the SSRC.
    #[inline]
    pub(crate) fn is_at(&self, slot: usize, ssrc: u32) -> bool {
        match slot {
            0 => self.look_first(ssrc).is_some(),
            _ => self.others.get(slot - 1).is_some_and(|(there, _)| *there == ssrc),
        }
    }

    pub(crate) fn get(&self, ssrc: u32) -> Option<&T> {
        let slot = self.find(ssrc)?;
        self.look_at(slot)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, ssrc: u32) -> Option<&mut T> {
        let slot = self.find(ssrc)?;
        self.at(slot)
    }

    /// Whether there is room for one more SSRC.
    #[inline]
    pub(crate) fn room(&self) -> Result<(), SrtpError> {
        if self.len() < self.limit { Ok(()) } else { Err(SrtpError::TooManyStreams) }
    }

    /// Lets in a new SSRC.
    pub(crate) fn insert(&mut self, ssrc: u32, state: T) -> Result<&mut T, SrtpError> {
        self.room()?;
        debug_assert!(self.find(ssrc).is_none());
        let slot = self.len();
        if slot == 0 {
            self.first = Some(state);
        } else {
            self.others.push((ssrc, state));
        }
        self.name(slot, ssrc);
        self.at(slot).ok_or(SrtpError::TooManyStreams)
    }

    /// All SSRCs with their state, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let others = self.others.iter().map(|(ssrc, state)| (*ssrc, state));
        self.first.iter().map(|state| (self.near[0], state)).chain(others)
    }

    /// The same to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let others = self.others.iter_mut().map(|(ssrc, state)| (*ssrc, state));
        let ssrc = self.near[0];
        self.first.iter_mut().map(move |state| (ssrc, state)).chain(others)
    }

    /// Forgets an SSRC; the last slot takes its place.
    pub(crate) fn remove(&mut self, ssrc: u32) -> Option<T> {
        let slot = self.find(ssrc)?;
        self.far.remove(&ssrc);
        let Some((last_ssrc, last)) = self.others.pop() else { return self.first.take() };
        let end = 1 + self.others.len();
        if slot == end {
            return Some(last);
        }
        self.far.remove(&last_ssrc);
        self.name(slot, last_ssrc);
        if slot > 0 {
            self.others[slot - 1].0 = last_ssrc;
        }
        self.at(slot).map(|state| std::mem::replace(state, last))
    }

    /// Lets a slot be found by its SSRC.
    fn name(&mut self, slot: usize, ssrc: u32) {
        match self.near.get_mut(slot) {
            Some(near) => *near = ssrc,
            None => _ = self.far.insert(ssrc, slot),
        }
    }
}

/// One multiplication instead of a keyed hash: an authenticated peer can choose SSRCs that collide, but the limit
/// bounds what that costs.
#[derive(Default)]
pub(crate) struct SsrcHasher(u64);

impl Hasher for SsrcHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(u32::from(byte) ^ self.0 as u32));
    }

    fn write_u32(&mut self, ssrc: u32) {
        // 2^64 divided by the golden ratio: spreads the low bits over the high ones, and the fold brings them back.
        let spread = u64::from(ssrc).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn bounded() {
        let mut streams = Streams::new(2);
        assert_eq!(streams.insert(1, 'a'), Ok(&mut 'a'));
        assert_eq!(streams.insert(2, 'b'), Ok(&mut 'b'));
        assert_eq!(streams.insert(3, 'c'), Err(SrtpError::TooManyStreams));
        assert_eq!(streams.remove(1), Some('a'));
        assert_eq!(streams.insert(3, 'c'), Ok(&mut 'c'));
        assert_eq!((streams.get(1), streams.get(2)), (None, Some(&'b')));
        assert_eq!(streams.get_mut(3), Some(&mut 'c'));
    }

    proptest! {
        #[test]
        fn equals_a_map(steps in prop::collection::vec((0u32..64, prop::bool::weighted(0.3)), 1..400)) {
            let mut streams = Streams::new(50);
            let mut model = BTreeMap::new();
            for (i, (ssrc, out)) in steps.into_iter().enumerate() {
                if out {
                    prop_assert_eq!(streams.remove(ssrc), model.remove(&ssrc));
                } else if streams.get(ssrc).is_none() && streams.insert(ssrc, i).is_ok() {
                    model.insert(ssrc, i);
                }
                prop_assert!(model.len() <= 50);
                for ssrc in 0..64 {
                    let found = streams.find(ssrc);
                    prop_assert_eq!(found, (0..60).find(|slot| streams.is_at(*slot, ssrc)));
                    prop_assert_eq!(found.and_then(|slot| streams.look_at(slot)), model.get(&ssrc));
                    prop_assert_eq!(streams.get(ssrc), model.get(&ssrc));
                    prop_assert_eq!(streams.get_mut(ssrc), model.get_mut(&ssrc));
                }
            }
        }
    }
}
