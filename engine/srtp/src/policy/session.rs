//! A session: streams under policies of their own, and a wildcard for all others.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Policy;
use super::ring::{Ring, Usage};
use super::stream::{Indices, Role, Stream};
use crate::backend::Backend;
use crate::error::SrtpError;
use crate::limits::{MAX_OUT_STREAMS, MAX_RETIRED};
use crate::streams::Streams;

/// The streams a policy is for.
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
    /// The master key will soon have done its work.
    KeyNearlyExhausted,
    /// It has.
    KeyExhausted,
}

/// Both directions of an SRTP session. An SSRC goes one way; its first packet decides which.
pub struct Session {
    backend: Backend,
    pub(super) wildcard: Option<Arc<Ring>>,
    pub(super) streams: Streams<Stream>,
    /// What was sent under SSRCs that were removed: if one comes back under the same key, it goes on from there.
    removed: HashMap<u32, (Arc<Ring>, Indices)>,
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
        let ring = Arc::new(Ring::new(self.backend, policy)?);
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

    /// Gives streams other keys, or the same ones used otherwise; their indices go on. With `overlap` the old keys stay
    /// good for receiving until [`Session::end_overlap`], so that nothing under way is lost.
    ///
    /// # Errors
    /// [`SrtpError::Policy`] if the policy is impossible, [`SrtpError::NoStream`] if the scope has none to replace.
    pub fn update(&mut self, scope: Scope, policy: Policy, overlap: bool) -> Result<(), SrtpError> {
        let ring = Arc::new(Ring::new(self.backend, policy)?);
        match scope {
            Scope::Any => {
                if self.wildcard.is_none() {
                    return Err(SrtpError::NoStream);
                }
                for (_, stream) in self.streams.iter_mut().filter(|(_, stream)| stream.wild) {
                    stream.change(ring.clone(), overlap);
                }
                self.wildcard = Some(ring);
            }
            Scope::Ssrc(ssrc) => {
                let stream = self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?;
                stream.change(ring, overlap);
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
        let sent = |stream: &Stream| stream.role != Some(Role::Receiver) && stream.indices.is_used();
        if self.streams.get(ssrc).is_some_and(sent) && self.removed.len() >= MAX_RETIRED {
            return Err(SrtpError::KeyExhausted);
        }
        let Some(stream) = self.streams.remove(ssrc) else { return Ok(false) };
        if sent(&stream) {
            self.removed.insert(ssrc, (stream.ring, stream.indices));
        }
        Ok(true)
    }

    /// The roll-over counter of a stream.
    pub fn roc(&self, ssrc: u32) -> Option<u32> {
        self.streams.get(ssrc).map(|stream| stream.indices.roc())
    }

    /// Late join: the next packet of this stream has this roll-over counter. What was sent or received stays so.
    ///
    /// # Errors
    /// [`SrtpError::NoStream`].
    pub fn set_roc(&mut self, ssrc: u32, roc: u32) -> Result<(), SrtpError> {
        self.streams.get_mut(ssrc).ok_or(SrtpError::NoStream)?.indices.set_roc(roc);
        Ok(())
    }

    /// The last thing noticed, once.
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
        if self.removed.get(&ssrc).is_some_and(|(old, _)| old.shares_key(ring))
            && let Some((_, indices)) = self.removed.remove(&ssrc)
        {
            stream.indices = indices;
        }
        self.streams.insert(ssrc, stream).map(drop)
    }

    /// Remembers what is worth telling, and stops at the limit of a key.
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
