//! VAES, VPCLMULQDQ and AVX-512: four AES blocks an instruction, sixteen SHA-1 messages side by side.

mod aes;
mod cm;
mod gcm;
mod ghash;
mod sha1;
mod sha1_one;
mod single;

use std::arch::x86_64::__m128i;

use super::x86::{CmKeys, GcmKeys, Laid};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::cpu::Vaes512;

/// `out = input ^ keystream` from the counter block `iv` on.
pub(crate) fn crypt<const N: usize>(
    _proof: Vaes512,
    round_keys: &[[u8; 16]; N],
    iv: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    // SAFETY: the token proves the features.
    unsafe { aes::counter_mode(round_keys, iv, input, out) }
}

/// Protects the jobs named by `lanes`, at most sixteen, with AES-CM and HMAC-SHA1.
pub(crate) fn protect_cm<const N: usize>(_proof: Vaes512, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { cm::protect::<N>(jobs, lanes) }
}

/// Unprotects the jobs named by `lanes`, at most sixteen, with AES-CM and HMAC-SHA1.
pub(crate) fn unprotect_cm<const N: usize>(_proof: Vaes512, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    CmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { cm::unprotect::<N>(jobs, lanes) }
}

/// Protects one packet with AES-CM and HMAC-SHA1.
pub(crate) fn protect_one_cm<const N: usize>(_proof: Vaes512, job: &mut ProtectJob<'_>)
where
    CmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { single::protect::<N>(job) }
}

/// Unprotects one packet with AES-CM and HMAC-SHA1; its text must be one that [`fits_one_cm`].
pub(crate) fn unprotect_one_cm<const N: usize>(_proof: Vaes512, job: &mut UnprotectJob<'_>)
where
    CmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { single::unprotect::<N>(job) }
}

/// Protects the jobs named by `lanes` with AES-GCM.
pub(crate) fn protect_gcm<const N: usize>(_proof: Vaes512, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { gcm::protect::<N>(jobs, lanes) }
}

/// Unprotects the jobs named by `lanes` with AES-GCM.
pub(crate) fn unprotect_gcm<const N: usize>(_proof: Vaes512, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    // SAFETY: the token proves the features.
    unsafe { gcm::unprotect::<N>(jobs, lanes) }
}
