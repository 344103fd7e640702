//! VAES, VPCLMULQDQ and AVX-512: four AES blocks an instruction, sixteen SHA-1 messages side by side.

mod aes;
mod gcm;
mod ghash;
mod sha1;

use super::portable::sha1::State;
use super::x86::hmac::Message;
use super::x86::{GcmKeys, Laid, mem};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::cpu::Vaes512;

/// `out = input ^ keystream` from the counter block `iv` on.
pub(crate) fn crypt<const N: usize>(
    _proof: Vaes512,
    round_keys: &[[u8; 16]; N],
    iv: &[u8; 16],
    input: &[u8],
    out: &mut [u8],
) {
    // SAFETY: the token proves the features.
    unsafe { aes::counter_mode(round_keys, mem::load(iv), input, out) }
}

/// Takes blocks `from..until` of up to sixteen messages into their states.
pub(crate) fn sha1_sixteen(
    _proof: Vaes512,
    states: &mut [State],
    messages: &[Message<'_>],
    from: usize,
    until: usize,
) {
    // SAFETY: the token proves the features.
    unsafe { sha1::sixteen(states, messages, from, until) }
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
