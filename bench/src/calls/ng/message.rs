//! Requests and answers of the `ng` protocol: a cookie, a blank and a dictionary in bencode.

use std::collections::HashMap;

use serde_bencode::value::Value;

/// Keys and values of a request or an answer.
type Dictionary = HashMap<Vec<u8>, Value>;

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request(Dictionary);

impl Request {
    /// Of a command.
    pub(crate) fn new(command: &str) -> Request {
        Request::default().text("command", command)
    }

    /// With a text.
    pub(crate) fn text(self, key: &str, text: &str) -> Request {
        self.with(key, bytes(text))
    }

    /// With a number.
    pub(crate) fn number(self, key: &str, number: i64) -> Request {
        self.with(key, Value::Int(number))
    }

    /// With a list of texts.
    pub(crate) fn list<'t>(self, key: &str, texts: impl IntoIterator<Item = &'t str>) -> Request {
        self.with(key, Value::List(texts.into_iter().map(bytes).collect()))
    }

    /// With a dictionary of lists of texts.
    pub(crate) fn lists(self, key: &str, lists: &[(&str, &[&str])]) -> Request {
        let value = |texts: &[&str]| Value::List(texts.iter().map(|text| bytes(text)).collect());
        let inner = lists.iter().map(|(name, texts)| (name.as_bytes().to_vec(), value(texts)));
        self.with(key, Value::Dict(inner.collect()))
    }

    fn with(mut self, key: &str, value: Value) -> Request {
        self.0.insert(key.as_bytes().to_vec(), value);
        self
    }

    /// The datagram.
    pub(super) fn datagram(&self, cookie: &str) -> Result<Vec<u8>, String> {
        let body = serde_bencode::to_bytes(&Value::Dict(self.0.clone())).map_err(|e| e.to_string())?;
        Ok([cookie.as_bytes(), b" ", &body].concat())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer(Dictionary);

impl Answer {
    /// The cookie of a datagram and its dictionary.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(datagram: &[u8]) -> Result<(&str, Answer), String> {
        let blank = datagram.iter().position(|byte| *byte == b' ').ok_or("no cookie")?;
        let cookie = std::str::from_utf8(&datagram[..blank]).map_err(|_| "a cookie that is no text")?;
        match serde_bencode::from_bytes(&datagram[blank + 1..]) {
            Ok(Value::Dict(dictionary)) => Ok((cookie, Answer(dictionary))),
            Ok(_) => Err("not a dictionary".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key.as_bytes()) {
            Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// A list of texts; empty without one.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let Some(Value::List(list)) = self.0.get(key.as_bytes()) else { return Vec::new() };
        let text = |value: &Value| match value {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        list.iter().filter_map(text).collect()
    }

    /// Itself if the node did what was asked, else its reason.
    pub(super) fn accepted(self) -> Result<Answer, String> {
        match self.text("result").as_deref() {
            Some("ok" | "pong") => Ok(self),
            result => {
                let reason = self.text("error-reason").or_else(|| self.text("message")).unwrap_or_default();
                Err(format!("{} {reason}", result.unwrap_or("no result")).trim_end().to_owned())
            }
        }
    }
}

fn bytes(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_bencode_with_sorted_keys() {
        let request = Request::new("offer")
            .text("call-id", "a b")
            .number("delete-delay", 0)
            .list("flags", ["one", "two"])
            .lists("codec", &[("mask", &["PCMA"]), ("transcode", &["opus", "PCMU"])]);
        assert_eq!(
            request.datagram("7_x").unwrap(),
            b"7_x d7:call-id3:a b5:codecd4:maskl4:PCMAe9:transcodel4:opus4:PCMUee7:command5:offer12:delete-delayi0e5:flagsl3:one3:twoee"
        );
    }

    #[test]
    fn answers_are_read_and_refusals_say_why() {
        let (cookie, answer) = Answer::read(b"7_x d6:result2:ok3:sdp4:v=0\ne").unwrap();
        assert_eq!((cookie, answer.text("sdp").as_deref()), ("7_x", Some("v=0\n")));
        assert!(answer.accepted().is_ok());
        let list = Answer::read(b"1 d5:callsl1:a1:be6:result2:oke").unwrap().1;
        assert_eq!((list.texts("calls"), list.texts("result")), (vec!["a".into(), "b".into()], vec![]));
        let refusal = |datagram: &[u8]| Answer::read(datagram).unwrap().1.accepted().unwrap_err();
        assert_eq!(refusal(b"1 d12:error-reason7:too bad6:result5:errore"), "error too bad");
        assert_eq!(refusal(b"1 d7:message4:full6:result10:load limite"), "load limit full");
        assert_eq!(refusal(b"1 de"), "no result");
    }

    #[test]
    fn what_is_no_answer_is_said_so() {
        for broken in [&b"1 d6:result"[..], b"1 i7e", b"1 ", b"nothing", b"", b"\xff\xff d2:xx1:ae"] {
            assert!(Answer::read(broken).is_err(), "{broken:?}");
        }
    }
}
