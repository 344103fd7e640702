//! SHA-1 of one message by SHA-NI, with the message schedule by rotations.
//!
//! A single message is bound by latency: the rounds of a block take 94 cycles on Sapphire Rapids whatever else is done. SHA1MSG2
//! takes five cycles from one group to the next, on the port that the rounds need; the schedule here takes three, on others.
//! SHA-NI knows no VEX encoding: a caller that dirtied the upper halves of vectors must clear them first, or every
//! instruction here takes hundreds of cycles.

use std::arch::x86_64::*;

use crate::kernel::portable::sha1::{BLOCK, State};
use crate::kernel::x86::mem;

/// A chaining value as SHA-NI has it: `a` to `d` from the highest word down, and `e` in the highest word.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    pub(super) abcd: __m128i,
    pub(super) e: __m128i,
}

impl Sum {
    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    pub(super) fn new(state: &State) -> Sum {
        let [a, b, c, d, e] = state.map(|word| word as i32);
        Sum { abcd: _mm_set_epi32(a, b, c, d), e: _mm_set_epi32(e, 0, 0, 0) }
    }

    /// The block of the outer hash (RFC 2104): the inner digest, the bit 1 and the length.
    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    pub(super) fn outer_words(self) -> [__m128i; 4] {
        let rest = _mm_or_si128(self.e, _mm_set_epi32(0, i32::MIN, 0, 0));
        [self.abcd, rest, _mm_setzero_si128(), _mm_set_epi32(0, 0, 0, 8 * (BLOCK as i32 + 20))]
    }

    /// The bytes of `a` to `d` as they are sent.
    #[target_feature(enable = "ssse3")]
    #[inline]
    pub(super) fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        mem::store(&mut bytes, _mm_shuffle_epi8(self.abcd, swap()));
        bytes
    }
}

/// Turns all bytes around, so that the first word of four gets the highest place.
#[target_feature(enable = "ssse3")]
#[inline]
fn swap() -> __m128i {
    _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

/// The words of a block, the first of each four in the highest place.
#[target_feature(enable = "ssse3,avx512f,avx512vl")]
#[inline]
pub(super) fn words(block: &[u8; BLOCK]) -> [__m128i; 4] {
    let parts = block.as_chunks().0;
    let mut words = [_mm_setzero_si128(); 4];
    for (word, part) in words.iter_mut().zip(parts) {
        *word = _mm_shuffle_epi8(mem::load(part), swap());
    }
    words
}

/// Words `t` to `t + 3` from the sixteen before them: each is `w[t-3] ^ w[t-8] ^ w[t-14] ^ w[t-16]`, turned by one. The last
/// needs the first of the new ones, so what makes up that one is turned by two there.
#[target_feature(enable = "ssse3,avx512f,avx512vl")]
#[inline]
pub(super) fn schedule(w16: __m128i, w12: __m128i, w8: __m128i, w4: __m128i) -> __m128i {
    let old = _mm_ternarylogic_epi32::<0x96>(w16, _mm_alignr_epi8::<8>(w16, w12), w8);
    let first_again = _mm_maskz_shuffle_epi32::<0xff>(0b0001, _mm_rol_epi32::<2>(old));
    let young = _mm_rolv_epi32(_mm_shuffle_epi32::<0b10_01_00_10>(w4), _mm_set_epi32(1, 1, 1, 2));
    _mm_ternarylogic_epi32::<0x96>(_mm_rol_epi32::<1>(old), first_again, young)
}

/// Which word of four is the highest, for [`rounds`]. A mask the compiler knew would become a blend: one instruction more.
#[inline]
pub(super) fn highest() -> __mmask8 {
    std::hint::black_box(0b1000)
}

/// The eighty rounds of the block `words` on `sum`. Not a function, because a call would put both through memory.
macro_rules! rounds {
    ($sum:ident, $words:ident, $highest:ident) => {{
        let mut words = $words;
        let mut abcd = $sum.abcd;
        // The first group has `e` itself, which the others have from `a` turned by 30.
        let mut before = _mm_rol_epi32::<2>($sum.e);
        macro_rules! four {
            ($group:literal, $f:literal) => {
                let e = _mm_add_epi32(words[$group % 4], _mm_maskz_rol_epi32::<30>($highest, before));
                before = abcd;
                abcd = _mm_sha1rnds4_epu32::<$f>(abcd, e);
            };
        }
        macro_rules! four_and_schedule {
            ($group:literal, $f:literal) => {
                four!($group, $f);
                words[$group % 4] = $crate::kernel::vaes512::sha1_one::schedule(
                    words[$group % 4],
                    words[($group + 1) % 4],
                    words[($group + 2) % 4],
                    words[($group + 3) % 4],
                );
            };
        }
        four_and_schedule!(0, 0);
        four_and_schedule!(1, 0);
        four_and_schedule!(2, 0);
        four_and_schedule!(3, 0);
        four_and_schedule!(4, 0);
        four_and_schedule!(5, 1);
        four_and_schedule!(6, 1);
        four_and_schedule!(7, 1);
        four_and_schedule!(8, 1);
        four_and_schedule!(9, 1);
        four_and_schedule!(10, 2);
        four_and_schedule!(11, 2);
        four_and_schedule!(12, 2);
        four_and_schedule!(13, 2);
        four_and_schedule!(14, 2);
        four_and_schedule!(15, 3);
        four!(16, 3);
        four!(17, 3);
        four!(18, 3);
        four!(19, 3);
        Sum { abcd: _mm_add_epi32($sum.abcd, abcd), e: _mm_sha1nexte_epu32(before, $sum.e) }
    }};
}
pub(super) use rounds;
