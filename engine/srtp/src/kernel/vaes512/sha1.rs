//! SHA-1 of sixteen messages side by side: one 32-bit place of a vector each.

use std::arch::x86_64::*;

use crate::kernel::portable::sha1::State;
use crate::kernel::x86::hmac::{LANES, Message};
use crate::kernel::x86::mem;

/// Truth tables for VPTERNLOG: choose, parity, majority.
const CHOOSE: i32 = 0xca;
const PARITY: i32 = 0x96;
const MAJORITY: i32 = 0xe8;

/// Takes blocks `from..until` of up to sixteen messages into their states; idle lanes repeat the first message.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn sixteen(states: &mut [State], messages: &[Message<'_>], from: usize, until: usize) {
    let mut rows = [[0u32; LANES]; 5];
    for (lane, state) in states.iter().enumerate() {
        for (row, word) in rows.iter_mut().zip(state) {
            row[lane] = *word;
        }
    }
    let mut sum = [_mm512_setzero_si512(); 5];
    for (sum, row) in sum.iter_mut().zip(&rows) {
        *sum = mem::load_words(row);
    }
    for i in from..until {
        let mut words = [_mm512_setzero_si512(); 16];
        for (lane, word) in words.iter_mut().enumerate() {
            *word = mem::load_512(messages.get(lane).unwrap_or(&messages[0]).block(i));
        }
        transpose(&mut words);
        block(&mut sum, words);
    }
    for (sum, row) in sum.iter().zip(&mut rows) {
        mem::store_words(row, *sum);
    }
    for (lane, state) in states.iter_mut().enumerate() {
        *state = std::array::from_fn(|word| rows[word][lane]);
    }
}

/// Sixteen rows of sixteen big-endian words become sixteen columns of native ones.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transpose(rows: &mut [__m512i; 16]) {
    let swap = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    let zero = _mm512_setzero_si512();
    // Within 128 bits: pairs of words, then pairs of pairs.
    let mut quads = [zero; 16];
    for i in 0..4 {
        let r = 4 * i;
        let [a, b, c, d] = [rows[r], rows[r + 1], rows[r + 2], rows[r + 3]];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        quads[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        quads[4 + i] = _mm512_unpackhi_epi64(ab_low, cd_low);
        quads[8 + i] = _mm512_unpacklo_epi64(ab_high, cd_high);
        quads[12 + i] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
    // quads[4 w + i] has, in its place p, word 4 p + w of rows 4 i to 4 i + 3: transpose places against i.
    for w in 0..4 {
        let [a, b, c, d] = [quads[4 * w], quads[4 * w + 1], quads[4 * w + 2], quads[4 * w + 3]];
        let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        rows[w] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4::<0x88>(ab_even, cd_even), swap);
        rows[8 + w] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even), swap);
        rows[4 + w] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd), swap);
        rows[12 + w] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd), swap);
    }
}

/// One round; the caller's names turn instead of the values.
macro_rules! round {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $k:ident, $w:expr) => {
        let turned = _mm512_rol_epi32::<5>($a);
        let f = _mm512_ternarylogic_epi32::<$f>($b, $c, $d);
        let constant = _mm512_add_epi32($w, $k);
        $e = _mm512_add_epi32(_mm512_add_epi32($e, constant), _mm512_add_epi32(f, turned));
        $b = _mm512_rol_epi32::<30>($b);
    };
}

/// Word `$t` of the schedule, from the sixteen before it.
macro_rules! word {
    ($words:ident, $t:expr) => {{
        if $t >= 16 {
            let old = _mm512_xor_si512($words[$t % 16], $words[($t + 2) % 16]);
            let new = _mm512_ternarylogic_epi32::<PARITY>(old, $words[($t + 8) % 16], $words[($t + 13) % 16]);
            $words[$t % 16] = _mm512_rol_epi32::<1>(new);
        }
        $words[$t % 16]
    }};
}

/// Five rounds from `$t` on: the names are back in place afterwards.
macro_rules! five_rounds {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $k:ident, $words:ident, $t:expr) => {
        round!($a, $b, $c, $d, $e, $f, $k, word!($words, $t));
        round!($e, $a, $b, $c, $d, $f, $k, word!($words, $t + 1));
        round!($d, $e, $a, $b, $c, $f, $k, word!($words, $t + 2));
        round!($c, $d, $e, $a, $b, $f, $k, word!($words, $t + 3));
        round!($b, $c, $d, $e, $a, $f, $k, word!($words, $t + 4));
    };
}

/// Twenty rounds with one function and one constant.
macro_rules! twenty_rounds {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $constant:literal, $words:ident, $t:literal) => {
        let k = _mm512_set1_epi32($constant as i32);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 5);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 10);
        five_rounds!($a, $b, $c, $d, $e, $f, k, $words, $t + 15);
    };
}

/// One block of all sixteen messages.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn block(sum: &mut [__m512i; 5], mut words: [__m512i; 16]) {
    let [mut a, mut b, mut c, mut d, mut e] = *sum;
    twenty_rounds!(a, b, c, d, e, CHOOSE, 0x5a82_7999_u32, words, 0);
    twenty_rounds!(a, b, c, d, e, PARITY, 0x6ed9_eba1_u32, words, 20);
    twenty_rounds!(a, b, c, d, e, MAJORITY, 0x8f1b_bcdc_u32, words, 40);
    twenty_rounds!(a, b, c, d, e, PARITY, 0xca62_c1d6_u32, words, 60);
    for (sum, value) in sum.iter_mut().zip([a, b, c, d, e]) {
        *sum = _mm512_add_epi32(*sum, value);
    }
}
