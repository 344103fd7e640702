//! Policies: the ready-made ones, and what a policy means.

use std::ffi::{c_int, c_uchar, c_uint, c_ulong};

use kaname_srtp::limits::{MAX_MASTER_KEYS, MAX_MKI};
use kaname_srtp::policy::{MasterKey, Policy, Scope};
use kaname_srtp::{Cipher, Profile, Protection};
use zeroize::Zeroizing;

use crate::boundary;
use crate::status::{srtp_err_status_bad_param, srtp_err_status_fail, srtp_err_status_ok, srtp_err_status_t};
use crate::types::*;

/// Bytes of an AES-CM salt.
const SALT: c_int = 14;
/// Bytes of a GCM salt.
const AEAD_SALT: c_int = 12;
/// Bytes of the longest key with its salt, as the key derivation takes them.
const LONG: usize = 46;
/// The same for AES-128.
const SHORT: usize = 30;
/// `SRTP_MAX_TAG_LEN`.
const MAX_TAG: c_int = 16;
/// Bytes of an HMAC-SHA1 key.
const HMAC_KEY: c_int = 20;
/// Replay window where a policy says 0.
const DEFAULT_WINDOW: c_ulong = 128;
/// Replay windows must be smaller.
const WINDOWS_END: c_ulong = 0x8000;
/// Header extensions have numbers up to 255.
const MAX_EXTENSIONS: c_int = 255;

/// `srtp_profile_null_sha1_80` and its like.
fn profile(number: c_uint) -> Option<Profile> {
    match number {
        1 => Some(Profile::Aes128CmSha1_80),
        2 => Some(Profile::Aes128CmSha1_32),
        5 => Some(Profile::NullSha1_80),
        7 => Some(Profile::AeadAes128Gcm),
        8 => Some(Profile::AeadAes256Gcm),
        _ => None,
    }
}

/// `(number, key and salt)` of a cipher.
fn numbers(cipher: Cipher) -> (u32, c_int) {
    let key = cipher.key_len() as c_int;
    match cipher {
        Cipher::Null => (NULL_CIPHER, key + SALT),
        Cipher::AesCm128 => (AES_ICM_128, key + SALT),
        Cipher::AesCm192 => (AES_ICM_192, key + SALT),
        Cipher::AesCm256 => (AES_ICM_256, key + SALT),
        Cipher::AeadAes128Gcm => (AES_GCM_128, key + AEAD_SALT),
        Cipher::AeadAes256Gcm => (AES_GCM_256, key + AEAD_SALT),
    }
}

fn ready_made(cipher: Cipher, tag: c_int, services: c_uint) -> srtp_crypto_policy_t {
    let (cipher_type, cipher_key_len) = numbers(cipher);
    let hmac = !cipher.is_gcm() && services & SEC_SERV_AUTH != 0;
    srtp_crypto_policy_t {
        cipher_type,
        cipher_key_len,
        auth_type: if hmac { HMAC_SHA1 } else { NULL_AUTH },
        auth_key_len: if hmac { HMAC_KEY } else { 0 },
        auth_tag_len: tag,
        sec_serv: services,
    }
}

macro_rules! ready_made {
    ($($name:ident: $cipher:ident, $tag:literal, $services:expr;)*) => {$(
        /// Fills in a ready-made policy.
        ///
        /// # Safety
        /// `policy` is null or can be written to.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(policy: *mut srtp_crypto_policy_t) {
            if !policy.is_null() {
                // SAFETY: not null, and by the caller.
                unsafe { policy.write(ready_made(Cipher::$cipher, $tag, $services)) };
            }
        }
    )*};
}

ready_made! {
    srtp_crypto_policy_set_rtp_default: AesCm128, 10, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_rtcp_default: AesCm128, 10, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32: AesCm128, 4, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_128_null_auth: AesCm128, 0, SEC_SERV_CONF;
    srtp_crypto_policy_set_aes_cm_192_hmac_sha1_80: AesCm192, 10, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_192_hmac_sha1_32: AesCm192, 4, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_192_null_auth: AesCm192, 0, SEC_SERV_CONF;
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80: AesCm256, 10, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32: AesCm256, 4, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_cm_256_null_auth: AesCm256, 0, SEC_SERV_CONF;
    srtp_crypto_policy_set_null_cipher_hmac_sha1_80: Null, 10, SEC_SERV_AUTH;
    srtp_crypto_policy_set_null_cipher_hmac_null: Null, 0, 0;
    srtp_crypto_policy_set_aes_gcm_128_8_auth: AeadAes128Gcm, 8, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_gcm_256_8_auth: AeadAes256Gcm, 8, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_gcm_128_8_only_auth: AeadAes128Gcm, 8, SEC_SERV_AUTH;
    srtp_crypto_policy_set_aes_gcm_256_8_only_auth: AeadAes256Gcm, 8, SEC_SERV_AUTH;
    srtp_crypto_policy_set_aes_gcm_128_16_auth: AeadAes128Gcm, 16, SEC_SERV_CONF_AND_AUTH;
    srtp_crypto_policy_set_aes_gcm_256_16_auth: AeadAes256Gcm, 16, SEC_SERV_CONF_AND_AUTH;
}

fn set(
    policy: *mut srtp_crypto_policy_t,
    protection: impl FnOnce(Profile) -> Protection,
    number: c_uint,
) -> srtp_err_status_t {
    let Some(profile) = profile(number).filter(|_| !policy.is_null()) else {
        return srtp_err_status_bad_param;
    };
    let Protection { cipher, encrypt, tag_len } = protection(profile);
    let services = if encrypt { SEC_SERV_CONF_AND_AUTH } else { SEC_SERV_AUTH };
    // SAFETY: not null, and by the callers.
    unsafe { policy.write(ready_made(cipher, tag_len as c_int, services)) };
    srtp_err_status_ok
}

/// Fills in what a DTLS-SRTP profile means for SRTP.
///
/// # Safety
/// `policy` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_crypto_policy_set_from_profile_for_rtp(
    policy: *mut srtp_crypto_policy_t,
    profile: c_uint,
) -> srtp_err_status_t {
    set(policy, Profile::rtp, profile)
}

/// The same for SRTCP.
///
/// # Safety
/// `policy` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_crypto_policy_set_from_profile_for_rtcp(
    policy: *mut srtp_crypto_policy_t,
    profile: c_uint,
) -> srtp_err_status_t {
    set(policy, Profile::rtcp, profile)
}

/// Bytes of a profile's master key; 0 if it is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_profile_get_master_key_length(number: c_uint) -> c_uint {
    profile(number).map_or(0, |profile| profile.key_len() as c_uint)
}

/// Bytes of a profile's master salt; 0 if it is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_profile_get_master_salt_length(number: c_uint) -> c_uint {
    profile(number).map_or(0, |profile| profile.salt_len() as c_uint)
}

/// Copies a salt behind a key.
///
/// # Safety
/// Both are null, or `salt` has `salt_len` bytes and `key` room for them behind `key_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_append_salt_to_key(
    key: *mut c_uchar,
    key_len: c_uint,
    salt: *mut c_uchar,
    salt_len: c_uint,
) {
    if !key.is_null() && !salt.is_null() {
        // SAFETY: not null, and by the caller; the two may overlap.
        unsafe { key.add(key_len as usize).copy_from(salt, salt_len as usize) };
    }
}

/// What one half of a policy says.
fn protection(policy: &srtp_crypto_policy_t, rtp: bool) -> Result<Protection, srtp_err_status_t> {
    let cipher = match policy.cipher_type {
        NULL_CIPHER => Cipher::Null,
        AES_ICM_128 => Cipher::AesCm128,
        AES_ICM_192 => Cipher::AesCm192,
        AES_ICM_256 => Cipher::AesCm256,
        AES_GCM_128 => Cipher::AeadAes128Gcm,
        AES_GCM_256 => Cipher::AeadAes256Gcm,
        _ => return Err(srtp_err_status_fail),
    };
    if cipher != Cipher::Null && policy.cipher_key_len != numbers(cipher).1 {
        return Err(srtp_err_status_bad_param);
    }
    let hmac = match policy.auth_type {
        NULL_AUTH => false,
        HMAC_SHA1 => true,
        _ => return Err(srtp_err_status_fail),
    };
    let tag = policy.auth_tag_len;
    let possible = (0..=MAX_TAG).contains(&tag)
        && (cipher.is_gcm() || !hmac || policy.auth_key_len == HMAC_KEY)
        && (cipher.is_gcm() || hmac || tag == 0);
    if !possible {
        return Err(srtp_err_status_bad_param);
    }
    // SRTP under GCM is encrypted whatever the services say, and SRTCP always has its tag.
    let encrypt = policy.sec_serv & SEC_SERV_CONF != 0 || (rtp && cipher.is_gcm());
    let authenticate = policy.sec_serv & SEC_SERV_AUTH != 0 || !rtp || cipher.is_gcm();
    Ok(Protection { cipher, encrypt, tag_len: if authenticate { tag as usize } else { 0 } })
}

/// Reads a master key.
///
/// # Safety
/// `key` is null or has as many bytes as the ciphers' key and salt.
unsafe fn master(key: *const u8, rtp: Cipher, rtcp: Cipher) -> Result<MasterKey, srtp_err_status_t> {
    let len = numbers(rtp).1.max(numbers(rtcp).1) as usize;
    // SAFETY: by the caller.
    let given = unsafe { boundary::bytes(key, len) }?;
    // libsrtp2 derives with AES-128 or AES-256: whatever is longer than a key and salt for AES-128 is filled up with zeros.
    // For AES-192 that is not what RFC 6188 says, but it is what its peers do.
    let mut padded = Zeroizing::new([0; LONG]);
    padded[..len].copy_from_slice(given);
    let (key, salt) = if len > SHORT { padded.split_at(32) } else { padded[..SHORT].split_at(16) };
    let salt_len = if rtp.is_gcm() && rtcp.is_gcm() { AEAD_SALT } else { SALT };
    MasterKey::new(key, &salt[..salt_len as usize]).ok_or(srtp_err_status_bad_param)
}

/// Reads the master keys.
///
/// # Safety
/// As for [`read`].
unsafe fn masters(
    policy: &srtp_policy_t,
    rtp: Cipher,
    rtcp: Cipher,
) -> Result<Vec<MasterKey>, srtp_err_status_t> {
    if !policy.key.is_null() {
        // SAFETY: by the caller.
        return Ok(vec![unsafe { master(policy.key, rtp, rtcp) }?]);
    }
    let count = usize::try_from(policy.num_master_keys).unwrap_or(usize::MAX);
    if policy.keys.is_null() || !(1..=MAX_MASTER_KEYS).contains(&count) {
        return Err(srtp_err_status_bad_param);
    }
    let mut masters = Vec::new();
    for at in 0..count {
        // SAFETY: by the caller, `keys` has `num_master_keys` pointers, each null or to a key.
        let (given, key) = unsafe {
            let given = boundary::shared(*policy.keys.add(at))?;
            (given, master(given.key, rtp, rtcp)?)
        };
        masters.push(match given.mki_size as usize {
            0 => key,
            1..=MAX_MKI => {
                // SAFETY: by the caller, the MKI has its size.
                let mki = unsafe { boundary::bytes(given.mki_id, given.mki_size as usize) }?;
                key.with_mki(mki).ok_or(srtp_err_status_bad_param)?
            }
            _ => return Err(srtp_err_status_bad_param),
        });
    }
    Ok(masters)
}

/// Reads a policy.
///
/// # Safety
/// Everything the policy points to is null, or as long as the policy says.
pub(crate) unsafe fn read(policy: &srtp_policy_t) -> Result<(Scope, Policy), srtp_err_status_t> {
    let scope = match policy.ssrc.type_ {
        SSRC_SPECIFIC => Scope::Ssrc(policy.ssrc.value),
        SSRC_ANY_INBOUND | SSRC_ANY_OUTBOUND => Scope::Any,
        _ => return Err(srtp_err_status_bad_param),
    };
    let window = if policy.window_size == 0 { DEFAULT_WINDOW } else { policy.window_size };
    let extensions = !policy.enc_xtn_hdr.is_null() && policy.enc_xtn_hdr_count > 0;
    let possible = policy.deprecated_ekt.is_null()
        && (64..WINDOWS_END).contains(&window)
        && matches!(policy.allow_repeat_tx, 0 | 1)
        && (!extensions || policy.enc_xtn_hdr_count <= MAX_EXTENSIONS);
    if !possible {
        return Err(srtp_err_status_bad_param);
    }
    let (rtp, rtcp) = (protection(&policy.rtp, true)?, protection(&policy.rtcp, false)?);
    let needed = numbers(rtp.cipher).1.max(numbers(rtcp.cipher).1);
    if policy.rtp.cipher_key_len < needed && policy.rtcp.cipher_key_len < needed {
        return Err(srtp_err_status_bad_param);
    }
    // SAFETY: by the caller.
    let masters = unsafe { masters(policy, rtp.cipher, rtcp.cipher) }?;
    let encrypted_extensions = if extensions {
        // SAFETY: not null, and by the caller as many as counted.
        let ids =
            unsafe { std::slice::from_raw_parts(policy.enc_xtn_hdr, policy.enc_xtn_hdr_count as usize) };
        ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect()
    } else {
        Vec::new()
    };
    let policy = Policy {
        rtp,
        rtcp,
        masters,
        window: window as usize,
        derivation_rate: 0,
        encrypted_extensions,
        cryptex: false,
        allow_repeat: policy.allow_repeat_tx == 1,
        first_rtcp_index: 1,
    };
    Ok((scope, policy))
}
