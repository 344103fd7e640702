//! Master keys and the protection profiles they are for.

use zeroize::Zeroizing;

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
}

impl Profile {
    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 | Profile::AeadAes128Gcm => 16,
            Profile::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => 14,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 12,
        }
    }

    /// Bytes of an SRTP tag.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 => 10,
            Profile::Aes128CmSha1_32 => 4,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 16,
        }
    }

    /// Bytes of an SRTCP tag. RFC 3711 section 5.2: SRTCP MUST NOT use the short tag.
    pub const fn rtcp_tag_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::Aes128CmSha1_32 => 10,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 16,
        }
    }

    /// Whether it is an AEAD (RFC 7714) rather than AES-CM with HMAC-SHA1.
    pub const fn is_gcm(self) -> bool {
        matches!(self, Profile::AeadAes128Gcm | Profile::AeadAes256Gcm)
    }
}

/// A master key with its salt, for one direction. Zeroized on drop, never printed.
#[derive(Clone)]
pub struct Keying {
    profile: Profile,
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
}

impl Keying {
    /// `None` if a length is not the profile's.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Keying> {
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
