//! The lines ahead of the first m-line, rewritten.

use std::net::IpAddr;

use super::attributes::EditScope;
use super::writer::{Part, address, harmless};
use super::{Change, LOOP_ATTRIBUTE, Rewrite};
use crate::ng::sdp::text::SessionText;
use crate::ng::sdp::view::Host;

/// The address of the session's `c=` in the new text: as decided, or that of the first m-line that relies on it.
pub(super) fn connection(text: &SessionText, rewrite: &Rewrite) -> Option<IpAddr> {
    text.session().connection.as_ref()?;
    let relying = || {
        let medias = text.medias().iter().zip(&rewrite.medias);
        medias.filter(|(view, _)| !view.own_connection).find_map(|(_, media)| media.address)
    };
    rewrite.connection.or_else(relying)
}

/// Rewrites them.
pub(super) fn write<'t>(text: &'t SessionText, rewrite: &Rewrite, connection: Option<IpAddr>) -> Part<'t> {
    let mut part = Part::new(text.session_lines());
    origin(&mut part, text, rewrite);
    if let Some(name) = &rewrite.session_name {
        part.replace(b's', format!("s={}", harmless(name).as_deref().unwrap_or("-")));
    }
    if let Some(ip) = connection {
        part.replace(b'c', format!("c={}", address(ip)));
    }
    if rewrite.remove_dtls {
        part.remove(&["fingerprint", "setup", "tls-id", "connection"]);
    }
    if rewrite.remove_ice {
        part.remove(&["ice-ufrag", "ice-pwd", "ice-options", "ice-pacing"]);
    }
    if rewrite.remove_media_defaults {
        part.remove(&["crypto", "sendrecv", "sendonly", "recvonly", "inactive"]);
    }
    if rewrite.remove_extensions {
        part.remove(&["extmap", "extmap-allow-mixed"]);
    }
    match rewrite.ice_lite {
        Some(true) => part.ensure("ice-lite"),
        Some(false) => part.remove(&["ice-lite"]),
        None => {}
    }
    let is_bundle = |attribute: &str| attribute == "group:BUNDLE" || attribute.starts_with("group:BUNDLE ");
    match &rewrite.bundle {
        Change::Keep => {}
        Change::Set(mids) if !mids.is_empty() => {
            part.set_where(is_bundle, format!("group:BUNDLE {}", mids.join(" ")));
        }
        Change::Remove | Change::Set(_) => part.remove_where(is_bundle),
    }
    if let Some(mark) = &rewrite.loop_mark {
        let line = format!("{LOOP_ATTRIBUTE}:{mark}");
        part.set_where(|attribute| attribute == line, line.clone());
    }
    for edit in rewrite.attributes.iter().filter(|edit| edit.scope == EditScope::Session) {
        part.edit(edit);
    }
    part
}

fn origin(part: &mut Part<'_>, text: &SessionText, rewrite: &Rewrite) {
    if rewrite.origin.is_none() && rewrite.username.is_none() {
        return;
    }
    let origin = &text.session().origin;
    let host = match (rewrite.origin, &origin.host) {
        (Some(ip), _) => address(ip),
        (None, Host::Ip(ip)) => address(*ip),
        // A name stays in the family that it was given in; IP4 is what all but nobody writes.
        (None, Host::Name(name)) => format!("IN IP4 {name}"),
    };
    // A user name holds no blanks.
    let username = rewrite.username.as_deref().unwrap_or(&origin.username).replace(' ', "");
    let username = harmless(&username).unwrap_or_else(|| "-".to_owned());
    part.replace(b'o', format!("o={username} {} {} {host}", origin.session_id, origin.version));
}
