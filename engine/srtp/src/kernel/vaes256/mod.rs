//! VAES and VPCLMULQDQ on 256 bits, for machines without AVX-512: two AES blocks an instruction. SHA-1 stays with SHA-NI.

mod aes;
mod ghash;

use std::arch::x86_64::*;

use self::aes::{counter_mode, encrypt, spread};
use self::ghash::Ghash;
use super::GCM_TAG;
use super::x86::{GcmKeys, Laid, mem};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::cpu::Vaes256;
use crate::ct;

/// `out = input ^ keystream` from the counter block `iv` on.
pub(crate) fn crypt<const N: usize>(
    _proof: Vaes256,
    round_keys: &[[u8; 16]; N],
    iv: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    // SAFETY: the token proves the features.
    unsafe { counter_mode(&spread(round_keys), iv, input, out) }
}

/// Protects the jobs named by `lanes` with AES-GCM.
pub(crate) fn protect_gcm<const N: usize>(_proof: Vaes256, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { protect::<N>(jobs, lanes) }
}

/// Unprotects the jobs named by `lanes` with AES-GCM.
pub(crate) fn unprotect_gcm<const N: usize>(_proof: Vaes256, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { unprotect::<N>(jobs, lanes) }
}

#[target_feature(enable = "vaes,vpclmulqdq,avx2,ssse3")]
fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        let (header, rest) = job.out.split_at_mut(job.header.len());
        let (text, tag) = rest.split_at_mut(job.payload.len());
        header.copy_from_slice(job.header);
        let round_keys = spread(&keys.round_keys);
        let first = keys.counter(job.index.ssrc, job.index.index, 2);
        counter_mode(&round_keys, first, job.payload, text);
        tag.copy_from_slice(&code(keys, &round_keys, job.index.ssrc, job.index.index, job.header, text));
    }
}

#[target_feature(enable = "vaes,vpclmulqdq,avx2,ssse3")]
fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        let (message, tag) = job.packet.split_at(job.out.len());
        let (header, input) = message.split_at(job.ticket.header_len());
        let round_keys = spread(&keys.round_keys);
        let (ssrc, index) = (job.ticket.ssrc, job.ticket.index);
        job.authentic = ct::equal(&code(keys, &round_keys, ssrc, index, header, input), tag);
        if job.authentic {
            let (out_header, out) = job.out.split_at_mut(job.ticket.header_len());
            out_header.copy_from_slice(header);
            counter_mode(&round_keys, keys.counter(ssrc, index, 2), input, out);
        }
    }
}

#[target_feature(enable = "vaes,vpclmulqdq,avx2,ssse3")]
fn code<const N: usize>(
    keys: &GcmKeys<N>,
    round_keys: &[__m256i; N],
    ssrc: u32,
    index: u64,
    aad: &[u8],
    text: &[u8],
) -> [u8; GCM_TAG] {
    let first = _mm256_zextsi128_si256(keys.counter(ssrc, index, 1));
    let [mask] = encrypt(round_keys, [first]);
    let mut hash = Ghash::new(keys, aad.len(), text.len());
    hash.update(aad);
    hash.update(text);
    let sum = hash.finish(aad.len(), text.len());
    let mut code = [0; GCM_TAG];
    mem::store(&mut code, _mm_xor_si128(sum, _mm256_castsi256_si128(mask)));
    code
}
