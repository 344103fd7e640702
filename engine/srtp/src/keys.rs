//! The session keys of one direction.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::Backend;
use crate::cipher::{Cipher, Protection};
use crate::derive::{Master, Material, Use};
use crate::kernel::KeySet;
use crate::keying::Keying;
use crate::packet::RTCP_INDEX;

/// Names one [`SessionKeys`] among all this process ever made, so that tickets and indices cannot be used with keys
/// they were not made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

/// The session keys of one direction, SRTP and SRTCP, laid out for one backend. Zeroized on drop, never printed. RFC 3711 section 4.2:
/// lengths of keys and tags MUST stay as long as the key does; here nothing changes them.
pub struct SessionKeys {
    id: SessionId,
    backend: Backend,
    rtp_protection: Protection,
    rtcp_protection: Protection,
    lot: usize,
    rtp_overhead: usize,
    rtcp_overhead: usize,
    pub(crate) rtp: KeySet,
    pub(crate) rtcp: KeySet,
}

impl SessionKeys {
    pub(crate) fn new(backend: Backend, keying: &Keying) -> SessionKeys {
        let profile = keying.profile();
        let master = Master { key: keying.key(), salt: keying.salt() };
        SessionKeys::derive(backend, profile.rtp(), profile.rtcp(), master, 0)
    }

    /// Derives the keys for packets whose index DIV the key derivation rate is `r`.
    pub(crate) fn derive(
        backend: Backend,
        rtp: Protection,
        rtcp: Protection,
        master: Master<'_>,
        r: u64,
    ) -> SessionKeys {
        let rtp_material = Material::derive(master, rtp.used(), Use::Rtp, r);
        let rtcp_material = Material::derive(master, rtcp.used(), Use::Rtcp, r);
        SessionKeys::from_material(backend, rtp, rtcp, &rtp_material, &rtcp_material)
    }

    pub(crate) fn from_material(
        backend: Backend,
        rtp_protection: Protection,
        rtcp_protection: Protection,
        rtp: &Material,
        rtcp: &Material,
    ) -> SessionKeys {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let rtp = KeySet::new(backend, rtp_protection.used(), rtp);
        SessionKeys {
            id: SessionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            backend,
            rtp_protection,
            rtcp_protection,
            lot: rtp.lot(backend),
            rtp_overhead: rtp_protection.tag_len,
            rtcp_overhead: RTCP_INDEX + rtcp_protection.tag_len,
            rtp,
            rtcp: KeySet::new(backend, rtcp_protection.used(), rtcp),
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    /// Jobs of the same lot go through the same kernel together.
    #[inline]
    pub(crate) fn lot(&self) -> usize {
        self.lot
    }

    /// Bytes an RTP packet grows by when protected.
    #[inline]
    pub fn rtp_overhead(&self) -> usize {
        self.rtp_overhead
    }

    /// Bytes an RTCP packet grows by when protected: E flag, index and tag.
    pub fn rtcp_overhead(&self) -> usize {
        self.rtcp_overhead
    }

    /// The cipher of SRTP packets.
    pub fn cipher(&self) -> Cipher {
        self.rtp_protection.cipher
    }

    /// What is done to SRTP packets.
    pub(crate) fn rtp_protection(&self) -> Protection {
        self.rtp_protection
    }

    /// What is done to SRTCP packets.
    pub(crate) fn rtcp_protection(&self) -> Protection {
        self.rtcp_protection
    }

    /// The backend the keys are laid out for.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKeys")
            .field("cipher", &self.cipher())
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
