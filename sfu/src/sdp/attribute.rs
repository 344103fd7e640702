//! Values of single attributes. Every function is linear in its input and never panics.

use super::error::{Place, Quoted, SdpError};
use super::limits;
use super::section::Direction;

/// A value of an attribute with what is needed for a good error.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) place: Place,
    pub(super) attribute: &'static str,
    pub(super) text: &'a str,
}

impl<'a> Value<'a> {
    pub(super) fn invalid(self, expected: &'static str) -> SdpError {
        SdpError::Invalid {
            place: self.place,
            attribute: self.attribute,
            value: Quoted::new(self.text),
            expected,
        }
    }

    /// The first word and the rest, both trimmed.
    pub(super) fn head(self, expected: &'static str) -> Result<(&'a str, &'a str), SdpError> {
        let (head, rest) = self.text.trim().split_once(' ').ok_or_else(|| self.invalid(expected))?;
        Ok((head, rest.trim()))
    }

    /// A mid or rid: RFC 8866 token characters, short enough for a header extension.
    pub(super) fn name(self) -> Result<String, SdpError> {
        let text = self.text.trim();
        let fits = (1..=limits::NAME_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(is_token) {
            return Err(self.invalid("1 to 16 letters, digits or one of -_."));
        }
        Ok(text.to_owned())
    }

    /// RFC 8839 section 5.4: ice-char, with a length.
    pub(super) fn ice(self, shortest: usize, expected: &'static str) -> Result<String, SdpError> {
        let text = self.text.trim();
        let fits = (shortest..=limits::ICE_BYTES).contains(&text.len());
        let chars =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'='));
        if fits && chars { Ok(text.to_owned()) } else { Err(self.invalid(expected)) }
    }

    pub(super) fn number<T: std::str::FromStr>(self, expected: &'static str) -> Result<T, SdpError> {
        self.text.trim().parse().map_err(|_| self.invalid(expected))
    }
}

/// RFC 8866 token characters without those that mean something elsewhere in SDP attributes or in markup.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+' | b'{' | b'}')
}

/// `<pt> <name>/<rate>[/<channels>]`
pub(super) struct RtpMap<'a> {
    pub(super) number: u8,
    pub(super) name: &'a str,
    pub(super) clock_rate: u32,
    pub(super) channels: Option<u8>,
}

pub(super) fn rtpmap(value: Value<'_>) -> Result<RtpMap<'_>, SdpError> {
    const SHAPE: &str = "`<payload type> <name>/<clock rate>[/<channels>]`";
    let (number, encoding) = value.head(SHAPE)?;
    let mut parts = encoding.split('/');
    let name = parts.next().filter(|n| (1..=32).contains(&n.len())).ok_or_else(|| value.invalid(SHAPE))?;
    if !name.bytes().all(is_token) {
        return Err(value.invalid(SHAPE));
    }
    let rate = parts.next().and_then(|r| r.parse().ok()).filter(|rate| *rate > 0);
    let clock_rate = rate.ok_or_else(|| value.invalid(SHAPE))?;
    let channels = match parts.next() {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| value.invalid(SHAPE))?),
    };
    Ok(RtpMap { number: payload_type(number, value, SHAPE)?, name, clock_rate, channels })
}

pub(super) fn payload_type(text: &str, value: Value<'_>, expected: &'static str) -> Result<u8, SdpError> {
    text.parse().ok().filter(|pt| *pt < 128).ok_or_else(|| value.invalid(expected))
}

/// `<id>[/<direction>] <uri> [<parameters>]` (RFC 8285 section 8)
pub(super) fn extmap(value: Value<'_>) -> Result<(u8, Direction, &str), SdpError> {
    const SHAPE: &str = "`<id>[/<direction>] <uri>` with an id of 1 to 255";
    let (head, rest) = value.head(SHAPE)?;
    let (id, direction) = match head.split_once('/') {
        None => (head, Direction::SendRecv),
        Some((id, direction)) => (id, Direction::parse(direction).ok_or_else(|| value.invalid(SHAPE))?),
    };
    let id = id.parse().ok().filter(|id| *id > 0).ok_or_else(|| value.invalid(SHAPE))?;
    let uri = rest.split(' ').next().filter(|uri| !uri.is_empty()).ok_or_else(|| value.invalid(SHAPE))?;
    Ok((id, direction, uri))
}

/// `<ssrc> <attribute>…` (RFC 5576 section 4.1)
pub(super) fn ssrc(value: Value<'_>) -> Result<u32, SdpError> {
    let first = value.text.trim().split(' ').next().unwrap_or_default();
    first.parse().map_err(|_| value.invalid("`<ssrc> <attribute>` with a 32 bit number"))
}

/// `FID <ssrc> <ssrc>` gives the pair; other semantics give `None` (RFC 5576 section 4.2).
pub(super) fn ssrc_group(value: Value<'_>) -> Result<Option<(u32, u32)>, SdpError> {
    const SHAPE: &str = "`FID <ssrc> <ssrc of its RTX>`";
    let mut words = value.text.split_ascii_whitespace();
    if words.next() != Some("FID") {
        return Ok(None);
    }
    let mut next = || words.next().and_then(|w| w.parse().ok());
    match (next(), next(), next()) {
        (Some(first), Some(second), None) if first != second => Ok(Some((first, second))),
        _ => Err(value.invalid(SHAPE)),
    }
}

/// The layers of the `send` part of `a=simulcast` (RFC 8853 section 5.1), first alternatives only, best first.
/// A leading `~` (paused at start) is not kept.
pub(super) fn simulcast_send(value: Value<'_>) -> Result<Vec<String>, SdpError> {
    const SHAPE: &str = "`send <rid>;<rid>…`";
    let mut words = value.text.split_ascii_whitespace();
    while let Some(direction) = words.next() {
        let list = words.next().ok_or_else(|| value.invalid(SHAPE))?;
        match direction {
            "recv" => continue,
            "send" => {}
            _ => return Err(value.invalid(SHAPE)),
        }
        let mut layers = Vec::new();
        for layer in list.split(';') {
            let first = layer.split(',').next().unwrap_or_default();
            let text = first.strip_prefix('~').unwrap_or(first);
            layers.push(Value { text, ..value }.name()?);
            super::error::bounded(layers.len(), limits::RIDS, value.place, "simulcast layers")?;
        }
        return Ok(layers);
    }
    Ok(Vec::new())
}

/// The value of a key in `a=fmtp` parameters, `key=value;key=value` (names compare without case).
pub(super) fn parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
    })
}
