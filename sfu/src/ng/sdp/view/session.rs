//! The lines ahead of the first m-line.

use super::media::Builder;
use super::{Host, SessionView, read};
use crate::ng::sdp::LOOP_ATTRIBUTE;
use crate::ng::sdp::error::SdpError;
use crate::ng::sdp::text::LineView;
use crate::sdp::Place;

/// What m-lines take from the session where they say nothing.
pub(super) type Defaults = Builder;

/// Reads them.
pub(crate) fn session<'t>(
    lines: impl Iterator<Item = LineView<'t>>,
) -> Result<(SessionView, Defaults), SdpError> {
    let mut origin = None;
    let mut name: Option<String> = None;
    let mut connection: Option<Host> = None;
    let mut version = false;
    let (mut ice_lite, mut bundles, mut loop_marks) = (false, Vec::new(), Vec::new());
    let mut defaults = Builder::new(Place::Session);
    for line in lines {
        let twice = |what| SdpError::Twice { line: line.number, what };
        match (line.letter, line.attribute()) {
            (b'v', _) if std::mem::replace(&mut version, true) => return Err(twice("v=")),
            (b'o', _) if origin.is_some() => return Err(twice("o=")),
            (b'o', _) => origin = Some(read::origin(line)?),
            (b's', _) if name.is_some() => return Err(twice("s=")),
            (b's', _) => name = Some(line.value.to_owned()),
            (b'c', _) if connection.is_some() => return Err(twice("c=")),
            (b'c', _) => connection = Some(super::media::connection(line)?),
            (b'a', Some(("ice-lite", _))) => ice_lite = true,
            (b'a', Some(("group", value))) => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("BUNDLE") {
                    bundles.push(words.map(str::to_owned).collect());
                }
            }
            (b'a', Some((LOOP_ATTRIBUTE, value))) => loop_marks.push(value.to_owned()),
            (b'a', Some((name, value))) => defaults.attribute(line, name, value)?,
            _ => {}
        }
    }
    let origin = origin.ok_or(SdpError::Missing {
        place: Place::Session,
        what: "o= line",
        hint: "it must stand ahead of the first m-line",
    })?;
    defaults.connection = connection.clone();
    Ok((SessionView { origin, name, connection, ice_lite, bundles, loop_marks }, defaults))
}
