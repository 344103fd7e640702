//! The text itself: every line, in order, as it came.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::error::SdpError;
use super::view::{MediaView, SessionView};

/// A session description that can be printed as it came, with what its lines mean. It may hold keys: zeroized on
/// drop, and [`fmt::Debug`] shows the number of lines only.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionText {
    pub(super) text: Zeroizing<String>,
    pub(super) lines: Vec<Line>,
    /// Where each m-line is, among the lines.
    pub(super) media_lines: Vec<usize>,
    session: SessionView,
    medias: Vec<MediaView>,
}

/// A line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What stands ahead of `=`.
    pub(super) letter: u8,
    /// The whole line, without its end.
    pub(super) span: Range<usize>,
    /// With its end.
    pub(super) full: Range<usize>,
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
        let _ = text;
        Err(SdpError::NoMedia)
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
}
