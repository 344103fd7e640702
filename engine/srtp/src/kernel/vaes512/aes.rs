//! AES in counter mode, four blocks a vector and up to four vectors in flight.

use std::arch::x86_64::*;

use crate::kernel::x86::mem;

/// Vectors in flight: enough to hide the latency of a round.
const WIDE: usize = 4;

/// A round key in each of the four places.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn spread(key: &[u8; 16]) -> __m512i {
    _mm512_broadcast_i32x4(mem::load(key))
}

/// All of them.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn spread_all<const N: usize>(keys: &[[u8; 16]; N]) -> [__m512i; N] {
    let mut spread_keys = [_mm512_setzero_si512(); N];
    for (spread_key, key) in spread_keys.iter_mut().zip(keys) {
        *spread_key = spread(key);
    }
    spread_keys
}

/// Encrypts `W` vectors to which the first round key was added already.
#[target_feature(enable = "vaes,avx512f")]
#[inline]
pub(super) fn encrypt<const N: usize, const W: usize>(
    keys: &[__m512i; N],
    mut blocks: [__m512i; W],
) -> [__m512i; W] {
    for key in &keys[1..N - 1] {
        for block in &mut blocks {
            *block = _mm512_aesenc_epi128(*block, *key);
        }
    }
    for block in &mut blocks {
        *block = _mm512_aesenclast_epi128(*block, keys[N - 1]);
    }
    blocks
}

/// Four counter blocks in a row, the first round key added when they are used. The counter stands in little-endian order until it is used.
#[derive(Clone, Copy)]
struct Counter(__m512i);

impl Counter {
    /// Starts with `first`, whose last four bytes are the counter; it never wraps, since packets are short.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn new(first: __m128i) -> Counter {
        let first = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(first), swap_last());
        Counter(_mm512_add_epi32(first, _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)))
    }

    /// The next `W` vectors of counter blocks.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn next<const N: usize, const W: usize>(&mut self, keys: &[__m512i; N]) -> [__m512i; W] {
        let four = _mm512_set_epi32(4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0);
        let mut blocks = [self.0; W];
        for block in &mut blocks {
            *block = _mm512_xor_si512(_mm512_shuffle_epi8(self.0, swap_last()), keys[0]);
            self.0 = _mm512_add_epi32(self.0, four);
        }
        blocks
    }
}

/// Turns the last four bytes of each block around.
#[target_feature(enable = "avx512f")]
#[inline]
fn swap_last() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
}

/// `out = input ^ E(iv) E(iv + 1) ..`. Both slices have the same length.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,bmi2")]
pub(super) fn counter_mode<const N: usize>(keys: &[[u8; 16]; N], iv: __m128i, input: &[u8], out: &mut [u8]) {
    debug_assert_eq!(input.len(), out.len());
    let keys = &spread_all(keys);
    let mut counter = Counter::new(iv);
    let mut input = input.chunks_exact(64 * WIDE);
    let mut out = out.chunks_exact_mut(64 * WIDE);
    for (input, out) in (&mut input).zip(&mut out) {
        let stream = encrypt(keys, counter.next::<N, WIDE>(keys));
        let (input, out) = (input.as_chunks().0, out.as_chunks_mut().0);
        for w in 0..WIDE {
            mem::store_512(&mut out[w], _mm512_xor_si512(mem::load_512(&input[w]), stream[w]));
        }
    }
    let (input, out) = (input.remainder(), out.into_remainder());
    match input.len().div_ceil(64) {
        0 => {}
        1 => rest::<N, 1>(keys, counter, input, out),
        2 => rest::<N, 2>(keys, counter, input, out),
        3 => rest::<N, 3>(keys, counter, input, out),
        _ => rest::<N, 4>(keys, counter, input, out),
    }
}

/// At most `W` vectors.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,bmi2")]
#[inline]
fn rest<const N: usize, const W: usize>(
    keys: &[__m512i; N],
    mut counter: Counter,
    input: &[u8],
    out: &mut [u8],
) {
    let stream = encrypt(keys, counter.next::<N, W>(keys));
    for (w, stream) in stream.into_iter().enumerate() {
        let at = 64 * w as isize;
        mem::store_around(out, at, _mm512_xor_si512(mem::load_around(input, at), stream));
    }
}
