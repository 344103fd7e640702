//! AES in counter mode, two blocks a vector and up to six vectors in flight.

use std::arch::x86_64::*;

use crate::kernel::x86::mem;

/// Vectors in flight: enough to hide the latency of a round, and few enough for sixteen registers.
const WIDE: usize = 6;

/// Round keys, one in each of the two places of a vector.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn spread<const N: usize>(round_keys: &[[u8; 16]; N]) -> [__m256i; N] {
    let mut spread = [_mm256_setzero_si256(); N];
    for (spread, key) in spread.iter_mut().zip(round_keys) {
        *spread = _mm256_broadcastsi128_si256(mem::load(key));
    }
    spread
}

/// Encrypts `W` vectors.
#[target_feature(enable = "vaes,avx2")]
#[inline]
pub(super) fn encrypt<const N: usize, const W: usize>(
    keys: &[__m256i; N],
    mut blocks: [__m256i; W],
) -> [__m256i; W] {
    for block in &mut blocks {
        *block = _mm256_xor_si256(*block, keys[0]);
    }
    for key in &keys[1..N - 1] {
        for block in &mut blocks {
            *block = _mm256_aesenc_epi128(*block, *key);
        }
    }
    for block in &mut blocks {
        *block = _mm256_aesenclast_epi128(*block, keys[N - 1]);
    }
    blocks
}

/// `out = input ^ E(first) E(first + 1) ..`, where the counter is the last four bytes; it never wraps, since packets are
/// short. Both slices have the same length.
#[target_feature(enable = "vaes,avx2")]
pub(super) fn counter_mode<const N: usize>(
    keys: &[__m256i; N],
    first: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    debug_assert_eq!(input.len(), out.len());
    // The counter in little-endian order, so that it can be added to.
    let first = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(first), swap_last());
    let mut counter = _mm256_add_epi32(first, _mm256_set_epi32(1, 0, 0, 0, 0, 0, 0, 0));
    let mut input = input.chunks_exact(32 * WIDE);
    let mut out = out.chunks_exact_mut(32 * WIDE);
    for (input, out) in (&mut input).zip(&mut out) {
        chunk::<N, WIDE>(keys, &mut counter, input, out);
    }
    let (input, out) = (input.remainder(), out.into_remainder());
    match input.len().div_ceil(32) {
        0 => {}
        1 => chunk::<N, 1>(keys, &mut counter, input, out),
        2 => chunk::<N, 2>(keys, &mut counter, input, out),
        3 | 4 => chunk::<N, 4>(keys, &mut counter, input, out),
        _ => chunk::<N, WIDE>(keys, &mut counter, input, out),
    }
}

/// At most `W` vectors.
#[target_feature(enable = "vaes,avx2")]
#[inline]
fn chunk<const N: usize, const W: usize>(
    keys: &[__m256i; N],
    counter: &mut __m256i,
    input: &[u8],
    out: &mut [u8],
) {
    let two = _mm256_set_epi32(2, 0, 0, 0, 2, 0, 0, 0);
    let mut blocks = [*counter; W];
    for block in &mut blocks {
        *block = _mm256_shuffle_epi8(*counter, swap_last());
        *counter = _mm256_add_epi32(*counter, two);
    }
    let stream = encrypt(keys, blocks);
    let (whole, rest) = input.as_chunks::<32>();
    let (whole_out, rest_out) = out.as_chunks_mut::<32>();
    for ((input, out), stream) in whole.iter().zip(whole_out).zip(&stream) {
        mem::store_256(out, _mm256_xor_si256(mem::load_256(input), *stream));
    }
    if !rest.is_empty() {
        let mut block = [0; 32];
        block[..rest.len()].copy_from_slice(rest);
        let text = _mm256_xor_si256(mem::load_256(&block), stream[whole.len()]);
        mem::store_256(&mut block, text);
        rest_out.copy_from_slice(&block[..rest.len()]);
    }
}

/// Turns the last four bytes of each block around.
#[target_feature(enable = "avx2")]
#[inline]
fn swap_last() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
}
