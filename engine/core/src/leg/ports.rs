//! Where the peer of a leg on ports of its own is: where it was said to be, or where it was learned to be.
//!
//! Nothing here is believed for a packet under SRTP until it was authentic. Of packets in the clear the signalled
//! address is believed at once, and another only by the rules of [`Learn`].

use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use kaname_wire::path::Path;

use crate::bucket::Bucket;
use crate::command::{Learn, Remote};
use crate::counters::DropReason;
use crate::{Time, limits};

/// What an RTP header claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// No tag will prove it.
    pub(crate) plain: bool,
}

/// A source in the clear that may become the peer.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    /// The number that its next packet has.
    next: u16,
    packets: u8,
    heard: Time,
}

/// The ports of a leg and where its peer is.
pub(crate) struct Ports {
    pub(crate) rtp: u32,
    pub(crate) rtcp: Option<u32>,
    /// Whether what comes to the RTP port may wait, as last told.
    pub(crate) waits: Option<bool>,
    /// The peer is where its checks come from: nothing is learned here.
    has_ice: bool,
    learn: Learn,
    signalled: Option<SocketAddr>,
    signalled_rtcp: Option<SocketAddr>,
    /// Where the peer's RTP comes from and ours goes to; the same for RTCP, once learned.
    at: Option<SocketAddr>,
    rtcp_at: Option<SocketAddr>,
    /// Something that was believed came from there.
    confirmed: bool,
    /// The end of the window.
    until: Time,
    /// The address signalled before, and where the peer was then: a hold ends where it began.
    before: Option<(SocketAddr, SocketAddr)>,
    /// Where the peer was until it was said to be elsewhere, and since when: whoever sends from there counts for nothing
    /// for a while.
    left: Option<(SocketAddr, Time)>,
    /// When it was learned to be elsewhere.
    moved: Option<Time>,
    /// Of the last packet that was believed.
    ssrc: Option<u32>,
    heard: Time,
    candidates: ArrayVec<Candidate, { limits::LEARN_SOURCES }>,
    /// DTLS records from elsewhere.
    strangers: Bucket,
}

/// An address to which something can be sent.
fn usable(address: Option<SocketAddr>) -> Option<SocketAddr> {
    address.filter(|it| !it.ip().is_unspecified() && !it.ip().is_multicast() && it.port() != 0)
}

impl Ports {
    pub(crate) fn new(rtp: u32, rtcp: Option<u32>, has_ice: bool, remote: Remote, now: Time) -> Ports {
        let mut ports = Ports {
            rtp,
            rtcp,
            waits: None,
            has_ice,
            learn: remote.learn,
            signalled: None,
            signalled_rtcp: None,
            at: None,
            rtcp_at: None,
            confirmed: false,
            until: now,
            before: None,
            left: None,
            moved: None,
            ssrc: None,
            heard: now,
            candidates: ArrayVec::new(),
            strangers: Bucket::full(limits::STRANGER_DATAGRAMS_PER_SECOND),
        };
        ports.set_remote(remote, now);
        ports
    }

    /// Where RTP is sent.
    pub(crate) fn path(&self) -> Option<Path> {
        self.at.map(|at| Path::udp(self.rtp, at))
    }

    /// Where RTCP is sent.
    pub(crate) fn rtcp_path(&self) -> Option<Path> {
        let Some(local) = self.rtcp else { return self.path() };
        let at = self.at?;
        let signalled = self.signalled_rtcp.filter(|_| self.at == self.signalled);
        // RFC 3550 section 11: the next higher port.
        let above = || at.port().checked_add(1).map(|port| SocketAddr::new(at.ip(), port));
        self.rtcp_at.or(signalled).or_else(above).map(|to| Path::udp(local, to))
    }

    /// The peer is said to be elsewhere, or to be where it was said to be.
    pub(crate) fn set_remote(&mut self, remote: Remote, now: Time) {
        let signalled = usable(remote.rtp);
        let rtcp = usable(remote.rtcp);
        if rtcp != self.signalled_rtcp {
            self.rtcp_at = None;
        }
        if signalled != self.signalled {
            let was = self.signalled.zip(self.at).filter(|_| self.confirmed);
            self.left = self.at.map(|at| (at, now));
            let back = self.before.filter(|(said, _)| Some(*said) == signalled).map(|(_, at)| at);
            (self.at, self.confirmed, self.rtcp_at) = (back.or(signalled), back.is_some(), None);
            if self.at == self.left.map(|(at, _)| at) || back.is_some() {
                self.left = None;
            }
            self.before = was.or(self.before);
            self.candidates.clear();
        }
        // On hold, nobody is heard.
        if signalled.is_none() && remote.learn == Learn::Never {
            (self.at, self.confirmed) = (None, false);
        }
        (self.signalled, self.signalled_rtcp, self.learn) = (signalled, rtcp, remote.learn);
        self.until = now + limits::LEARN_WINDOW;
    }

    /// Whether media from `path` may be the peer's. In the clear it then is; under SRTP a tag must prove it. True: the peer
    /// was elsewhere until now.
    pub(crate) fn admits(&mut self, path: &Path, claim: Claim, now: Time) -> Result<bool, DropReason> {
        if path.local != self.rtp {
            return Err(DropReason::WrongPort);
        }
        let from = path.remote;
        if self.is_peer(from) {
            // Whoever was learned in the clear is not heard any more, whatever it sends.
            return Ok(claim.plain && self.at != Some(from) && self.hear(from, claim.ssrc, true, now));
        }
        let is_open = match claim.plain {
            true => self.is_open_in_the_clear(from, claim.ssrc, now),
            false => self.is_open(from, limits::STRAGGLERS, now),
        };
        if !is_open {
            return Err(DropReason::ForeignSource);
        }
        if !claim.plain || self.is_consistent(from, claim, now) {
            return Ok(false);
        }
        Err(DropReason::SourceNotLearned)
    }

    /// The signalled address always wins.
    fn is_peer(&self, from: SocketAddr) -> bool {
        !self.has_ice && (self.at == Some(from) || self.signalled == Some(from))
    }

    /// Whether anyone else may prove to be the peer. `gone`: how long one that has left may not.
    fn is_open(&self, from: SocketAddr, gone: Duration, now: Time) -> bool {
        let has_left = self.left.is_some_and(|(at, since)| at == from && now.since(since) < gone);
        let has_just_moved = self.moved.is_some_and(|moved| now.since(moved) < limits::MOVE_INTERVAL);
        if self.has_ice || has_left || has_just_moved {
            return false;
        }
        match self.learn {
            Learn::Never => false,
            Learn::Window => !self.confirmed || now < self.until,
            Learn::Handover => true,
        }
    }

    /// The same, where nothing proves it.
    fn is_open_in_the_clear(&self, from: SocketAddr, ssrc: u32, now: Time) -> bool {
        let same_family = self.signalled.is_none_or(|it| it.is_ipv4() == from.is_ipv4());
        // Nothing tells a party that was transferred away from one behind the same NAT.
        if !same_family || !self.is_open(from, limits::LEARN_WINDOW, now) {
            return false;
        }
        let is_silent = now.since(self.heard) >= limits::HANDOVER_SILENCE;
        match (self.confirmed, self.learn) {
            (false, _) => now < self.until,
            // Settled: a window that a new offer opened is for those whose peer has gone silent.
            (true, Learn::Handover) if now >= self.until => is_silent && self.ssrc == Some(ssrc),
            (true, _) => is_silent && now < self.until,
        }
    }

    /// Counts a packet of a source that is not the peer yet; whether it has sent enough in a row.
    fn is_consistent(&mut self, from: SocketAddr, claim: Claim, now: Time) -> bool {
        let Claim { ssrc, sequence, .. } = claim;
        let next = sequence.wrapping_add(1);
        let known = self.candidates.iter_mut().find(|it| it.from == from);
        if let Some(known) = known {
            let follows = known.ssrc == ssrc && known.next == sequence;
            known.packets = if follows { known.packets.saturating_add(1) } else { 1 };
            (known.ssrc, known.next, known.heard) = (ssrc, next, now);
            return known.packets >= limits::LEARN_PACKETS;
        }
        if self.candidates.is_full() {
            let oldest = self.candidates.iter().enumerate().min_by_key(|(_, it)| it.heard).map(|(at, _)| at);
            oldest.into_iter().for_each(|at| _ = self.candidates.swap_remove(at));
        }
        self.candidates.push(Candidate { from, ssrc, next, packets: 1, heard: now });
        false
    }

    /// A packet from there is believed, and newer than all before it. True: the peer was elsewhere until now.
    pub(crate) fn hear(&mut self, from: SocketAddr, ssrc: u32, plain: bool, now: Time) -> bool {
        if self.has_ice {
            return false;
        }
        (self.heard, self.ssrc) = (now, Some(ssrc));
        let moved = self.at != Some(from);
        if moved {
            let is_other_host = self.at.is_none_or(|at| at.ip() != from.ip());
            if is_other_host {
                self.rtcp_at = None;
            }
            self.at = Some(from);
            self.moved = Some(now);
        }
        if moved || !self.confirmed {
            self.confirmed = true;
            self.candidates.clear();
            // Settled: in the clear by anyone, under SRTP by the signalled address.
            if plain || self.signalled == Some(from) {
                self.until = now;
            }
        }
        moved
    }

    /// Whether RTCP from `path` may be the peer's.
    pub(crate) fn admits_rtcp(&self, path: &Path, plain: bool, now: Time) -> Result<(), DropReason> {
        let from = path.remote;
        let is_known = if self.rtcp == Some(path.local) {
            let is_there = !self.has_ice && self.rtcp_path().is_some_and(|it| it.remote == from);
            // RTCP by itself moves nothing in the clear: it comes from where RTP does.
            let is_beside = self.rtcp_at.is_none() && self.at.is_some_and(|at| at.ip() == from.ip());
            is_there || (is_beside && self.learn != Learn::Never && !self.has_ice)
        } else {
            self.is_peer(from)
        };
        let may_prove = !plain && self.is_open(from, limits::STRAGGLERS, now);
        if is_known || may_prove { Ok(()) } else { Err(DropReason::ForeignSource) }
    }

    /// RTCP from `path` is believed. True: ours goes elsewhere from now on.
    pub(crate) fn hear_rtcp(&mut self, path: &Path) -> bool {
        if self.has_ice || self.rtcp != Some(path.local) || self.rtcp_path() == Some(*path) {
            return false;
        }
        self.rtcp_at = Some(path.remote);
        true
    }

    /// Whether a DTLS record from `path` is for the handshake: from the peer within the leg's budget, from all others
    /// within theirs.
    pub(crate) fn admits_dtls(
        &mut self,
        path: &Path,
        budget: &mut Bucket,
        now: Time,
    ) -> Result<(), DropReason> {
        if self.has_ice || !self.has(path.local) {
            return Err(DropReason::DtlsUnknownPath);
        }
        // Where RTCP has a port of its own it has a handshake of its own (RFC 5764 section 4.1).
        let is_peer = match path.local == self.rtp {
            true => self.is_peer(path.remote),
            false => self.rtcp_path() == Some(*path) || self.signalled_rtcp == Some(path.remote),
        };
        if !is_peer && self.learn == Learn::Never {
            return Err(DropReason::ForeignSource);
        }
        let (bucket, rate) = match is_peer {
            true => (budget, limits::DATAGRAMS_PER_SECOND),
            false => (&mut self.strangers, limits::STRANGER_DATAGRAMS_PER_SECOND),
        };
        if bucket.take(now, rate, rate) { Ok(()) } else { Err(DropReason::DtlsRate) }
    }

    /// Whether the local socket is one of them.
    pub(crate) fn has(&self, local: u32) -> bool {
        self.rtp == local || self.rtcp == Some(local)
    }
}
