//! Loads and stores that stay within what they borrow.

use std::arch::x86_64::*;

/// 16 bytes.
#[inline(always)]
pub(crate) fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: SSE2 belongs to x86-64, the reference covers the 16 bytes, and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// `a ^ b`.
#[inline(always)]
pub(crate) fn xor(a: __m128i, b: __m128i) -> __m128i {
    // SAFETY: SSE2 belongs to x86-64.
    unsafe { _mm_xor_si128(a, b) }
}

/// Two halves as a vector: the low one first.
#[inline(always)]
pub(crate) fn halves(low: u64, high: u64) -> __m128i {
    // SAFETY: as in `xor`.
    unsafe { _mm_set_epi64x(high as i64, low as i64) }
}

/// A number as a vector: its low half first.
#[inline(always)]
pub(crate) fn load_u128(number: &u128) -> __m128i {
    // SAFETY: as in `load`.
    unsafe { _mm_loadu_si128(std::ptr::from_ref(number).cast()) }
}

/// 16 bytes.
#[inline(always)]
pub(crate) fn store(bytes: &mut [u8; 16], value: __m128i) {
    // SAFETY: SSE2 belongs to x86-64, the reference covers the 16 bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

/// At most 16 bytes, zeros behind them. Two numbers that overlap, since a copy of so few bytes costs a call.
#[inline(always)]
pub(crate) fn load_part(bytes: &[u8]) -> __m128i {
    debug_assert!(bytes.len() <= 16);
    let (low, high) = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let number = u128::from(u64::from_le_bytes(*last)) << (8 * (bytes.len() - 8));
        (number as u64 | u64::from_le_bytes(*first), (number >> 64) as u64)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let number = u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4));
        (number | u64::from(u32::from_le_bytes(*first)), 0)
    } else {
        (bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)), 0)
    };
    halves(low, high)
}

/// At most 16 bytes of `value`.
#[inline(always)]
pub(crate) fn store_part(bytes: &mut [u8], value: __m128i) {
    debug_assert!(bytes.len() <= 16);
    let mut block = [0; 16];
    store(&mut block, value);
    let number = u128::from_le_bytes(block);
    let len = bytes.len();
    if let Some(first) = bytes.first_chunk_mut() {
        *first = (number as u64).to_le_bytes();
        if let Some(last) = bytes.last_chunk_mut() {
            *last = ((number >> (8 * (len - 8))) as u64).to_le_bytes();
        }
    } else if let Some(first) = bytes.first_chunk_mut() {
        *first = (number as u32).to_le_bytes();
        if let Some(last) = bytes.last_chunk_mut() {
            *last = ((number >> (8 * (len - 4))) as u32).to_le_bytes();
        }
    } else {
        for (byte, value) in bytes.iter_mut().zip(block) {
            *byte = value;
        }
    }
}

/// All bits of the first `count` bytes, at most 16.
#[target_feature(enable = "ssse3")]
#[inline]
pub(crate) fn first_bytes(count: usize) -> __m128i {
    let count = _mm_shuffle_epi8(_mm_cvtsi32_si128(count as i32), _mm_setzero_si128());
    let places = _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    _mm_cmpgt_epi8(count, places)
}

/// Compares two tags; how long it takes does not depend on them.
#[target_feature(enable = "sse4.1")]
#[inline]
pub(crate) fn same(a: __m128i, b: __m128i) -> bool {
    let difference = _mm_xor_si128(a, b);
    _mm_testz_si128(difference, difference) == 1
}

/// Which of the 64 bytes from `offset` on lie inside a slice of `len` bytes. The offset may be negative.
#[inline(always)]
fn inside(len: usize, offset: isize) -> u64 {
    let before = (-offset).clamp(0, 64) as u32;
    let until = (len as isize - offset).clamp(0, 64) as u32;
    // Shifts by 64 are written as two, since a single one would not clear the number.
    let from = (u64::MAX << (before / 2)) << (before - before / 2);
    let to = (u64::MAX >> ((64 - until) / 2)) >> ((64 - until) - (64 - until) / 2);
    from & to
}

/// The 64 bytes from `offset` on, zeros where the slice does not reach. The offset may be negative.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) fn load_around(bytes: &[u8], offset: isize) -> __m512i {
    let mask = inside(bytes.len(), offset);
    let address = bytes.as_ptr().wrapping_offset(offset);
    // SAFETY: only bytes of the slice are read: the mask leaves out the others, and masked bytes do not fault.
    unsafe { _mm512_maskz_loadu_epi8(mask, address.cast()) }
}

/// Stores those of the 64 bytes from `offset` on that lie in the slice, and gives `value` with zeros for the others.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) fn store_around(bytes: &mut [u8], offset: isize, value: __m512i) -> __m512i {
    let mask = inside(bytes.len(), offset);
    let address = bytes.as_mut_ptr().wrapping_offset(offset);
    // SAFETY: only bytes of the slice are written: the mask leaves out the others, and masked bytes do not fault.
    unsafe { _mm512_mask_storeu_epi8(address.cast(), mask, value) };
    _mm512_maskz_mov_epi8(mask, value)
}

/// The first `count` bits, of at most 64.
#[target_feature(enable = "bmi2")]
#[inline]
pub(crate) fn ones(count: usize) -> u64 {
    debug_assert!(count <= 64);
    _bzhi_u64(u64::MAX, count as u32)
}

/// Those of the 64 bytes from `offset` on that `mask` names, zeros for the others.
///
/// # Safety
/// Every byte that the mask names lies in `bytes`.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) unsafe fn load_masked(bytes: &[u8], offset: isize, mask: u64) -> __m512i {
    debug_assert_eq!(mask & !inside(bytes.len(), offset), 0);
    // SAFETY: the caller's promise; masked bytes do not fault.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().wrapping_offset(offset).cast()) }
}

/// Those of the 16 bytes from `offset` on that `mask` names, zeros for the others.
///
/// # Safety
/// Every byte that the mask names lies in `bytes`.
#[target_feature(enable = "avx512bw,avx512vl")]
#[inline]
pub(crate) unsafe fn load_masked_128(bytes: &[u8], offset: usize, mask: u16) -> __m128i {
    debug_assert_eq!(u64::from(mask) & !inside(bytes.len(), offset as isize), 0);
    // SAFETY: the caller's promise; masked bytes do not fault.
    unsafe { _mm_maskz_loadu_epi8(mask, bytes.as_ptr().wrapping_add(offset).cast()) }
}

/// Stores those of the 64 bytes from `offset` on that `mask` names.
///
/// # Safety
/// Every byte that the mask names lies in `bytes`.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) unsafe fn store_masked(bytes: &mut [u8], offset: isize, mask: u64, value: __m512i) {
    debug_assert_eq!(mask & !inside(bytes.len(), offset), 0);
    // SAFETY: the caller's promise; masked bytes do not fault.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().wrapping_offset(offset).cast(), mask, value) }
}

/// The 64 bytes from `offset` on.
///
/// # Safety
/// They all lie in `bytes`.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) unsafe fn load_whole(bytes: &[u8], offset: usize) -> __m512i {
    debug_assert!(offset + 64 <= bytes.len());
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().wrapping_add(offset).cast()) }
}

/// Stores the 64 bytes from `offset` on.
///
/// # Safety
/// They all lie in `bytes`.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) unsafe fn store_whole(bytes: &mut [u8], offset: usize, value: __m512i) {
    debug_assert!(offset + 64 <= bytes.len());
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().wrapping_add(offset).cast(), value) }
}

/// 64 bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn load_512(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// 64 bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn store_512(bytes: &mut [u8; 64], value: __m512i) {
    // SAFETY: the reference covers the 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}

/// Fetches the cache lines from byte `from` of a value on.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T, from: usize) {
    for line in (from..size_of::<T>()).step_by(64) {
        let address = std::ptr::from_ref(value).cast::<i8>().wrapping_add(line);
        // SAFETY: SSE belongs to x86-64; fetching ahead changes nothing that can be seen, wherever the address points.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
    }
}

/// Four blocks.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn load_blocks(blocks: &[[u8; 16]; 4]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(blocks.as_ptr().cast()) }
}

/// Sixteen words.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn load_words(words: &[u32; 16]) -> __m512i {
    // SAFETY: the reference covers the 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// Four blocks.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn store_blocks(blocks: &mut [[u8; 16]; 4], value: __m512i) {
    // SAFETY: the reference covers the 64 bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(blocks.as_mut_ptr().cast(), value) }
}

/// 32 bytes.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn load_256(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference covers the 32 bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// 32 bytes.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn store_256(bytes: &mut [u8; 32], value: __m256i) {
    // SAFETY: the reference covers the 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}

/// At most 32 bytes, zeros behind them.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn load_part_256(bytes: &[u8]) -> __m256i {
    match bytes.split_first_chunk() {
        Some((first, rest)) => _mm256_set_m128i(load_part(rest), load(first)),
        None => _mm256_zextsi128_si256(load_part(bytes)),
    }
}

/// At most 32 bytes of `value`.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn store_part_256(bytes: &mut [u8], value: __m256i) {
    match bytes.split_first_chunk_mut() {
        Some((first, rest)) => {
            store(first, _mm256_castsi256_si128(value));
            store_part(rest, _mm256_extracti128_si256::<1>(value));
        }
        None => store_part(bytes, _mm256_castsi256_si128(value)),
    }
}

/// All bits of the first `count` bytes, at most 32.
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn first_bytes_256(count: usize) -> __m256i {
    let low = _mm_set_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let places = _mm256_set_m128i(_mm_add_epi8(low, _mm_set1_epi8(16)), low);
    _mm256_cmpgt_epi8(_mm256_set1_epi8(count as i8), places)
}

#[cfg(test)]
mod tests {
    use super::{inside, load_part, store, store_part};

    #[test]
    fn parts() {
        let bytes: [u8; 16] = std::array::from_fn(|i| 0xf0 - i as u8);
        for len in 0..=16 {
            let mut block = [0xee; 16];
            store(&mut block, load_part(&bytes[..len]));
            assert_eq!(block[..len], bytes[..len]);
            assert!(block[len..].iter().all(|&byte| byte == 0), "{len}");
            let mut part = [0xee; 18];
            store_part(&mut part[1..=len], load_part(&bytes));
            assert_eq!((part[0], &part[1..=len]), (0xee, &bytes[..len]));
            assert!(part[len + 1..].iter().all(|&byte| byte == 0xee), "{len}");
        }
    }

    #[test]
    fn masks() {
        for len in 0..200usize {
            for offset in -70..210isize {
                let expected = (0..64).fold(0u64, |mask, i| {
                    let at = offset + i;
                    mask | (u64::from(at >= 0 && at < len as isize) << i)
                });
                assert_eq!(inside(len, offset), expected, "{len} {offset}");
            }
        }
    }
}
