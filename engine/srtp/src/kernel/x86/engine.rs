//! The widest instructions a backend may use.

use std::arch::x86_64::__m128i;

use crate::cpu::{AesNi, Vaes256, Vaes512};
use crate::kernel::{aesni, vaes256, vaes512};

/// Proofs of what a backend may use. Everything has AES-NI and SHA-NI; what is wider is optional.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    pub(crate) aesni: AesNi,
    pub(crate) vaes256: Option<Vaes256>,
    pub(crate) vaes512: Option<Vaes512>,
}

impl From<AesNi> for Engine {
    fn from(aesni: AesNi) -> Engine {
        Engine { aesni, vaes256: None, vaes512: None }
    }
}

impl From<Vaes256> for Engine {
    fn from(token: Vaes256) -> Engine {
        Engine { aesni: token.aesni(), vaes256: Some(token), vaes512: None }
    }
}

impl From<Vaes512> for Engine {
    fn from(token: Vaes512) -> Engine {
        Engine { aesni: token.aesni(), vaes256: None, vaes512: Some(token) }
    }
}

impl Engine {
    /// `out = input ^ keystream` from the counter block `iv` on.
    #[inline]
    pub(crate) fn crypt<const N: usize>(
        self,
        round_keys: &[[u8; 16]; N],
        iv: __m128i,
        input: &[u8],
        out: &mut [u8],
    ) {
        if N == 0 {
            out.copy_from_slice(input);
        } else if let Some(token) = self.vaes512 {
            vaes512::crypt(token, round_keys, iv, input, out);
        } else if let Some(token) = self.vaes256 {
            vaes256::crypt(token, round_keys, iv, input, out);
        } else {
            aesni::crypt(self.aesni, round_keys, iv, input, out);
        }
    }
}
