//! AES-NI, PCLMULQDQ and SHA-NI on 128 bits.

mod aes;
mod gcm;
mod ghash;
mod sha1;

pub(crate) use sha1::sha1;

use std::arch::x86_64::*;

use self::aes::counter_mode;
use super::x86::hmac::{self, Message};
use super::x86::{CmKeys, GcmKeys, mem};
use super::{Cm, GCM_TAG, Gcm};
use crate::cpu::AesNi;

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
        bytes(unsafe { gcm::seal(self, (ssrc, index), aad, input, out) })
    }

    fn tag(&self, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
        // SAFETY: `self.aesni` proves the features.
        bytes(unsafe { gcm::tag(self, (ssrc, index), aad, text) })
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
        unsafe { gcm::open(self, (ssrc, index), aad, input, mem::load(tag), out) }
    }
}

fn bytes(tag: __m128i) -> [u8; GCM_TAG] {
    let mut bytes = [0; GCM_TAG];
    mem::store(&mut bytes, tag);
    bytes
}
