//! GHASH by PCLMULQDQ: products with falling powers of the key are summed up and reduced once for a group of blocks.

use std::arch::x86_64::*;

use crate::kernel::x86::{GcmKeys, POWERS, mem};

/// Blocks of a group.
pub(super) const GROUP: usize = 8;

/// Blocks of associated data that fit ahead of a group and the block of lengths.
const AHEAD: usize = POWERS - GROUP - 1;

/// Unreduced products, summed up.
#[derive(Clone, Copy)]
struct Products {
    low: __m128i,
    middle: __m128i,
    high: __m128i,
}

impl Products {
    #[target_feature(enable = "sse2")]
    #[inline]
    fn none() -> Products {
        let zero = _mm_setzero_si128();
        Products { low: zero, middle: zero, high: zero }
    }

    /// Adds the product of a block, turned around.
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    fn add(&mut self, block: __m128i, power: &u128) {
        let power = mem::load_u128(power);
        self.low = _mm_xor_si128(self.low, _mm_clmulepi64_si128::<0x00>(block, power));
        self.high = _mm_xor_si128(self.high, _mm_clmulepi64_si128::<0x11>(block, power));
        self.middle = _mm_xor_si128(self.middle, _mm_clmulepi64_si128::<0x01>(block, power));
        self.middle = _mm_xor_si128(self.middle, _mm_clmulepi64_si128::<0x10>(block, power));
    }

    /// The sum, reduced, turned around still. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the low half of the mirrored product up
    /// by 64 bits: first into the middle, then both into the high one.
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    fn reduce(self) -> __m128i {
        let polynomial = _mm_set_epi64x(0, 0xc200_0000_0000_0000_u64 as i64);
        let fold = |low: __m128i, above: __m128i| {
            let folded = _mm_clmulepi64_si128::<0x00>(low, polynomial);
            _mm_xor_si128(_mm_xor_si128(above, _mm_shuffle_epi32::<0x4e>(low)), folded)
        };
        fold(fold(self.low, self.middle), self.high)
    }
}

/// A running hash.
#[derive(Clone, Copy)]
pub(super) struct Ghash<'a> {
    powers: &'a [u128; POWERS],
    /// The hash so far, taken in with the next group's first block.
    sum: __m128i,
    /// Products that belong to the next group.
    ahead: Products,
}

impl<'a> Ghash<'a> {
    /// Takes in associated data, ahead of a group of `next` blocks.
    #[target_feature(enable = "pclmulqdq,ssse3")]
    #[inline]
    pub(super) fn new<const N: usize>(keys: &'a GcmKeys<N>, aad: &[u8], next: usize) -> Ghash<'a> {
        let mut hash = Ghash { powers: &keys.powers, sum: _mm_setzero_si128(), ahead: Products::none() };
        let mut aad = aad;
        while aad.len() > 16 * AHEAD {
            let (group, later) = aad.split_at(16 * GROUP);
            hash.bytes(group, GROUP);
            (hash.sum, hash.ahead) = (hash.ahead.reduce(), Products::none());
            aad = later;
        }
        hash.bytes(aad, aad.len().div_ceil(16) + next);
        hash
    }

    /// Adds the products of bytes, zeros behind them up to a whole block, of which the first meets H^`power`.
    #[target_feature(enable = "pclmulqdq,ssse3")]
    #[inline]
    fn bytes(&mut self, bytes: &[u8], power: usize) {
        let (whole, rest) = bytes.as_chunks::<16>();
        let mut powers = self.powers[POWERS - power..].iter();
        for (block, power) in whole.iter().zip(&mut powers) {
            self.ahead.add(_mm_xor_si128(turned(mem::load(block)), self.sum), power);
            self.sum = _mm_setzero_si128();
        }
        if let (false, Some(power)) = (rest.is_empty(), powers.next()) {
            self.ahead.add(_mm_xor_si128(turned(mem::load_part(rest)), self.sum), power);
            self.sum = _mm_setzero_si128();
        }
    }

    /// Takes in a group's blocks, turned around.
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    pub(super) fn group<const W: usize>(&mut self, blocks: [__m128i; W]) {
        let mut products = self.ahead;
        for (i, power) in self.powers[POWERS - W..].iter().enumerate() {
            let first = if i == 0 { self.sum } else { _mm_setzero_si128() };
            products.add(_mm_xor_si128(blocks[i], first), power);
        }
        (self.sum, self.ahead) = (products.reduce(), Products::none());
    }

    /// Takes in the first `used` of the last blocks, turned around, and the lengths. Gives the hash as bytes.
    #[target_feature(enable = "pclmulqdq,ssse3")]
    #[inline]
    pub(super) fn end<const W: usize>(
        mut self,
        mut blocks: [__m128i; W],
        used: usize,
        (aad_len, text_len): (usize, usize),
    ) -> __m128i {
        // Without a block here there was no group, and nothing is left of it.
        blocks[0] = _mm_xor_si128(blocks[0], self.sum);
        let powers = &self.powers[POWERS - 1 - used..POWERS - 1];
        for (i, block) in blocks.into_iter().enumerate() {
            let Some(power) = powers.get(i) else { break };
            self.ahead.add(block, power);
        }
        let lengths = _mm_set_epi64x(8 * aad_len as i64, 8 * text_len as i64);
        self.ahead.add(lengths, &self.powers[POWERS - 1]);
        turned(self.ahead.reduce())
    }
}

/// Turns all bytes around.
#[target_feature(enable = "ssse3")]
#[inline]
pub(super) fn turned(block: __m128i) -> __m128i {
    _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
}
