//! VAES and VPCLMULQDQ on 256 bits, for machines without AVX-512: two AES blocks an instruction. SHA-1 stays with SHA-NI.

mod aes;
mod gcm;
mod ghash;

use std::arch::x86_64::*;

use self::aes::counter_mode;
use super::GCM_TAG;
use super::one::copy_header;
use super::x86::{GcmKeys, Laid, mem};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::cpu::Vaes256;

/// `out = input ^ keystream` from the counter block `iv` on.
pub(crate) fn crypt<const N: usize>(
    _proof: Vaes256,
    round_keys: &[[u8; 16]; N],
    iv: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    // SAFETY: the token proves the features.
    unsafe { counter_mode(round_keys, iv, input, out) }
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

#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
fn protect<const N: usize>(jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let (header, rest) = job.out.split_at_mut(job.header.len());
        let (text, tag) = rest.split_at_mut(job.payload.len());
        let Some(tag) = tag.first_chunk_mut::<GCM_TAG>() else { continue };
        copy_header(job.header, header);
        let place = (job.index.ssrc, job.index.index);
        mem::store(tag, gcm::seal(GcmKeys::<N>::of(&job.keys.rtp), place, job.header, job.payload, text));
    }
}

#[target_feature(enable = "vaes,vpclmulqdq,avx2")]
fn unprotect<const N: usize>(jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    for &lane in lanes {
        let job = &mut jobs[usize::from(lane)];
        let (message, tag) = job.packet.split_at(job.out.len());
        let (header, input) = message.split_at(job.ticket.header_len());
        let (out_header, out) = job.out.split_at_mut(header.len());
        let Some(tag) = tag.first_chunk::<GCM_TAG>() else { continue };
        let keys = GcmKeys::<N>::of(&job.keys.rtp);
        job.authentic =
            gcm::open(keys, (job.ticket.ssrc, job.ticket.index), header, input, mem::load(tag), out);
        if job.authentic {
            copy_header(header, out_header);
        }
    }
}
