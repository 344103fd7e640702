//! GHASH by VPCLMULQDQ, four blocks a vector, reduced once for four vectors.

use std::arch::x86_64::*;

use crate::kernel::x86::{POWERS, mem};

/// A running hash over a known number of blocks, counted with the empty ones ahead of the first.
pub(super) struct Ghash<'a> {
    powers: &'a [u128],
    /// The hash so far, in the first place; taken in with the next group's first block.
    sum: __m512i,
    low: __m512i,
    middle: __m512i,
    high: __m512i,
    /// Where the next vector's powers begin: the last block of a group meets the first power.
    at: usize,
    /// Blocks left, this group's included.
    left: usize,
}

impl<'a> Ghash<'a> {
    /// For `blocks` blocks, the one with the lengths included.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn new(powers: &'a [u128], blocks: usize) -> Ghash<'a> {
        let zero = _mm512_setzero_si512();
        let at = POWERS - blocks.min(POWERS);
        Ghash { powers, sum: zero, low: zero, middle: zero, high: zero, at, left: blocks }
    }

    /// Takes in four blocks as they lie in memory, and `more`, which is turned around already.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
    #[inline]
    pub(super) fn update(&mut self, blocks: __m512i, more: __m512i) {
        let blocks =
            _mm512_ternarylogic_epi64::<XOR3>(_mm512_shuffle_epi8(blocks, reverse()), self.sum, more);
        self.sum = _mm512_setzero_si512();
        let powers = match self.powers[self.at..].first_chunk() {
            Some(powers) => mem::load_four(powers),
            // The padding behind the powers is there for this; a zero would give a wrong tag, never a fault.
            None => _mm512_setzero_si512(),
        };
        self.low = _mm512_xor_si512(self.low, _mm512_clmulepi64_epi128::<0x00>(blocks, powers));
        self.high = _mm512_xor_si512(self.high, _mm512_clmulepi64_epi128::<0x11>(blocks, powers));
        self.middle = _mm512_ternarylogic_epi64::<XOR3>(
            self.middle,
            _mm512_clmulepi64_epi128::<0x01>(blocks, powers),
            _mm512_clmulepi64_epi128::<0x10>(blocks, powers),
        );
        self.at += 4;
        if self.at >= POWERS {
            self.reduce();
        }
    }

    /// The hash as bytes.
    #[target_feature(enable = "avx512f,avx512bw,ssse3")]
    #[inline]
    pub(super) fn finish(self) -> __m128i {
        debug_assert_eq!(self.left, 0);
        _mm_shuffle_epi8(_mm512_castsi512_si128(self.sum), _mm512_castsi512_si128(reverse()))
    }

    /// Ends a group. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the low half of the mirrored product into the high one.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
    #[inline]
    fn reduce(&mut self) {
        let polynomial = _mm512_set1_epi64(0xc200_0000_0000_0000_u64 as i64);
        let low = _mm512_xor_si512(self.low, _mm512_bslli_epi128::<8>(self.middle));
        let high = _mm512_xor_si512(self.high, _mm512_bsrli_epi128::<8>(self.middle));
        let fold = _mm512_clmulepi64_epi128::<0x00>(low, polynomial);
        let low = _mm512_xor_si512(_mm512_shuffle_epi32::<0x4e>(low), fold);
        let fold = _mm512_clmulepi64_epi128::<0x00>(low, polynomial);
        let low = _mm512_shuffle_epi32::<0x4e>(low);
        let sum = _mm512_ternarylogic_epi64::<XOR3>(high, low, fold);
        // The four places add up in the first.
        let two = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum));
        let one = _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two));
        self.sum = _mm512_zextsi128_si512(one);
        let zero = _mm512_setzero_si512();
        (self.low, self.middle, self.high) = (zero, zero, zero);
        self.left = self.left.saturating_sub(POWERS);
        self.at = POWERS - self.left.min(POWERS);
    }
}

/// The truth table of `a ^ b ^ c`.
const XOR3: i32 = 0x96;

/// Turns all bytes of each block around.
#[target_feature(enable = "avx512f")]
#[inline]
fn reverse() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
}
