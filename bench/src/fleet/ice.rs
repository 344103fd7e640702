//! Connectivity checks of the controlling side towards a lite agent (RFC 8445, RFC 7675). The messages are written and
//! read by a foreign library, so that harness and node cannot share a mistake.

use std::net::SocketAddr;
use stun_types::attribute::{AttributeType, RawAttribute, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageWrite,
    MessageWriteExt, MessageWriteVec, ShortTermCredentials, TransactionId,
};

const PRIORITY: AttributeType = AttributeType::new(0x0024);
const USE_CANDIDATE: AttributeType = AttributeType::new(0x0025);
const ICE_CONTROLLING: AttributeType = AttributeType::new(0x802a);

/// RFC 8445 section 5.1.2.1: a peer-reflexive candidate (110) of the first component.
const CHECK_PRIORITY: u32 = 110 << 24 | 65_535 << 8 | 255;

/// Between checks while none was answered, doubled each time (RFC 8489 section 6.2.1), in nanoseconds.
const FIRST_RETRY_NS: u64 = 100_000_000;
/// RFC 7675 section 5.1: consent is asked for about every 5 seconds.
const CONSENT_NS: u64 = 5_000_000_000;
/// Checks without an answer before a client is given up. Seven doublings are 12 s.
const CHECKS: u32 = 7;

/// The state of one client's only candidate pair.
pub(super) struct Checks {
    user: Username,
    remote: MessageIntegrityCredentials,
    tie_breaker: [u8; 8],
    open: Option<TransactionId>,
    unanswered: u32,
    due_ns: u64,
    /// A check was answered: media may flow.
    connected: bool,
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The pair works, for the first time.
    Connected,
    /// It still does.
    Renewed,
    /// Not an answer to an open check of ours, or not by the node.
    Ignored,
}

impl Checks {
    /// `None` if a user name is too long for STUN.
    pub(super) fn new(
        own: &str,
        theirs: &str,
        password: &str,
        tie_breaker: u64,
        now_ns: u64,
    ) -> Option<Checks> {
        Some(Checks {
            user: Username::new(&format!("{theirs}:{own}")).ok()?,
            remote: ShortTermCredentials::new(password.to_owned()).into(),
            tie_breaker: tie_breaker.to_be_bytes(),
            open: None,
            unanswered: 0,
            due_ns: now_ns,
            connected: false,
        })
    }

    pub(super) fn due_ns(&self) -> u64 {
        self.due_ns
    }

    /// Whether a check was answered.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the other side is silent for good.
    pub(super) fn has_failed(&self) -> bool {
        self.unanswered > CHECKS
    }

    /// The check to send now.
    pub(super) fn check(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
        message.add_attribute(&self.user).ok()?;
        message.add_attribute(&RawAttribute::new(PRIORITY, &CHECK_PRIORITY.to_be_bytes())).ok()?;
        message.add_attribute(&RawAttribute::new(ICE_CONTROLLING, &self.tie_breaker)).ok()?;
        // The other side is lite and there is one pair: it is nominated at once, as browsers do.
        message.add_attribute(&RawAttribute::new(USE_CANDIDATE, &[])).ok()?;
        message.add_message_integrity(&self.remote, IntegrityAlgorithm::Sha1).ok()?;
        message.add_fingerprint().ok()?;
        self.open = Some(message.transaction_id());
        self.due_ns =
            now_ns + if self.connected { CONSENT_NS } else { FIRST_RETRY_NS << self.unanswered.min(CHECKS) };
        self.unanswered += 1;
        Some(message.finish())
    }

    /// Takes a STUN message that came in.
    pub(super) fn answer(&mut self, bytes: &[u8], local: SocketAddr) -> Answer {
        let Ok(message) = Message::from_bytes(bytes) else { return Answer::Ignored };
        let known = self.open.is_some_and(|open| open == message.transaction_id());
        if !known
            || !message.has_class(MessageClass::Success)
            || message.validate_integrity(&self.remote).is_err()
        {
            return Answer::Ignored;
        }
        let mapped = message.attribute::<XorMappedAddress>().map(|a| a.addr(message.transaction_id()));
        // Without address translation in between, the node must have seen us where we are.
        if mapped.ok() != Some(local) {
            return Answer::Ignored;
        }
        self.open = None;
        self.unanswered = 0;
        if std::mem::replace(&mut self.connected, true) { Answer::Renewed } else { Answer::Connected }
    }

    /// Puts the first consent check off, so that those of a fleet do not come all at once.
    pub(super) fn spread(&mut self, now_ns: u64, by: u64) {
        self.due_ns = now_ns + CONSENT_NS / 2 + by % (CONSENT_NS / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "a-password-of-22-chars";

    fn reply(check: &[u8], password: &str, mapped: &str) -> Vec<u8> {
        let request = Message::from_bytes(check).unwrap();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        let mapped = XorMappedAddress::new(mapped.parse().unwrap(), request.transaction_id());
        answer.add_attribute(&mapped).unwrap();
        let credentials = ShortTermCredentials::new(password.to_owned()).into();
        answer.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).unwrap();
        answer.finish()
    }

    #[test]
    fn only_the_nodes_answer_about_our_own_address_connects() {
        let mut checks = Checks::new("mine", "theirs", PASSWORD, 7, 0).unwrap();
        let local = "127.0.0.9:5000";
        let check = checks.check(0).unwrap();
        let take = |checks: &mut Checks, bytes: &[u8]| checks.answer(bytes, local.parse().unwrap());
        assert_eq!(take(&mut checks, &reply(&check, "another", local)), Answer::Ignored);
        assert_eq!(take(&mut checks, &reply(&check, PASSWORD, "127.0.0.9:5001")), Answer::Ignored);
        assert_eq!(take(&mut checks, b"nothing"), Answer::Ignored);
        assert_eq!(take(&mut checks, &reply(&check, PASSWORD, local)), Answer::Connected);
        assert_eq!(take(&mut checks, &reply(&check, PASSWORD, local)), Answer::Ignored, "it was answered");
        let again = checks.check(1).unwrap();
        assert_eq!(take(&mut checks, &reply(&again, PASSWORD, local)), Answer::Renewed);
    }

    #[test]
    fn silence_is_given_up() {
        let mut checks = Checks::new("mine", "theirs", PASSWORD, 7, 0).unwrap();
        let mut now = 0;
        while !checks.has_failed() {
            assert!(checks.check(now).is_some());
            assert!(checks.due_ns() > now);
            now = checks.due_ns();
        }
        assert!((10_000_000_000..60_000_000_000).contains(&now), "{now}");
    }
}
