//! The specification: plain safe Rust for every machine, constant time, one packet after the other.

pub(crate) mod aes;
pub(crate) mod ghash;
pub(crate) mod sha1;

use aes::Aes;
use ghash::Ghash;
use sha1::HmacKey;
use zeroize::Zeroize;

use super::{Cm, GCM_TAG, Gcm};
use crate::cipher::Cipher;
use crate::ct;
use crate::derive::Material;
use crate::nonce;

/// AES-CM and HMAC-SHA1 keys.
pub(crate) struct CmKeys {
    /// `None` with the NULL cipher.
    aes: Option<Aes>,
    hmac: HmacKey,
    salt: [u8; nonce::CM_SALT],
}

impl CmKeys {
    pub(crate) fn new(cipher: Cipher, material: &Material) -> CmKeys {
        CmKeys {
            aes: (cipher != Cipher::Null).then(|| Aes::new(&material.key[..cipher.key_len()])),
            hmac: HmacKey::new(&material.auth[..]),
            salt: *material.salt,
        }
    }
}

impl Drop for CmKeys {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

impl Cm for CmKeys {
    fn crypt(&self, ssrc: u32, index: u64, input: &[u8], out: &mut [u8]) {
        let Some(aes) = &self.aes else { return out.copy_from_slice(input) };
        // RFC 3711 section 4.1.1: the block counter is the low 16 bits of the IV and starts at zero.
        let iv = nonce::cm(&self.salt, ssrc, index);
        counter_mode(aes, iv, input, out);
    }

    fn code(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        self.hmac.code(message, suffix)
    }
}

/// `out = input ^ E(first) E(first + 1) ..`, where the counter is the last four bytes.
pub(crate) fn counter_mode(aes: &Aes, first: [u8; aes::BLOCK], input: &[u8], out: &mut [u8]) {
    const CHUNK: usize = aes::BLOCK * aes::LANES;
    debug_assert_eq!(input.len(), out.len());
    let mut counter = u32::from_be_bytes([first[12], first[13], first[14], first[15]]);
    for (input, out) in input.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        let mut blocks = [first; aes::LANES];
        for block in &mut blocks {
            block[12..].copy_from_slice(&counter.to_be_bytes());
            counter = counter.wrapping_add(1);
        }
        aes.encrypt(&mut blocks);
        for ((out, input), key) in out.iter_mut().zip(input).zip(blocks.as_flattened()) {
            *out = input ^ key;
        }
    }
}

/// AES-GCM keys.
pub(crate) struct GcmKeys {
    aes: Aes,
    hash_key: u128,
    salt: [u8; nonce::GCM_SALT],
}

impl GcmKeys {
    pub(crate) fn new(cipher: Cipher, material: &Material) -> GcmKeys {
        let aes = Aes::new(&material.key[..cipher.key_len()]);
        let mut salt = [0; nonce::GCM_SALT];
        salt.copy_from_slice(&material.salt[..nonce::GCM_SALT]);
        let hash_key = hash_key(&aes);
        GcmKeys { aes, hash_key, salt }
    }

    /// The tag of additional data and ciphertext (NIST SP 800-38D section 7.1).
    fn sum(&self, first: [u8; aes::BLOCK], aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
        let mut hash = Ghash::new(self.hash_key);
        hash.update(aad);
        hash.update(text);
        let sum = hash.finish(aad.len(), text.len());
        (sum ^ u128::from_be_bytes(self.aes.encrypt_one(first))).to_be_bytes()
    }

    /// RFC 7714 section 13.1: at the start of each packet the block counter MUST be reset to 1; that block masks the tag.
    fn first_counter(&self, ssrc: u32, index: u64) -> [u8; aes::BLOCK] {
        let mut first = [0; aes::BLOCK];
        first[..nonce::GCM_SALT].copy_from_slice(&nonce::gcm(&self.salt, ssrc, index));
        first[15] = 1;
        first
    }
}

/// The hash key of GCM: the zero block, encrypted.
pub(crate) fn hash_key(aes: &Aes) -> u128 {
    u128::from_be_bytes(aes.encrypt_one([0; aes::BLOCK]))
}

impl Drop for GcmKeys {
    fn drop(&mut self) {
        self.hash_key.zeroize();
        self.salt.zeroize();
    }
}

fn text_counter(mut first: [u8; aes::BLOCK]) -> [u8; aes::BLOCK] {
    first[15] = 2;
    first
}

impl Gcm for GcmKeys {
    fn seal(&self, ssrc: u32, index: u64, aad: &[u8], input: &[u8], out: &mut [u8]) -> [u8; GCM_TAG] {
        let first = self.first_counter(ssrc, index);
        counter_mode(&self.aes, text_counter(first), input, out);
        self.sum(first, aad, out)
    }

    fn tag(&self, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
        self.sum(self.first_counter(ssrc, index), aad, text)
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
        let first = self.first_counter(ssrc, index);
        let good = ct::equal(&self.sum(first, aad, input), tag);
        if good {
            counter_mode(&self.aes, text_counter(first), input, out);
        }
        good
    }
}
