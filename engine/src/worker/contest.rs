//! A handshake that others may try to take part in: of legs on ports of their own, where anyone may send, and of legs where
//! we begin. Whoever completes first with the signalled certificate is the peer.
//!
//! What a stranger can do is bounded at each step. A ClientHello gets an answer shorter than itself, which asks its
//! sender to show that it is where it says; until then its state is one of few, and the oldest of those goes first. Only
//! with the proof comes the work of a handshake, and only so much of it a second. The signalled address has its own
//! share of everything, so strangers take nothing from it. Each hello of an address is a handshake of its own,
//! told apart by its random, so one that was forged in the peer's name does not disturb the peer's.

mod candidate;

use std::net::SocketAddr;
use std::time::Instant;

use kaname_core::command::{Learn, Remote};
use kaname_wire::path::Path;

use candidate::{Allowance, Candidate, Fed, settle};

use super::context::Context;
use super::dtls::{Association, Broken, Expected, News, Part};
use super::hello::{Hello, RANDOM, client_hello, is_first_hello, is_foreign, is_server_hello};
use crate::counters::count;
use crate::limits::{
    ACTIVE_DELAY, ACTIVE_TIME, FLIGHT_TIME, MAX_HALF_OPEN, MAX_PROVEN, MAX_UNPROVEN, MAX_UNPROVEN_KNOWN,
    MAX_UNPROVEN_STRANGERS, REFUSED_TIME,
};
use crate::{DtlsParams, DtlsPeer, DtlsRole, SecureError};

/// How it stands.
pub(super) enum Outcome {
    /// It goes on.
    Open,
    /// The handshake is done; with what is to be told of it, keys and our last records.
    Won { association: Box<Association>, path: Option<Path>, news: Vec<News> },
    /// The peer itself cannot have keys.
    Lost(SecureError),
}

/// The handshake that we began.
struct Own {
    association: Option<Box<Association>>,
    /// When the next attempt begins, unless one goes on.
    next: Instant,
    /// The first did.
    began: Instant,
}

/// All that try for one leg.
pub(super) struct Contest {
    expected: Expected,
    /// `None`: those that ICE has validated.
    port: Option<(u32, Remote)>,
    own: Option<Own>,
    /// The oldest first.
    candidates: Vec<Candidate>,
    /// Why the peer's address cannot have keys, by what it showed, and when it first did.
    refused: Option<(Instant, SecureError)>,
    of_known: Allowance,
    of_strangers: Allowance,
}

impl Contest {
    /// `None`: the peer begins, and ICE has validated it: there is nothing to contend for.
    pub(super) fn new(params: &DtlsParams, now: Instant) -> Option<Contest> {
        let port = match params.peer {
            DtlsPeer::Validated => None,
            DtlsPeer::Signalled { local, remote, .. } => Some((local, remote)),
        };
        let own = (params.role == DtlsRole::Active).then_some(Own {
            association: None,
            next: now + ACTIVE_DELAY,
            began: now,
        });
        (port.is_some() || own.is_some()).then(|| Contest {
            expected: params.into(),
            port,
            own,
            candidates: Vec::new(),
            refused: None,
            of_known: Allowance::new(now),
            of_strangers: Allowance::new(now),
        })
    }

    /// Handshakes that are being worked on, and those that have yet to prove themselves.
    pub(super) fn open(&self) -> (usize, usize) {
        let proven = self.candidates.iter().filter(|candidate| candidate.proven).count();
        let own = self.own.as_ref().is_some_and(|own| own.association.is_some());
        (proven + usize::from(own), self.candidates.len() - proven)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let of_own = self.own.as_ref().map(|own| {
            let next = own.association.as_ref().map_or(Some(own.next), |a| a.deadline());
            next.map_or(own.began + ACTIVE_TIME, |next| next.min(own.began + ACTIVE_TIME))
        });
        let of_refusal = self.refused.map(|(at, _)| at + REFUSED_TIME);
        self.candidates.iter().map(Candidate::deadline).chain(of_own).chain(of_refusal).min()
    }

    /// Sends our ClientHello.
    fn begin(&mut self, context: &mut Context<'_>) -> Outcome {
        let to = self.to();
        let Some(own) = &mut self.own else { return Outcome::Open };
        if context.half_open >= MAX_HALF_OPEN {
            count(&context.counters().dtls_dropped_half_open);
            own.next = context.now + FLIGHT_TIME;
            return Outcome::Open;
        }
        count(&context.counters().dtls_started);
        own.next = context.now + FLIGHT_TIME;
        let expected = self.expected.clone();
        let association = Association::new(context.identity, Part::Client, expected, context.now);
        let mut association = Box::new(association);
        let mut news = Vec::new();
        let result = association.timeout(context.now, context.room, &mut news);
        let fed = settle(result, news, to, context);
        own.association = Some(association);
        self.judge_own(fed, context)
    }

    pub(super) fn datagram(&mut self, path: Path, datagram: &[u8], context: &mut Context<'_>) -> Outcome {
        let strange = self.port.is_some_and(|(local, remote)| {
            let only_signalled = self.own.is_some() || remote.learn == Learn::Never;
            path.local != local || only_signalled && remote.rtp != Some(path.remote)
        });
        if strange {
            count(&context.counters().dtls_dropped_stranger);
            return Outcome::Open;
        }
        if is_foreign(datagram, self.own.is_none()) {
            count(&context.counters().dtls_dropped_no_handshake);
            return Outcome::Open;
        }
        if self.own.is_some() {
            return self.own_datagram(datagram, context);
        }
        let at = match client_hello(datagram) {
            Some(Hello::First(random)) => self.greeted(path, datagram, random, context),
            // Of whoever spoke last: its first fragment came a moment ago.
            Some(Hello::Later) => self.candidates.iter().rposition(|c| c.from == path.remote && !c.proven),
            None => self.candidates.iter().rposition(|c| c.from == path.remote && c.proven),
        };
        let Some(at) = at else {
            if client_hello(datagram).is_none() {
                count(&context.counters().dtls_dropped_no_handshake);
            }
            return Outcome::Open;
        };
        if !self.candidates[at].association.admits(datagram) {
            count(&context.counters().dtls_dropped_no_handshake);
            return Outcome::Open;
        }
        let mut news = Vec::new();
        let result = self.candidates[at].association.datagram(datagram, context.now, context.room, &mut news);
        let fed = settle(result, news, Some(path), context);
        self.judge(at, path, fed, context)
    }

    pub(super) fn timeout(&mut self, context: &mut Context<'_>) -> Outcome {
        let now = context.now;
        if let Some((_, reason)) = self.refused.filter(|(at, _)| now >= *at + REFUSED_TIME) {
            return Outcome::Lost(reason);
        }
        let before = self.candidates.len();
        self.candidates.retain(|candidate| now < candidate.ends());
        for _ in self.candidates.len()..before {
            count(&context.counters().dtls_displaced);
        }
        // From the last one on: what is over leaves the list.
        for at in (0..self.candidates.len()).rev() {
            let candidate = &mut self.candidates[at];
            let Some((local, _)) = self.port.filter(|_| candidate.deadline() <= now) else { continue };
            let path = Path::udp(local, candidate.from);
            let mut news = Vec::new();
            let result = candidate.association.timeout(now, context.room, &mut news);
            let fed = settle(result, news, Some(path), context);
            match self.judge(at, path, fed, context) {
                Outcome::Open => {}
                decided => return decided,
            }
        }
        self.own_timeout(context)
    }

    fn own_timeout(&mut self, context: &mut Context<'_>) -> Outcome {
        let to = self.to();
        let Some(own) = &mut self.own else { return Outcome::Open };
        if context.now >= own.began + ACTIVE_TIME {
            return Outcome::Lost(SecureError::Timeout);
        }
        match &mut own.association {
            Some(association) if association.deadline().is_some_and(|at| at <= context.now) => {
                let mut news = Vec::new();
                let result = association.timeout(context.now, context.room, &mut news);
                let fed = settle(result, news, to, context);
                self.judge_own(fed, context)
            }
            None if context.now >= own.next => self.begin(context),
            _ => Outcome::Open,
        }
    }

    /// What may be the answer to our ClientHello, or may follow it.
    fn own_datagram(&mut self, datagram: &[u8], context: &mut Context<'_>) -> Outcome {
        let to = self.to();
        let association = self.own.as_mut().and_then(|own| own.association.as_mut());
        // Ahead of an answer the library takes anything else for the end.
        let awaited = |a: &&mut Box<Association>| a.is_answered() || is_server_hello(datagram);
        let admitted = |a: &mut &mut Box<Association>| a.admits(datagram);
        let Some(association) = association.filter(awaited).take_if(admitted) else {
            count(&context.counters().dtls_dropped_no_handshake);
            return Outcome::Open;
        };
        let mut news = Vec::new();
        let result = association.datagram(datagram, context.now, context.room, &mut news);
        let fed = settle(result, news, to, context);
        self.judge_own(fed, context)
    }

    fn judge_own(&mut self, fed: Fed, context: &mut Context<'_>) -> Outcome {
        let path = self.to();
        let Some(own) = &mut self.own else { return Outcome::Open };
        match fed {
            Fed::On { .. } => Outcome::Open,
            Fed::Done(news) => match own.association.take() {
                Some(association) => Outcome::Won { association, path, news },
                None => Outcome::Open,
            },
            // Nothing that came is authentic: we begin anew, after a moment.
            Fed::Broken(broken) => {
                own.association = None;
                match broken {
                    Broken::Protocol => count(&context.counters().dtls_broken),
                    Broken::Refused(reason) => self.refuse(reason, context),
                }
                Outcome::Open
            }
        }
    }

    /// What the peer's address showed is no peer of ours. It may be forged, so there is a moment for the peer itself.
    fn refuse(&mut self, reason: SecureError, context: &Context<'_>) {
        count(&context.counters().dtls_refused);
        self.refused.get_or_insert((context.now, reason));
    }

    /// The handshake that a ClientHello belongs to: made now if it is new.
    fn greeted(
        &mut self,
        path: Path,
        datagram: &[u8],
        random: [u8; RANDOM],
        context: &Context<'_>,
    ) -> Option<usize> {
        let counters = context.counters();
        let from = path.remote;
        let known = self.is_known(from);
        let at = self.candidates.iter().position(|c| c.from == from && c.random == random);
        if let Some(at) = at {
            if let Some(question) = self.candidates[at].question.clone().filter(|_| is_first_hello(datagram))
            {
                // The question was lost.
                context.send(Some(path), question);
                return None;
            }
            // With the proof in it.
            let allowance = if known { &mut self.of_known } else { &mut self.of_strangers };
            if !self.candidates[at].proven && !allowance.take(context.now) {
                count(&counters.dtls_dropped_attempts);
                return None;
            }
            return Some(at);
        }
        let most = if known { MAX_UNPROVEN } else { MAX_UNPROVEN / 2 };
        let of_class = self.of_class(known, false);
        let full = of_class.len() >= if known { MAX_UNPROVEN_KNOWN } else { MAX_UNPROVEN_STRANGERS };
        if full && let Some(oldest) = of_class.first() {
            self.candidates.remove(*oldest);
            count(&counters.dtls_displaced);
        } else if context.unproven >= most {
            count(&counters.dtls_dropped_half_open);
            return None;
        }
        count(&counters.dtls_doubted);
        let part = Part::DoubtingServer;
        let association = Association::new(context.identity, part, self.expected.clone(), context.now);
        let association = Box::new(association);
        let since = context.now;
        self.candidates.push(Candidate { from, random, association, question: None, proven: false, since });
        Some(self.candidates.len() - 1)
    }

    fn judge(&mut self, at: usize, path: Path, fed: Fed, context: &mut Context<'_>) -> Outcome {
        match fed {
            Fed::On { latest: None } => Outcome::Open,
            Fed::On { latest } => {
                let Candidate { proven, association, question, .. } = &mut self.candidates[at];
                if association.is_in_doubt() {
                    *question = latest;
                } else if !*proven {
                    *question = None;
                    self.proved(at, context);
                }
                Outcome::Open
            }
            Fed::Done(news) => {
                let Candidate { association, .. } = self.candidates.remove(at);
                Outcome::Won { association, path: Some(path), news }
            }
            Fed::Broken(broken) => {
                let proven = self.candidates.remove(at).proven;
                let Broken::Refused(reason) = broken else {
                    count(&context.counters().dtls_broken);
                    return Outcome::Open;
                };
                // The signalled address itself, and it has shown that it is there.
                if proven && self.is_known(path.remote) {
                    self.refuse(reason, context);
                } else {
                    count(&context.counters().dtls_strangers_refused);
                }
                Outcome::Open
            }
        }
    }

    /// A candidate has shown that it is where it says; it is among few then.
    fn proved(&mut self, at: usize, context: &Context<'_>) {
        let counters = context.counters();
        count(&counters.dtls_started);
        let known = self.is_known(self.candidates[at].from);
        let of_class = self.of_class(known, true);
        let displaced = (of_class.len() >= MAX_PROVEN).then(|| of_class[0]);
        self.candidates[at].proven = true;
        self.candidates[at].since = context.now;
        let leaves = displaced.or((context.half_open >= MAX_HALF_OPEN).then_some(at));
        if let Some(leaves) = leaves {
            self.candidates.remove(leaves);
            count(&counters.dtls_displaced);
        }
    }

    /// Candidates from the signalled address or from others, proven or not.
    fn of_class(&self, known: bool, proven: bool) -> Vec<usize> {
        let is_of = |c: &Candidate| self.is_known(c.from) == known && c.proven == proven;
        self.candidates.iter().enumerate().filter(|(_, c)| is_of(c)).map(|(at, _)| at).collect()
    }

    fn is_known(&self, from: SocketAddr) -> bool {
        self.port.is_some_and(|(_, remote)| remote.rtp == Some(from))
    }

    /// Where our own records go; `None`: where the leg sends.
    fn to(&self) -> Option<Path> {
        let (local, remote) = self.port?;
        remote.rtp.map(|to| Path::udp(local, to))
    }
}
