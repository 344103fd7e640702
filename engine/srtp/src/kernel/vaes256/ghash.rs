//! GHASH by VPCLMULQDQ, two blocks a vector: products are summed up and reduced once for a group of blocks.

use std::arch::x86_64::*;

use super::aes::WIDE;
use crate::kernel::x86::{GcmKeys, POWERS, mem};

/// Blocks of a group.
pub(super) const GROUP: usize = 2 * WIDE;

/// Blocks of associated data that fit ahead of a group and the block of lengths.
const AHEAD: usize = POWERS - GROUP - 1;

/// Unreduced products, to be summed up over both places.
#[derive(Clone, Copy)]
struct Products {
    low: __m256i,
    middle: __m256i,
    high: __m256i,
}

impl Products {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn none() -> Products {
        let zero = _mm256_setzero_si256();
        Products { low: zero, middle: zero, high: zero }
    }

    /// Adds the products of two blocks, each turned around, of which the first meets H^`power`. The second place must be zero where
    /// that is the first power.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    fn add<const N: usize>(&mut self, keys: &GcmKeys<N>, power: usize, blocks: __m256i) {
        assert!((1..=POWERS).contains(&power));
        // SAFETY: there is such a power, and 64 bytes can be read from any power on.
        let powers = unsafe { _mm256_loadu_si256(keys.power(POWERS - power).cast()) };
        self.low = _mm256_xor_si256(self.low, _mm256_clmulepi64_epi128::<0x00>(blocks, powers));
        self.high = _mm256_xor_si256(self.high, _mm256_clmulepi64_epi128::<0x11>(blocks, powers));
        let one = _mm256_clmulepi64_epi128::<0x01>(blocks, powers);
        let two = _mm256_clmulepi64_epi128::<0x10>(blocks, powers);
        self.middle = _mm256_xor_si256(_mm256_xor_si256(self.middle, one), two);
    }

    /// The sum, reduced, turned around still. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the low half of the mirrored product up
    /// by 64 bits: first into the middle, then both into the high one.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    fn reduce(self) -> __m128i {
        let polynomial = _mm256_set1_epi64x(0xc200_0000_0000_0000_u64 as i64);
        let fold = |low: __m256i, above: __m256i| {
            let folded = _mm256_clmulepi64_epi128::<0x00>(low, polynomial);
            _mm256_xor_si256(_mm256_xor_si256(above, _mm256_shuffle_epi32::<0x4e>(low)), folded)
        };
        let sum = fold(fold(self.low, self.middle), self.high);
        _mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum))
    }
}

/// A running hash.
#[derive(Clone, Copy)]
pub(super) struct Ghash<'a, const N: usize> {
    keys: &'a GcmKeys<N>,
    /// The hash so far, taken in with the next group's first block.
    sum: __m128i,
    /// Products that belong to the next group.
    ahead: Products,
}

impl<'a, const N: usize> Ghash<'a, N> {
    /// Takes in associated data, ahead of a group of `next` blocks.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    pub(super) fn new(keys: &'a GcmKeys<N>, aad: &[u8], next: usize) -> Ghash<'a, N> {
        let mut hash = Ghash { keys, sum: _mm_setzero_si128(), ahead: Products::none() };
        let mut aad = aad;
        while aad.len() > 16 * AHEAD {
            let (group, later) = aad.split_at(16 * AHEAD);
            hash.bytes(group, AHEAD);
            (hash.sum, hash.ahead) = (hash.ahead.reduce(), Products::none());
            aad = later;
        }
        hash.bytes(aad, aad.len().div_ceil(16) + next);
        hash
    }

    /// Adds the products of bytes, zeros behind them up to a whole block, of which the first meets H^`power`.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    fn bytes(&mut self, bytes: &[u8], power: usize) {
        let mut power = power;
        for part in bytes.chunks(32) {
            let blocks = match part.first_chunk() {
                Some(whole) => mem::load_256(whole),
                None => mem::load_part_256(part),
            };
            self.ahead.add(
                self.keys,
                power,
                _mm256_xor_si256(turned(blocks), _mm256_zextsi128_si256(self.sum)),
            );
            self.sum = _mm_setzero_si128();
            power = power.saturating_sub(2);
        }
    }

    /// Takes in a group's blocks, turned around.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    pub(super) fn group(&mut self, mut blocks: [__m256i; WIDE]) {
        let mut products = self.ahead;
        blocks[0] = _mm256_xor_si256(blocks[0], _mm256_zextsi128_si256(self.sum));
        for (i, blocks) in blocks.into_iter().enumerate() {
            products.add(self.keys, GROUP - 2 * i, blocks);
        }
        (self.sum, self.ahead) = (products.reduce(), Products::none());
    }

    /// Takes in the blocks of the last `last_len` bytes, turned around, zeros behind them, and the lengths. Gives the hash as bytes.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    pub(super) fn end<const W: usize>(
        mut self,
        mut blocks: [__m256i; W],
        last_len: usize,
        (aad_len, text_len): (usize, usize),
    ) -> __m128i {
        // Without a block here there was no group, and nothing is left of it.
        blocks[0] = _mm256_xor_si256(blocks[0], _mm256_zextsi128_si256(self.sum));
        let lengths = _mm_set_epi64x(8 * aad_len as i64, 8 * text_len as i64);
        let used = last_len.div_ceil(16);
        for (i, blocks) in blocks.into_iter().enumerate() {
            if 2 * i >= used {
                break;
            }
            // Where the last vector has one block only, the lengths are its other one.
            let both = if 2 * i + 1 == used { _mm256_inserti128_si256::<1>(blocks, lengths) } else { blocks };
            self.ahead.add(self.keys, used + 1 - 2 * i, both);
        }
        if used.is_multiple_of(2) {
            self.ahead.add(self.keys, 1, _mm256_zextsi128_si256(lengths));
        }
        _mm256_castsi256_si128(turned(_mm256_zextsi128_si256(self.ahead.reduce())))
    }
}

/// Turns all bytes of each block around.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn turned(blocks: __m256i) -> __m256i {
    let bytes = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm256_shuffle_epi8(blocks, _mm256_broadcastsi128_si256(bytes))
}
