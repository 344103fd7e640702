//! The ciphers and codes of each backend.
//!
//! A backend is a folder: key layouts, the work on one message (latency path, SRTCP), and the work on many packets.
//! `portable` is the specification; every other backend must give the same bytes.

pub(crate) mod portable;

#[cfg(target_arch = "x86_64")]
mod aesni;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod guard;
mod one;
#[cfg(target_arch = "x86_64")]
mod vaes256;
#[cfg(target_arch = "x86_64")]
mod vaes512;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::backend::{Backend, KINDS, Kind};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::cipher::Cipher;
use crate::derive::Material;
use crate::keys::SessionKeys;
#[cfg(target_arch = "x86_64")]
use x86::{CmKeys, GcmKeys, engine::Engine};

/// Bytes of an AES-GCM tag: RFC 7714 section 10, MUST be 16 octets; section 13.2 allows no shorter one.
pub(crate) const GCM_TAG: usize = 16;

/// AES-CM with HMAC-SHA1 on one message.
pub(crate) trait Cm {
    /// `out = input ^ keystream` for the packet `index` of `ssrc`; both have the same length.
    fn crypt(&self, ssrc: u32, index: u64, input: &[u8], out: &mut [u8]);
    /// The untruncated code of `message || suffix`.
    fn code(&self, message: &[u8], suffix: &[u8]) -> [u8; 20];
}

/// AES-GCM on one message.
pub(crate) trait Gcm {
    /// Encrypts `input` into `out`, which has the same length, and gives the tag.
    fn seal(&self, ssrc: u32, index: u64, aad: &[u8], input: &[u8], out: &mut [u8]) -> [u8; GCM_TAG];
    /// The tag of additional data and ciphertext, for those who check it themselves.
    fn tag(&self, ssrc: u32, index: u64, aad: &[u8], text: &[u8]) -> [u8; GCM_TAG];
    /// Checks the tag, and only if it is right decrypts `input` into `out`, which has the same length: RFC 7714 section 5.3, the
    /// ciphertext MUST NOT be decrypted until the tag has been validated.
    fn open(
        &self,
        ssrc: u32,
        index: u64,
        aad: &[u8],
        input: &[u8],
        tag: &[u8; GCM_TAG],
        out: &mut [u8],
    ) -> bool;
}

/// The keys of one direction and one protocol, laid out for the backend that will use them. Boxed, so that a session's
/// own state stays small and each layout keeps its alignment.
pub(crate) enum KeySet {
    PortableCm(Box<portable::CmKeys>),
    PortableGcm(Box<portable::GcmKeys>),
    #[cfg(target_arch = "x86_64")]
    NullCm(Box<CmKeys<0>>),
    #[cfg(target_arch = "x86_64")]
    Cm128(Box<CmKeys<11>>),
    #[cfg(target_arch = "x86_64")]
    Cm192(Box<CmKeys<13>>),
    #[cfg(target_arch = "x86_64")]
    Cm256(Box<CmKeys<15>>),
    #[cfg(target_arch = "x86_64")]
    Gcm128(Box<GcmKeys<11>>),
    #[cfg(target_arch = "x86_64")]
    Gcm256(Box<GcmKeys<15>>),
}

/// One message's cipher, whatever the backend.
pub(crate) enum Suite<'a> {
    Cm(&'a dyn Cm),
    Gcm(&'a dyn Gcm),
}

/// Kernels of one backend that cannot share a pass.
const LAYOUTS: usize = 6;

/// How many lots there are: see [`KeySet::lot`].
pub(crate) const LOTS: usize = KINDS * LAYOUTS;

impl KeySet {
    pub(crate) fn new(backend: Backend, cipher: Cipher, material: &Material) -> KeySet {
        #[cfg(target_arch = "x86_64")]
        let aesni = match backend.kind() {
            Kind::Portable => None,
            Kind::AesNi(token) => Some(token),
            Kind::Vaes256(token) => Some(token.aesni()),
            Kind::Vaes512(token) => Some(token.aesni()),
        };
        #[cfg(target_arch = "x86_64")]
        if let Some(token) = aesni {
            return match cipher {
                Cipher::Null => KeySet::NullCm(Box::new(CmKeys::new(token, cipher, material))),
                Cipher::AesCm128 => KeySet::Cm128(Box::new(CmKeys::new(token, cipher, material))),
                Cipher::AesCm192 => KeySet::Cm192(Box::new(CmKeys::new(token, cipher, material))),
                Cipher::AesCm256 => KeySet::Cm256(Box::new(CmKeys::new(token, cipher, material))),
                Cipher::AeadAes128Gcm => KeySet::Gcm128(Box::new(GcmKeys::new(token, cipher, material))),
                Cipher::AeadAes256Gcm => KeySet::Gcm256(Box::new(GcmKeys::new(token, cipher, material))),
            };
        }
        debug_assert_eq!(backend.kind().number(), 0);
        if cipher.is_gcm() {
            KeySet::PortableGcm(Box::new(portable::GcmKeys::new(cipher, material)))
        } else {
            KeySet::PortableCm(Box::new(portable::CmKeys::new(cipher, material)))
        }
    }

    pub(crate) fn suite(&self) -> Suite<'_> {
        match self {
            KeySet::PortableCm(keys) => Suite::Cm(&**keys),
            KeySet::PortableGcm(keys) => Suite::Gcm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::NullCm(keys) => Suite::Cm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm128(keys) => Suite::Cm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm192(keys) => Suite::Cm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm256(keys) => Suite::Cm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::Gcm128(keys) => Suite::Gcm(&**keys),
            #[cfg(target_arch = "x86_64")]
            KeySet::Gcm256(keys) => Suite::Gcm(&**keys),
        }
    }

    /// Jobs of the same lot have the same backend and the same layout, and go through its kernel together.
    pub(crate) fn lot(&self, backend: Backend) -> usize {
        let layout = match self {
            KeySet::PortableCm(_) => 0,
            KeySet::PortableGcm(_) => 1,
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm128(_) => 0,
            #[cfg(target_arch = "x86_64")]
            KeySet::Gcm128(_) => 1,
            #[cfg(target_arch = "x86_64")]
            KeySet::Gcm256(_) => 2,
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm192(_) => 3,
            #[cfg(target_arch = "x86_64")]
            KeySet::Cm256(_) => 4,
            #[cfg(target_arch = "x86_64")]
            KeySet::NullCm(_) => 5,
        };
        backend.kind().number() * LAYOUTS + layout
    }
}

/// Protects `jobs[lanes[..]]`, which all are of the lot of `keys`.
pub(crate) fn protect(keys: &SessionKeys, jobs: &mut [ProtectJob<'_>], lanes: &[u8]) {
    let engine = match keys.backend().kind() {
        Kind::Portable => return lanes.iter().for_each(|&lane| one::protect(&mut jobs[usize::from(lane)])),
        #[cfg(target_arch = "x86_64")]
        Kind::AesNi(token) => Engine::from(token),
        #[cfg(target_arch = "x86_64")]
        Kind::Vaes256(token) => Engine::from(token),
        #[cfg(target_arch = "x86_64")]
        Kind::Vaes512(token) => Engine::from(token),
    };
    #[cfg(target_arch = "x86_64")]
    match keys.rtp {
        KeySet::NullCm(_) => x86::cm::protect::<0>(engine, jobs, lanes),
        KeySet::Cm128(_) => x86::cm::protect::<11>(engine, jobs, lanes),
        KeySet::Cm192(_) => x86::cm::protect::<13>(engine, jobs, lanes),
        KeySet::Cm256(_) => x86::cm::protect::<15>(engine, jobs, lanes),
        KeySet::Gcm128(_) => x86::gcm::protect::<11>(engine, jobs, lanes),
        KeySet::Gcm256(_) => x86::gcm::protect::<15>(engine, jobs, lanes),
        KeySet::PortableCm(_) | KeySet::PortableGcm(_) => unreachable!("the portable backend has returned"),
    }
}

/// Unprotects `jobs[lanes[..]]`, which all are of the lot of `keys`.
pub(crate) fn unprotect(keys: &SessionKeys, jobs: &mut [UnprotectJob<'_>], lanes: &[u8]) {
    let engine = match keys.backend().kind() {
        Kind::Portable => return lanes.iter().for_each(|&lane| one::unprotect(&mut jobs[usize::from(lane)])),
        #[cfg(target_arch = "x86_64")]
        Kind::AesNi(token) => Engine::from(token),
        #[cfg(target_arch = "x86_64")]
        Kind::Vaes256(token) => Engine::from(token),
        #[cfg(target_arch = "x86_64")]
        Kind::Vaes512(token) => Engine::from(token),
    };
    #[cfg(target_arch = "x86_64")]
    match keys.rtp {
        KeySet::NullCm(_) => x86::cm::unprotect::<0>(engine, jobs, lanes),
        KeySet::Cm128(_) => x86::cm::unprotect::<11>(engine, jobs, lanes),
        KeySet::Cm192(_) => x86::cm::unprotect::<13>(engine, jobs, lanes),
        KeySet::Cm256(_) => x86::cm::unprotect::<15>(engine, jobs, lanes),
        KeySet::Gcm128(_) => x86::gcm::unprotect::<11>(engine, jobs, lanes),
        KeySet::Gcm256(_) => x86::gcm::unprotect::<15>(engine, jobs, lanes),
        KeySet::PortableCm(_) | KeySet::PortableGcm(_) => unreachable!("the portable backend has returned"),
    }
}
