//! What the x86 backends share: key layouts, loads and stores, and AES-CM with HMAC over many packets.

pub(crate) mod cm;
pub(crate) mod engine;
pub(crate) mod gcm;
pub(crate) mod hmac;
pub(crate) mod mem;

use zeroize::Zeroize;

use super::KeySet;
use super::portable;
use super::portable::aes::{Aes, BLOCK, expand};
use super::portable::ghash::multiply;
use super::portable::sha1::{HmacKey, State};
use crate::cipher::Cipher;
use crate::cpu::AesNi;
use crate::derive::Material;
use crate::nonce;

/// AES-CM and HMAC-SHA1 keys: 256 bytes for AES-128. Both midstates and the salt share the first cache line.
/// `N` is the number of round keys: none with the NULL cipher.
#[repr(C, align(64))]
pub(crate) struct CmKeys<const N: usize> {
    pub(crate) inner: State,
    pub(crate) outer: State,
    pub(crate) salt: [u8; nonce::CM_SALT],
    pub(crate) aesni: AesNi,
    _to_next_line: [u8; 10],
    pub(crate) round_keys: [[u8; BLOCK]; N],
}

impl<const N: usize> CmKeys<N> {
    pub(crate) fn new(aesni: AesNi, cipher: Cipher, material: &Material) -> CmKeys<N> {
        let hmac = HmacKey::new(&material.auth[..]);
        CmKeys {
            inner: hmac.inner,
            outer: hmac.outer,
            salt: *material.salt,
            aesni,
            _to_next_line: [0; 10],
            round_keys: round_keys(&material.key[..cipher.key_len()]),
        }
    }
}

impl<const N: usize> Drop for CmKeys<N> {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
        self.salt.zeroize();
        self.round_keys.zeroize();
    }
}

/// Powers of the hash key kept in [`GcmKeys`].
pub(crate) const POWERS: usize = 16;

/// Zeros behind the powers, so that whole vectors of four can be loaded from any of them on.
const PADDING: usize = 3;

/// AES-GCM keys: 512 bytes for AES-128, 576 for AES-256. `N` is the number of round keys.
#[repr(C, align(64))]
pub(crate) struct GcmKeys<const N: usize> {
    /// H^16 first, H last, each divided by x so that the mirrored product needs no shift.
    pub(crate) powers: [u128; POWERS + PADDING],
    pub(crate) round_keys: [[u8; BLOCK]; N],
    pub(crate) salt: [u8; nonce::GCM_SALT],
    pub(crate) aesni: AesNi,
}

impl<const N: usize> GcmKeys<N> {
    pub(crate) fn new(aesni: AesNi, cipher: Cipher, material: &Material) -> GcmKeys<N> {
        let hash_key = portable::hash_key(&Aes::new(&material.key[..cipher.key_len()]));
        let mut powers = [0; POWERS + PADDING];
        let mut power = hash_key;
        for slot in powers[..POWERS].iter_mut().rev() {
            *slot = divided_by_x(power);
            power = multiply(power, hash_key);
        }
        let mut salt = [0; nonce::GCM_SALT];
        salt.copy_from_slice(&material.salt[..nonce::GCM_SALT]);
        let round_keys = round_keys(&material.key[..cipher.key_len()]);
        power.zeroize();
        GcmKeys { powers, round_keys, salt, aesni }
    }
}

impl<const N: usize> Drop for GcmKeys<N> {
    fn drop(&mut self) {
        self.powers.zeroize();
        self.round_keys.zeroize();
        self.salt.zeroize();
    }
}

/// In mirrored bits, `x^-1 = x^127 + x^6 + x + 1`. Constant time.
fn divided_by_x(a: u128) -> u128 {
    const INVERSE_OF_X: u128 = 0xc200_0000_0000_0000_0000_0000_0000_0001;
    (a << 1) ^ (INVERSE_OF_X & 0u128.wrapping_sub(a >> 127))
}

fn round_keys<const N: usize>(key: &[u8]) -> [[u8; BLOCK]; N] {
    if N == 0 {
        return [[0; BLOCK]; N];
    }
    let mut all = [[0; BLOCK]; 15];
    let rounds = expand(key, &mut all);
    debug_assert_eq!(rounds + 1, N);
    let mut round_keys = [[0; BLOCK]; N];
    round_keys.copy_from_slice(&all[..N]);
    all.zeroize();
    round_keys
}

/// A layout that can be found in a [`KeySet`].
pub(crate) trait Laid {
    /// The keys, which the caller sorted by lot beforehand.
    fn of(set: &KeySet) -> &Self;
}

macro_rules! laid {
    ($layout:ty, $variant:ident) => {
        impl Laid for $layout {
            #[inline(always)]
            fn of(set: &KeySet) -> &Self {
                match set {
                    KeySet::$variant(keys) => keys,
                    _ => unreachable!("jobs are sorted by lot"),
                }
            }
        }
    };
}

laid!(CmKeys<0>, NullCm);
laid!(CmKeys<11>, Cm128);
laid!(CmKeys<13>, Cm192);
laid!(CmKeys<15>, Cm256);
laid!(GcmKeys<11>, Gcm128);
laid!(GcmKeys<15>, Gcm256);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_a_session() {
        assert_eq!(size_of::<CmKeys<11>>(), 256);
        assert_eq!(std::mem::offset_of!(CmKeys<11>, round_keys), 64);
        assert_eq!(size_of::<GcmKeys<11>>(), 512);
        assert_eq!(size_of::<GcmKeys<15>>(), 576);
    }

    #[test]
    fn division_by_x() {
        let x = 1u128 << 126;
        for a in [1, x, 1 << 127, u128::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(multiply(divided_by_x(a), x), a);
        }
    }
}
