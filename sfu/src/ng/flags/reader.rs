//! A dictionary, key by key.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Command, FlagError, Flags, key, limits, word};
use crate::ng::value::{Dictionary, Value};
use crate::sdp::Quoted;

pub(super) fn read(dictionary: &Dictionary) -> Result<Flags, FlagError> {
    let name = dictionary.text("command").unwrap_or_default();
    let command = Command::parse(name).ok_or_else(|| FlagError::Command(Quoted::new(name)))?;
    let mut flags = Flags { command, ..Flags::default() };
    let mut seen = HashSet::from(["command".to_owned()]);
    for (name, value) in dictionary.iter() {
        let plain = word::plain_text(name);
        // A key may come twice, and the first counts. Lists of codecs that proxies spread over several keys add up.
        if (plain.starts_with("codec-") || !seen.contains(&plain)) && !key::read(&mut flags, &plain, value)? {
            flags.note_unknown(name);
        }
        seen.insert(plain);
    }
    for key in command.needs() {
        let there = match *key {
            "call-id" => !flags.call_id.is_empty(),
            "from-tag" => flags.from_tag.is_some(),
            "to-tag" => flags.to_tag.is_some(),
            // A room that is to call has no offer to bring.
            _ => flags.sdp.is_some() || (flags.room.is_some() && command == Command::Offer),
        };
        if !there {
            return Err(FlagError::Missing { command, key });
        }
    }
    Ok(flags)
}

impl Flags {
    /// Keeps a word for the log.
    pub(super) fn note_unknown(&mut self, word: &str) {
        if self.unknown.len() < limits::UNKNOWN {
            self.unknown.push(Quoted::new(word));
        }
    }
}

/// A text without control characters; an empty one is none.
pub(super) fn text(key: &'static str, value: &Value) -> Result<Option<String>, FlagError> {
    let number;
    let text = match value {
        Value::Number(n) => {
            number = n.to_string();
            &number
        }
        other => other.text().ok_or(FlagError::Type { key, expected: "a text" })?,
    };
    checked(key, text)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Checks that a text cannot break out of its line, and is not too long.
pub(super) fn checked(key: &'static str, text: &str) -> Result<(), FlagError> {
    if text.len() > limits::TEXT_BYTES {
        return Err(FlagError::TooLong { key, limit: limits::TEXT_BYTES, unit: "bytes" });
    }
    if text.chars().any(char::is_control) {
        return Err(FlagError::Control { key });
    }
    Ok(())
}

/// The texts of a list; one text is a list of one. Dictionaries and lists within are refused.
pub(super) fn texts(key: &'static str, value: &Value) -> Result<Vec<String>, FlagError> {
    let all = match value {
        Value::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if all.len() > limits::LIST {
        return Err(FlagError::TooLong { key, limit: limits::LIST, unit: "entries" });
    }
    let read = all.iter().map(|value| text(key, value).map_err(|error| as_list(key, error)));
    read.filter_map(Result::transpose).collect()
}

fn as_list(key: &'static str, error: FlagError) -> FlagError {
    match error {
        FlagError::Type { .. } => FlagError::Type { key, expected: "a list of texts" },
        other => other,
    }
}

/// A whole number within bounds.
pub(super) fn number(key: &'static str, value: &Value, max: u32) -> Result<u32, FlagError> {
    let expected = "a whole number, 0 or more";
    let number = value.number().ok_or(FlagError::Type { key, expected })?;
    u32::try_from(number).ok().filter(|n| *n <= max).ok_or_else(|| FlagError::Value {
        key,
        value: Quoted::new(&number.to_string()),
        expected: "a whole number within the bounds that docs/ng.md names",
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    key: &'static str,
    value: &Value,
    expected: &'static str,
    choices: &[(&str, T)],
) -> Result<T, FlagError> {
    let text = text(key, value)?.unwrap_or_default();
    let found = choices.iter().find(|(name, _)| word::same(name, &text)).map(|(_, choice)| *choice);
    found.ok_or_else(|| FlagError::Value { key, value: Quoted::new(&text), expected })
}

/// Yes or no, in the ways that proxies say it.
pub(super) fn on_off(key: &'static str, value: &Value) -> Result<bool, FlagError> {
    if let Value::Number(number @ 0..=1) = value {
        return Ok(*number == 1);
    }
    const CHOICES: [(&str, bool); 8] = [
        ("yes", true),
        ("on", true),
        ("true", true),
        ("1", true),
        ("no", false),
        ("off", false),
        ("false", false),
        ("0", false),
    ];
    choice(key, value, "yes or no, on or off", &CHOICES)
}

/// An IP address.
pub(super) fn ip(key: &'static str, text: &str) -> Result<IpAddr, FlagError> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| FlagError::Value {
        key,
        value: Quoted::new(text),
        expected: "an IPv4 or IPv6 address",
    })
}
