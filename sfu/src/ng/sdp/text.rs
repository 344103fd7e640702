//! The text itself: every line, in order, as it came.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::error::{SdpError, bounded};
use super::limits;
use super::view::{self, MediaView, SessionView};
use crate::sdp::Place;

/// A session description that can be printed as it came, with what its lines mean. It may hold keys: zeroized on
/// drop, and [`fmt::Debug`] shows the number of lines only.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionText {
    text: Zeroizing<String>,
    lines: Vec<Line>,
    /// Which of the lines are m-lines.
    media_lines: Vec<usize>,
    session: SessionView,
    medias: Vec<MediaView>,
}

/// A line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// Without its end.
    body: Range<usize>,
    /// With its end.
    full: Range<usize>,
}

/// A line to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineView<'t> {
    /// Which one, from 1.
    pub(super) number: usize,
    /// What stands ahead of `=`.
    pub(super) letter: u8,
    /// What stands behind it.
    pub(super) value: &'t str,
    /// The line with its end, as it came.
    pub(super) full: &'t str,
}

impl<'t> LineView<'t> {
    /// Name and value of an attribute; `None` for other lines.
    pub(super) fn attribute(self) -> Option<(&'t str, &'t str)> {
        (self.letter == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }
}

impl fmt::Debug for SessionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionText").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl SessionText {
    /// Reads a text.
    ///
    /// # Errors
    /// [`SdpError`]: what is wrong, on which line, and what to do.
    pub fn parse(text: &str) -> Result<SessionText, SdpError> {
        if text.len() > limits::TEXT_BYTES {
            return Err(SdpError::TooLarge { size: text.len(), limit: limits::TEXT_BYTES });
        }
        let lines = split(text)?;
        let first = lines.first().map(|line| &text[line.body.clone()]);
        if first != Some("v=0") {
            return Err(SdpError::NotSdp { line: 1, problem: "the first line must read v=0" });
        }
        let is_media = |line: &Line| text.as_bytes().get(line.body.start) == Some(&b'm');
        let media_lines: Vec<usize> = (0..lines.len()).filter(|index| is_media(&lines[*index])).collect();
        bounded(media_lines.len(), limits::MEDIAS, Place::Session, "m-lines")?;
        if media_lines.is_empty() {
            return Err(SdpError::NoMedia);
        }
        let views = |range: Range<usize>| range.map(|index| line_view(text, &lines, index));
        let (session, defaults) = view::session(views(0..media_lines[0]))?;
        let ends = media_lines.iter().skip(1).copied().chain([lines.len()]);
        let mut medias = Vec::with_capacity(media_lines.len());
        for (index, (start, end)) in media_lines.iter().copied().zip(ends).enumerate() {
            medias.push(view::media(index, views(start..end), &defaults)?);
        }
        Ok(SessionText { text: Zeroizing::new(text.to_owned()), lines, media_lines, session, medias })
    }

    /// The text as it came, byte by byte.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands ahead of the first m-line.
    pub fn session(&self) -> &SessionView {
        &self.session
    }

    /// The m-lines in order.
    pub fn medias(&self) -> &[MediaView] {
        &self.medias
    }

    /// How new lines end: as the first one does.
    pub(super) fn line_end(&self) -> &'static str {
        if self.lines.first().is_some_and(|first| self.text[first.full.clone()].ends_with("\r\n")) {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The lines ahead of the first m-line.
    pub(super) fn session_lines(&self) -> impl Iterator<Item = LineView<'_>> {
        let end = self.media_lines.first().copied().unwrap_or(self.lines.len());
        (0..end).map(|index| line_view(&self.text, &self.lines, index))
    }

    /// The lines of an m-line, itself first.
    pub(super) fn media_lines(&self, media: usize) -> impl Iterator<Item = LineView<'_>> {
        let start = self.media_lines.get(media).copied().unwrap_or(self.lines.len());
        let end = self.media_lines.get(media + 1).copied().unwrap_or(self.lines.len());
        (start..end).map(|index| line_view(&self.text, &self.lines, index))
    }
}

fn line_view<'t>(text: &'t str, lines: &[Line], index: usize) -> LineView<'t> {
    let Line { body, full } = &lines[index];
    let (letter, value) = match text[body.clone()].as_bytes() {
        [letter, b'=', ..] => (*letter, &text[body.start + 2..body.end]),
        // Blank lines at the end.
        _ => (b' ', ""),
    };
    LineView { number: index + 1, letter, value, full: &text[full.clone()] }
}

/// Cuts the text into lines that read `x=…`. Blank lines are fine at the end only: some devices send one.
fn split(text: &str) -> Result<Vec<Line>, SdpError> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut ended = false;
    while start < text.len() {
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
        let full = &text[start..end];
        let body = full.strip_suffix("\r\n").or_else(|| full.strip_suffix('\n')).unwrap_or(full);
        let number = lines.len() + 1;
        bounded(number, limits::LINES, Place::Session, "lines")?;
        check(number, body, ended)?;
        ended |= body.is_empty();
        lines.push(Line { body: start..start + body.len(), full: start..end });
        start = end;
    }
    Ok(lines)
}

fn check(number: usize, body: &str, ended: bool) -> Result<(), SdpError> {
    let refuse = |problem| Err(SdpError::NotSdp { line: number, problem });
    if body.len() > limits::LINE_BYTES {
        return Err(SdpError::LongLine { line: number, size: body.len(), limit: limits::LINE_BYTES });
    }
    match body.as_bytes() {
        [] => return Ok(()),
        _ if ended => return refuse("something follows a blank line"),
        [letter, b'=', ..] if letter.is_ascii_lowercase() => {}
        _ => return refuse("a line must begin with a small letter and ="),
    }
    if body.contains('\r') {
        return refuse("a carriage return stands within a line");
    }
    if body.contains('\0') {
        return refuse("it holds a NUL");
    }
    // Their words are put together anew, without what could do harm.
    if body.starts_with(['m', 'o']) && body.chars().any(|c| c.is_control() && c != '\t') {
        return refuse("it holds a control character");
    }
    Ok(())
}
