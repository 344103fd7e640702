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

/// What packets of equal lengths have in common.
#[derive(Clone, Copy)]
struct Shape {
    header_len: usize,
    text_len: usize,
    tag_len: usize,
    /// Vectors of text; the last may be cut short.
    vectors: usize,
    /// Which bytes of a vector are header, of the last vector text, of 16 bytes tag.
    header: u64,
    last: u64,
    tag: u16,
}

impl Shape {
    /// `None` for packets that go the slow way.
    #[target_feature(enable = "bmi2")]
    #[inline]
    fn new(header_len: usize, text_len: usize, tag_len: usize) -> Option<Shape> {
        let vectors = text_len.div_ceil(BLOCK);
        if header_len > 64 || !(1..=MOST).contains(&vectors) || tag_len > 16 {
            return None;
        }
        Some(Shape {
            header_len,
            text_len,
            tag_len,
            vectors,
            header: mem::ones(header_len),
            last: mem::ones(text_len - BLOCK * (vectors - 1)),
            tag: mem::ones(tag_len) as u16,
        })
    }

    /// Bytes that are authenticated.
    #[inline(always)]
    fn message_len(&self) -> usize {
        self.header_len + self.text_len
    }

    #[inline(always)]
    fn is_of(&self, job: &ProtectJob<'_>) -> bool {
        job.header.len() == self.header_len
            && job.payload.len() == self.text_len
            && job.out.len() == self.message_len() + self.tag_len
    }

    #[inline(always)]
    fn was_of(&self, job: &UnprotectJob<'_>) -> bool {
        job.ticket.header_len() == self.header_len
            && job.out.len() == self.message_len()
            && job.packet.len() == self.message_len() + self.tag_len
    }
}

/// Protects the jobs named by `lanes`, at most sixteen.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
pub(super) fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let first = &jobs[usize::from(lanes[0])];
    let tag_len = first.out.len().saturating_sub(first.header.len() + first.payload.len());
    let shape = Shape::new(first.header.len(), first.payload.len(), tag_len);
    match shape.filter(|shape| lanes.iter().all(|&lane| shape.is_of(&jobs[usize::from(lane)]))) {
        Some(shape) => match shape.vectors {
            1 => protect_even::<N, 1>(&shape, jobs, lanes),
            2 => protect_even::<N, 2>(&shape, jobs, lanes),
            3 => protect_even::<N, 3>(&shape, jobs, lanes),
            4 => protect_even::<N, 4>(&shape, jobs, lanes),
            _ => protect_even::<N, 0>(&shape, jobs, lanes),
        },
        None => protect_uneven::<N>(jobs, lanes),
    }
}

/// Protects packets of one shape, of `W` vectors or, with none, of more than four.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn protect_even<const N: usize, const W: usize>(shape: &Shape, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let mut messages = Lanes::even(shape.message_len());
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        debug_assert!(shape.is_of(job));
        let keys = CmKeys::<N>::of(&job.keys.rtp);
        // SAFETY: all lengths were compared with the shape's.
        unsafe {
            mem::store_masked(job.out, 0, shape.header, mem::load_masked(job.header, 0, shape.header));
            crypt_even::<N, W>(keys, shape, (job.index.ssrc, job.index.index), (job.payload, 0), job.out);
        }
    }
    for &lane in lanes {
        let job = &jobs[usize::from(lane)];
        messages.push_even(
            CmKeys::<N>::of(&job.keys.rtp).midstates(),
            job.out,
            (job.index.index >> 16) as u32,
        );
    }
    let codes = messages.codes();
    for (i, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        put_tag(&mut job.out[shape.message_len()..], sha1::code(&codes, i));
    }
}

/// Protects packets of any lengths.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn protect_uneven<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
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
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
pub(super) fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let first = &jobs[usize::from(lanes[0])];
    let (header_len, len) = (first.ticket.header_len(), first.out.len());
    let shape = Shape::new(header_len, len - header_len, first.packet.len().saturating_sub(len));
    match shape.filter(|shape| lanes.iter().all(|&lane| shape.was_of(&jobs[usize::from(lane)]))) {
        Some(shape) => match shape.vectors {
            1 => unprotect_even::<N, 1>(&shape, jobs, lanes),
            2 => unprotect_even::<N, 2>(&shape, jobs, lanes),
            3 => unprotect_even::<N, 3>(&shape, jobs, lanes),
            4 => unprotect_even::<N, 4>(&shape, jobs, lanes),
            _ => unprotect_even::<N, 0>(&shape, jobs, lanes),
        },
        None => unprotect_uneven::<N>(jobs, lanes),
    }
}

/// Unprotects packets of one shape, of `W` vectors or, with none, of more than four.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn unprotect_even<const N: usize, const W: usize>(shape: &Shape, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let mut messages = Lanes::even(shape.message_len());
    for &lane in lanes {
        let job = &jobs[usize::from(lane)];
        let midstates = CmKeys::<N>::of(&job.keys.rtp).midstates();
        messages.push_even(midstates, job.packet, (job.ticket.index >> 16) as u32);
    }
    let codes = messages.codes();
    for (i, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        debug_assert!(shape.was_of(job));
        // SAFETY: all lengths were compared with the shape's.
        unsafe {
            let tag = mem::load_masked_128(job.packet, shape.message_len(), shape.tag);
            // How long this takes does not depend on the tags.
            job.authentic = _mm_mask_cmpneq_epi8_mask(shape.tag, tag, mem::load(sha1::code(&codes, i))) == 0;
            if job.authentic {
                let keys = CmKeys::<N>::of(&job.keys.rtp);
                mem::store_masked(job.out, 0, shape.header, mem::load_masked(job.packet, 0, shape.header));
                let place = (job.ticket.ssrc, job.ticket.index);
                crypt_even::<N, W>(keys, shape, place, (job.packet, shape.header_len), job.out);
            }
        }
    }
}

/// Unprotects packets of any lengths.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn unprotect_uneven<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
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

/// `out = input ^ keystream`, `input` from some byte on and `out` behind the header.
///
/// # Safety
/// Both have as many bytes there as the shape has text.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
#[inline]
unsafe fn crypt_even<const N: usize, const W: usize>(
    keys: &CmKeys<N>,
    shape: &Shape,
    (ssrc, index): (u32, u64),
    (input, from): (&[u8], usize),
    out: &mut [u8],
) {
    // The NULL cipher.
    if N == 0 {
        out[shape.header_len..][..shape.text_len].copy_from_slice(&input[from..][..shape.text_len]);
        return;
    }
    // RFC 3711 section 4.1.1: (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16).
    let place = _mm_insert_epi32::<2>(_mm_set_epi64x(0, index as i64), ssrc as i32);
    let order = _mm_set_epi8(-1, -1, 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, -1, -1, -1, -1);
    let iv = _mm_xor_si128(_mm_shuffle_epi8(place, order), mem::load(&keys.salt));
    let start = _mm512_broadcast_i32x4(_mm_xor_si128(iv, mem::load(&keys.round_keys[0])));
    let round_keys = &spread_all(&keys.round_keys);
    let (input, out) = ((input, from), (out, shape.header_len));
    // SAFETY: the caller's promise.
    unsafe {
        if W > 0 {
            return some_even::<N, W>(round_keys, start, 0, shape.last, input, out);
        }
        let mut done = 0;
        let (input, from) = input;
        let (out, to) = out;
        while shape.vectors - done > 4 {
            some_even::<N, 4>(round_keys, start, done, u64::MAX, (input, from), (&mut *out, to));
            done += 4;
        }
        match shape.vectors - done {
            1 => some_even::<N, 1>(round_keys, start, done, shape.last, (input, from), (out, to)),
            2 => some_even::<N, 2>(round_keys, start, done, shape.last, (input, from), (out, to)),
            3 => some_even::<N, 3>(round_keys, start, done, shape.last, (input, from), (out, to)),
            _ => some_even::<N, 4>(round_keys, start, done, shape.last, (input, from), (out, to)),
        }
    }
}

/// Vectors `done..done + W`, the last of which has the bytes of `last`.
///
/// # Safety
/// Both texts have these bytes.
#[target_feature(enable = "vaes,avx512f,avx512bw,avx512vl,bmi2")]
#[inline]
unsafe fn some_even<const N: usize, const W: usize>(
    round_keys: &[__m512i; N],
    start: __m512i,
    done: usize,
    last: u64,
    (input, from): (&[u8], usize),
    (out, to): (&mut [u8], usize),
) {
    let mut blocks = [start; W];
    for (i, block) in blocks.iter_mut().enumerate() {
        *block = _mm512_xor_si512(start, mem::load_blocks(&COUNTERS[done + i]));
    }
    let stream = encrypt(round_keys, blocks);
    for (i, stream) in stream.into_iter().enumerate() {
        let at = BLOCK * (done + i);
        // SAFETY: vectors ahead of the last one are whole, and the mask keeps the last one within the text.
        unsafe {
            if i + 1 < W {
                let text = _mm512_xor_si512(mem::load_whole(input, from + at), stream);
                mem::store_whole(out, to + at, text);
            } else {
                let text = _mm512_xor_si512(mem::load_masked(input, (from + at) as isize, last), stream);
                mem::store_masked(out, (to + at) as isize, last, text);
            }
        }
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
