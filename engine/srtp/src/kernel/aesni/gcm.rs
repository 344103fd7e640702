//! AES-GCM of one packet. What was encrypted is hashed out of registers, a group of blocks at a time. Packets are independent of each
//! other, so the processor overlaps them by itself: the fewer instructions one takes, the more of them it sees at once.

use std::arch::x86_64::*;

use super::aes::{Counter, counter_mode, encrypt, encrypt_beside};
use super::ghash::{GROUP, Ghash, turned};
use crate::kernel::x86::{GcmKeys, mem};

/// Bytes of a group.
const GROUP_BYTES: usize = 16 * GROUP;

/// Where a packet's last group begins: it has one block at least, unless there is no text at all.
#[inline]
fn last_group(text_len: usize) -> usize {
    text_len.saturating_sub(1) / GROUP_BYTES * GROUP_BYTES
}

/// Blocks of the last group, and those of the first, with the block of lengths if both are the same.
#[inline]
fn first_group(text_len: usize) -> usize {
    if last_group(text_len) == 0 { text_len.div_ceil(16) + 1 } else { GROUP }
}

/// Encrypts `input` into `out`, which has the same length, and gives the tag.
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
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
    let mut counter = Counter::new(keys.counter(ssrc, index, 1));
    let mask = counter.next();
    let (input, last) = input.split_at(last_group(input.len()));
    let (out, last_out) = out.split_at_mut(input.len());
    let groups = input.as_chunks::<16>().0.as_chunks::<GROUP>().0;
    let out_groups = out.as_chunks_mut::<16>().0.as_chunks_mut::<GROUP>().0;
    for (input, out) in groups.iter().zip(out_groups) {
        let mut blocks: [__m128i; GROUP] = encrypt(&keys.round_keys, counter.next());
        for ((block, input), out) in blocks.iter_mut().zip(input).zip(out) {
            let text = _mm_xor_si128(*block, mem::load(input));
            mem::store(out, text);
            *block = turned(text);
        }
        hash.group(blocks);
    }
    match last.len().div_ceil(16) {
        0..=2 => seal_last::<N, 2>(keys, hash, mask, counter, last, last_out, lens),
        3 | 4 => seal_last::<N, 4>(keys, hash, mask, counter, last, last_out, lens),
        _ => seal_last::<N, GROUP>(keys, hash, mask, counter, last, last_out, lens),
    }
}

/// The last group, of at most `W` blocks. Gives the tag.
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
#[inline]
fn seal_last<const N: usize, const W: usize>(
    keys: &GcmKeys<N>,
    hash: Ghash<'_>,
    mask: [__m128i; 1],
    mut counter: Counter,
    input: &[u8],
    out: &mut [u8],
    lens: (usize, usize),
) -> __m128i {
    let ([mask], mut blocks) = encrypt_beside::<N, 1, W>(&keys.round_keys, mask, counter.next());
    let (whole, rest) = input.as_chunks::<16>();
    let (whole_out, rest_out) = out.as_chunks_mut::<16>();
    for (i, block) in blocks.iter_mut().enumerate() {
        let text = if let (Some(input), Some(out)) = (whole.get(i), whole_out.get_mut(i)) {
            let text = _mm_xor_si128(*block, mem::load(input));
            mem::store(out, text);
            text
        } else {
            if i == whole.len() && !rest.is_empty() {
                let text = _mm_xor_si128(*block, mem::load_part(rest));
                mem::store_part(rest_out, text);
                *block = turned(_mm_and_si128(text, mem::first_bytes(rest.len())));
            }
            break;
        };
        *block = turned(text);
    }
    _mm_xor_si128(hash.end(blocks, input.len().div_ceil(16), lens), mask)
}

/// Checks the tag, and only if it is right decrypts `input` into `out`, which has the same length.
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
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
    match input.len().div_ceil(16) {
        0..=2 => open_short::<N, 2>(keys, place, aad, input, expected, out),
        3 | 4 => open_short::<N, 4>(keys, place, aad, input, expected, out),
        5..=GROUP => open_short::<N, GROUP>(keys, place, aad, input, expected, out),
        _ => {
            let good = mem::same(tag(keys, place, aad, input), expected);
            if good {
                counter_mode(&keys.round_keys, keys.counter(place.0, place.1, 2), input, out);
            }
            good
        }
    }
}

/// A packet of at most `W` blocks: its keystream is made beside the block that masks the tag, and waits in registers.
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
#[inline]
fn open_short<const N: usize, const W: usize>(
    keys: &GcmKeys<N>,
    (ssrc, index): (u32, u64),
    aad: &[u8],
    input: &[u8],
    expected: __m128i,
    out: &mut [u8],
) -> bool {
    let mut counter = Counter::new(keys.counter(ssrc, index, 1));
    let mask = counter.next();
    let ([mask], stream) = encrypt_beside::<N, 1, W>(&keys.round_keys, mask, counter.next());
    let used = input.len().div_ceil(16);
    let hash = Ghash::new(keys, aad, used + 1);
    let sum = hash.end(blocks::<W>(input), used, (aad.len(), input.len()));
    let good = mem::same(_mm_xor_si128(sum, mask), expected);
    if good {
        let (whole, rest) = input.as_chunks::<16>();
        let (whole_out, rest_out) = out.as_chunks_mut::<16>();
        for (i, stream) in stream.into_iter().enumerate() {
            if let (Some(input), Some(out)) = (whole.get(i), whole_out.get_mut(i)) {
                mem::store(out, _mm_xor_si128(stream, mem::load(input)));
            } else {
                if i == whole.len() && !rest.is_empty() {
                    mem::store_part(rest_out, _mm_xor_si128(stream, mem::load_part(rest)));
                }
                break;
            }
        }
    }
    good
}

/// The tag of associated data and ciphertext.
#[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
pub(super) fn tag<const N: usize>(
    keys: &GcmKeys<N>,
    (ssrc, index): (u32, u64),
    aad: &[u8],
    text: &[u8],
) -> __m128i {
    let [mask] = encrypt(&keys.round_keys, [keys.counter(ssrc, index, 1)]);
    let mut hash = Ghash::new(keys, aad, first_group(text.len()));
    let (groups, last) = text.split_at(last_group(text.len()));
    for group in groups.as_chunks::<GROUP_BYTES>().0 {
        hash.group(blocks::<GROUP>(group));
    }
    let sum = hash.end(blocks::<GROUP>(last), last.len().div_ceil(16), (aad.len(), text.len()));
    _mm_xor_si128(sum, mask)
}

/// The blocks of at most `W`, turned around, zeros behind them.
#[target_feature(enable = "ssse3")]
#[inline]
fn blocks<const W: usize>(bytes: &[u8]) -> [__m128i; W] {
    let (whole, rest) = bytes.as_chunks::<16>();
    let mut blocks = [_mm_setzero_si128(); W];
    for (i, block) in blocks.iter_mut().enumerate() {
        if let Some(whole) = whole.get(i) {
            *block = turned(mem::load(whole));
        } else {
            if i == whole.len() {
                *block = turned(mem::load_part(rest));
            }
            break;
        }
    }
    blocks
}
