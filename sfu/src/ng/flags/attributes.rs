//! `sdp-attr`: edits of attribute lines in the outgoing text.

use super::reader::{checked, text, texts};
use super::word::{after, same};
use super::{FlagError, Flags, limits};
use crate::ng::sdp::{AttributeEdit, EditAction, EditScope};
use crate::ng::value::Value;

const KEY: &str = "sdp-attr";

/// `{"audio": {"add": ["ptime:20"], …}, …}`
pub(super) fn dictionary(flags: &mut Flags, value: &Value) -> Result<(), FlagError> {
    let shape = || FlagError::Type { key: KEY, expected: "a dictionary of dictionaries of lists" };
    let Value::Dictionary(scopes) = value else { return Err(shape()) };
    for (scope, actions) in scopes.iter() {
        let Value::Dictionary(actions) = actions else { return Err(shape()) };
        for (action, values) in actions.iter() {
            if !edits(flags, scope, action, values)? {
                flags.note_unknown(&format!("sdp-attr-{action}-{scope}"));
            }
        }
    }
    Ok(())
}

fn edits(flags: &mut Flags, scope: &str, action: &str, values: &Value) -> Result<bool, FlagError> {
    if same("substitute", action) {
        return substitutes(flags, scope, values);
    }
    for value in texts(KEY, values)? {
        let action = if same("add", action) {
            EditAction::Add(value)
        } else if same("remove", action) {
            EditAction::Remove(value)
        } else {
            return Ok(false);
        };
        push(flags, scope, action)?;
    }
    Ok(true)
}

/// A pair of texts, or a list of such pairs.
fn substitutes(flags: &mut Flags, scope: &str, values: &Value) -> Result<bool, FlagError> {
    let expected = "pairs of texts to substitute";
    let Value::List(list) = values else { return Err(FlagError::Type { key: KEY, expected }) };
    let pairs = if matches!(list.first(), Some(Value::List(_))) {
        list.as_slice()
    } else {
        std::slice::from_ref(values)
    };
    for pair in pairs {
        let Value::List(pair) = pair else { return Err(FlagError::Type { key: KEY, expected }) };
        let read = |at: usize| pair.get(at).map(|value| text(KEY, value)).transpose().map(Option::flatten);
        if let (Some(from), Some(to)) = (read(0)?, read(1)?) {
            push(flags, scope, EditAction::Substitute(from, to))?;
        }
    }
    Ok(true)
}

/// `remove-audio-ssrc:`, `substitute-none-sendrecv>sendonly`: `--` stands for `=` and `..` for a blank.
pub(super) fn word(flags: &mut Flags, word: &str) -> Result<bool, FlagError> {
    for action in ["add", "remove", "substitute"] {
        let Some(rest) = after(action, word).and_then(|rest| rest.strip_prefix('-')) else { continue };
        let Some((scope, value)) = rest.split_once('-').filter(|(_, value)| !value.is_empty()) else {
            return Ok(false);
        };
        let plain = |text: &str| text.replace("--", "=").replace("..", " ");
        let action = match action {
            "add" => EditAction::Add(plain(value)),
            "remove" => EditAction::Remove(plain(value)),
            _ => match value.split_once('>') {
                Some((from, to)) => EditAction::Substitute(plain(from), plain(to)),
                None => return Ok(false),
            },
        };
        push(flags, scope, action)?;
        return Ok(true);
    }
    Ok(false)
}

fn push(flags: &mut Flags, scope: &str, action: EditAction) -> Result<(), FlagError> {
    checked(KEY, scope)?;
    if flags.attributes.len() >= limits::LIST {
        return Err(FlagError::TooLong { key: KEY, limit: limits::LIST, unit: "entries" });
    }
    let session = same("none", scope) || same("global", scope);
    let scope = if session { EditScope::Session } else { EditScope::Kind(scope.to_ascii_lowercase()) };
    flags.attributes.push(AttributeEdit { scope, action });
    Ok(())
}
