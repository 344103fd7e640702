//! AES-CM with HMAC-SHA1 over many packets: each is encrypted by itself, and up to 16 are authenticated side by side.

use super::engine::Engine;
use super::hmac::{self, GROUP, LANES, Message};
use super::{CmKeys, Laid};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::ct;
use crate::kernel::portable::sha1::State;
use crate::kernel::vaes512;
use crate::limits::BATCH;

/// `lanes`, longest message first: equal lengths side by side leave no lane idle.
#[inline(always)]
fn longest_first<'a>(lanes: &'a [u8], sorted: &'a mut [u8; BATCH], len: impl Fn(u8) -> usize) -> &'a [u8] {
    let first = lanes.first().map_or(0, |&lane| len(lane));
    if lanes.iter().all(|&lane| len(lane) == first) {
        return lanes;
    }
    let sorted = &mut sorted[..lanes.len()];
    sorted.copy_from_slice(lanes);
    // Within a number of blocks by length: whole passes of one length have a shorter way.
    sorted.sort_unstable_by_key(|&lane| usize::MAX - len(lane));
    sorted
}

/// The codes of `count` messages, longest first.
#[inline(always)]
fn codes<'a, const N: usize, const G: usize>(
    engine: Engine,
    count: usize,
    packet: impl Fn(usize) -> (&'a CmKeys<N>, u64, &'a [u8]),
) -> [State; G] {
    let (mut states, mut outer) = ([[0; 5]; G], [[0; 5]; G]);
    let mut messages = [Message::EMPTY; G];
    for i in 0..count {
        let (keys, index, message) = packet(i);
        states[i] = keys.inner;
        outer[i] = keys.outer;
        // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter.
        messages[i].set(message, &((index >> 16) as u32).to_be_bytes());
    }
    hmac::codes(engine.aesni, count, &mut states, &messages, &outer);
    states
}

/// Protects the jobs named by `lanes`.
pub(crate) fn protect<const N: usize>(engine: Engine, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    if let &[lane] = lanes {
        let job = &mut jobs[usize::from(lane)];
        if let Some(token) = engine.vaes512 {
            return vaes512::protect_one_cm::<N>(token, job);
        }
        return protect_few::<N, 1>(engine, jobs, &[lane]);
    }
    let mut sorted = [0; BATCH];
    let sorted = longest_first(lanes, &mut sorted, |lane| {
        let job = &jobs[usize::from(lane)];
        job.header.len() + job.payload.len()
    });
    for lanes in sorted.chunks(LANES) {
        if let Some(token) = engine.vaes512
            && lanes.len() >= token.worth_sixteen()
        {
            vaes512::protect_cm::<N>(token, jobs, lanes);
            continue;
        }
        for lanes in lanes.chunks(GROUP) {
            match lanes.len() {
                1 => protect_few::<N, 1>(engine, jobs, lanes),
                _ => protect_few::<N, GROUP>(engine, jobs, lanes),
            }
        }
    }
}

fn protect_few<const N: usize, const G: usize>(engine: Engine, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = CmKeys::<N>::of(&job.keys.rtp);
        let (header, rest) = job.out.split_at_mut(job.header.len());
        header.copy_from_slice(job.header);
        let iv = keys.counter_zero(job.index.ssrc, job.index.index);
        engine.crypt(&keys.round_keys, iv, job.payload, &mut rest[..job.payload.len()]);
    }
    let codes = codes::<N, G>(engine, lanes.len(), |i| {
        let job = &jobs[usize::from(lanes[i])];
        let message = &job.out[..job.header.len() + job.payload.len()];
        (CmKeys::<N>::of(&job.keys.rtp), job.index.index, message)
    });
    for (&lane, code) in lanes.iter().zip(&codes) {
        let job = &mut jobs[usize::from(lane)];
        let tag = &mut job.out[job.header.len() + job.payload.len()..];
        tag.copy_from_slice(&hmac::bytes(code)[..tag.len()]);
    }
}

/// Unprotects the jobs named by `lanes`.
pub(crate) fn unprotect<const N: usize>(engine: Engine, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    if let &[lane] = lanes {
        let job = &mut jobs[usize::from(lane)];
        if let Some(token) = engine.vaes512 {
            return vaes512::unprotect_one_cm::<N>(token, job);
        }
        return unprotect_few::<N, 1>(engine, jobs, &[lane]);
    }
    let mut sorted = [0; BATCH];
    let sorted = longest_first(lanes, &mut sorted, |lane| jobs[usize::from(lane)].out.len());
    for lanes in sorted.chunks(LANES) {
        if let Some(token) = engine.vaes512
            && lanes.len() >= token.worth_sixteen()
        {
            vaes512::unprotect_cm::<N>(token, jobs, lanes);
            continue;
        }
        for lanes in lanes.chunks(GROUP) {
            match lanes.len() {
                1 => unprotect_few::<N, 1>(engine, jobs, lanes),
                _ => unprotect_few::<N, GROUP>(engine, jobs, lanes),
            }
        }
    }
}

fn unprotect_few<const N: usize, const G: usize>(engine: Engine, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    let codes = codes::<N, G>(engine, lanes.len(), |i| {
        let job = &jobs[usize::from(lanes[i])];
        (CmKeys::<N>::of(&job.keys.rtp), job.ticket.index, &job.packet[..job.out.len()])
    });
    for (&lane, code) in lanes.iter().zip(&codes) {
        let job = &mut jobs[usize::from(lane)];
        let (message, tag) = job.packet.split_at(job.out.len());
        job.authentic = ct::equal(&hmac::bytes(code)[..tag.len()], tag);
        if !job.authentic {
            continue;
        }
        let keys = CmKeys::<N>::of(&job.keys.rtp);
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
        out_header.copy_from_slice(header);
        let iv = keys.counter_zero(job.ticket.ssrc, job.ticket.index);
        engine.crypt(&keys.round_keys, iv, input, out);
    }
}
