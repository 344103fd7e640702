//! The ciphers and codes of each backend.
//!
//! A backend is a folder: key layouts, the work on one message (latency path, SRTCP), and the work on many packets.
//! `portable` is the specification; every other backend must give the same bytes.

pub(crate) mod portable;

use crate::backend::{Backend, Kind};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::derive::Material;
use crate::keying::Profile;

/// Bytes of an AES-GCM tag (RFC 7714 section 13.1 allows no shorter one).
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
    /// Checks the tag, and only if it is right decrypts `input` into `out`, which has the same length.
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
}

/// One message's cipher, whatever the backend.
pub(crate) enum Suite<'a> {
    Cm(&'a dyn Cm),
    Gcm(&'a dyn Gcm),
}

/// How many different values [`KeySet::lot`] has.
pub(crate) const LOTS: usize = 2;

impl KeySet {
    pub(crate) fn new(backend: Backend, profile: Profile, material: &Material) -> KeySet {
        match (backend.kind(), profile.is_gcm()) {
            (Kind::Portable, false) => KeySet::PortableCm(Box::new(portable::CmKeys::new(profile, material))),
            (Kind::Portable, true) => {
                KeySet::PortableGcm(Box::new(portable::GcmKeys::new(profile, material)))
            }
        }
    }

    pub(crate) fn suite(&self) -> Suite<'_> {
        match self {
            KeySet::PortableCm(keys) => Suite::Cm(&**keys),
            KeySet::PortableGcm(keys) => Suite::Gcm(&**keys),
        }
    }

    /// Jobs of the same lot go through the same kernel together.
    #[inline]
    pub(crate) fn lot(&self) -> usize {
        match self {
            KeySet::PortableCm(_) => 0,
            KeySet::PortableGcm(_) => 1,
        }
    }
}

/// Protects `jobs[lanes[..]]`, which all are of lot `lot`.
pub(crate) fn protect(lot: usize, jobs: &mut [ProtectJob<'_>], lanes: &[u8]) {
    let _ = lot;
    portable::protect(jobs, lanes);
}

/// Unprotects `jobs[lanes[..]]`, which all are of lot `lot`.
pub(crate) fn unprotect(lot: usize, jobs: &mut [UnprotectJob<'_>], lanes: &[u8]) {
    let _ = lot;
    portable::unprotect(jobs, lanes);
}
