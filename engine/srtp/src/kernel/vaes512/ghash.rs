//! GHASH by VPCLMULQDQ, four blocks a vector: products are summed up unreduced and reduced once for a group.

use std::arch::x86_64::*;

use crate::kernel::x86::{GcmKeys, POWERS, mem};

/// Unreduced products, to be summed up over all four places.
#[derive(Clone, Copy)]
pub(super) struct Products {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

impl Products {
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn none() -> Products {
        let zero = _mm512_setzero_si512();
        Products { low: zero, middle: zero, high: zero }
    }

    /// Adds the products of four blocks, each turned around, with the powers from `at` on. Places past the last power must
    /// be zero.
    ///
    /// # Safety
    /// There is a power at `at`.
    #[target_feature(enable = "vpclmulqdq,avx512f")]
    #[inline]
    pub(super) unsafe fn add<const N: usize>(&mut self, keys: &GcmKeys<N>, at: usize, blocks: __m512i) {
        debug_assert!(at < POWERS);
        // SAFETY: 64 bytes can be read from any power on.
        self.add_products(blocks, unsafe { _mm512_loadu_si512(keys.power(at).cast()) });
    }

    #[target_feature(enable = "vpclmulqdq,avx512f")]
    #[inline]
    fn add_products(&mut self, blocks: __m512i, powers: __m512i) {
        let low = _mm512_clmulepi64_epi128::<0x00>(blocks, powers);
        let high = _mm512_clmulepi64_epi128::<0x11>(blocks, powers);
        let one = _mm512_clmulepi64_epi128::<0x01>(blocks, powers);
        let two = _mm512_clmulepi64_epi128::<0x10>(blocks, powers);
        self.low = _mm512_xor_si512(self.low, low);
        self.high = _mm512_xor_si512(self.high, high);
        self.middle = _mm512_xor_si512(_mm512_xor_si512(self.middle, one), two);
    }

    /// Adds the products of sixteen blocks in which every place has the same power of each vector: H^16, H^12, H^8 and H^4.
    #[target_feature(enable = "vpclmulqdq,avx512f")]
    #[inline]
    pub(super) fn add_group<const N: usize>(&mut self, keys: &GcmKeys<N>, data: [__m512i; 4]) {
        for (i, data) in data.into_iter().enumerate() {
            self.add_everywhere(keys, 4 - i, data);
        }
    }

    /// Adds the products of four blocks with H^(4 `fours`), which is H^20 at most.
    #[target_feature(enable = "vpclmulqdq,avx512f")]
    #[inline]
    pub(super) fn add_everywhere<const N: usize>(
        &mut self,
        keys: &GcmKeys<N>,
        fours: usize,
        blocks: __m512i,
    ) {
        let power = mem::load_u128(&keys.powers[POWERS - 4 * fours]);
        self.add_products(blocks, _mm512_broadcast_i32x4(power));
    }

    /// The sum, reduced, turned around still and in the first place; the others are zero.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
    #[inline]
    pub(super) fn reduce(self) -> __m512i {
        let sum = self.reduce_places();
        let two = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum));
        let one = _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two));
        _mm512_zextsi128_si512(one)
    }

    /// The sums of each place by themselves, reduced, turned around still. Half by half, `x^128 = x^7 + x^2 + x + 1` folds the
    /// low half of the mirrored product up by 64 bits: first into the middle, then both into the high one.
    #[target_feature(enable = "vpclmulqdq,avx512f,avx512bw")]
    #[inline]
    pub(super) fn reduce_places(self) -> __m512i {
        let polynomial = _mm512_set1_epi64(0xc200_0000_0000_0000_u64 as i64);
        let fold = |low: __m512i, above: __m512i| {
            let turned = _mm512_shuffle_epi32::<0x4e>(low);
            let folded = _mm512_clmulepi64_epi128::<0x00>(low, polynomial);
            _mm512_ternarylogic_epi64::<0x96>(above, turned, folded)
        };
        fold(fold(self.low, self.middle), self.high)
    }
}

/// The place of the first power for `blocks` blocks that end a group.
#[inline]
pub(super) fn first_power(blocks: usize) -> usize {
    debug_assert!(blocks <= POWERS);
    POWERS - blocks
}

/// Turns all bytes of each block around.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn turned(blocks: __m512i) -> __m512i {
    let bytes = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_shuffle_epi8(blocks, _mm512_broadcast_i32x4(bytes))
}
