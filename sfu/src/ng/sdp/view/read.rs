//! Values of lines, read strictly.

use std::net::IpAddr;

use super::{Host, Origin};
use crate::ng::sdp::error::SdpError;
use crate::ng::sdp::text::LineView;
use crate::sdp::Quoted;

/// What a line should have been.
pub(super) fn invalid(line: LineView<'_>, what: &'static str, expected: &'static str) -> SdpError {
    SdpError::Invalid { line: line.number, what, value: Quoted::new(line.value), expected }
}

/// A number whose text is digits only: the standard's reading takes a `+` too.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `IN IP4 <address>[/<ttl>[/<count>]]`
pub(super) fn host(text: &str) -> Option<Host> {
    let mut words = text.split_ascii_whitespace();
    let (net, family, address) = (words.next()?, words.next()?, words.next()?);
    if !net.eq_ignore_ascii_case("IN") || words.next().is_some() {
        return None;
    }
    address_of(family, address)
}

fn address_of(family: &str, text: &str) -> Option<Host> {
    let address = text.split('/').next().unwrap_or_default();
    let is4 = family.eq_ignore_ascii_case("IP4");
    if !is4 && !family.eq_ignore_ascii_case("IP6") {
        return None;
    }
    match address.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv4() == is4 => Some(Host::Ip(ip)),
        Ok(_) => None,
        Err(_) => is_name(address).then(|| Host::Name(address.to_owned())),
    }
}

/// Letters, digits, hyphens and points, with a letter somewhere: `300.1.1.1` is no name.
fn is_name(text: &str) -> bool {
    text.len() <= 255
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_')
}

/// `<username> <sess-id> <sess-version> IN IP4 <address>`
pub(super) fn origin(line: LineView<'_>) -> Result<Origin, SdpError> {
    const SHAPE: &str = "`<username> <number> <version> IN IP4 <address>`";
    let words: Vec<&str> = line.value.split_ascii_whitespace().collect();
    let [username, session_id, version, _, _, _] = words.as_slice() else {
        return Err(invalid(line, "o=", SHAPE));
    };
    let host = host(&words[3..].join(" ")).ok_or_else(|| invalid(line, "o=", SHAPE))?;
    Ok(Origin {
        username: (*username).to_owned(),
        session_id: (*session_id).to_owned(),
        version: (*version).to_owned(),
        host,
    })
}

/// `<port> [IN IP4 <address>]`
pub(super) fn rtcp(line: LineView<'_>, value: &str) -> Result<(u16, Option<Host>), SdpError> {
    const SHAPE: &str = "`<port>` or `<port> IN IP4 <address>`";
    let refuse = || invalid(line, "a=rtcp", SHAPE);
    let (port, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let port = number(port).ok_or_else(refuse)?;
    let host = (!rest.trim().is_empty()).then(|| host(rest).ok_or_else(refuse)).transpose()?;
    Ok((port, host))
}

/// A text that is kept: not empty, within a bound, without blanks.
pub(super) fn token(text: &str, limit: usize) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= limit && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| text.to_owned())
}
