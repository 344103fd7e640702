//! GHASH by VPCLMULQDQ, two blocks a vector, reduced once for a group of blocks.

use std::arch::x86_64::*;

use crate::kernel::x86::{GcmKeys, POWERS, mem};

/// A running hash whose length is known from the start, so that its last block meets the first power.
pub(super) struct Ghash<'a, const N: usize> {
    keys: &'a GcmKeys<N>,
    /// The hash so far, in the first place; taken in with the next group's first block.
    sum: __m256i,
    low: __m256i,
    middle: __m256i,
    high: __m256i,
    /// Blocks left in the group.
    left: usize,
}

impl<'a, const N: usize> Ghash<'a, N> {
    /// For `aad_len` bytes, `text_len` bytes, and the block with both lengths.
    #[target_feature(enable = "avx2")]
    pub(super) fn new(keys: &'a GcmKeys<N>, aad_len: usize, text_len: usize) -> Ghash<'a, N> {
        let blocks = aad_len.div_ceil(16) + text_len.div_ceil(16);
        let zero = _mm256_setzero_si256();
        // The lengths are one more block, so that a full group has a remainder of one less here.
        Ghash { keys, sum: zero, low: zero, middle: zero, high: zero, left: blocks % POWERS + 1 }
    }

    /// Takes in `data`, zeros behind it up to a whole block.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    pub(super) fn update(&mut self, data: &[u8]) {
        let (blocks, rest) = data.as_chunks::<16>();
        let mut blocks = blocks;
        while let Some((block, later)) = blocks.split_first() {
            match later.split_first() {
                Some((next, later)) if self.left >= 2 => {
                    self.blocks(_mm256_set_m128i(mem::load(next), mem::load(block)), 2);
                    blocks = later;
                }
                _ => {
                    self.blocks(_mm256_zextsi128_si256(mem::load(block)), 1);
                    blocks = later;
                }
            }
        }
        if !rest.is_empty() {
            self.blocks(_mm256_zextsi128_si256(mem::load_part(rest)), 1);
        }
    }

    /// Takes in the lengths, and gives the hash as bytes.
    #[target_feature(enable = "vpclmulqdq,avx2,ssse3")]
    #[inline]
    pub(super) fn finish(mut self, aad_len: usize, text_len: usize) -> __m128i {
        let lengths = _mm_set_epi64x(8 * aad_len as i64, 8 * text_len as i64);
        let reverse = _mm256_castsi256_si128(reverse());
        self.blocks(_mm256_zextsi128_si256(_mm_shuffle_epi8(lengths, reverse)), 1);
        debug_assert_eq!(self.left, POWERS);
        _mm_shuffle_epi8(_mm256_castsi256_si128(self.sum), reverse)
    }

    /// Takes in `count` blocks, one or two; the second place is zero for one.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    fn blocks(&mut self, blocks: __m256i, count: usize) {
        let blocks = _mm256_xor_si256(_mm256_shuffle_epi8(blocks, reverse()), self.sum);
        self.sum = _mm256_setzero_si256();
        let at = POWERS - self.left;
        debug_assert!((1..=POWERS).contains(&self.left));
        // SAFETY: there is a power at `at`, since `left` is never zero here; 64 bytes can be read from any power on.
        let powers = unsafe { _mm256_loadu_si256(self.keys.power(at).cast()) };
        self.low = _mm256_xor_si256(self.low, _mm256_clmulepi64_epi128::<0x00>(blocks, powers));
        self.high = _mm256_xor_si256(self.high, _mm256_clmulepi64_epi128::<0x11>(blocks, powers));
        let cross = _mm256_xor_si256(
            _mm256_clmulepi64_epi128::<0x01>(blocks, powers),
            _mm256_clmulepi64_epi128::<0x10>(blocks, powers),
        );
        self.middle = _mm256_xor_si256(self.middle, cross);
        self.left -= count;
        if self.left == 0 {
            self.reduce();
        }
    }

    /// Ends a group. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the low half of the mirrored product into the high one.
    #[target_feature(enable = "vpclmulqdq,avx2")]
    #[inline]
    fn reduce(&mut self) {
        let polynomial = _mm256_set1_epi64x(0xc200_0000_0000_0000_u64 as i64);
        let low = _mm256_xor_si256(self.low, _mm256_bslli_epi128::<8>(self.middle));
        let high = _mm256_xor_si256(self.high, _mm256_bsrli_epi128::<8>(self.middle));
        let fold = _mm256_clmulepi64_epi128::<0x00>(low, polynomial);
        let low = _mm256_xor_si256(_mm256_shuffle_epi32::<0x4e>(low), fold);
        let fold = _mm256_clmulepi64_epi128::<0x00>(low, polynomial);
        let low = _mm256_xor_si256(_mm256_shuffle_epi32::<0x4e>(low), fold);
        let sum = _mm256_xor_si256(high, low);
        // The two places add up in the first.
        let one = _mm_xor_si128(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        self.sum = _mm256_zextsi128_si256(one);
        let zero = _mm256_setzero_si256();
        (self.low, self.middle, self.high, self.left) = (zero, zero, zero, POWERS);
    }
}

/// Turns all bytes of each block around.
#[target_feature(enable = "avx2")]
#[inline]
fn reverse() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
}
