//! Requests in, replies out.

use super::limits::{COOKIE_BYTES, MESSAGE_BYTES};
use super::value::{self, Dictionary};

/// How a message is written; the reply is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// `d7:command4:pinge`
    Bencode,
    /// `{"command":"ping"}`
    Json,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Goes back with the reply.
    pub cookie: String,
    /// How the reply is to be written.
    pub writing: Writing,
    /// What is asked.
    pub dictionary: Dictionary,
}

/// Why a message is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Malformed {
    /// Whom to tell, when that much could be read: cookie and writing.
    pub reply_to: Option<(String, Writing)>,
    /// In words.
    pub reason: String,
}

impl Malformed {
    fn silent(reason: impl Into<String>) -> Malformed {
        Malformed { reply_to: None, reason: reason.into() }
    }
}

impl Request {
    /// Reads `cookie dictionary`.
    pub fn parse(message: &[u8]) -> Result<Request, Malformed> {
        if message.len() > MESSAGE_BYTES {
            return Err(Malformed::silent(format!("a message of more than {MESSAGE_BYTES} bytes")));
        }
        let blank = message.iter().take(COOKIE_BYTES + 1).position(|byte| *byte == b' ');
        let Some((cookie, body)) = blank.map(|at| (&message[..at], &message[at + 1..])) else {
            return Err(Malformed::silent(format!(
                "no cookie of at most {COOKIE_BYTES} bytes and a blank after it"
            )));
        };
        if cookie.is_empty() || !cookie.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed::silent("the cookie is not made of printable letters"));
        }
        let cookie = String::from_utf8_lossy(cookie).into_owned();
        Request::parse_dictionary(cookie, body)
    }

    /// Reads the dictionary of a request whose cookie came another way.
    pub fn parse_dictionary(cookie: String, body: &[u8]) -> Result<Request, Malformed> {
        let (writing, read) = match body.first() {
            Some(b'd') => (Writing::Bencode, bencode(body)),
            Some(b'{') => (Writing::Json, json(body)),
            _ => {
                return Err(Malformed::silent(
                    "what follows the cookie is neither bencode (d…) nor JSON ({…)",
                ));
            }
        };
        match read {
            Ok(dictionary) => Ok(Request { cookie, writing, dictionary }),
            Err(reason) => Err(Malformed { reply_to: Some((cookie, writing)), reason }),
        }
    }
}

fn bencode(body: &[u8]) -> Result<Dictionary, String> {
    let mut rest = body;
    let mut deserializer = serde_bencode::de::Deserializer::new(&mut rest);
    let dictionary = value::read(&mut deserializer).map_err(|error| format!("bad bencode: {error}"))?;
    drop(deserializer);
    // Programs that read lines end messages with a newline.
    if rest.trim_ascii().is_empty() {
        Ok(dictionary)
    } else {
        Err("bad bencode: something follows the dictionary".into())
    }
}

fn json(body: &[u8]) -> Result<Dictionary, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = value::read(&mut deserializer).and_then(|dictionary| deserializer.end().map(|()| dictionary));
    read.map_err(|error| format!("bad JSON: {error}"))
}

/// Writes a reply.
pub fn reply(cookie: &str, writing: Writing, dictionary: &Dictionary) -> Vec<u8> {
    let written = match writing {
        Writing::Bencode => serde_bencode::to_bytes(dictionary).ok(),
        Writing::Json => serde_json::to_vec(dictionary).ok(),
    };
    // Both writers fail on shapes that a dictionary of values cannot have.
    let body = written.unwrap_or_else(|| unreachable!("a dictionary can be written"));
    [cookie.as_bytes(), b" ", &body].concat()
}

#[cfg(test)]
mod tests;
