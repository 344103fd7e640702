//! AES-NI, PCLMULQDQ and SHA-NI on 128 bits.

mod aes;
mod ghash;
mod sha1;

pub(crate) use sha1::sha1;

use std::arch::x86_64::*;

use self::aes::{counter_mode, encrypt_one};
use self::ghash::Ghash;
use super::x86::hmac::{self, Message};
use super::x86::{CmKeys, GcmKeys, mem};
use super::{Cm, GCM_TAG, Gcm};
use crate::cpu::AesNi;
use crate::ct;

impl<const N: usize> Cm for CmKeys<N> {
    fn crypt(&self, ssrc: u32, index: u64, input: &[u8], out: &mut [u8]) {
        if N == 0 {
            return out.copy_from_slice(input);
        }
        let iv = self.counter_zero(ssrc, index);
        crypt(self.aesni, &self.round_keys, iv, input, out);
    }

    fn code(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        let mut state = [self.inner];
        hmac::codes(self.aesni, 1, &mut state, &[Message::new(message, suffix)], &[self.outer]);
        hmac::bytes(&state[0])
    }
}

/// `out = input ^ keystream` from the counter block `iv` on.
pub(crate) fn crypt<const N: usize>(
    _proof: AesNi,
    round_keys: &[[u8; 16]; N],
    iv: __m128i,
    input: &[u8],
    out: &mut [u8],
) {
    // SAFETY: the token proves the features.
    unsafe { counter_mode(round_keys, iv, input, out) }
}

impl<const N: usize> Gcm for GcmKeys<N> {
    fn seal(&self, ssrc: u32, index: u64, aad: &[u8], input: &[u8], out: &mut [u8]) -> [u8; GCM_TAG] {
        // SAFETY: `self.aesni` proves the features.
        unsafe { seal(self, ssrc, index, aad, input, out) }
    }

    fn tag(&self, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
        // SAFETY: `self.aesni` proves the features.
        unsafe { tag(self, ssrc, index, aad, text) }
    }

    fn open(
        &self,
        ssrc: u32,
        index: u64,
        aad: &[u8],
        input: &[u8],
        tag: &[u8; GCM_TAG],
        out: &mut [u8],
    ) -> bool {
        // SAFETY: `self.aesni` proves the features.
        unsafe { open(self, ssrc, index, aad, input, tag, out) }
    }
}

#[target_feature(enable = "aes,pclmulqdq,sha,ssse3,sse4.1")]
fn seal<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    out: &mut [u8],
) -> [u8; GCM_TAG] {
    counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), input, out);
    tag(keys, ssrc, index, aad, out)
}

#[target_feature(enable = "aes,pclmulqdq,sha,ssse3,sse4.1")]
fn open<const N: usize>(
    keys: &GcmKeys<N>,
    ssrc: u32,
    index: u64,
    aad: &[u8],
    input: &[u8],
    expected: &[u8; GCM_TAG],
    out: &mut [u8],
) -> bool {
    let good = ct::equal(&tag(keys, ssrc, index, aad, input), expected);
    if good {
        counter_mode(&keys.round_keys, keys.counter(ssrc, index, 2), input, out);
    }
    good
}

#[target_feature(enable = "aes,pclmulqdq,sha,ssse3,sse4.1")]
fn tag<const N: usize>(keys: &GcmKeys<N>, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
    let mask = encrypt_one(&keys.round_keys, keys.counter(ssrc, index, 1));
    let mut hash = Ghash::new(&keys.powers, aad.len(), text.len());
    hash.update(aad);
    hash.update(text);
    let mut tag = [0; GCM_TAG];
    mem::store(&mut tag, _mm_xor_si128(hash.finish(aad.len(), text.len()), mask));
    tag
}
