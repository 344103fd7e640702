//! The session keys of one direction.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::Backend;
use crate::derive::{Material, Protocol};
use crate::kernel::KeySet;
use crate::keying::{Keying, Profile};
use crate::packet::RTCP_INDEX;

/// Names one [`SessionKeys`] among all this process ever made, so that tickets and indices cannot be used with keys
/// they were not made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

/// The session keys of one direction, SRTP and SRTCP, laid out for one backend. Zeroized on drop, never printed.
pub struct SessionKeys {
    id: SessionId,
    profile: Profile,
    backend: Backend,
    lot: usize,
    rtp_overhead: usize,
    rtcp_overhead: usize,
    pub(crate) rtp: KeySet,
    pub(crate) rtcp: KeySet,
}

impl SessionKeys {
    pub(crate) fn new(backend: Backend, keying: &Keying) -> SessionKeys {
        let material = |protocol| Material::derive(keying, protocol);
        let (rtp, rtcp) = (material(Protocol::Rtp), material(Protocol::Rtcp));
        SessionKeys::from_material(backend, keying.profile(), &rtp, &rtcp)
    }

    pub(crate) fn from_material(
        backend: Backend,
        profile: Profile,
        rtp: &Material,
        rtcp: &Material,
    ) -> SessionKeys {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let rtp = KeySet::new(backend, profile, rtp);
        SessionKeys {
            id: SessionId(NEXT.fetch_add(1, Ordering::Relaxed)),
            profile,
            backend,
            lot: rtp.lot(backend),
            rtp_overhead: profile.rtp_tag_len(),
            rtcp_overhead: RTCP_INDEX + profile.rtcp_tag_len(),
            rtp,
            rtcp: KeySet::new(backend, profile, rtcp),
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

    /// The protection profile.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The backend the keys are laid out for.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKeys")
            .field("profile", &self.profile)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
