//! AES-GCM, one packet after the other; the processor overlaps them, since they are independent.
//!
//! The counter vector starts with the block that masks the tag, so that the text follows one place behind: bytes 0 to 47 in
//! the first vector. The place ahead of it, which the text leaves empty, takes the last block of associated data, and the
//! place behind the text takes the lengths. A short packet is one vector of AES and one of GHASH that way.
//!
//! Neighbours of equal lengths make a run: masks and places are found once for all of them. Copies of one packet for many
//! receivers are such a run, and full packets of video mostly are.

mod packet;
mod shape;

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use self::packet::{Packet, Seal};
use self::shape::Shape;
use super::aes::{counter_mode, encrypt, spread_all};
use super::ghash::{Products, first_power, turned};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::kernel::GCM_TAG;
use crate::kernel::x86::{GcmKeys, Laid, mem};
use crate::keys::SessionKeys;

/// Bytes of the first vector that the text leaves to tag mask and associated data.
const LEAD: usize = 16;

/// Vectors worked on together: enough to hide the latency of a round, and one group of the hash.
const WIDE: usize = 4;

/// Vectors of the longest packet of the fast way: it has room for every packet of an Ethernet frame. Longer ones take
/// the slow way, and so do headers of more than one vector.
const MOST: usize = 24;

/// Bytes of text in [`MOST`] vectors.
const MOST_TEXT: usize = 64 * MOST - LEAD;

/// Packets between fetching a key and using it.
const AHEAD: usize = 4;

/// Protects the jobs named by `lanes`.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
pub(super) fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], mut lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    while let &[lane, ..] = lanes {
        let job = &mut jobs[usize::from(lane)];
        let done = match Shape::new(job.header.len(), job.payload.len()) {
            Some(shape) if is_like(job, &shape) => match shape.vectors {
                1 => protect_run::<N, 1>(&shape, jobs, lanes),
                2 => protect_run::<N, 2>(&shape, jobs, lanes),
                3 => protect_run::<N, 3>(&shape, jobs, lanes),
                4 => protect_run::<N, 4>(&shape, jobs, lanes),
                _ => protect_run::<N, 0>(&shape, jobs, lanes),
            },
            _ => {
                seal_long(GcmKeys::<N>::of(&job.keys.rtp), job);
                1
            }
        };
        lanes = &lanes[done..];
    }
}

/// Whether a packet is of this shape.
#[inline(always)]
fn is_like(job: &ProtectJob<'_>, shape: &Shape) -> bool {
    job.header.len() == shape.aad_len
        && job.payload.len() == shape.text_len
        && job.out.len() == shape.aad_len + shape.text_len + GCM_TAG
}

/// Protects jobs as long as they are of this shape, of `W` vectors or, with none, of more than [`WIDE`]. Gives their number.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn protect_run<const N: usize, const W: usize>(
    shape: &Shape,
    jobs: &mut [ProtectJob<'_>],
    lanes: &[u8],
) -> usize
where
    GcmKeys<N>: Laid,
{
    for (done, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        if !is_like(job, shape) {
            return done;
        }
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        if let Some(&ahead) = lanes.get(done + AHEAD) {
            fetch::<N, W>(jobs[usize::from(ahead)].keys);
        }
        let job = &mut jobs[usize::from(lane)];
        // SAFETY: all lengths were compared with the shape's.
        let packet = unsafe {
            mem::store_masked(job.out, 0, shape.header, mem::load_masked(job.header, 0, shape.header));
            Packet::new(keys, shape, (job.index.ssrc, job.index.index), job.header, job.payload, 0)
        };
        let mut seal = Seal(job.out, shape.aad_len);
        let code = if W == 0 { packet.run_many(&mut seal) } else { packet.run_few::<W>(&mut seal) };
        if let Some(tag) = job.out.last_chunk_mut::<GCM_TAG>() {
            mem::store(tag, code);
        }
    }
    lanes.len()
}

/// Fetches those of the keys that a packet of `W` vectors needs.
#[inline(always)]
fn fetch<const N: usize, const W: usize>(keys: &SessionKeys)
where
    GcmKeys<N>: Laid,
{
    let keys = GcmKeys::<N>::of(&keys.rtp);
    mem::prefetch(keys, if W == 0 { 64 } else { 320 - 64 * W });
}

/// Unprotects the jobs named by `lanes`.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
pub(super) fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], mut lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    while let &[lane, ..] = lanes {
        let job = &mut jobs[usize::from(lane)];
        let header_len = job.ticket.header_len();
        let done = match Shape::new(header_len, job.out.len() - header_len) {
            Some(shape) if was_like(job, &shape) => match shape.vectors {
                1 => unprotect_run::<N, 1>(&shape, jobs, lanes),
                2 => unprotect_run::<N, 2>(&shape, jobs, lanes),
                3 => unprotect_run::<N, 3>(&shape, jobs, lanes),
                4 => unprotect_run::<N, 4>(&shape, jobs, lanes),
                _ => unprotect_run::<N, 0>(&shape, jobs, lanes),
            },
            _ => {
                open_long(GcmKeys::<N>::of(&job.keys.rtp), job);
                1
            }
        };
        lanes = &lanes[done..];
    }
}

/// Whether a protected packet is of this shape.
#[inline(always)]
fn was_like(job: &UnprotectJob<'_>, shape: &Shape) -> bool {
    job.ticket.header_len() == shape.aad_len
        && job.out.len() == shape.aad_len + shape.text_len
        && job.packet.len() == shape.aad_len + shape.text_len + GCM_TAG
}

/// Unprotects jobs as long as they are of this shape, of `W` vectors or, with none, of more than [`WIDE`]. Gives their number.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn unprotect_run<const N: usize, const W: usize>(
    shape: &Shape,
    jobs: &mut [UnprotectJob<'_>],
    lanes: &[u8],
) -> usize
where
    GcmKeys<N>: Laid,
{
    let mut waiting = [const { MaybeUninit::uninit() }; MOST];
    for (done, &lane) in lanes.iter().enumerate() {
        let job = &mut jobs[usize::from(lane)];
        if !was_like(job, shape) {
            return done;
        }
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        if let Some(&ahead) = lanes.get(done + AHEAD) {
            fetch::<N, W>(jobs[usize::from(ahead)].keys);
        }
        let job = &mut jobs[usize::from(lane)];
        let Some(tag) = job.packet.last_chunk::<GCM_TAG>() else { continue };
        let tag = mem::load(tag);
        let place = (job.ticket.ssrc, job.ticket.index);
        // SAFETY: all lengths were compared with the shape's.
        unsafe {
            let packet = Packet::new(keys, shape, place, job.packet, job.packet, shape.aad_len);
            job.authentic = if W == 0 {
                packet.open_many(tag, &mut waiting, job.out)
            } else {
                packet.open_few::<W>(tag, job.out)
            };
            if job.authentic {
                mem::store_masked(job.out, 0, shape.header, mem::load_masked(job.packet, 0, shape.header));
            }
        }
    }
    lanes.len()
}

/// Any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn seal_long<const N: usize>(keys: &GcmKeys<N>, job: &mut ProtectJob<'_>) {
    let (ssrc, index) = (job.index.ssrc, job.index.index);
    let (header, rest) = job.out.split_at_mut(job.header.len());
    let (text, tag) = rest.split_at_mut(job.payload.len());
    let Some(tag) = tag.first_chunk_mut::<GCM_TAG>() else { return };
    header.copy_from_slice(job.header);
    counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), job.payload, text);
    mem::store(tag, code_long(keys, ssrc, index, job.header, text));
}

/// Any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn open_long<const N: usize>(keys: &GcmKeys<N>, job: &mut UnprotectJob<'_>) {
    let (ssrc, index) = (job.ticket.ssrc, job.ticket.index);
    let (message, tag) = job.packet.split_at(job.out.len());
    let (header, input) = message.split_at(job.ticket.header_len());
    let (out_header, out) = job.out.split_at_mut(header.len());
    let Some(tag) = tag.first_chunk::<GCM_TAG>() else { return };
    job.authentic = mem::same(code_long(keys, ssrc, index, header, input), mem::load(tag));
    if job.authentic {
        counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), input, out);
        out_header.copy_from_slice(header);
    }
}

/// The tag of any length of text and associated data.
#[target_feature(enable = "vaes,vpclmulqdq,avx512f,avx512bw,avx512dq,avx512vl,bmi2,ssse3,sse4.1")]
fn code_long<const N: usize>(keys: &GcmKeys<N>, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> __m128i {
    let mut sum = _mm512_setzero_si512();
    for data in [aad, text] {
        for part in data.chunks(64) {
            let mut hash = Products::none();
            let blocks = turned(mem::load_around(part, 0));
            // SAFETY: at most four blocks.
            unsafe { hash.add(keys, first_power(part.len().div_ceil(16)), _mm512_xor_si512(blocks, sum)) };
            sum = hash.reduce();
        }
    }
    let lengths = mem::halves(8 * text.len() as u64, 8 * aad.len() as u64);
    let mut hash = Products::none();
    // SAFETY: the last power.
    unsafe { hash.add(keys, first_power(1), _mm512_xor_si512(_mm512_zextsi128_si512(lengths), sum)) };
    let sum = _mm512_castsi512_si128(turned(hash.reduce()));
    let mask =
        _mm512_zextsi128_si512(_mm_xor_si128(keys.counter(ssrc, index, 1), mem::load(&keys.round_keys[0])));
    let [mask] = encrypt(&spread_all(&keys.round_keys), [mask]);
    _mm_xor_si128(sum, _mm512_castsi512_si128(mask))
}
