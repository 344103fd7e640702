//! Master keys and the protection profiles they are for.

use zeroize::Zeroizing;

use crate::cipher::{Cipher, Protection};
use crate::kernel::GCM_TAG;

/// A protection profile: cipher, key sizes and tag length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// RFC 3711, 80-bit tag.
    Aes128CmSha1_80,
    /// RFC 3711, 32-bit tag for SRTP and 80-bit for SRTCP.
    Aes128CmSha1_32,
    /// RFC 7714.
    AeadAes128Gcm,
    /// RFC 7714.
    AeadAes256Gcm,
    /// RFC 6188, 80-bit tag.
    Aes192CmSha1_80,
    /// RFC 6188, 32-bit tag for SRTP and 80-bit for SRTCP.
    Aes192CmSha1_32,
    /// RFC 6188, 80-bit tag.
    Aes256CmSha1_80,
    /// RFC 6188, 32-bit tag for SRTP and 80-bit for SRTCP.
    Aes256CmSha1_32,
    /// Authentication without encryption (RFC 5764 section 4.1.2); SRTCP has E=0.
    NullSha1_80,
    /// The same with a 32-bit tag for SRTP and 80-bit for SRTCP.
    NullSha1_32,
}

/// Bytes of an HMAC-SHA1 tag cut to 80 bits.
const SHA1_80: usize = 10;

/// Bytes of an HMAC-SHA1 tag cut to 32 bits.
const SHA1_32: usize = 4;

impl Profile {
    /// Every profile there is.
    pub const ALL: [Profile; 10] = [
        Profile::Aes128CmSha1_80,
        Profile::Aes128CmSha1_32,
        Profile::AeadAes128Gcm,
        Profile::AeadAes256Gcm,
        Profile::Aes192CmSha1_80,
        Profile::Aes192CmSha1_32,
        Profile::Aes256CmSha1_80,
        Profile::Aes256CmSha1_32,
        Profile::NullSha1_80,
        Profile::NullSha1_32,
    ];

    /// The cipher.
    pub const fn cipher(self) -> Cipher {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => Cipher::AesCm128,
            Profile::Aes192CmSha1_80 | Profile::Aes192CmSha1_32 => Cipher::AesCm192,
            Profile::Aes256CmSha1_80 | Profile::Aes256CmSha1_32 => Cipher::AesCm256,
            Profile::NullSha1_80 | Profile::NullSha1_32 => Cipher::Null,
            Profile::AeadAes128Gcm => Cipher::AeadAes128Gcm,
            Profile::AeadAes256Gcm => Cipher::AeadAes256Gcm,
        }
    }

    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        self.cipher().key_len()
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        self.cipher().salt_len()
    }

    /// Bytes of an SRTP tag.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80
            | Profile::Aes192CmSha1_80
            | Profile::Aes256CmSha1_80
            | Profile::NullSha1_80 => SHA1_80,
            Profile::Aes128CmSha1_32
            | Profile::Aes192CmSha1_32
            | Profile::Aes256CmSha1_32
            | Profile::NullSha1_32 => SHA1_32,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => GCM_TAG,
        }
    }

    /// Bytes of an SRTCP tag. RFC 3711 section 5.2: SRTCP MUST NOT use the short tag; section 3.4: its authentication is mandatory.
    pub const fn rtcp_tag_len(self) -> usize {
        if self.is_gcm() { GCM_TAG } else { SHA1_80 }
    }

    /// Whether it is an AEAD (RFC 7714) rather than counter mode with HMAC-SHA1.
    pub const fn is_gcm(self) -> bool {
        self.cipher().is_gcm()
    }

    /// What it does to SRTP packets.
    pub const fn rtp(self) -> Protection {
        Protection { cipher: self.cipher(), encrypt: self.encrypts(), tag_len: self.rtp_tag_len() }
    }

    /// What it does to SRTCP packets.
    pub const fn rtcp(self) -> Protection {
        Protection { cipher: self.cipher(), encrypt: self.encrypts(), tag_len: self.rtcp_tag_len() }
    }

    const fn encrypts(self) -> bool {
        !matches!(self.cipher(), Cipher::Null)
    }
}

/// A master key with its salt, for one direction. Zeroized on drop, never printed: RFC 7714 section 13.1, keys MUST be kept secret,
/// and they MUST be erased when no longer needed.
#[derive(Clone)]
pub struct Keying {
    profile: Profile,
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
}

impl Keying {
    /// `None` if a length is not the profile's.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Keying> {
        // RFC 6188 section 3.1, RFC 7714 sections 3 and 11: a master key as long as the session's, so that AES of that size derives it.
        (key.len() == profile.key_len() && salt.len() == profile.salt_len()).then(|| Keying {
            profile,
            key: Zeroizing::new(key.to_vec()),
            salt: Zeroizing::new(salt.to_vec()),
        })
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The master key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The master salt.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl std::fmt::Debug for Keying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keying").field("profile", &self.profile).finish_non_exhaustive()
    }
}
