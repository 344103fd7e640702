//! The shard's only source of randomness: ChaCha8 from the seed it was given.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A generator from the shard's seed.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: [u8; 32]) -> Random {
        Random(ChaCha8Rng::from_seed(seed))
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A first sequence number below 2^15: RFC 3711 section 3.3.1 advises it, so that a loss at the start does
    /// not confuse the roll-over counter.
    pub(crate) fn first_sequence(&mut self) -> u64 {
        u64::from(self.0.next_u32() & 0x7fff)
    }

    /// An SSRC other than zero.
    pub(crate) fn ssrc(&mut self) -> u32 {
        self.0.next_u32().max(1)
    }
}
