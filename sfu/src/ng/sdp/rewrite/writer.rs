//! Lines that can be replaced, removed and added, and keep their order.

use std::net::IpAddr;

use zeroize::Zeroizing;

use super::attributes::{AttributeEdit, EditAction};
use crate::ng::sdp::text::LineView;

/// A part of a text: the session, or one m-line.
pub(super) struct Part<'t> {
    lines: Vec<Line<'t>>,
}

/// A line as it came, or a new one (without its end). New ones may hold keys.
enum Line<'t> {
    Old(LineView<'t>),
    New(Zeroizing<String>),
}

impl Line<'_> {
    fn letter(&self) -> u8 {
        match self {
            Line::Old(line) => line.letter,
            Line::New(text) => text.as_bytes().first().copied().unwrap_or(b' '),
        }
    }

    /// What stands behind `a=`.
    fn attribute(&self) -> Option<&str> {
        match self {
            Line::Old(line) => (line.letter == b'a').then_some(line.value),
            Line::New(text) => text.strip_prefix("a="),
        }
    }

    fn name(&self) -> Option<&str> {
        self.attribute().map(|text| text.split(':').next().unwrap_or(text))
    }
}

impl<'t> Part<'t> {
    pub(super) fn new(lines: impl Iterator<Item = LineView<'t>>) -> Part<'t> {
        Part { lines: lines.map(Line::Old).collect() }
    }

    /// Puts new lines where the first one stands that `matches`, and removes the others; with none, they come last.
    fn put(&mut self, matches: impl Fn(&Line<'_>) -> bool, lines: Vec<Zeroizing<String>>) {
        let at = self.lines.iter().position(&matches).unwrap_or_else(|| self.end());
        self.lines.retain(|line| !matches(line));
        self.insert(at.min(self.lines.len()), lines);
    }

    fn insert(&mut self, at: usize, lines: Vec<Zeroizing<String>>) {
        self.lines.splice(at..at, lines.into_iter().map(|text| Line::New(clean(text))));
    }

    /// Ahead of the blank lines that may end a text.
    fn end(&self) -> usize {
        self.lines.iter().rposition(|line| line.letter() != b' ').map_or(0, |last| last + 1)
    }

    /// Replaces attributes of these names by `values` (what follows `a=`).
    pub(super) fn set(&mut self, names: &[&str], values: Vec<Zeroizing<String>>) {
        let lines = values.into_iter().map(|value| Zeroizing::new(format!("a={}", *value))).collect();
        self.put(|line| line.name().is_some_and(|name| names.contains(&name)), lines);
    }

    /// The same for one value without secrets.
    pub(super) fn set_one(&mut self, names: &[&str], value: String) {
        self.set(names, vec![Zeroizing::new(value)]);
    }

    /// Removes attributes of these names.
    pub(super) fn remove(&mut self, names: &[&str]) {
        self.lines.retain(|line| !line.name().is_some_and(|name| names.contains(&name)));
    }

    /// Removes attributes whose text `matches`.
    pub(super) fn remove_where(&mut self, matches: impl Fn(&str) -> bool) {
        self.lines.retain(|line| !line.attribute().is_some_and(&matches));
    }

    /// Replaces attributes whose text `matches`.
    pub(super) fn set_where(&mut self, matches: impl Fn(&str) -> bool, value: String) {
        let line = Zeroizing::new(format!("a={value}"));
        self.put(|line| line.attribute().is_some_and(&matches), vec![line]);
    }

    /// Adds an attribute unless there is one of this name.
    pub(super) fn ensure(&mut self, name: &str) {
        if !self.lines.iter().any(|line| line.name() == Some(name)) {
            self.set_one(&[name], name.to_owned());
        }
    }

    /// Adds attributes behind the last one of these names; with none, last.
    pub(super) fn add_behind(&mut self, names: &[&str], values: Vec<String>) {
        let last = self.lines.iter().rposition(|line| line.name().is_some_and(|name| names.contains(&name)));
        let at = last.map_or_else(|| self.end(), |last| last + 1);
        self.insert(at, values.into_iter().map(|value| Zeroizing::new(format!("a={value}"))).collect());
    }

    /// Replaces the line of a letter, if it is there.
    pub(super) fn replace(&mut self, letter: u8, text: String) {
        if self.lines.iter().any(|line| line.letter() == letter) {
            self.put(|line| line.letter() == letter, vec![Zeroizing::new(text)]);
        }
    }

    /// Sets the `c=` of an m-line: in its place, or behind `m=` and `i=` (RFC 8866 section 5).
    pub(super) fn connect(&mut self, value: &str) {
        let text = Zeroizing::new(format!("c={value}"));
        if self.lines.iter().any(|line| line.letter() == b'c') {
            self.put(|line| line.letter() == b'c', vec![text]);
        } else {
            let at = self.lines.iter().position(|line| !matches!(line.letter(), b'm' | b'i'));
            self.insert(at.unwrap_or(self.lines.len()), vec![text]);
        }
    }

    /// Does an edit that flags ask for.
    pub(super) fn edit(&mut self, edit: &AttributeEdit) {
        match &edit.action {
            EditAction::Add(text) => {
                if !self.lines.iter().any(|line| line.attribute() == Some(text)) {
                    self.add_behind(&[], vec![text.clone()]);
                }
            }
            EditAction::Remove(text) => self.remove_where(|attribute| is_meant(attribute, text)),
            EditAction::Substitute(from, to) => {
                if self.lines.iter().any(|line| line.attribute() == Some(from)) {
                    self.set_where(|attribute| attribute == from, to.clone());
                }
            }
        }
    }

    /// Appends the lines. Old ones as they came; a last one without an end gets one if something follows it.
    pub(super) fn print(&self, end: &str, out: &mut String) {
        for line in &self.lines {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push_str(end);
            }
            match line {
                Line::Old(line) => out.push_str(line.full),
                Line::New(text) => {
                    out.push_str(text);
                    out.push_str(end);
                }
            }
        }
    }
}

fn is_meant(attribute: &str, text: &str) -> bool {
    attribute
        .strip_prefix(text)
        .is_some_and(|rest| rest.is_empty() || text.ends_with(':') || rest.starts_with([' ', ':']))
}

/// Nothing that is put in may break out of its line, whoever gave it.
fn clean(text: Zeroizing<String>) -> Zeroizing<String> {
    if text.contains(|c: char| c.is_control()) {
        return Zeroizing::new(text.chars().filter(|c| !c.is_control()).collect());
    }
    text
}

/// A text that comes from outside, or nothing if nothing is left of it.
pub(super) fn harmless(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// `IN IP4 <address>`
pub(super) fn address(ip: IpAddr) -> String {
    format!("IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" })
}
