//! The specification: plain safe Rust for every machine, constant time, one packet after the other.

pub(crate) mod aes;
pub(crate) mod ghash;
pub(crate) mod sha1;

use aes::Aes;
use ghash::Ghash;
use sha1::HmacKey;
use zeroize::Zeroize;

use super::{Cm, GCM_TAG, Gcm, Suite};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::ct;
use crate::derive::Material;
use crate::keying::Profile;
use crate::nonce;

/// AES-CM and HMAC-SHA1 keys.
pub(crate) struct CmKeys {
    aes: Aes,
    hmac: HmacKey,
    salt: [u8; nonce::CM_SALT],
}

impl CmKeys {
    pub(crate) fn new(profile: Profile, material: &Material) -> CmKeys {
        CmKeys {
            aes: Aes::new(&material.key[..profile.key_len()]),
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
        // RFC 3711 section 4.1.1: the block counter is the low 16 bits of the IV and starts at zero.
        let iv = nonce::cm(&self.salt, ssrc, index);
        counter_mode(&self.aes, iv, input, out);
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
    pub(crate) fn new(profile: Profile, material: &Material) -> GcmKeys {
        let aes = Aes::new(&material.key[..profile.key_len()]);
        let mut salt = [0; nonce::GCM_SALT];
        salt.copy_from_slice(&material.salt[..nonce::GCM_SALT]);
        let hash_key = u128::from_be_bytes(aes.encrypt_one([0; aes::BLOCK]));
        GcmKeys { aes, hash_key, salt }
    }

    /// The tag of additional data and ciphertext (NIST SP 800-38D section 7.1).
    fn tag(&self, first: [u8; aes::BLOCK], aad: &[u8], text: &[u8]) -> [u8; GCM_TAG] {
        let mut hash = Ghash::new(self.hash_key);
        hash.update(aad);
        hash.update(text);
        let sum = hash.finish(aad.len(), text.len());
        (sum ^ u128::from_be_bytes(self.aes.encrypt_one(first))).to_be_bytes()
    }

    fn first_counter(&self, ssrc: u32, index: u64) -> [u8; aes::BLOCK] {
        let mut first = [0; aes::BLOCK];
        first[..nonce::GCM_SALT].copy_from_slice(&nonce::gcm(&self.salt, ssrc, index));
        first[15] = 1;
        first
    }
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
        self.tag(first, aad, out)
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
        let good = ct::equal(&self.tag(first, aad, input), tag);
        if good {
            counter_mode(&self.aes, text_counter(first), input, out);
        }
        good
    }
}

/// Protects the jobs named by `lanes`.
pub(crate) fn protect(jobs: &mut [ProtectJob<'_>], lanes: &[u8]) {
    for &lane in lanes {
        protect_one(&mut jobs[usize::from(lane)]);
    }
}

/// Protects one packet, whatever its keys' backend.
pub(crate) fn protect_one(job: &mut ProtectJob<'_>) {
    let (header, rest) = job.out.split_at_mut(job.header.len());
    header.copy_from_slice(job.header);
    let (text, tag) = rest.split_at_mut(job.payload.len());
    let (ssrc, index) = (job.index.ssrc, job.index.index);
    match job.keys.rtp.suite() {
        Suite::Cm(keys) => {
            keys.crypt(ssrc, index, job.payload, text);
            // RFC 3711 section 4.2: the authenticated portion is the packet followed by the roll-over counter.
            let tagged = job.header.len() + job.payload.len();
            let roc = ((index >> 16) as u32).to_be_bytes();
            let (message, tag) = job.out.split_at_mut(tagged);
            let code = keys.code(message, &roc);
            tag.copy_from_slice(&code[..tag.len()]);
        }
        Suite::Gcm(keys) => tag.copy_from_slice(&keys.seal(ssrc, index, job.header, job.payload, text)),
    }
}

/// Unprotects the jobs named by `lanes`.
pub(crate) fn unprotect(jobs: &mut [UnprotectJob<'_>], lanes: &[u8]) {
    for &lane in lanes {
        unprotect_one(&mut jobs[usize::from(lane)]);
    }
}

/// Unprotects one packet, whatever its keys' backend.
pub(crate) fn unprotect_one(job: &mut UnprotectJob<'_>) {
    let (ssrc, index) = (job.ticket.ssrc, job.ticket.index);
    let (message, tag) = job.packet.split_at(job.out.len());
    let (header, input) = message.split_at(job.ticket.header_len);
    let (out_header, out) = job.out.split_at_mut(job.ticket.header_len);
    job.authentic = match job.keys.rtp.suite() {
        Suite::Cm(keys) => {
            let roc = ((index >> 16) as u32).to_be_bytes();
            let good = ct::equal(&keys.code(message, &roc)[..tag.len()], tag);
            if good {
                keys.crypt(ssrc, index, input, out);
            }
            good
        }
        Suite::Gcm(keys) => {
            tag.first_chunk().is_some_and(|tag| keys.open(ssrc, index, header, input, tag, out))
        }
    };
    if job.authentic {
        out_header.copy_from_slice(header);
    }
}
