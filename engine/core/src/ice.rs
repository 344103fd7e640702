//! Connectivity checks: the messages, and the limits on who may make us work.

mod message;

use std::hash::BuildHasher;
use std::net::SocketAddr;

use foldhash::quality::FixedState;

pub(crate) use message::{Check, Fault, IntegrityKey};

use crate::bucket::Bucket;
use crate::{Time, limits};

/// How many checks each source may send, and all strangers together.
pub(crate) struct CheckLimits {
    sources: Vec<Bucket>,
    strangers: Bucket,
    hash: FixedState,
}

impl CheckLimits {
    pub(crate) fn new(hash_seed: u64) -> CheckLimits {
        CheckLimits {
            sources: vec![Bucket::full(limits::CHECKS_PER_SECOND); limits::CHECK_BUCKETS],
            strangers: Bucket::full(limits::STRANGER_CHECKS_PER_SECOND),
            hash: FixedState::with_seed(hash_seed),
        }
    }

    /// Whether a check from `source` may cost an HMAC.
    pub(crate) fn allow(&mut self, source: &SocketAddr, is_validated: bool, now: Time) -> bool {
        let at = self.hash.hash_one(source) as usize % limits::CHECK_BUCKETS;
        let rate = limits::CHECKS_PER_SECOND;
        let all = limits::STRANGER_CHECKS_PER_SECOND;
        self.sources[at].take(now, rate, rate) && (is_validated || self.strangers.take(now, all, all))
    }
}
