//! Words of the `flags` list. Most stand for themselves, many are another key in one word.

use super::{codec, list};
use crate::ng::flags::reader::checked;
use crate::ng::flags::word::{after, plain_text, same};
use crate::ng::flags::{All, FlagError, Flags, Switch, attributes};
use crate::ng::sdp::codecs::CodecMatch;
use crate::ng::sdp::protocol::{Protocol, ProtocolWish};
use crate::ng::value::Value;
use crate::sdp::Quoted;

/// Cuts a string of words; a list in brackets belongs to its word.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_u32;
    for letter in text.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match words.last_mut() {
            Some(last) if !(letter.is_whitespace() && depth == 0) => last.push(letter),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Reads one word.
pub(super) fn read(flags: &mut Flags, word: &str) -> Result<(), FlagError> {
    checked("flags", word)?;
    if let Some(switch) = Switch::parse(word) {
        flags.switches.add(switch);
        return Ok(());
    }
    let known = alone(flags, word)? || prefixed(flags, word)? || with_value(flags, word)?;
    if !known {
        flags.note_unknown(word);
    }
    Ok(())
}

/// Words that stand for a key with its value.
fn alone(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    let is = |name: &str| same(name, word);
    if is("all") {
        flags.all = All::All;
    } else if is("always-transcode") {
        flags.codecs.accept.push(CodecMatch::All);
    } else if is("single-codec") {
        flags.codecs.single = true;
    } else if is("reuse-codecs") || is("no-codec-renegotiation") {
        flags.codecs.reuse = true;
    } else if is("pad-crypto") {
        flags.security.crypto.pad = true;
    } else if is("record-call") {
        flags.record_call = Some(true);
    } else if is("generate-RTCP") {
        flags.generate_rtcp = Some(true);
    } else if is("internal") || is("external") {
        // The names of interfaces are as they are written.
        flags.direction.push(word.to_owned());
    } else {
        return protocol(flags, word);
    }
    Ok(true)
}

/// `RTP/SAVPF` and the like, or one property of the protocol.
fn protocol(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    if Protocol::parse(word).is_rtp() {
        flags.transport(word)?;
        return Ok(true);
    }
    let (mut secure, mut tls, mut feedback) = match flags.protocol {
        ProtocolWish::Parts { secure, tls, feedback } => (secure, tls, feedback),
        _ => (None, false, None),
    };
    match word {
        "RTP" => secure = Some(false),
        "SRTP" => secure = Some(true),
        "DTLS" => (secure, tls) = (Some(true), true),
        "AVP" => feedback = Some(false),
        "AVPF" => feedback = Some(true),
        _ => return Ok(false),
    }
    // What is said in full counts more.
    if !matches!(flags.protocol, ProtocolWish::Exactly(_) | ProtocolWish::AcceptAnswer) {
        flags.protocol = ProtocolWish::Parts { secure, tls, feedback };
    }
    Ok(true)
}

/// `replace-origin`, `codec-strip-PCMU` and the like.
fn prefixed(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    let lists: [(&str, list::Read); 4] = [
        ("replace-", list::replace),
        ("rtcp-mux-", list::rtcp_mux),
        ("SDES-", list::sdes),
        ("OSRTP-", list::osrtp),
    ];
    for (prefix, read) in lists {
        if let Some(rest) = after(prefix, word) {
            return Ok(read(flags, rest));
        }
    }
    if let Some(rest) = after("sdp-attr-", word) {
        return attributes::word(flags, rest);
    }
    if let Some(rest) = after("codec-", word) {
        return codec::word(flags, rest);
    }
    for verb in ["transcode-", "mask-", "strip-", "consume-"] {
        if after(verb, word).is_some() {
            return codec::word(flags, word);
        }
    }
    if let Some(tag) = after("from-tags-", word) {
        flags.from_tags.push(tag.to_owned());
        return Ok(true);
    }
    let keys = [
        "endpoint-learning",
        "T.38",
        "T38",
        "ICE-lite",
        "ICE",
        "DTLS-reverse",
        "DTLS",
        "address-family",
        "media-echo",
    ];
    // `ICE-lite=both` is a key with its value.
    for key in keys.into_iter().filter(|_| !word.contains('=')) {
        if let Some(value) =
            after(key, word).and_then(|rest| rest.strip_prefix('-')).filter(|v| !v.is_empty())
        {
            return super::read(flags, &plain_text(key), &Value::from(value));
        }
    }
    Ok(false)
}

/// `key=value`, and `key=[a b c]`.
fn with_value(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    let Some((key, value)) = word.split_once('=') else { return Ok(false) };
    // A word cannot bring the body, nor words within words.
    if ["sdp", "flags", "rtpp-flags", "command", "blob"].into_iter().any(|name| same(name, key)) {
        return Ok(false);
    }
    // Given twice, once for each side.
    if same("direction", key) {
        flags.direction.push(value.to_owned());
        return Ok(true);
    }
    let value = match value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => Value::List(inner.split_whitespace().map(Value::from).collect()),
        None => Value::from(value),
    };
    if codec::is_verb(key) {
        return codec::entries(flags, key, &value);
    }
    super::read(flags, &plain_text(key), &value)
}

impl Flags {
    /// `transport-protocol`
    pub(super) fn transport(&mut self, text: &str) -> Result<(), FlagError> {
        if text.is_empty() {
            return Ok(());
        }
        self.protocol = if same("accept", text) {
            ProtocolWish::AcceptAnswer
        } else {
            let protocol = Protocol::parse(text);
            if !protocol.is_rtp() {
                let expected =
                    "RTP/AVP, RTP/AVPF, RTP/SAVP, RTP/SAVPF, UDP/TLS/RTP/SAVP, UDP/TLS/RTP/SAVPF or accept";
                return Err(FlagError::Value {
                    key: "transport-protocol",
                    value: Quoted::new(text),
                    expected,
                });
            }
            ProtocolWish::Exactly(protocol)
        };
        Ok(())
    }
}
