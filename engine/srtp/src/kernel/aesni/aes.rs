//! AES in counter mode, up to eight blocks in flight.

use std::arch::x86_64::*;

use crate::kernel::x86::mem;

/// Blocks in flight: enough to hide the latency of a round.
const WIDE: usize = 8;

/// Encrypts `W` blocks.
#[target_feature(enable = "aes,ssse3,sse4.1")]
#[inline]
pub(super) fn encrypt<const N: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    blocks: [__m128i; W],
) -> [__m128i; W] {
    encrypt_beside(round_keys, [], blocks).1
}

/// Two lots of blocks at once.
#[target_feature(enable = "aes,ssse3,sse4.1")]
#[inline]
pub(super) fn encrypt_beside<const N: usize, const V: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    mut some: [__m128i; V],
    mut others: [__m128i; W],
) -> ([__m128i; V], [__m128i; W]) {
    let key = mem::load(&round_keys[0]);
    for block in &mut some {
        *block = _mm_xor_si128(*block, key);
    }
    for block in &mut others {
        *block = _mm_xor_si128(*block, key);
    }
    for key in &round_keys[1..N - 1] {
        let key = mem::load(key);
        for block in &mut some {
            *block = _mm_aesenc_si128(*block, key);
        }
        for block in &mut others {
            *block = _mm_aesenc_si128(*block, key);
        }
    }
    let key = mem::load(&round_keys[N - 1]);
    for block in &mut some {
        *block = _mm_aesenclast_si128(*block, key);
    }
    for block in &mut others {
        *block = _mm_aesenclast_si128(*block, key);
    }
    (some, others)
}

/// Counter blocks, one after the other. The counter is the last four bytes; it never wraps, since packets are short.
pub(super) struct Counter(__m128i);

impl Counter {
    #[target_feature(enable = "ssse3")]
    #[inline]
    pub(super) fn new(first: __m128i) -> Counter {
        // In little-endian order, so that it can be added to.
        Counter(_mm_shuffle_epi8(first, swap_last()))
    }

    /// The next blocks.
    #[target_feature(enable = "ssse3")]
    #[inline]
    pub(super) fn next<const W: usize>(&mut self) -> [__m128i; W] {
        let one = _mm_set_epi32(1, 0, 0, 0);
        let mut blocks = [self.0; W];
        for block in &mut blocks {
            *block = _mm_shuffle_epi8(self.0, swap_last());
            self.0 = _mm_add_epi32(self.0, one);
        }
        blocks
    }
}

/// `out = input ^ E(first) E(first + 1) ..`. Both slices have the same length.
#[target_feature(enable = "aes,ssse3,sse4.1")]
pub(super) fn counter_mode<const N: usize>(
    round_keys: &[[u8; 16]; N],
    first: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    debug_assert_eq!(input.len(), out.len());
    let mut counter = Counter::new(first);
    let mut input = input.chunks_exact(16 * WIDE);
    let mut out = out.chunks_exact_mut(16 * WIDE);
    for (input, out) in (&mut input).zip(&mut out) {
        chunk::<N, WIDE>(round_keys, &mut counter, input, out);
    }
    let (input, out) = (input.remainder(), out.into_remainder());
    match input.len().div_ceil(16) {
        0 => {}
        1 => chunk::<N, 1>(round_keys, &mut counter, input, out),
        2 => chunk::<N, 2>(round_keys, &mut counter, input, out),
        3 | 4 => chunk::<N, 4>(round_keys, &mut counter, input, out),
        _ => chunk::<N, WIDE>(round_keys, &mut counter, input, out),
    }
}

/// At most `W` blocks.
#[target_feature(enable = "aes,ssse3,sse4.1")]
#[inline]
fn chunk<const N: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    counter: &mut Counter,
    input: &[u8],
    out: &mut [u8],
) {
    let blocks: [__m128i; W] = encrypt(round_keys, counter.next());
    let (whole, rest) = input.as_chunks::<16>();
    let (whole_out, rest_out) = out.as_chunks_mut::<16>();
    for ((input, out), block) in whole.iter().zip(whole_out).zip(&blocks) {
        mem::store(out, _mm_xor_si128(mem::load(input), *block));
    }
    if !rest.is_empty() {
        mem::store_part(rest_out, _mm_xor_si128(mem::load_part(rest), blocks[whole.len()]));
    }
}

/// Turns the last four bytes around.
#[target_feature(enable = "ssse3")]
#[inline]
fn swap_last() -> __m128i {
    _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
}
