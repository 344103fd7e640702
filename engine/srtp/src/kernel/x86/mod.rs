//! What the x86 backends share: key layouts, loads and stores, and AES-CM with HMAC over many packets.

pub(crate) mod cm;
pub(crate) mod engine;
pub(crate) mod gcm;
pub(crate) mod hmac;
pub(crate) mod mem;

use std::arch::x86_64::*;

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
    /// The salt, zeros behind it where the counter goes.
    pub(crate) salt: [u8; BLOCK],
    pub(crate) aesni: AesNi,
    _to_next_line: [u8; 8],
    pub(crate) round_keys: [[u8; BLOCK]; N],
}

impl<const N: usize> CmKeys<N> {
    pub(crate) fn new(aesni: AesNi, cipher: Cipher, material: &Material) -> CmKeys<N> {
        let hmac = HmacKey::new(&material.auth[..]);
        let mut salt = [0; BLOCK];
        salt[..nonce::CM_SALT].copy_from_slice(&material.salt[..]);
        CmKeys {
            inner: hmac.inner,
            outer: hmac.outer,
            salt,
            aesni,
            _to_next_line: [0; 8],
            round_keys: round_keys(&material.key[..cipher.key_len()]),
        }
    }
}

impl<const N: usize> CmKeys<N> {
    /// The counter block with counter zero (RFC 3711 section 4.1.1).
    #[inline(always)]
    pub(crate) fn counter_zero(&self, ssrc: u32, index: u64) -> __m128i {
        let place = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        let place = mem::halves(((place >> 64) as u64).swap_bytes(), (place as u64).swap_bytes());
        mem::xor(mem::load(&self.salt), place)
    }

    /// Both midstates, one behind the other, at the beginning of a whole cache line.
    #[inline(always)]
    pub(crate) fn midstates(&self) -> &[u32; 16] {
        const {
            assert!(
                std::mem::offset_of!(CmKeys<N>, inner) == 0 && std::mem::offset_of!(CmKeys<N>, outer) == 20
            )
        };
        // SAFETY: the structure begins with both midstates and is longer than a cache line, all of it initialised.
        unsafe { &*std::ptr::from_ref(self).cast() }
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

/// Powers of the hash key kept in [`GcmKeys`]: for 16 blocks of a group, one of lengths, and three of a long header.
pub(crate) const POWERS: usize = 20;

/// AES-GCM keys: 512 bytes for AES-128, 576 for AES-256. `N` is the number of round keys. What a short packet needs
/// stands together: the low powers, the salt and the round keys.
#[repr(C, align(64))]
pub(crate) struct GcmKeys<const N: usize> {
    /// H^20 first, H last, each divided by x so that the mirrored product needs no shift.
    pub(crate) powers: [u128; POWERS],
    /// The salt, zeros behind it where a counter goes.
    salt: [u8; BLOCK],
    pub(crate) round_keys: [[u8; BLOCK]; N],
    pub(crate) aesni: AesNi,
}

impl<const N: usize> GcmKeys<N> {
    pub(crate) fn new(aesni: AesNi, cipher: Cipher, material: &Material) -> GcmKeys<N> {
        let hash_key = portable::hash_key(&Aes::new(&material.key[..cipher.key_len()]));
        let mut powers = [0; POWERS];
        let mut power = hash_key;
        for slot in powers.iter_mut().rev() {
            *slot = divided_by_x(power);
            power = multiply(power, hash_key);
        }
        let mut salt = [0; BLOCK];
        salt[..nonce::GCM_SALT].copy_from_slice(&material.salt[..nonce::GCM_SALT]);
        let round_keys = round_keys(&material.key[..cipher.key_len()]);
        power.zeroize();
        GcmKeys { powers, salt, round_keys, aesni }
    }

    /// The counter block with counter zero.
    #[inline(always)]
    pub(crate) fn counter_zero(&self, ssrc: u32, index: u64) -> __m128i {
        let place = ((u128::from(ssrc) << 48) | u128::from(index)) << 32;
        let place = mem::halves(((place >> 64) as u64).swap_bytes(), (place as u64).swap_bytes());
        mem::xor(mem::load(&self.salt), place)
    }

    /// The salt, zeros behind it where a counter goes.
    #[inline(always)]
    pub(crate) fn salt_block(&self) -> __m128i {
        mem::load(&self.salt)
    }

    /// The counter block with a small counter.
    #[inline(always)]
    pub(crate) fn counter(&self, ssrc: u32, index: u64, counter: u8) -> __m128i {
        mem::xor(self.counter_zero(ssrc, index), mem::halves(0, u64::from(counter) << 56))
    }

    /// The address of power `at` of `powers`. If there is one, 64 bytes can be read from it on: round keys lie behind the powers.
    #[inline(always)]
    pub(crate) fn power(&self, at: usize) -> *const u8 {
        const {
            assert!(
                std::mem::offset_of!(GcmKeys<N>, powers) == 0 && size_of::<GcmKeys<N>>() >= 16 * POWERS + 64
            )
        };
        std::ptr::from_ref(self).cast::<u8>().wrapping_add(16 * at)
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
