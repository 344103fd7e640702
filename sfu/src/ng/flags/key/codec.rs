//! `codec`: a dictionary of lists, or words `codec-<what>-<codec>`.

use crate::ng::flags::reader::texts;
use crate::ng::flags::word::{after, same};
use crate::ng::flags::{FlagError, Flags, limits};
use crate::ng::sdp::codecs::{CodecMatch, CodecSpec};
use crate::ng::value::Value;

const VERBS: [&str; 8] = ["strip", "mask", "consume", "accept", "except", "offer", "transcode", "set"];

/// Whether it names a list of codecs.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.into_iter().any(|verb| same(verb, word))
}

/// `{"strip": ["PCMU"], …}`
pub(super) fn dictionary(flags: &mut Flags, value: &Value) -> Result<(), FlagError> {
    let Value::Dictionary(dictionary) = value else {
        return Err(FlagError::Type { key: "codec", expected: "a dictionary of lists" });
    };
    for (verb, value) in dictionary.iter() {
        if !entries(flags, verb, value)? {
            flags.note_unknown(&format!("codec-{verb}"));
        }
    }
    Ok(())
}

/// One list; false for one that nobody knows.
pub(super) fn entries(flags: &mut Flags, verb: &str, value: &Value) -> Result<bool, FlagError> {
    for entry in texts("codec", value)? {
        // Some proxies hand over several in one text.
        for one in entry.split([',', ' ']).filter(|one| !one.is_empty()) {
            if !add(flags, verb, one)? {
                return Ok(false);
            }
        }
    }
    Ok(is_verb(verb))
}

/// `strip-PCMU`
pub(super) fn word(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    for verb in VERBS {
        if let Some(codec) = after(verb, word).and_then(|rest| rest.strip_prefix('-')) {
            return add(flags, verb, codec);
        }
    }
    Ok(false)
}

fn add(flags: &mut Flags, verb: &str, text: &str) -> Result<bool, FlagError> {
    let Some(entry) = CodecMatch::parse(text) else {
        flags.note_unknown(&format!("codec-{verb}-{text}"));
        return Ok(true);
    };
    let rules = &mut flags.codecs;
    let list = match VERBS.into_iter().position(|known| same(known, verb)) {
        Some(0) => &mut rules.strip,
        Some(1) => &mut rules.mask,
        Some(2) => &mut rules.consume,
        Some(3) => &mut rules.accept,
        Some(4) => &mut rules.except,
        Some(5) => &mut rules.offer,
        Some(6) => return push(&mut rules.transcode, spec(entry)),
        Some(7) => return push(&mut rules.set, spec(entry)),
        _ => return Ok(false),
    };
    push(list, Some(entry))
}

/// A number that has a fixed meaning stands for that codec.
fn spec(entry: CodecMatch) -> Option<CodecSpec> {
    match entry {
        CodecMatch::Spec(spec) => Some(spec),
        CodecMatch::Number(number) => {
            let format = crate::ng::sdp::Format::fixed(number);
            CodecSpec::parse(&format.name)
        }
        _ => None,
    }
}

fn push<T: PartialEq>(list: &mut Vec<T>, entry: Option<T>) -> Result<bool, FlagError> {
    let Some(entry) = entry.filter(|entry| !list.contains(entry)) else { return Ok(true) };
    if list.len() >= limits::LIST {
        return Err(FlagError::TooLong { key: "codec", limit: limits::LIST, unit: "entries" });
    }
    list.push(entry);
    Ok(true)
}
