//! A session: streams under policies of their own, and a wildcard for all others.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Policy;
use super::ring::{Ring, Usage};
use super::stream::{Indices, Stream};
use crate::backend::Backend;
use crate::error::SrtpError;
use crate::limits::{MAX_OUT_STREAMS, MAX_RETIRED};
use crate::streams::Streams;

/// The streams a policy is for. RFC 3711 section 3.2.3: a context is found by SSRC, destination address and port, of which the last
/// two are the caller's, who has a session for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every SSRC that has no policy of its own.
    Any,
    /// One SSRC.
    Ssrc(u32),
}

/// Something a session's owner may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The SSRC was sent and received: two senders have it, or a packet came back.
    Collision,
    /// The master key will soon have done its work: RFC 3711 section 8.1, key management SHALL be invoked.
    KeyNearlyExhausted,
    /// It has.
    KeyExhausted,
}

/// Indices by SSRC, with the keys they were used under.
type Removed = HashMap<u32, (Option<Arc<Ring>>, Indices)>;

/// A stream that was removed and is there again, or got the keys it was removed with, goes on where it was: the same indices
/// under the same key would be a two-time pad (RFC 3711 section 9.1; RFC 7714 section 8.4: a history MUST be kept for the lifetime of
/// the key).
fn recall(removed: &mut Removed, ssrc: u32, stream: &mut Stream) {
    let same = |old: &Option<Arc<Ring>>| old.as_ref().is_none_or(|old| old.shares_key(&stream.ring));
    if removed.get(&ssrc).is_some_and(|(old, _)| same(old))
        && let Some((old, indices)) = removed.remove(&ssrc)
    {
        // What this one sent in the meantime was under other keys.
        stream.sent_before |= old.is_none() || stream.has_sent();
        let meanwhile = std::mem::replace(&mut stream.indices, Indices::new(0));
        stream.indices = indices.and(meanwhile);
    }
}

/// Both directions of an SRTP session. An SSRC goes one way; its first packet decides which.
pub struct Session {
    backend: Backend,
    pub(super) wildcard: Option<Arc<Ring>>,
    pub(super) streams: Streams<Stream>,
    /// What was sent under SSRCs that were removed: if one comes back under the same key, it goes on from there. Without a key
    /// there were several, and it goes on under any.
    removed: Removed,
    notice: Option<(u32, Notice)>,
    pub(super) scratch: Zeroizing<Vec<u8>>,
}

impl Session {
    /// A session without any keys.
    pub fn new(backend: Backend) -> Session {
        Session {
            backend,
            wildcard: None,
            streams: Streams::new(MAX_OUT_STREAMS),
            removed: HashMap::new(),
            notice: None,
            scratch: Zeroizing::new(Vec::new()),
        }
    }

    /// Gives streams their keys.
    ///
    /// # Errors
    /// [`SrtpError::Policy`] if the policy is impossible or the scope has one; [`SrtpError::TooManyStreams`].
    pub fn add(&mut self, scope: Scope, policy: Policy) -> Result<(), SrtpError> {
        let ring = self.ring(policy)?;
        match scope {
            Scope::Any if self.wildcard.is_some() => Err(SrtpError::Policy),
            Scope::Any => {
                self.wildcard = Some(ring);
                Ok(())
            }
            Scope::Ssrc(ssrc) if self.streams.get(ssrc).is_some() => Err(SrtpError::Policy),
            Scope::Ssrc(ssrc) => self.begin(ssrc, &ring, false),
        }
    }

    /// A policy's keys, if they can stand beside those that are in use.
    fn ring(&self, policy: Policy) -> Result<Arc<Ring>, SrtpError> {
        let ring = Ring::new(self.backend, policy)?;
        let used = self.streams.iter().map(|(_, stream)| &stream.ring).chain(&self.wildcard);
        // RFC 3711 section 4.3.1: the key derivation rate MUST be kept fixed for the lifetime of its master key.
        let changed = |used: &Arc<Ring>| {
            used.policy.derivation_rate != ring.policy.derivation_rate && used.shares_key(&ring)
        };
        if used.into_iter().any(changed) { Err(SrtpError::Policy) } else { Ok(Arc::new(ring)) }
    }

    /// Gives streams other keys, or the same ones used otherwise; their indices go on. With `overlap` the old keys stay
    /// good for receiving until [`Session::end_overlap`], so that nothing under way is lost.
    ///
    /// # Errors
    /// [`SrtpError::Policy`] if the policy is impossible, [`SrtpError::NoStream`] if the scope has none to replace.
    pub fn update(&mut self, scope: Scope, policy: Policy, overlap: bool) -> Result<(), SrtpError> {
        let ring = self.ring(policy)?;
        match scope {
            Scope::Any => {
                if self.wildcard.is_none() {
                    return Err(SrtpError::NoStream);
                }
                for (ssrc, stream) in self.streams.iter_mut().filter(|(_, stream)| stream.wild) {
                    stream.change(ring.clone(), overlap);
                    recall(&mut self.removed, ssrc, stream);
                }
                self.wildcard = Some(ring);
            }
            Scope::Ssrc(ssrc) => {
                let stream = self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?;
                stream.change(ring, overlap);
                recall(&mut self.removed, ssrc, stream);
                stream.wild = false;
            }
        }
        Ok(())
    }

    /// Forgets the keys that [`Session::update`] kept.
    pub fn end_overlap(&mut self) {
        for (_, stream) in self.streams.iter_mut() {
            stream.previous = None;
        }
    }

    /// Ends a stream; `false` if there is none. What it sent stays taken: an SSRC that comes back under the same key
    /// goes on where it was, for it would use indices twice otherwise.
    ///
    /// # Errors
    /// [`SrtpError::KeyExhausted`] if too many were removed in this session; the stream then stays.
    pub fn remove(&mut self, ssrc: u32) -> Result<bool, SrtpError> {
        let full = self.removed.len() >= MAX_RETIRED && !self.removed.contains_key(&ssrc);
        if self.streams.get(ssrc).is_some_and(Stream::has_sent) && full {
            return Err(SrtpError::KeyExhausted);
        }
        let Some(stream) = self.streams.remove(ssrc) else { return Ok(false) };
        if stream.has_sent() {
            let ring = (!stream.sent_before).then_some(stream.ring);
            let entry = match self.removed.remove(&ssrc) {
                Some((_, before)) => (None, stream.indices.and(before)),
                None => (ring, stream.indices),
            };
            self.removed.insert(ssrc, entry);
        }
        Ok(true)
    }

    /// The roll-over counter of a stream.
    pub fn roc(&self, ssrc: u32) -> Option<u32> {
        self.streams.get(ssrc).map(|stream| stream.indices.roc())
    }

    /// Late join (RFC 3711 section 3.3.1): the next packet of this stream has this roll-over counter. What was sent or received stays so.
    ///
    /// # Errors
    /// [`SrtpError::NoStream`].
    pub fn set_roc(&mut self, ssrc: u32, roc: u32) -> Result<(), SrtpError> {
        self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?.indices.set_roc(roc);
        Ok(())
    }

    /// The last thing noticed, once.
    #[inline]
    pub fn take_notice(&mut self) -> Option<(u32, Notice)> {
        self.notice.take()
    }

    /// The most bytes that protecting adds to an SRTP packet of any stream with the MKI of the named master key, without
    /// what cryptex may add; `None` if there are no streams, or none has that key.
    pub fn rtp_overhead(&self, named: Option<usize>) -> Option<usize> {
        self.most(named, |ring| ring.sizes().rtp_overhead())
    }

    /// The same for SRTCP.
    pub fn rtcp_overhead(&self, named: Option<usize>) -> Option<usize> {
        self.most(named, |ring| ring.sizes().rtcp_overhead())
    }

    fn most(&self, named: Option<usize>, len: impl Fn(&Ring) -> usize) -> Option<usize> {
        self.wildcard
            .iter()
            .chain(self.streams.iter().map(|(_, stream)| &stream.ring))
            .filter(|ring| named.is_none_or(|slot| slot < ring.policy.masters.len()))
            .map(|ring| len(ring) + ring.mki(named).len())
            .max()
    }

    /// Makes sure that an SSRC has a stream.
    pub(super) fn stream(&mut self, ssrc: u32, ring: &Arc<Ring>) -> Result<(), SrtpError> {
        if self.streams.get(ssrc).is_some() { Ok(()) } else { self.begin(ssrc, ring, true) }
    }

    #[cold]
    fn begin(&mut self, ssrc: u32, ring: &Arc<Ring>, wild: bool) -> Result<(), SrtpError> {
        let mut stream = Stream::new(ring.clone(), wild);
        self.streams.room()?;
        recall(&mut self.removed, ssrc, &mut stream);
        self.streams.insert(ssrc, stream).map(drop)
    }

    /// Remembers what is worth telling, and stops at the limit of a key.
    #[inline]
    pub(super) fn note(
        &mut self,
        ssrc: u32,
        usage: Result<Usage, SrtpError>,
        same_way: bool,
    ) -> Result<(), SrtpError> {
        self.notice = match usage {
            Err(_) => Some((ssrc, Notice::KeyExhausted)),
            Ok(Usage::NearlyExhausted) => Some((ssrc, Notice::KeyNearlyExhausted)),
            Ok(Usage::Normal) if !same_way => Some((ssrc, Notice::Collision)),
            Ok(Usage::Normal) => self.notice,
        };
        usage.map(|_| ())
    }

    #[cfg(test)]
    pub(crate) fn age(&self, rtp: u64, rtcp: u64) {
        self.wildcard.iter().for_each(|ring| ring.age(0, rtp, rtcp));
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("backend", &self.backend).finish_non_exhaustive()
    }
}
