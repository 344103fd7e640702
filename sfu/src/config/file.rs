//! The settings file: TOML, with the place of every value.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem};
use super::table::{KEYS, Key};
use super::value::Value;

/// No settings file comes near this; it keeps a wrong path (a log, a device) from filling memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A value with the setting it is for and where it stands.
pub(super) struct Placed {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Reads the file at `path`; problems are added to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Placed> {
    match read_text(path) {
        Ok(text) => parse(path, &text, problems),
        Err(reason) => {
            let origin = Origin::Whole(path.to_owned());
            let message = format!(
                "cannot read the settings file: {reason}; check the path and its permissions (`ls -l`), or leave --config away to run on defaults"
            );
            problems.push(Problem { origin, message });
            Vec::new()
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !meta.is_file() {
        return Err("it is not a regular file".into());
    }
    if meta.len() > MAX_FILE_BYTES {
        return Err(format!("it is larger than {MAX_FILE_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".into())
}

/// Parses `text`, which came from `path`.
pub(super) fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Placed> {
    let mut reader = Reader { path, text, problems, found: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.table("", table.get_ref()),
        Err(error) => {
            // The parser puts its expectation on further lines; one line is enough beside the place.
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            reader.problem(error.span().unwrap_or(0..0), format!("this is not TOML: {message}"));
        }
    }
    reader.found
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
    found: Vec<Placed>,
}

impl Reader<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Origin::File {
            path: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn problem(&mut self, span: Range<usize>, message: String) {
        self.problems.push(Problem { origin: self.origin(span), message });
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table.iter() {
            let full = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            if let Some(key) = KEYS.iter().find(|key| key.name == full) {
                self.leaf(key, value);
                continue;
            }
            let inner = format!("{full}.");
            match value.get_ref() {
                DeValue::Table(table) if KEYS.iter().any(|key| key.name.starts_with(&inner)) => {
                    self.table(&full, table)
                }
                // A misspelt table: its settings name what was meant better than its name alone.
                DeValue::Table(table) if !table.is_empty() => {
                    for (leaf, _) in table.iter() {
                        self.unknown(name.span(), &format!("{full}.{}", leaf.get_ref()));
                    }
                }
                _ => self.unknown(name.span(), &full),
            }
        }
    }

    fn unknown(&mut self, span: Range<usize>, name: &str) {
        let message = unknown(name, "setting", KEYS.iter().map(|key| key.name.to_owned()));
        self.problem(span, message);
    }

    fn leaf(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        match convert(value.get_ref()) {
            Ok(converted) => {
                let origin = self.origin(value.span());
                self.found.push(Placed { key, value: converted, origin });
            }
            Err(found) => {
                self.problem(
                    value.span(),
                    format!("{}: found {found}; give {}", key.name, key.kind.expects()),
                );
            }
        }
    }
}

/// Says that there is no such name, and which one comes nearest.
pub(super) fn unknown(name: &str, what: &str, known: impl Iterator<Item = String>) -> String {
    let shown: String = name.chars().flat_map(char::escape_debug).take(80).collect();
    let nearest = known
        .map(|candidate| (strsim::damerau_levenshtein(name, &candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        // Further away than half of the name is no typo any more.
        .filter(|(distance, candidate)| *distance * 2 <= candidate.len());
    match nearest {
        Some((_, candidate)) => format!("there is no {what} `{shown}`; did you mean `{candidate}`?"),
        None => {
            format!("there is no {what} `{shown}`; the reference lists all of them (docs/configuration.md)")
        }
    }
}

/// Names what was found where it cannot be a value.
fn convert(value: &DeValue<'_>) -> Result<Value, &'static str> {
    match value {
        DeValue::Boolean(value) => Ok(Value::Bool(*value)),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix())
            .map(Value::Integer)
            .map_err(|_| "a number that is far too large"),
        DeValue::String(value) => Ok(Value::Text(value.to_string())),
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                _ => Err("a list with something other than texts in it"),
            };
            items.iter().map(text).collect::<Result<_, _>>().map(Value::List)
        }
        DeValue::Float(_) => Err("a fraction"),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Table(_) => Err("a table"),
    }
}
