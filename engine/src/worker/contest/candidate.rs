//! One of those that try for a leg, and what it may cost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kaname_wire::path::Path;

use crate::limits::{HANDSHAKE_TIME, PROOF_TIME, PROOFS};
use crate::worker::context::Context;
use crate::worker::dtls::{Association, Broken, News};
use crate::worker::hello::RANDOM;

/// A handshake that the other side began.
pub(super) struct Candidate {
    pub(super) from: SocketAddr,
    pub(super) random: [u8; RANDOM],
    pub(super) association: Box<Association>,
    /// How it was asked to show that it is where it says.
    pub(super) question: Option<Box<[u8]>>,
    /// It has shown it.
    pub(super) proven: bool,
    /// Began, or was proven.
    pub(super) since: Instant,
}

/// What became of a datagram that was fed to an association.
pub(super) enum Fed {
    /// With the latest datagram that was sent.
    On {
        latest: Option<Box<[u8]>>,
    },
    Done(Vec<News>),
    Broken(Broken),
}

impl Candidate {
    /// What has not proved itself is never repeated to.
    pub(super) fn deadline(&self) -> Instant {
        let of_dtls = self.association.deadline().filter(|_| self.proven);
        of_dtls.map_or(self.ends(), |at| at.min(self.ends()))
    }

    pub(super) fn ends(&self) -> Instant {
        self.since + if self.proven { HANDSHAKE_TIME } else { PROOF_TIME }
    }
}

/// Sends what an association wants sent, unless it is done: its keys go ahead of its last records then. One that broke says
/// nothing: what broke it need not be the peer's, and our alert, in the clear as it is, would end the peer's own handshake.
pub(super) fn settle(
    result: Result<(), Broken>,
    news: Vec<News>,
    to: Option<Path>,
    context: &mut Context<'_>,
) -> Fed {
    if result.is_ok() && news.iter().any(|item| matches!(item, News::Keys(_))) {
        return Fed::Done(news);
    }
    if let Err(Broken::Protocol) = result {
        return Fed::Broken(Broken::Protocol);
    }
    let mut latest = None;
    for item in news {
        if let News::Packet(packet) = item {
            context.send(to, packet.clone());
            latest = Some(packet);
        }
    }
    match result {
        Ok(()) => Fed::On { latest },
        Err(broken) => Fed::Broken(broken),
    }
}

/// So many at once, and so many a second.
pub(super) struct Allowance {
    left: u32,
    filled: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Allowance {
        Allowance { left: PROOFS, filled: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        const EACH: Duration = Duration::from_millis(1000 / PROOFS as u64);
        while self.left < PROOFS && self.filled + EACH <= now {
            self.left += 1;
            self.filled += EACH;
        }
        if self.left == PROOFS {
            self.filled = now;
        }
        let some = self.left > 0;
        self.left -= u32::from(some);
        some
    }
}
