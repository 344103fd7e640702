//! A bounded map from SSRC to a stream's state.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::SrtpError;

/// State by SSRC, at most `limit` of it. Nothing here allocates unless a new SSRC is let in.
pub(crate) struct Streams<T> {
    map: HashMap<u32, T, BuildHasherDefault<SsrcHasher>>,
    limit: usize,
}

impl<T> Streams<T> {
    pub(crate) fn new(limit: usize) -> Streams<T> {
        Streams { map: HashMap::default(), limit }
    }

    #[inline]
    pub(crate) fn get(&self, ssrc: u32) -> Option<&T> {
        self.map.get(&ssrc)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, ssrc: u32) -> Option<&mut T> {
        self.map.get_mut(&ssrc)
    }

    /// Whether there is room for one more SSRC.
    pub(crate) fn room(&self) -> Result<(), SrtpError> {
        if self.map.len() < self.limit { Ok(()) } else { Err(SrtpError::TooManyStreams) }
    }

    /// Lets in a new SSRC.
    pub(crate) fn insert(&mut self, ssrc: u32, state: T) -> Result<(), SrtpError> {
        self.room()?;
        self.map.insert(ssrc, state);
        Ok(())
    }

    /// All SSRCs with their state, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.map.iter().map(|(ssrc, state)| (*ssrc, state))
    }

    /// The same to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.map.iter_mut().map(|(ssrc, state)| (*ssrc, state))
    }

    pub(crate) fn remove(&mut self, ssrc: u32) -> Option<T> {
        self.map.remove(&ssrc)
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

    #[test]
    fn bounded() {
        let mut streams = Streams::new(2);
        assert_eq!(streams.insert(1, 'a'), Ok(()));
        assert_eq!(streams.insert(2, 'b'), Ok(()));
        assert_eq!(streams.insert(3, 'c'), Err(SrtpError::TooManyStreams));
        assert_eq!(streams.remove(1), Some('a'));
        assert_eq!(streams.insert(3, 'c'), Ok(()));
        assert_eq!((streams.get(1), streams.get(2)), (None, Some(&'b')));
        assert_eq!(streams.get_mut(3), Some(&mut 'c'));
    }
}
