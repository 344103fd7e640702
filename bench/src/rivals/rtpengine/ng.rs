//! The `ng` protocol: a datagram each way, `cookie bencoded-dictionary`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde_bencode::value::Value;

use crate::rivals::{RivalError, Suite};

/// How long an answer may take; then the question is repeated under the same cookie.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Questions before the relay counts as gone.
const TRIES: u32 = 5;
/// The largest answer: an SDP and some flags.
const ANSWER_MAX: usize = 65_536;

/// Every suite that it offers by itself.
const SUITES: [&str; 12] = [
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "F8_128_HMAC_SHA1_80",
    "F8_128_HMAC_SHA1_32",
    "NULL_HMAC_SHA1_80",
    "NULL_HMAC_SHA1_32",
];

type Dictionary = HashMap<Vec<u8>, Value>;

/// A client of one relay.
pub(super) struct Ng {
    socket: UdpSocket,
    cookie: u64,
}

impl Ng {
    pub(super) fn connect(relay: SocketAddr) -> Result<Ng, RivalError> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(relay)?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(Ng { socket, cookie: 0 })
    }

    /// Whether it is there. Asks once.
    pub(super) fn ping(&mut self) -> Result<(), RivalError> {
        self.ask("ping", &[], 1).map(drop)
    }

    /// The caller's side of a call; the SDP for the callee, with keys for `suite` alone.
    pub(super) fn offer(&mut self, call: usize, sdp: &str, suite: Suite) -> Result<String, RivalError> {
        // This version knows no way to ask for one suite, only ways to refuse each of the others.
        let others = SUITES.iter().filter(|name| **name != suite.name());
        let refused = Value::List(others.map(|name| text(&format!("no-{name}"))).collect());
        let fields = [
            ("call-id", text(&format!("call-{call}"))),
            ("from-tag", text("caller")),
            ("sdp", text(sdp)),
            ("transport-protocol", text("RTP/SAVP")),
            ("ICE", text("remove")),
            ("DTLS", text("off")),
            ("SDES", refused),
        ];
        self.ask("offer", &fields, TRIES).and_then(|answer| described(&answer))
    }

    /// The callee's side; the SDP for the caller.
    pub(super) fn answer(&mut self, call: usize, sdp: &str) -> Result<String, RivalError> {
        let fields = [
            ("call-id", text(&format!("call-{call}"))),
            ("from-tag", text("caller")),
            ("to-tag", text("callee")),
            ("sdp", text(sdp)),
        ];
        self.ask("answer", &fields, TRIES).and_then(|answer| described(&answer))
    }

    fn ask(&mut self, command: &str, fields: &[(&str, Value)], tries: u32) -> Result<Dictionary, RivalError> {
        self.cookie += 1;
        let mut dictionary: Dictionary =
            fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.clone())).collect();
        dictionary.insert(b"command".to_vec(), text(command));
        let body = serde_bencode::to_bytes(&Value::Dict(dictionary)).map_err(|e| failed(command, e))?;
        let question = [format!("{} ", self.cookie).as_bytes(), &body].concat();
        let mut buffer = vec![0; ANSWER_MAX];
        for _ in 0..tries {
            self.socket.send(&question)?;
            // A refused port shows as an error of receiving; what is late shows as a timeout.
            while let Ok(len) = self.socket.recv(&mut buffer) {
                if let Some(answer) = answer_to(self.cookie, &buffer[..len]) {
                    return accepted(command, answer?);
                }
            }
        }
        Err(failed(command, "no answer"))
    }
}

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

/// The dictionary of an answer to this cookie; `None` if it answers something else.
fn answer_to(cookie: u64, datagram: &[u8]) -> Option<Result<Dictionary, RivalError>> {
    let body = datagram.strip_prefix(format!("{cookie} ").as_bytes())?;
    Some(match serde_bencode::from_bytes(body) {
        Ok(Value::Dict(dictionary)) => Ok(dictionary),
        Ok(_) => Err(failed("answer", "not a dictionary")),
        Err(error) => Err(failed("answer", error)),
    })
}

fn accepted(command: &str, answer: Dictionary) -> Result<Dictionary, RivalError> {
    match field(&answer, "result").as_deref() {
        Some("ok" | "pong") => Ok(answer),
        result => {
            let reason = field(&answer, "error-reason");
            Err(failed(command, format!("{}: {}", result.unwrap_or("no result"), reason.unwrap_or_default())))
        }
    }
}

fn field(dictionary: &Dictionary, name: &str) -> Option<String> {
    match dictionary.get(name.as_bytes()) {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

fn described(answer: &Dictionary) -> Result<String, RivalError> {
    field(answer, "sdp").ok_or_else(|| failed("answer", "no SDP"))
}

fn failed(command: &str, error: impl std::fmt::Display) -> RivalError {
    RivalError::Setup(format!("rtpengine, {command}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_read() {
        let pong = b"7 d6:result4:ponge";
        assert!(answer_to(8, pong).is_none());
        assert!(answer_to(70, b"7 d6:result4:ponge").is_none());
        assert!(accepted("ping", answer_to(7, pong).unwrap().unwrap()).is_ok());
        let refused = answer_to(1, b"1 d12:error-reason7:too bad6:result5:errore").unwrap().unwrap();
        let error = accepted("offer", refused).unwrap_err().to_string();
        assert!(error.contains("too bad"), "{error}");
        for broken in [&b"1 d6:result"[..], b"1 i7e", b"1 "] {
            assert!(answer_to(1, broken).unwrap().is_err());
        }
    }

    #[test]
    fn a_relay_that_is_not_there_is_said_so() {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(Ng::connect(nobody).unwrap().ping().is_err());
    }
}
