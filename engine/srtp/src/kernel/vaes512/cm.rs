//! AES-CM with HMAC-SHA1 of up to sixteen packets: each is encrypted by itself, and all are authenticated side by side.

use std::arch::x86_64::*;

use super::aes::{counter_mode, encrypt, spread_all};
use super::sha1::{self, Lanes};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::ct;
use crate::kernel::portable::sha1::BLOCK;
use crate::kernel::x86::{CmKeys, Laid, mem};

/// Vectors of the longest text that is encrypted the fast way: an Ethernet frame.
const MOST: usize = 24;

/// What to XOR a counter block of zero with: block `4 v + l` has just this counter.
static COUNTERS: [[[u8; 16]; 4]; MOST] = counters();

const fn counters() -> [[[u8; 16]; 4]; MOST] {
    let mut counters = [[[0; 16]; 4]; MOST];
    let mut block = 0;
    while block < 4 * MOST {
        counters[block / 4][block % 4][15] = block as u8;
        block += 1;
    }
    counters
}

/// Protects the jobs named by `lanes`, at most sixteen.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
pub(super) fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = CmKeys::<N>::of(&job.keys.rtp);
        let (header, rest) = job.out.split_at_mut(job.header.len());
        copy_header(job.header, header);
        crypt(keys, job.index.ssrc, job.index.index, job.payload, &mut rest[..job.payload.len()]);
    }
    let mut messages = Lanes::new();
    for &lane in lanes {
        let job = &jobs[usize::from(lane)];
        let message = &job.out[..job.header.len() + job.payload.len()];
        messages.push(CmKeys::<N>::of(&job.keys.rtp).midstates(), message, (job.index.index >> 16) as u32);
    }
    let codes = messages.codes();
    for (i, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        put_tag(&mut job.out[job.header.len() + job.payload.len()..], sha1::code(&codes, i));
    }
}

/// Unprotects the jobs named by `lanes`, at most sixteen.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3")]
pub(super) fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let mut messages = Lanes::new();
    for &lane in lanes {
        let job = &jobs[usize::from(lane)];
        let message = &job.packet[..job.out.len()];
        messages.push(CmKeys::<N>::of(&job.keys.rtp).midstates(), message, (job.ticket.index >> 16) as u32);
    }
    let codes = messages.codes();
    for (i, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        let (message, tag) = job.packet.split_at(job.out.len());
        job.authentic = same(sha1::code(&codes, i), tag);
        if !job.authentic {
            continue;
        }
        let keys = CmKeys::<N>::of(&job.keys.rtp);
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
        copy_header(header, out_header);
        crypt(keys, job.ticket.ssrc, job.ticket.index, input, out);
    }
}

/// Copies a header.
#[target_feature(enable = "avx512f,avx512bw,bmi2")]
#[inline]
pub(super) fn copy_header(header: &[u8], out: &mut [u8]) {
    if header.len() > 64 {
        return out.copy_from_slice(header);
    }
    debug_assert_eq!(header.len(), out.len());
    let mask = mem::ones(header.len());
    // SAFETY: as many bytes as both have.
    unsafe { mem::store_masked(out, 0, mask, mem::load_masked(header, 0, mask)) }
}

/// Writes the front part of a code: ten bytes nearly always.
#[inline]
pub(super) fn put_tag(tag: &mut [u8], code: &[u8; 16]) {
    match <&mut [u8; 10]>::try_from(&mut *tag) {
        Ok(ten) => ten.copy_from_slice(&code[..10]),
        Err(_) => tag.copy_from_slice(&code[..tag.len()]),
    }
}

/// Compares the front part of a code; how long it takes depends on the length only.
#[inline]
pub(super) fn same(code: &[u8; 16], tag: &[u8]) -> bool {
    match tag.first_chunk::<10>() {
        Some(ten) if tag.len() == 10 => {
            let half = |bytes: &[u8]| u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
            let low = half(&code[..8]) ^ half(&ten[..8]);
            let high = u16::from_le_bytes([code[8] ^ ten[8], code[9] ^ ten[9]]);
            std::hint::black_box(low | u64::from(high)) == 0
        }
        _ => ct::equal(&code[..tag.len()], tag),
    }
}

/// `out = input ^ keystream`; both have the same length.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,bmi2")]
#[inline]
pub(super) fn crypt<const N: usize>(keys: &CmKeys<N>, ssrc: u32, index: u64, input: &[u8], out: &mut [u8]) {
    debug_assert_eq!(input.len(), out.len());
    // The NULL cipher.
    if N == 0 {
        return out.copy_from_slice(input);
    }
    let iv = keys.counter_zero(ssrc, index);
    let vectors = input.len().div_ceil(64);
    if vectors > MOST {
        return counter_mode(&keys.round_keys, iv, input, out);
    }
    let round_keys = &spread_all(&keys.round_keys);
    let start = _mm512_broadcast_i32x4(mem::xor(iv, mem::load(&keys.round_keys[0])));
    let mut done = 0;
    while vectors - done > 4 {
        some::<N, 4>(round_keys, start, done, input, out);
        done += 4;
    }
    match vectors - done {
        0 => {}
        1 => some::<N, 1>(round_keys, start, done, input, out),
        2 => some::<N, 2>(round_keys, start, done, input, out),
        3 => some::<N, 3>(round_keys, start, done, input, out),
        _ => some::<N, 4>(round_keys, start, done, input, out),
    }
}

/// Vectors `from..from + W`, of which the last may be cut short.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,bmi2")]
#[inline]
fn some<const N: usize, const W: usize>(
    round_keys: &[__m512i; N],
    start: __m512i,
    from: usize,
    input: &[u8],
    out: &mut [u8],
) {
    let mut blocks = [start; W];
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = _mm512_xor_si512(start, mem::load_blocks(&COUNTERS[from + i]));
    }
    let stream = encrypt(round_keys, blocks);
    for (i, stream) in stream.into_iter().enumerate() {
        let at = BLOCK * (from + i);
        // SAFETY: vectors ahead of the last one are whole, and the mask keeps the last one within the text.
        unsafe {
            if i + 1 < W {
                mem::store_whole(out, at, _mm512_xor_si512(mem::load_whole(input, at), stream));
            } else {
                let mask = mem::ones((input.len() - at).min(64));
                let text = _mm512_xor_si512(mem::load_masked(input, at as isize, mask), stream);
                mem::store_masked(out, at as isize, mask, text);
            }
        }
    }
}
