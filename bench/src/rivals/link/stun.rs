//! Connectivity checks (RFC 8489, RFC 8445), by stun-types.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeType, RawAttribute, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageWrite,
    MessageWriteExt, MessageWriteVec, ShortTermCredentials,
};

use crate::rivals::RivalError;

/// RFC 8445 section 16.1.
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const ICE_CONTROLLING: u16 = 0x802a;
/// Header of a message: type, length, cookie, transaction (RFC 8489 section 5).
const TRANSACTION: std::ops::Range<usize> = 4..20;

/// A check that nominates its path.
pub(super) fn request(
    remote_ufrag: &str,
    local_ufrag: &str,
    remote_password: &str,
) -> Result<Vec<u8>, RivalError> {
    let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
    let user = Username::new(&format!("{remote_ufrag}:{local_ufrag}")).map_err(failed)?;
    message.add_attribute(&user).map_err(failed)?;
    let extra: [(u16, &[u8]); 3] =
        [(PRIORITY, &[110, 0, 1, 255]), (USE_CANDIDATE, &[]), (ICE_CONTROLLING, &[1; 8])];
    for (kind, value) in extra {
        message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value)).map_err(failed)?;
    }
    sign(message, remote_password)
}

/// Whether this answers the request with success. Loopback is trusted: its integrity is not looked at.
pub(super) fn is_success(datagram: &[u8], request: &[u8]) -> bool {
    Message::from_bytes(datagram)
        .is_ok_and(|m| m.class() == MessageClass::Success && datagram[TRANSACTION] == request[TRANSACTION])
}

/// The answer to a check of the other side; `None` if this is none.
pub(super) fn response(datagram: &[u8], from: SocketAddr, local_password: &str) -> Option<Vec<u8>> {
    let request = Message::from_bytes(datagram).ok().filter(|m| m.class() == MessageClass::Request)?;
    let mut message = Message::builder_success(&request, MessageWriteVec::new());
    message.add_attribute(&XorMappedAddress::new(from, request.transaction_id())).ok()?;
    sign(message, local_password).ok()
}

fn sign(mut message: MessageWriteVec, password: &str) -> Result<Vec<u8>, RivalError> {
    let credentials = MessageIntegrityCredentials::from(ShortTermCredentials::new(password.to_owned()));
    message.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).map_err(failed)?;
    message.add_fingerprint().map_err(failed)?;
    Ok(message.finish())
}

fn failed(error: impl std::fmt::Display) -> RivalError {
    RivalError::Setup(format!("a connectivity check cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_answered_and_its_answer_known() {
        let request = request("node", "bench", "password-of-the-node-22").unwrap();
        let from = "127.0.0.1:5000".parse().unwrap();
        let answer = response(&request, from, "password-of-the-node-22").unwrap();
        assert!(is_success(&answer, &request));
        assert!(!is_success(&request, &request));
        let other = super::request("node", "bench", "password-of-the-node-22").unwrap();
        assert!(!is_success(&answer, &other), "another transaction");
        assert!(response(&answer, from, "x").is_none());
    }
}
