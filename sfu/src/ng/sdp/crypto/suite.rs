//! Crypto suites.

use kaname_engine::srtp::Profile;

/// A crypto suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// RFC 7714
    AeadAes256Gcm,
    /// RFC 7714
    AeadAes128Gcm,
    /// RFC 6188
    Aes256CmSha1_80,
    /// RFC 6188
    Aes256CmSha1_32,
    /// RFC 6188
    Aes192CmSha1_80,
    /// RFC 6188
    Aes192CmSha1_32,
    /// RFC 4568
    Aes128CmSha1_80,
    /// RFC 4568
    Aes128CmSha1_32,
    /// RFC 4568; known, never used.
    F8Sha1_80,
    /// Authentication only; used only when a flag names it.
    NullSha1_80,
    /// Authentication only; used only when a flag names it.
    NullSha1_32,
}

impl Suite {
    /// Every suite there is, in the order in which they are offered when nothing else is said.
    pub const ALL: [Suite; 11] = [
        Suite::AeadAes256Gcm,
        Suite::AeadAes128Gcm,
        Suite::Aes256CmSha1_80,
        Suite::Aes256CmSha1_32,
        Suite::Aes192CmSha1_80,
        Suite::Aes192CmSha1_32,
        Suite::Aes128CmSha1_80,
        Suite::Aes128CmSha1_32,
        Suite::F8Sha1_80,
        Suite::NullSha1_80,
        Suite::NullSha1_32,
    ];

    /// As in SDP and in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::Aes256CmSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::Aes256CmSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Suite::Aes192CmSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            Suite::Aes192CmSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            Suite::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Aes128CmSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::F8Sha1_80 => "F8_128_HMAC_SHA1_80",
            Suite::NullSha1_80 => "NULL_HMAC_SHA1_80",
            Suite::NullSha1_32 => "NULL_HMAC_SHA1_32",
        }
    }

    /// Another spelling that phones use, after the pattern of the 128-bit suites.
    pub(super) const fn alias(self) -> Option<&'static str> {
        match self {
            Suite::Aes256CmSha1_80 => Some("AES_CM_256_HMAC_SHA1_80"),
            Suite::Aes256CmSha1_32 => Some("AES_CM_256_HMAC_SHA1_32"),
            Suite::Aes192CmSha1_80 => Some("AES_CM_192_HMAC_SHA1_80"),
            Suite::Aes192CmSha1_32 => Some("AES_CM_192_HMAC_SHA1_32"),
            _ => None,
        }
    }

    /// Reads a name; case does not matter.
    pub fn parse(text: &str) -> Option<Suite> {
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        Suite::ALL.into_iter().find(|suite| is(suite.name()) || suite.alias().is_some_and(is))
    }

    /// What the SRTP engine calls it. F8 it has not.
    pub const fn profile(self) -> Option<Profile> {
        Some(match self {
            Suite::AeadAes256Gcm => Profile::AeadAes256Gcm,
            Suite::AeadAes128Gcm => Profile::AeadAes128Gcm,
            Suite::Aes256CmSha1_80 => Profile::Aes256CmSha1_80,
            Suite::Aes256CmSha1_32 => Profile::Aes256CmSha1_32,
            Suite::Aes192CmSha1_80 => Profile::Aes192CmSha1_80,
            Suite::Aes192CmSha1_32 => Profile::Aes192CmSha1_32,
            Suite::Aes128CmSha1_80 => Profile::Aes128CmSha1_80,
            Suite::Aes128CmSha1_32 => Profile::Aes128CmSha1_32,
            Suite::NullSha1_80 => Profile::NullSha1_80,
            Suite::NullSha1_32 => Profile::NullSha1_32,
            Suite::F8Sha1_80 => return None,
        })
    }

    /// The suite that does the same.
    pub fn of_profile(profile: Profile) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.profile() == Some(profile))
    }

    /// Leaves media in the clear.
    pub const fn is_null(self) -> bool {
        matches!(self, Suite::NullSha1_80 | Suite::NullSha1_32)
    }

    /// Bytes of key and salt together.
    pub const fn key_len(self) -> usize {
        match self.profile() {
            Some(profile) => profile.key_len() + profile.salt_len(),
            None => F8_KEY_LEN,
        }
    }
}

/// RFC 4568 section 6.2.3: a key of 128 bits and a salt of 112.
const F8_KEY_LEN: usize = 30;
