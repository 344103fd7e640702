//! The little of STUN (RFC 8489) that a lite agent needs: reading connectivity checks and writing answers.
//! Nothing here keeps state or allocates.

use std::net::{IpAddr, SocketAddr};

use arrayvec::ArrayVec;
use crc::{CRC_32_ISO_HDLC, Crc};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::limits;

const HEADER: usize = 20;
const COOKIE: u32 = 0x2112_a442;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
/// Below this an attribute must be understood (RFC 8489 section 14).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

const INTEGRITY_LEN: usize = 20;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Unknown attributes listed in a 420 at most.
const UNKNOWN_LISTED: usize = 8;
/// The longest answer: header, an IPv6 address or an error with its list, integrity and fingerprint.
pub(crate) const ANSWER_LEN: usize = HEADER + 8 + 4 + 2 * UNKNOWN_LISTED + 24 + 8;

/// The key of a password with HMAC's first block already taken in.
#[derive(Clone)]
pub(crate) struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// RFC 8489 section 9.1.1: the short-term key is the password itself.
    pub(crate) fn new(password: &[u8]) -> IntegrityKey {
        // HMAC takes keys of any length; the error of this signature cannot happen.
        match Hmac::new_from_slice(password) {
            Ok(hmac) => IntegrityKey(hmac),
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }
}

/// What was wrong with bytes that looked like STUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not what the RFC calls a message, or without what a check must carry.
    Malformed,
    /// Well-formed, and not a request to us.
    NotRequest,
}

/// A connectivity check, its integrity not yet verified.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    bytes: &'a [u8],
    integrity_at: usize,
    /// `USERNAME`: ours, a colon, the peer's.
    pub(crate) user_name: &'a str,
    pub(crate) use_candidate: bool,
    /// The peer believes to be in the controlled role, which is ours.
    pub(crate) role_conflict: bool,
    unknown: ArrayVec<u16, UNKNOWN_LISTED>,
}

impl<'a> Check<'a> {
    /// Reads a check. What follows MESSAGE-INTEGRITY is ignored but for FINGERPRINT (RFC 8489 section 14.5).
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Check<'a>, Fault> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Fault::Malformed)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if bytes.len() > limits::STUN_LEN || !length.is_multiple_of(4) || length + HEADER != bytes.len() {
            return Err(Fault::Malformed);
        }
        if u32::from_be_bytes([header[4], header[5], header[6], header[7]]) != COOKIE {
            return Err(Fault::Malformed);
        }
        if u16::from_be_bytes([header[0], header[1]]) != BINDING_REQUEST {
            return Err(Fault::NotRequest);
        }
        Self::attributes(bytes)
    }

    fn attributes(bytes: &'a [u8]) -> Result<Check<'a>, Fault> {
        let mut user_name = None;
        let mut check = Check {
            bytes,
            integrity_at: 0,
            user_name: "",
            use_candidate: false,
            role_conflict: false,
            unknown: ArrayVec::new(),
        };
        let mut at = HEADER;
        for _ in 0..limits::STUN_ATTRIBUTES {
            if at == bytes.len() {
                break;
            }
            let (kind, value, next) = attribute(bytes, at).ok_or(Fault::Malformed)?;
            if kind == FINGERPRINT {
                let good = next == bytes.len() && value == fingerprint(bytes, at).to_be_bytes();
                if !good {
                    return Err(Fault::Malformed);
                }
            } else if check.integrity_at == 0 {
                match kind {
                    USERNAME => user_name = Some(std::str::from_utf8(value).map_err(|_| Fault::Malformed)?),
                    MESSAGE_INTEGRITY if value.len() == INTEGRITY_LEN => check.integrity_at = at,
                    MESSAGE_INTEGRITY => return Err(Fault::Malformed),
                    USE_CANDIDATE => check.use_candidate = true,
                    ICE_CONTROLLED => check.role_conflict = true,
                    PRIORITY | MESSAGE_INTEGRITY_SHA256 => {}
                    kind if kind < COMPREHENSION_OPTIONAL => {
                        let _ = check.unknown.try_push(kind);
                    }
                    _ => {}
                }
            }
            at = next;
        }
        if at != bytes.len() || check.integrity_at == 0 {
            return Err(Fault::Malformed);
        }
        check.user_name = user_name.ok_or(Fault::Malformed)?;
        Ok(check)
    }

    /// Verifies MESSAGE-INTEGRITY in constant time (RFC 8489 section 14.5).
    pub(crate) fn verify(&self, key: &IntegrityKey) -> bool {
        let value = self.integrity_at + 4;
        let Some(tag) = self.bytes.get(value..value + INTEGRITY_LEN) else { return false };
        integrity(self.bytes, self.integrity_at, key).verify_slice(tag).is_ok()
    }

    pub(crate) fn has_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }

    /// Success, with the address that the check came from.
    pub(crate) fn success(&self, source: SocketAddr, key: &IntegrityKey) -> Answer {
        let mut writer = Writer::new(BINDING_SUCCESS, self.transaction());
        let port = source.port() ^ (COOKIE >> 16) as u16;
        let mut value = ArrayVec::<u8, 20>::new();
        // RFC 8489 section 14.2: the port and address are XORed with the cookie (and the transaction).
        let mask = &self.bytes[4..HEADER];
        let octets: ArrayVec<u8, 16> = match source.ip() {
            IpAddr::V4(ip) => ip.octets().into_iter().collect(),
            IpAddr::V6(ip) => ip.octets().into_iter().collect(),
        };
        value.extend([0, if source.is_ipv4() { 1 } else { 2 }]);
        value.extend(port.to_be_bytes());
        value.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
        writer.attribute(XOR_MAPPED_ADDRESS, &value);
        writer.finish(key)
    }

    /// 487: we are lite, so ours is the controlled role whatever the tie-breakers (RFC 8445 section 7.3.1.1).
    pub(crate) fn role_conflict_error(&self, key: &IntegrityKey) -> Answer {
        let mut writer = Writer::new(BINDING_ERROR, self.transaction());
        writer.attribute(ERROR_CODE, &[0, 0, 4, 87]);
        writer.finish(key)
    }

    /// 420 with the attributes that were not understood (RFC 8489 section 6.3.1).
    pub(crate) fn unknown_error(&self, key: &IntegrityKey) -> Answer {
        let mut writer = Writer::new(BINDING_ERROR, self.transaction());
        writer.attribute(ERROR_CODE, &[0, 0, 4, 20]);
        let list: ArrayVec<u8, { 2 * UNKNOWN_LISTED }> =
            self.unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        writer.attribute(UNKNOWN_ATTRIBUTES, &list);
        writer.finish(key)
    }

    fn transaction(&self) -> &[u8] {
        &self.bytes[8..HEADER]
    }
}

/// Type, value and where the next attribute begins.
fn attribute(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let header: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let value = bytes.get(at + 4..at + 4 + length)?;
    let next = at + 4 + length.next_multiple_of(4);
    (next <= bytes.len()).then_some((u16::from_be_bytes([header[0], header[1]]), value, next))
}

/// HMAC over all ahead of the attribute at `at`, with a length that ends behind it.
fn integrity(bytes: &[u8], at: usize, key: &IntegrityKey) -> Hmac<Sha1> {
    let length = (at + 4 + INTEGRITY_LEN - HEADER) as u16;
    let mut hmac = key.0.clone();
    hmac.update(&bytes[..2]);
    hmac.update(&length.to_be_bytes());
    hmac.update(&bytes[4..at]);
    hmac
}

/// CRC-32 over all ahead of the attribute at `at`, with a length that ends behind it (RFC 8489 section 14.7).
fn fingerprint(bytes: &[u8], at: usize) -> u32 {
    let length = (at + 8 - HEADER) as u16;
    let mut digest = CRC.digest();
    digest.update(&bytes[..2]);
    digest.update(&length.to_be_bytes());
    digest.update(&bytes[4..at]);
    digest.finalize() ^ FINGERPRINT_XOR
}

/// The bytes of an answer.
pub(crate) type Answer = ArrayVec<u8, ANSWER_LEN>;

struct Writer(Answer);

impl Writer {
    fn new(kind: u16, transaction: &[u8]) -> Writer {
        let mut bytes = Answer::new();
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(transaction.iter().copied());
        Writer(bytes)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.0.extend(kind.to_be_bytes());
        self.0.extend((value.len() as u16).to_be_bytes());
        self.0.extend(value.iter().copied());
        while !self.0.len().is_multiple_of(4) {
            self.0.push(0);
        }
    }

    fn finish(mut self, key: &IntegrityKey) -> Answer {
        let tag = integrity(&self.0, self.0.len(), key).finalize().into_bytes();
        self.attribute(MESSAGE_INTEGRITY, &tag);
        let crc = fingerprint(&self.0, self.0.len());
        self.attribute(FINGERPRINT, &crc.to_be_bytes());
        let length = (self.0.len() - HEADER) as u16;
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::{AttributeType, ErrorCode, RawAttribute, Realm, Username, XorMappedAddress};
    use stun_types::message::{
        BINDING, IntegrityAlgorithm, Message, MessageIntegrityCredentials, MessageWrite, MessageWriteExt,
        MessageWriteVec, ShortTermCredentials,
    };

    use super::*;

    const PASSWORD: &str = "a-password-of-22-chars";

    fn credentials() -> MessageIntegrityCredentials {
        ShortTermCredentials::new(PASSWORD.to_owned()).into()
    }

    fn ice(kind: u16, value: &[u8]) -> RawAttribute<'_> {
        RawAttribute::new(AttributeType::new(kind), value)
    }

    fn foreign_check(add: impl FnOnce(&mut MessageWriteVec)) -> Vec<u8> {
        let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
        message.add_attribute(&Username::new("ours:theirs").unwrap()).unwrap();
        message.add_attribute(&ice(PRIORITY, &[0, 0, 0, 7])).unwrap();
        add(&mut message);
        message.add_message_integrity(&credentials(), IntegrityAlgorithm::Sha1).unwrap();
        message.add_fingerprint().unwrap();
        message.finish()
    }

    #[test]
    fn reads_and_verifies_a_foreign_check() {
        let bytes = foreign_check(|message| {
            message.add_attribute(&ice(0x802a, &[1; 8])).unwrap();
            message.add_attribute(&ice(USE_CANDIDATE, &[])).unwrap();
        });
        let check = Check::parse(&bytes).unwrap();
        assert_eq!(check.user_name, "ours:theirs");
        assert!(check.use_candidate && !check.role_conflict && !check.has_unknown());
        assert!(check.verify(&IntegrityKey::new(PASSWORD.as_bytes())));
        assert!(!check.verify(&IntegrityKey::new(b"another")));
    }

    #[test]
    fn a_foreign_reader_accepts_our_answers() {
        let key = IntegrityKey::new(PASSWORD.as_bytes());
        let bytes = foreign_check(|_| {});
        let check = Check::parse(&bytes).unwrap();
        for source in ["192.0.2.7:4567", "[2001:db8::9]:65535"] {
            let source: SocketAddr = source.parse().unwrap();
            let answer = check.success(source, &key);
            let message = Message::from_bytes(&answer).unwrap();
            assert!(matches!(message.validate_integrity(&credentials()), Ok(IntegrityAlgorithm::Sha1)));
            assert_eq!(message.transaction_id(), Message::from_bytes(&bytes).unwrap().transaction_id());
            let mapped = message.attribute::<XorMappedAddress>().unwrap();
            assert_eq!(mapped.addr(message.transaction_id()), source);
        }
    }

    #[test]
    fn errors_name_their_code() {
        let key = IntegrityKey::new(PASSWORD.as_bytes());
        let bytes = foreign_check(|message| {
            message.add_attribute(&ice(ICE_CONTROLLED, &[1; 8])).unwrap();
            message.add_attribute(&Realm::new("no ice here").unwrap()).unwrap();
        });
        let check = Check::parse(&bytes).unwrap();
        assert!(check.role_conflict && check.has_unknown());
        for (answer, code) in [(check.role_conflict_error(&key), 487), (check.unknown_error(&key), 420)] {
            assert!(answer.len() <= bytes.len());
            let message = Message::from_bytes(&answer).unwrap();
            assert!(matches!(message.validate_integrity(&credentials()), Ok(IntegrityAlgorithm::Sha1)));
            assert_eq!(message.attribute::<ErrorCode>().unwrap().code(), code);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let key = IntegrityKey::new(PASSWORD.as_bytes());
        let bytes = foreign_check(|_| {});
        // Up to the fingerprint: an attribute behind the integrity is ignored, whatever it says.
        for bit in 0..(bytes.len() - 8) * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let noticed = Check::parse(&forged).map_or(true, |check| !check.verify(&key));
            assert!(noticed, "bit {bit}");
        }
    }

    #[test]
    fn what_follows_the_integrity_is_not_believed() {
        let bytes = foreign_check(|_| {});
        // Without the fingerprint, then a USE-CANDIDATE behind the integrity.
        let mut forged = bytes[..bytes.len() - 8].to_vec();
        forged.extend([0, 0x25, 0, 0]);
        let length = (forged.len() - HEADER) as u16;
        forged[2..4].copy_from_slice(&length.to_be_bytes());
        let check = Check::parse(&forged).unwrap();
        assert!(check.verify(&IntegrityKey::new(PASSWORD.as_bytes())));
        assert!(!check.use_candidate);
    }
}
