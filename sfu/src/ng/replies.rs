//! Replies are kept for a while: a request that is repeated because a reply was lost must not be done twice.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::limits::{REPLY_BYTES, REPLY_TIME};

/// Who asked, and with which cookie. Cookies of two proxies may be alike.
type Key = (IpAddr, String);

/// What is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Never seen: it is to be done, and [`Replies::keep`] called with the outcome.
    Never,
    /// It is being done; its reply will come.
    Underway,
    /// It was done, with this reply.
    Answered(Arc<[u8]>),
}

/// Kept replies, bounded in time and bytes.
#[derive(Debug, Default)]
pub struct Replies {
    known: HashMap<Key, Option<Arc<[u8]>>>,
    /// In the order of answering.
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
}

impl Replies {
    /// Looks a request up; one that was never seen counts as underway from now on.
    pub fn look(&mut self, now: Instant, from: IpAddr, cookie: &str) -> Seen {
        self.forget(now);
        let key = (from, cookie.to_owned());
        match self.known.get(&key) {
            Some(Some(reply)) => Seen::Answered(Arc::clone(reply)),
            Some(None) => Seen::Underway,
            None => {
                self.known.insert(key, None);
                Seen::Never
            }
        }
    }

    /// Keeps the reply to a request.
    pub fn keep(&mut self, now: Instant, from: IpAddr, cookie: &str, reply: Arc<[u8]>) {
        let key = (from, cookie.to_owned());
        self.bytes += reply.len();
        self.known.insert(key.clone(), Some(reply));
        self.order.push_back((now, key));
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((answered, _)) = self.order.front() {
            if self.bytes <= REPLY_BYTES && now.saturating_duration_since(*answered) < REPLY_TIME {
                return;
            }
            if let Some((_, key)) = self.order.pop_front()
                && let Some(Some(reply)) = self.known.remove(&key)
            {
                self.bytes -= reply.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_repeated_request_is_answered_alike_and_done_once() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        assert_eq!(replies.look(now, PROXY, "1_1"), Seen::Never);
        assert_eq!(replies.look(now, PROXY, "1_1"), Seen::Underway);
        replies.keep(now, PROXY, "1_1", Arc::from(*b"1_1 reply"));
        assert_eq!(replies.look(now, PROXY, "1_1"), Seen::Answered(Arc::from(*b"1_1 reply")));
        assert_eq!(replies.look(now, [10, 0, 0, 1].into(), "1_1"), Seen::Never, "another proxy's cookie");
    }

    #[test]
    fn replies_are_forgotten_by_age_and_by_size() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        let _ = replies.look(now, PROXY, "old");
        replies.keep(now, PROXY, "old", Arc::from(*b"x"));
        assert_eq!(replies.look(now + REPLY_TIME, PROXY, "old"), Seen::Never);

        let large: Arc<[u8]> = vec![0; REPLY_BYTES / 4].into();
        for cookie in ["a", "b", "c", "d", "e"] {
            let _ = replies.look(now, PROXY, cookie);
            replies.keep(now + Duration::from_millis(1), PROXY, cookie, Arc::clone(&large));
        }
        assert!(replies.bytes <= REPLY_BYTES);
        assert_eq!(replies.look(now, PROXY, "e"), Seen::Answered(Arc::clone(&large)));
        assert_eq!(replies.look(now, PROXY, "a"), Seen::Never);
    }
}
