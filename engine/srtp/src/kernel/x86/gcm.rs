//! AES-GCM over many packets: they are independent of each other, so the processor overlaps them by itself.

use super::engine::Engine;
use super::{GcmKeys, Laid};
use crate::batch::{ProtectJob, UnprotectJob};
use crate::kernel::{one, vaes256, vaes512};

/// Protects the jobs named by `lanes`.
pub(crate) fn protect<const N: usize>(engine: Engine, jobs: &mut [ProtectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    if let Some(token) = engine.vaes512 {
        vaes512::protect_gcm::<N>(token, jobs, lanes);
    } else if let Some(token) = engine.vaes256 {
        vaes256::protect_gcm::<N>(token, jobs, lanes);
    } else {
        for &lane in lanes {
            let job = &mut jobs[usize::from(lane)];
            one::protect_gcm(GcmKeys::<N>::of(&job.keys.rtp), job);
        }
    }
}

/// Unprotects the jobs named by `lanes`.
pub(crate) fn unprotect<const N: usize>(engine: Engine, jobs: &mut [UnprotectJob<'_>], lanes: &[u8])
where
    GcmKeys<N>: Laid,
{
    if let Some(token) = engine.vaes512 {
        vaes512::unprotect_gcm::<N>(token, jobs, lanes);
    } else if let Some(token) = engine.vaes256 {
        vaes256::unprotect_gcm::<N>(token, jobs, lanes);
    } else {
        for &lane in lanes {
            let job = &mut jobs[usize::from(lane)];
            one::unprotect_gcm(GcmKeys::<N>::of(&job.keys.rtp), job);
        }
    }
}
