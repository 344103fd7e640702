//! Keys whose values are lists of words: `flags`, `replace`, `rtcp-mux`, `SDES`, `OSRTP`, `T.38`, `supports`.

use super::{codec, flag};
use crate::ng::flags::reader::texts;
use crate::ng::flags::word::{after, same};
use crate::ng::flags::{FlagError, Flags};
use crate::ng::sdp::crypto::Suite;
use crate::ng::value::Value;

/// Reads one word of a list; false if nobody knows it.
pub(super) type Read = fn(&mut Flags, &str) -> bool;

pub(super) fn read(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    let (key, read): (&'static str, Read) = match name {
        "flags" => {
            for word in texts("flags", value)? {
                flag::read(flags, &word)?;
            }
            return Ok(true);
        }
        // Everything in one string, as newer proxies hand it over.
        "rtpp-flags" => {
            for text in texts("rtpp-flags", value)? {
                for word in flag::split(&text) {
                    flag::read(flags, &word)?;
                }
            }
            return Ok(true);
        }
        "replace" => ("replace", replace),
        "rtcp-mux" => ("rtcp-mux", rtcp_mux),
        "sdes" => ("SDES", sdes),
        "osrtp" => ("OSRTP", osrtp),
        "t.38" | "t38" => ("T.38", t38),
        "supports" => ("supports", supports),
        "codec" => {
            codec::dictionary(flags, value)?;
            return Ok(true);
        }
        "sdp-attr" => {
            crate::ng::flags::attributes::dictionary(flags, value)?;
            return Ok(true);
        }
        _ => {
            return match after("codec-", name) {
                Some(verb) => codec::entries(flags, verb, value),
                None => Ok(false),
            };
        }
    };
    for word in texts(key, value)? {
        if !read(flags, &word) {
            flags.note_unknown(&format!("{key}={word}"));
        }
    }
    Ok(true)
}

/// `replace=…`; false for a word that nobody knows, as in the functions below.
pub(super) fn replace(flags: &mut Flags, word: &str) -> bool {
    let rules = &mut flags.replace;
    let names = [
        ("origin", &mut rules.origin),
        ("session-connection", &mut rules.session_connection),
        ("session-name", &mut rules.session_name),
        ("SDP-version", &mut rules.sdp_version),
        ("force-increment-sdp-ver", &mut rules.force_sdp_version),
        ("username", &mut rules.username),
        ("zero-address", &mut rules.zero_address),
    ];
    switch_on(names, word)
}

fn switch_on<const N: usize>(names: [(&str, &mut bool); N], word: &str) -> bool {
    let found = names.into_iter().find(|(name, _)| same(name, word));
    found.map(|(_, on)| *on = true).is_some()
}

pub(super) fn rtcp_mux(flags: &mut Flags, word: &str) -> bool {
    let rules = &mut flags.rtcp_mux;
    let names = [
        ("offer", &mut rules.offer),
        ("require", &mut rules.require),
        ("demux", &mut rules.demux),
        ("accept", &mut rules.accept),
        ("reject", &mut rules.reject),
    ];
    switch_on(names, word)
}

pub(super) fn osrtp(flags: &mut Flags, word: &str) -> bool {
    let rules = &mut flags.security;
    if ["offer", "offer-RFC"].into_iter().any(|name| same(name, word)) {
        rules.osrtp_offer = true;
    } else if ["accept", "accept-RFC"].into_iter().any(|name| same(name, word)) {
        rules.osrtp_accept = true;
    } else {
        // `offer-legacy`, `accept-legacy`: an m-line twice, which no phone of today sends.
        return false;
    }
    true
}

fn t38(flags: &mut Flags, word: &str) -> bool {
    let rules = &mut flags.t38;
    let names = [("decode", &mut rules.decode), ("force", &mut rules.force), ("stop", &mut rules.stop)];
    switch_on(names, word)
}

fn supports(flags: &mut Flags, word: &str) -> bool {
    let known = same("load-limit", word);
    flags.knows_load_limit |= known;
    known
}

pub(super) fn sdes(flags: &mut Flags, word: &str) -> bool {
    if ["off", "no", "disable"].into_iter().any(|name| same(name, word)) {
        flags.security.no_sdes = true;
        return true;
    }
    let rules = &mut flags.security.crypto;
    if let Some(list) = after("order:", word) {
        rules.order = suites(list);
    } else if let Some(list) = after("offerer-pref:", word) {
        rules.prefer = suites(list);
    } else if let Some(suite) = after("no-", word) {
        return Suite::parse(suite).map(|suite| rules.without.push(suite)).is_some();
    } else if let Some(suite) = after("only-", word) {
        return Suite::parse(suite).map(|suite| rules.only.push(suite)).is_some();
    } else {
        return sdes_switch(flags, word);
    }
    true
}

fn sdes_switch(flags: &mut Flags, word: &str) -> bool {
    let rules = &mut flags.security.crypto;
    match word {
        _ if same("unencrypted-srtp", word) => rules.unencrypted_srtp = Some(true),
        _ if same("encrypted-srtp", word) => rules.unencrypted_srtp = Some(false),
        _ if same("unencrypted-srtcp", word) => rules.unencrypted_srtcp = Some(true),
        _ if same("encrypted-srtcp", word) => rules.unencrypted_srtcp = Some(false),
        _ if same("unauthenticated-srtp", word) => rules.unauthenticated_srtp = Some(true),
        _ if same("authenticated-srtp", word) => rules.unauthenticated_srtp = Some(false),
        _ => {
            let names = [
                ("nonew", &mut rules.no_new),
                ("pad", &mut rules.pad),
                ("lifetime", &mut rules.lifetime),
                ("static", &mut rules.keep),
            ];
            return switch_on(names, word);
        }
    }
    true
}

/// `A;B;C`. Unknown ones are left out.
fn suites(list: &str) -> Vec<Suite> {
    list.split([';', ',']).filter_map(|name| Suite::parse(name.trim())).collect()
}
