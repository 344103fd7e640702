//! Session keys from master keys (RFC 3711 section 4.3, RFC 6188 section 3, RFC 7714 section 11).

use zeroize::Zeroizing;

use crate::kernel::portable::{aes::Aes, counter_mode};
use crate::keying::Keying;
use crate::nonce::CM_SALT;

/// Bytes of an HMAC-SHA1 session key (RFC 3711 section 5.2).
pub(crate) const AUTH_KEY: usize = 20;

/// The protocol a set of session keys is for: each has its own labels (RFC 3711 section 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rtp,
    Rtcp,
}

/// Session keys before they are laid out for a backend. Zeroized on drop.
pub(crate) struct Material {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) auth: Zeroizing<[u8; AUTH_KEY]>,
    pub(crate) salt: Zeroizing<[u8; CM_SALT]>,
}

impl Material {
    /// Derives the session keys of one protocol.
    pub(crate) fn derive(keying: &Keying, protocol: Protocol) -> Material {
        let labels: [u8; 3] = match protocol {
            Protocol::Rtp => [0, 1, 2],
            Protocol::Rtcp => [3, 4, 5],
        };
        let prf = Prf::new(keying);
        let mut material = Material {
            key: Zeroizing::new([0; 32]),
            auth: Zeroizing::new([0; AUTH_KEY]),
            salt: Zeroizing::new([0; CM_SALT]),
        };
        prf.fill(labels[0], &mut material.key[..keying.profile().key_len()]);
        prf.fill(labels[1], &mut material.auth[..]);
        prf.fill(labels[2], &mut material.salt[..keying.profile().salt_len()]);
        material
    }
}

/// AES in counter mode under the master key (RFC 3711 section 4.3.3).
struct Prf {
    aes: Aes,
    salt: Zeroizing<[u8; CM_SALT]>,
}

impl Prf {
    fn new(keying: &Keying) -> Prf {
        // RFC 7714 section 11: a 96-bit master salt is multiplied by 2^16, that is, zeros follow it.
        let mut salt = Zeroizing::new([0; CM_SALT]);
        salt[..keying.salt().len()].copy_from_slice(keying.salt());
        Prf { aes: Aes::new(keying.key()), salt }
    }

    fn fill(&self, label: u8, out: &mut [u8]) {
        // x = (label || r) XOR salt, where r is the index DIV key_derivation_rate, here always 0, in 48 bits; the
        // IV is x * 2^16.
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
    use crate::keying::Profile;
    use crate::test_support::{hex, unhex};

    #[test]
    fn rfc_3711_appendix_b_3() {
        let keying = Keying::new(
            Profile::Aes128CmSha1_80,
            &unhex("e1f97a0d3e018be0d64fa32c06de4139"),
            &unhex("0ec675ad498afeebb6960b3aabe6"),
        )
        .unwrap();
        let material = Material::derive(&keying, Protocol::Rtp);
        assert_eq!(hex(&material.key[..16]), "c61e7a93744f39ee10734afe3ff7a087");
        assert_eq!(hex(&material.salt[..]), "30cbbc08863d8c85d49db34a9ae1");
        assert_eq!(hex(&material.auth[..]), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
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
