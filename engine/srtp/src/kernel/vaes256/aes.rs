//! AES in counter mode, two blocks a vector and up to six vectors in flight.

use std::arch::x86_64::*;

use crate::kernel::x86::mem;

/// Vectors in flight: enough to hide the latency of a round, and few enough for sixteen registers.
pub(super) const WIDE: usize = 6;

/// Encrypts `W` vectors.
#[target_feature(enable = "vaes,avx2")]
#[inline]
pub(super) fn encrypt<const N: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    blocks: [__m256i; W],
) -> [__m256i; W] {
    encrypt_beside(round_keys, [], blocks).1
}

/// Two lots of vectors at once.
#[target_feature(enable = "vaes,avx2")]
#[inline]
pub(super) fn encrypt_beside<const N: usize, const V: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    mut some: [__m256i; V],
    mut others: [__m256i; W],
) -> ([__m256i; V], [__m256i; W]) {
    let key = spread(&round_keys[0]);
    for block in &mut some {
        *block = _mm256_xor_si256(*block, key);
    }
    for block in &mut others {
        *block = _mm256_xor_si256(*block, key);
    }
    for key in &round_keys[1..N - 1] {
        let key = spread(key);
        for block in &mut some {
            *block = _mm256_aesenc_epi128(*block, key);
        }
        for block in &mut others {
            *block = _mm256_aesenc_epi128(*block, key);
        }
    }
    let key = spread(&round_keys[N - 1]);
    for block in &mut some {
        *block = _mm256_aesenclast_epi128(*block, key);
    }
    for block in &mut others {
        *block = _mm256_aesenclast_epi128(*block, key);
    }
    (some, others)
}

/// A round key in both places of a vector.
#[target_feature(enable = "avx2")]
#[inline]
fn spread(round_key: &[u8; 16]) -> __m256i {
    _mm256_broadcastsi128_si256(mem::load(round_key))
}

/// Counter blocks, one after the other. The counter is the last four bytes; it never wraps, since packets are short.
pub(super) struct Counter(__m256i);

impl Counter {
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn new(first: __m128i) -> Counter {
        // In little-endian order, so that it can be added to.
        let first = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(first), swap_last());
        Counter(_mm256_add_epi32(first, _mm256_set_epi32(1, 0, 0, 0, 0, 0, 0, 0)))
    }

    /// The next blocks, two a vector.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn next<const W: usize>(&mut self) -> [__m256i; W] {
        let two = _mm256_set_epi32(2, 0, 0, 0, 2, 0, 0, 0);
        let mut blocks = [self.0; W];
        for block in &mut blocks {
            *block = _mm256_shuffle_epi8(self.0, swap_last());
            self.0 = _mm256_add_epi32(self.0, two);
        }
        blocks
    }
}

/// `out = input ^ E(first) E(first + 1) ..`. Both slices have the same length.
#[target_feature(enable = "vaes,avx2")]
pub(super) fn counter_mode<const N: usize>(
    round_keys: &[[u8; 16]; N],
    first: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    debug_assert_eq!(input.len(), out.len());
    let mut counter = Counter::new(first);
    let mut input = input.chunks_exact(32 * WIDE);
    let mut out = out.chunks_exact_mut(32 * WIDE);
    for (input, out) in (&mut input).zip(&mut out) {
        chunk::<N, WIDE>(round_keys, &mut counter, input, out);
    }
    let (input, out) = (input.remainder(), out.into_remainder());
    match input.len().div_ceil(32) {
        0 => {}
        1 => chunk::<N, 1>(round_keys, &mut counter, input, out),
        2 => chunk::<N, 2>(round_keys, &mut counter, input, out),
        3 | 4 => chunk::<N, 4>(round_keys, &mut counter, input, out),
        _ => chunk::<N, WIDE>(round_keys, &mut counter, input, out),
    }
}

/// At most `W` vectors.
#[target_feature(enable = "vaes,avx2")]
#[inline]
fn chunk<const N: usize, const W: usize>(
    round_keys: &[[u8; 16]; N],
    counter: &mut Counter,
    input: &[u8],
    out: &mut [u8],
) {
    xor::<W>(encrypt(round_keys, counter.next()), input, out);
}

/// `out = input ^ stream`, at most `W` vectors. Gives what is in `out`, with anything behind it in the last vector.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn xor<const W: usize>(mut stream: [__m256i; W], input: &[u8], out: &mut [u8]) -> [__m256i; W] {
    let (whole, rest) = input.as_chunks::<32>();
    let (whole_out, rest_out) = out.as_chunks_mut::<32>();
    for (i, stream) in stream.iter_mut().enumerate() {
        if let (Some(input), Some(out)) = (whole.get(i), whole_out.get_mut(i)) {
            *stream = _mm256_xor_si256(mem::load_256(input), *stream);
            mem::store_256(out, *stream);
        } else {
            if i == whole.len() && !rest.is_empty() {
                *stream = _mm256_xor_si256(mem::load_part_256(rest), *stream);
                mem::store_part_256(rest_out, *stream);
            }
            break;
        }
    }
    stream
}

/// Turns the last four bytes of each block around.
#[target_feature(enable = "avx2")]
#[inline]
fn swap_last() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
}
