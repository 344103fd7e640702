//! One SSRC of a session: its place in the index space, whichever way it goes.

use std::sync::Arc;

use super::ring::{Cached, Ring};
use crate::error::SrtpError;
use crate::index::{SEQ_BITS, estimate_rtp};
use crate::limits::{MAX_RTCP_PACKETS, RTCP_WINDOW};
use crate::window::{Seen, Window};

/// Which way a stream goes. The first packet decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sender,
    Receiver,
}

/// The indices of one SSRC: those sent, or those received. They outlive the keys, and RFC 3711 section 3.2.1 has them be each
/// SSRC's own also where master keys are shared.
#[derive(Clone)]
pub(super) struct Indices {
    rtp: Option<Window>,
    /// Told by signalling, for the next packet.
    roc: Option<u32>,
    rtcp: Option<Window>,
    first_rtcp: u64,
    next_rtcp: u64,
}

impl Indices {
    pub(super) fn new(first_rtcp: u32) -> Indices {
        let first_rtcp = u64::from(first_rtcp);
        Indices { rtp: None, roc: None, rtcp: None, first_rtcp, next_rtcp: first_rtcp }
    }

    /// The index that the packet `seq` most likely has (RFC 3711 section 3.3.1).
    pub(super) fn estimate(&self, seq: u16) -> Result<u64, SrtpError> {
        match (self.roc, &self.rtp) {
            (Some(roc), _) => Ok((u64::from(roc) << SEQ_BITS) | u64::from(seq)),
            (None, Some(window)) => estimate_rtp(window.highest(), seq).ok_or(SrtpError::KeyExhausted),
            (None, None) => Ok(u64::from(seq)),
        }
    }

    /// The usual case: the index behind the highest, if `seq` are its low bits and the roll-over counter stays. It is fresh, and
    /// the one that [`Indices::estimate`] gives.
    #[inline]
    pub(super) fn next(&self, seq: u16) -> Option<u64> {
        match (self.roc, &self.rtp) {
            (None, Some(window)) => window.next(seq),
            _ => None,
        }
    }

    /// What is known of an SRTP index.
    pub(super) fn look(&self, index: u64) -> Seen {
        self.rtp.as_ref().map_or(Seen::Fresh, |window| window.look(index))
    }

    /// Marks an SRTP index; one marked before stays so.
    #[inline]
    pub(super) fn mark(&mut self, index: u64, size: usize) {
        self.roc = None;
        if !self.rtp.as_mut().is_some_and(|window| window.mark_if_next(index)) {
            self.mark_any(index, size);
        }
    }

    fn mark_any(&mut self, index: u64, size: usize) {
        match &mut self.rtp {
            Some(window) if window.look(index) == Seen::Fresh => window.mark(index),
            Some(_) => {}
            None => self.rtp = Some(Window::starting_at(index, size)),
        }
    }

    /// What is known of a received SRTCP index.
    pub(super) fn look_rtcp(&self, index: u64) -> Seen {
        self.rtcp.as_ref().map_or(Seen::Fresh, |window| window.look(index))
    }

    /// Marks a received SRTCP index.
    pub(super) fn mark_rtcp(&mut self, index: u64) {
        match &mut self.rtcp {
            Some(window) if window.look(index) == Seen::Fresh => window.mark(index),
            Some(_) => {}
            None => self.rtcp = Some(Window::starting_at(index, RTCP_WINDOW)),
        }
    }

    /// The SRTCP index of the next packet sent. RFC 7714 sections 9.4 and 13.1: processing MUST cease before it comes back to where it
    /// began.
    pub(super) fn next_rtcp(&self) -> Result<u64, SrtpError> {
        if self.next_rtcp < MAX_RTCP_PACKETS { Ok(self.next_rtcp) } else { Err(SrtpError::KeyExhausted) }
    }

    /// RFC 3711 section 3.4: the index MUST be incremented by one after each SRTCP packet.
    pub(super) fn take_rtcp(&mut self) {
        self.next_rtcp += 1;
    }

    /// What is taken if both of these are.
    pub(super) fn and(self, other: Indices) -> Indices {
        let rtp = match (self.rtp, other.rtp) {
            (Some(ours), Some(theirs)) => Some(ours.marked_up_to(theirs.highest())),
            (ours, theirs) => ours.or(theirs),
        };
        let next_rtcp = self.next_rtcp.max(other.next_rtcp);
        Indices { rtp, roc: None, rtcp: None, first_rtcp: self.first_rtcp, next_rtcp }
    }

    pub(super) fn roc(&self) -> u32 {
        let highest = self.rtp.as_ref().map_or(0, Window::highest);
        (highest >> SEQ_BITS) as u32
    }

    pub(super) fn set_roc(&mut self, roc: u32) {
        self.roc = Some(roc);
    }

    /// Whether anything was sent or received.
    pub(super) fn is_used(&self) -> bool {
        self.rtp.is_some() || self.rtcp.is_some() || self.next_rtcp > self.first_rtcp
    }
}

/// One SSRC with its keys.
pub(super) struct Stream {
    pub(super) ring: Arc<Ring>,
    /// The keys before the last change, still good for what is under way.
    pub(super) previous: Option<Arc<Ring>>,
    /// Whether it came from the wildcard, and follows it.
    pub(super) wild: bool,
    /// Whether something was sent under other keys than those of `ring`.
    pub(super) sent_before: bool,
    pub(super) role: Option<Role>,
    pub(super) indices: Indices,
    pub(super) rtp_keys: Cached,
    pub(super) rtcp_keys: Cached,
}

impl Stream {
    pub(super) fn new(ring: Arc<Ring>, wild: bool) -> Stream {
        let indices = Indices::new(ring.policy.first_rtcp_index);
        Stream {
            ring,
            previous: None,
            wild,
            sent_before: false,
            role: None,
            indices,
            rtp_keys: Cached::default(),
            rtcp_keys: Cached::default(),
        }
    }

    /// Takes on other keys. The indices go on (RFC 3711 section 3.3.1: re-keying MUST NOT reset the roll-over counter), and since they never
    /// wrap, where they were at the change need not be kept to know their end (RFC 7714 section 13.1).
    pub(super) fn change(&mut self, ring: Arc<Ring>, overlap: bool) {
        let old = std::mem::replace(&mut self.ring, ring);
        self.sent_before |= self.has_sent();
        self.previous = overlap.then_some(old);
        self.rtp_keys = Cached::default();
        self.rtcp_keys = Cached::default();
    }

    /// Whether anything was sent, as far as is known.
    pub(super) fn has_sent(&self) -> bool {
        self.role != Some(Role::Receiver) && self.indices.is_used()
    }

    /// Notes which way a packet went; `false` if the stream goes the other way.
    #[inline]
    pub(super) fn goes(&mut self, role: Role) -> bool {
        *self.role.get_or_insert(role) == role
    }
}

/// The verdict on a received index.
pub(super) fn fresh(seen: Seen) -> Result<(), SrtpError> {
    match seen {
        Seen::Fresh => Ok(()),
        Seen::Marked => Err(SrtpError::Replayed),
        Seen::Behind => Err(SrtpError::TooOld),
    }
}
