//! The ciphers of SRTP, the sizes of their keys, and what they are used for.

use crate::kernel::GCM_TAG;

/// A cipher of SRTP. Those in counter mode are authenticated by HMAC-SHA1, if at all. GCM authenticates by itself: RFC 7714
/// section 7.1, its tag MUST be the primary authentication, and none SHOULD stand beside it. Section 12: both sizes MUST be supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// No encryption (RFC 3711 section 4.1.3).
    Null,
    /// RFC 3711 section 4.1.1.
    AesCm128,
    /// RFC 6188.
    AesCm192,
    /// RFC 6188.
    AesCm256,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
}

impl Cipher {
    /// Bytes of the master key, and of the session key where there is one.
    pub const fn key_len(self) -> usize {
        match self {
            // The key derivation needs a master key all the same: the one of the default cipher.
            Cipher::Null | Cipher::AesCm128 | Cipher::AeadAes128Gcm => 16,
            Cipher::AesCm192 => 24,
            Cipher::AesCm256 | Cipher::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt and of the session salt.
    pub const fn salt_len(self) -> usize {
        if self.is_gcm() { 12 } else { 14 }
    }

    /// Whether it is an AEAD (RFC 7714).
    pub const fn is_gcm(self) -> bool {
        matches!(self, Cipher::AeadAes128Gcm | Cipher::AeadAes256Gcm)
    }

    /// RFC 6904 section 3.2: the keystream of header extensions SHALL come from the packet's own transform; without encryption it
    /// SHALL be all zeros. RFC 7714 section 8.3: with GCM it MUST come from counter mode under keys of the same size.
    pub(crate) const fn of_headers(self) -> Cipher {
        match self {
            Cipher::AeadAes128Gcm => Cipher::AesCm128,
            Cipher::AeadAes256Gcm => Cipher::AesCm256,
            other => other,
        }
    }
}

/// What is done to the packets of one protocol, SRTP or SRTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protection {
    /// The cipher, which also names the size of the keys.
    pub cipher: Cipher,
    /// Whether packets are encrypted.
    pub encrypt: bool,
    /// Bytes of the tag; 0 leaves packets without authentication.
    pub tag_len: usize,
}

/// Most bytes of an HMAC-SHA1 tag.
const MAX_SHA1_TAG: usize = 20;

/// Most bytes of an HMAC-SHA1 that the kernels for many packets keep: a vector's, more than any suite's tag has.
const MAX_BATCH_TAG: usize = 16;

/// The shortest GCM tag there is code for. RFC 7714 section 13.2 has dropped it, old peers have not.
const SHORT_GCM_TAG: usize = 8;

impl Protection {
    /// Whether it is something that packets can be given. RFC 7714 sections 8.2 and 9: with an AEAD all packets MUST be authenticated.
    pub(crate) fn is_possible(&self) -> bool {
        if self.cipher.is_gcm() {
            self.tag_len == GCM_TAG || self.tag_len == SHORT_GCM_TAG
        } else {
            self.tag_len <= MAX_SHA1_TAG
        }
    }

    /// The cipher as it is used: none where only the tag is wanted. GCM is needed for the tag itself.
    pub(crate) fn used(&self) -> Cipher {
        if self.encrypt || self.cipher.is_gcm() { self.cipher } else { Cipher::Null }
    }

    /// Whether the kernels for many packets know it.
    pub(crate) fn is_plain(&self) -> bool {
        if self.cipher.is_gcm() {
            self.encrypt && self.tag_len == GCM_TAG
        } else {
            (1..=MAX_BATCH_TAG).contains(&self.tag_len)
        }
    }
}
