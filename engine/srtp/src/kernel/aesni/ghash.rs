//! GHASH by PCLMULQDQ: products with falling powers of the key are summed up and reduced once for a group of blocks.

use std::arch::x86_64::*;

use crate::kernel::x86::{POWERS, mem};

/// A running hash whose length is known from the start, so that its last block meets the first power.
pub(super) struct Ghash<'a> {
    powers: &'a [u128],
    /// The hash so far, taken in with the next group's first block.
    sum: __m128i,
    low: __m128i,
    middle: __m128i,
    high: __m128i,
    /// Blocks left in the group.
    left: usize,
}

impl<'a> Ghash<'a> {
    /// For `aad_len` bytes, `text_len` bytes, and the block with both lengths.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    pub(super) fn new(powers: &'a [u128], aad_len: usize, text_len: usize) -> Ghash<'a> {
        let blocks = aad_len.div_ceil(16) + text_len.div_ceil(16);
        let zero = _mm_setzero_si128();
        // The lengths are one more block, so that a full group has a remainder of one less here.
        Ghash { powers, sum: zero, low: zero, middle: zero, high: zero, left: blocks % POWERS + 1 }
    }

    /// Takes in `data`, zeros behind it up to a whole block.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    pub(super) fn update(&mut self, data: &[u8]) {
        let (mut whole, rest) = data.as_chunks::<16>();
        while !whole.is_empty() {
            let (now, later) = whole.split_at(whole.len().min(self.left));
            self.blocks(now);
            whole = later;
        }
        if !rest.is_empty() {
            let mut block = [[0; 16]];
            block[0][..rest.len()].copy_from_slice(rest);
            self.blocks(&block);
        }
    }

    /// Takes in the lengths, and gives the hash as bytes.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    pub(super) fn finish(mut self, aad_len: usize, text_len: usize) -> __m128i {
        let lengths = _mm_set_epi64x(8 * aad_len as i64, 8 * text_len as i64);
        let mut block = [[0; 16]];
        mem::store(&mut block[0], _mm_shuffle_epi8(lengths, reverse()));
        self.blocks(&block);
        debug_assert_eq!(self.left, POWERS);
        _mm_shuffle_epi8(self.sum, reverse())
    }

    /// Takes in blocks of one group.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn blocks(&mut self, blocks: &[[u8; 16]]) {
        // Copies, so that they stay in registers.
        let (mut sum, mut low, mut middle, mut high) = (self.sum, self.low, self.middle, self.high);
        for (block, power) in blocks.iter().zip(&self.powers[POWERS - self.left..]) {
            let block = _mm_xor_si128(_mm_shuffle_epi8(mem::load(block), reverse()), sum);
            sum = _mm_setzero_si128();
            let power = mem::load_u128(power);
            low = _mm_xor_si128(low, _mm_clmulepi64_si128::<0x00>(block, power));
            high = _mm_xor_si128(high, _mm_clmulepi64_si128::<0x11>(block, power));
            middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x01>(block, power));
            middle = _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x10>(block, power));
        }
        (self.sum, self.low, self.middle, self.high) = (sum, low, middle, high);
        self.left -= blocks.len();
        if self.left == 0 {
            self.reduce();
        }
    }

    /// Ends a group. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the low half of the mirrored product into the high one.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn reduce(&mut self) {
        let polynomial = _mm_set_epi64x(0, 0xc200_0000_0000_0000_u64 as i64);
        let low = _mm_xor_si128(self.low, _mm_slli_si128::<8>(self.middle));
        let high = _mm_xor_si128(self.high, _mm_srli_si128::<8>(self.middle));
        let fold = _mm_clmulepi64_si128::<0x00>(low, polynomial);
        let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), fold);
        let fold = _mm_clmulepi64_si128::<0x00>(low, polynomial);
        let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), fold);
        self.sum = _mm_xor_si128(high, low);
        let zero = _mm_setzero_si128();
        (self.low, self.middle, self.high, self.left) = (zero, zero, zero, POWERS);
    }
}

/// Turns all bytes around.
#[target_feature(enable = "ssse3")]
#[inline]
fn reverse() -> __m128i {
    _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}
