//! Session keys from master keys (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11).

use zeroize::Zeroizing;

use crate::cipher::Cipher;
use crate::kernel::portable::{aes::Aes, counter_mode};
use crate::nonce::CM_SALT;

/// Bytes of an HMAC-SHA1 session key (RFC 3711 section 5.2).
pub(crate) const AUTH_KEY: usize = 20;

/// What a set of session keys is for: each use has its own labels. RFC 3711 section 3.2.1: SRTP and SRTCP may share a master key but MUST
/// NOT share session keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Rtp,
    Rtcp,
    /// Header extensions (RFC 6904): nothing is authenticated with these.
    Headers,
}

/// A master key and salt.
#[derive(Clone, Copy)]
pub(crate) struct Master<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) salt: &'a [u8],
}

/// Session keys before they are laid out for a backend. Zeroized on drop (RFC 7714 section 13.1).
pub(crate) struct Material {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) auth: Zeroizing<[u8; AUTH_KEY]>,
    pub(crate) salt: Zeroizing<[u8; CM_SALT]>,
}

impl Material {
    /// Derives the session keys of one use. `r` is the packet index DIV the key derivation rate, 0 without a rate.
    pub(crate) fn derive(master: Master<'_>, cipher: Cipher, wanted: Use, r: u64) -> Material {
        // RFC 3711 sections 4.3.1 and 4.3.2, RFC 6904 section 3: encryption key, authentication key, salt.
        let labels: [Option<u8>; 3] = match wanted {
            Use::Rtp => [Some(0), Some(1), Some(2)],
            Use::Rtcp => [Some(3), Some(4), Some(5)],
            Use::Headers => [Some(6), None, Some(7)],
        };
        let prf = Prf::new(master, r);
        let mut material = Material {
            key: Zeroizing::new([0; 32]),
            auth: Zeroizing::new([0; AUTH_KEY]),
            salt: Zeroizing::new([0; CM_SALT]),
        };
        let Material { key, auth, salt } = &mut material;
        // RFC 7714 section 12: GCM has a salt of 96 bits, and RFC 6904 section 3 has header extensions use one of the same size: zeros
        // follow it up to the 112 of counter mode.
        let salt_len = cipher.salt_len().min(master.salt.len());
        let parts = [&mut key[..cipher.key_len()], &mut auth[..], &mut salt[..salt_len]];
        for (label, part) in labels.into_iter().zip(parts) {
            if let Some(label) = label {
                prf.fill(label, part);
            }
        }
        material
    }
}

/// AES in counter mode under the master key (RFC 3711 section 4.3.3).
struct Prf {
    aes: Aes,
    /// `r XOR salt`.
    salt: Zeroizing<[u8; CM_SALT]>,
}

impl Prf {
    fn new(master: Master<'_>, r: u64) -> Prf {
        // RFC 7714 section 12: a master salt of 96 bits. It is multiplied by 2^16, that is, zeros follow it, as every peer has it.
        let mut salt = Zeroizing::new([0; CM_SALT]);
        salt[..master.salt.len()].copy_from_slice(master.salt);
        for (salt, r) in salt.iter_mut().rev().zip(r.to_le_bytes()) {
            *salt ^= r;
        }
        // RFC 6188 section 3.1: AES-192 and AES-256 MUST NOT have keys that a shorter AES derived. RFC 7714 section 11: AES-128-GCM MUST
        // use the derivation of AES-128, AES-256-GCM that of AES-256. The derivation uses AES with keys as long as the master key.
        Prf { aes: Aes::new(master.key), salt }
    }

    fn fill(&self, label: u8, out: &mut [u8]) {
        // RFC 3711 section 4.3.1: x = (label || r) XOR salt, where r has 48 bits; the IV is x * 2^16.
        let mut iv = Zeroizing::new([0; 16]);
        iv[..CM_SALT].copy_from_slice(&self.salt[..]);
        iv[7] ^= label;
        let zeros = [0; 32];
        counter_mode(&self.aes, *iv, &zeros[..out.len()], out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{hex, unhex};

    #[test]
    fn rfc_3711_appendix_b_3() {
        let (key, salt) = (unhex("e1f97a0d3e018be0d64fa32c06de4139"), unhex("0ec675ad498afeebb6960b3aabe6"));
        let master = Master { key: &key, salt: &salt };
        let material = Material::derive(master, Cipher::AesCm128, Use::Rtp, 0);
        assert_eq!(hex(&material.key[..16]), "c61e7a93744f39ee10734afe3ff7a087");
        assert_eq!(hex(&material.salt[..]), "30cbbc08863d8c85d49db34a9ae1");
        assert_eq!(hex(&material.auth[..]), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
    }

    #[test]
    fn rfc_6188_section_7() {
        let cases = [
            (
                Cipher::AesCm256,
                "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
                "3b04803de51ee7c96423ab5b78d2",
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                "fa31791685ca444a9e07c6c64e93",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
            ),
            (
                Cipher::AesCm192,
                "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1",
                "c8522f3acd4ce86d5add78edbb11",
                "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb",
                "2372b82d639b6d8503a47adc0a6c",
                "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb",
            ),
        ];
        for (cipher, key, salt, cipher_key, cipher_salt, auth) in cases {
            let (key, salt) = (unhex(key), unhex(salt));
            let material = Material::derive(Master { key: &key, salt: &salt }, cipher, Use::Rtp, 0);
            assert_eq!(hex(&material.key[..cipher.key_len()]), cipher_key);
            assert_eq!(hex(&material.salt[..]), cipher_salt);
            assert_eq!(hex(&material.auth[..]), auth);
        }
    }

    #[test]
    fn rfc_3711_appendix_b_2() {
        let aes = Aes::new(&unhex("2b7e151628aed2a6abf7158809cf4f3c"));
        let mut iv = [0; 16];
        iv.copy_from_slice(&unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000"));
        let mut stream = vec![0; 0xff03 * 16];
        counter_mode(&aes, iv, &vec![0; 0xff03 * 16], &mut stream);
        let block = |i: usize| hex(&stream[16 * i..16 * i + 16]);
        assert_eq!(block(0), "e03ead0935c95e80e166b16dd92b4eb4");
        assert_eq!(block(1), "d23513162b02d0f72a43a2fe4a5f97ab");
        assert_eq!(block(2), "41e95b3bb0a2e8dd477901e4fca894c0");
        assert_eq!(block(0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
        assert_eq!(block(0xff00), "362b7c3c6773516318a077d7fc5073ae");
        assert_eq!(block(0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
    }
}
