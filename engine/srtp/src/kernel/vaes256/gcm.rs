//! AES-GCM, one packet after the other: what was encrypted is hashed out of registers, a group of blocks at a time. Packets are
//! independent of each other, so the processor overlaps them by itself: the fewer instructions one takes, the more of them it sees at
//! once.

use std::arch::x86_64::*;

use super::aes::{Counter, WIDE, counter_mode, encrypt, encrypt_beside, xor};
use super::ghash::{GROUP, Ghash, turned};
use crate::kernel::x86::{GcmKeys, mem};

/// Bytes of a group.
const GROUP_BYTES: usize = 16 * GROUP;

/// Where a packet's last group begins: it has one block at least, unless there is no text at all.
#[inline]
fn last_group(text_len: usize) -> usize {
    text_len.saturating_sub(1) / GROUP_BYTES * GROUP_BYTES
}

/// Blocks of the first group, with the block of lengths if it is the last one too.
#[inline]
fn first_group(text_len: usize) -> usize {
    if last_group(text_len) == 0 { text_len.div_ceil(16) + 1 } else { GROUP }
}

/// Encrypts `input` into `out`, which has the same length, and gives the tag.
#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
#[inline]
pub(super) fn seal<const N: usize>(
    keys: &GcmKeys<N>,
    (ssrc, index): (u32, u64),
    aad: &[u8],
    input: &[u8],
    out: &mut [u8],
) -> __m128i {
    debug_assert_eq!(input.len(), out.len());
    let lens = (aad.len(), input.len());
    let mut hash = Ghash::new(keys, aad, first_group(input.len()));
    let mut counter = Counter::new(keys.counter(ssrc, index, 2));
    let (input, last) = input.split_at(last_group(input.len()));
    let (out, last_out) = out.split_at_mut(input.len());
    for (input, out) in input.chunks_exact(GROUP_BYTES).zip(out.chunks_exact_mut(GROUP_BYTES)) {
        let text = xor::<WIDE>(encrypt(&keys.round_keys, counter.next()), input, out);
        hash.group(text.map(|text| turned(text)));
    }
    let first = keys.counter(ssrc, index, 1);
    match last.len().div_ceil(32) {
        0 | 1 => seal_last::<N, 1>(keys, hash, first, counter, last, last_out, lens),
        2 | 3 => seal_last::<N, 3>(keys, hash, first, counter, last, last_out, lens),
        _ => seal_last::<N, WIDE>(keys, hash, first, counter, last, last_out, lens),
    }
}

/// The last group, of at most `W` vectors, beside the block that masks the tag. Gives the tag.
#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
#[inline]
fn seal_last<const N: usize, const W: usize>(
    keys: &GcmKeys<N>,
    hash: Ghash<'_, N>,
    first: __m128i,
    mut counter: Counter,
    input: &[u8],
    out: &mut [u8],
    lens: (usize, usize),
) -> __m128i {
    let first = _mm256_zextsi128_si256(first);
    let ([mask], stream) = encrypt_beside::<N, 1, W>(&keys.round_keys, [first], counter.next());
    let mut text = xor::<W>(stream, input, out);
    for (i, text) in text.iter_mut().enumerate() {
        let from = 32 * i;
        if from < input.len() && input.len() < from + 32 {
            *text = _mm256_and_si256(*text, mem::first_bytes_256(input.len() - from));
        }
        *text = turned(*text);
    }
    _mm_xor_si128(hash.end(text, input.len(), lens), _mm256_castsi256_si128(mask))
}

/// Checks the tag, and only if it is right decrypts `input` into `out`, which has the same length.
#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
#[inline]
pub(super) fn open<const N: usize>(
    keys: &GcmKeys<N>,
    place: (u32, u64),
    aad: &[u8],
    input: &[u8],
    expected: __m128i,
    out: &mut [u8],
) -> bool {
    debug_assert_eq!(input.len(), out.len());
    match input.len().div_ceil(32) {
        0 | 1 => open_short::<N, 1>(keys, place, aad, input, expected, out),
        2 | 3 => open_short::<N, 3>(keys, place, aad, input, expected, out),
        4..=WIDE => open_short::<N, WIDE>(keys, place, aad, input, expected, out),
        _ => {
            let good = mem::same(tag(keys, place, aad, input), expected);
            if good {
                counter_mode(&keys.round_keys, keys.counter(place.0, place.1, 2), input, out);
            }
            good
        }
    }
}

/// A packet of at most `W` vectors: its keystream is made beside the block that masks the tag, and waits in registers.
#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
#[inline]
fn open_short<const N: usize, const W: usize>(
    keys: &GcmKeys<N>,
    (ssrc, index): (u32, u64),
    aad: &[u8],
    input: &[u8],
    expected: __m128i,
    out: &mut [u8],
) -> bool {
    let first = _mm256_zextsi128_si256(keys.counter(ssrc, index, 1));
    let mut counter = Counter::new(keys.counter(ssrc, index, 2));
    let ([mask], stream) = encrypt_beside::<N, 1, W>(&keys.round_keys, [first], counter.next());
    let hash = Ghash::new(keys, aad, input.len().div_ceil(16) + 1);
    let sum = hash.end(blocks::<W>(input), input.len(), (aad.len(), input.len()));
    let good = mem::same(_mm_xor_si128(sum, _mm256_castsi256_si128(mask)), expected);
    if good {
        xor::<W>(stream, input, out);
    }
    good
}

/// The tag of associated data and ciphertext.
#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
fn tag<const N: usize>(keys: &GcmKeys<N>, (ssrc, index): (u32, u64), aad: &[u8], text: &[u8]) -> __m128i {
    let first = _mm256_zextsi128_si256(keys.counter(ssrc, index, 1));
    let [mask] = encrypt(&keys.round_keys, [first]);
    let mut hash = Ghash::new(keys, aad, first_group(text.len()));
    let (groups, last) = text.split_at(last_group(text.len()));
    for group in groups.chunks_exact(GROUP_BYTES) {
        hash.group(blocks(group));
    }
    let sum = hash.end(blocks::<WIDE>(last), last.len(), (aad.len(), text.len()));
    _mm_xor_si128(sum, _mm256_castsi256_si128(mask))
}

/// The blocks of at most `W` vectors, turned around, zeros behind them.
#[target_feature(enable = "avx2")]
#[inline]
fn blocks<const W: usize>(bytes: &[u8]) -> [__m256i; W] {
    let (whole, rest) = bytes.as_chunks::<32>();
    let mut blocks = [_mm256_setzero_si256(); W];
    for (i, block) in blocks.iter_mut().enumerate() {
        if let Some(whole) = whole.get(i) {
            *block = turned(mem::load_256(whole));
        } else {
            if i == whole.len() {
                *block = turned(mem::load_part_256(rest));
            }
            break;
        }
    }
    blocks
}
