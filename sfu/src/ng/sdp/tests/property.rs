//! Whatever is accepted prints as it came, and whatever is rewritten can be read again.

use proptest::prelude::*;

use super::texts::{ALL, crlf};
use crate::ng::sdp::protocol::Protocol;
use crate::ng::sdp::{
    Change, Direction, Format, IceChange, MediaRewrite, Rewrite, RtcpLine, SessionText, ice::Ice, rewrite,
};

/// Lines of a description, sensible or not.
fn line() -> impl Strategy<Value = String> {
    let known: Vec<String> =
        ALL.iter().flat_map(|(_, text)| text.trim_start().lines()).map(str::to_owned).collect();
    prop_oneof![
        8 => proptest::sample::select(known),
        1 => "[a-z]=[ -~]{0,40}",
        1 => "a=[a-z-]{1,12}:[ -~]{0,30}",
        1 => "\\PC{0,30}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    let ends = prop_oneof![Just("\r\n"), Just("\n")];
    (proptest::collection::vec((line(), ends), 0..40), any::<bool>()).prop_map(|(lines, whole)| {
        let mut text = String::from("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n");
        if whole {
            text.push_str("s=-\r\nm=audio 4000 RTP/AVP 0\r\n");
        }
        lines.iter().for_each(|(line, end)| text.extend([line.as_str(), end]));
        text
    })
}

/// What breaks texts when it stands in the wrong place.
const FRAGMENTS: [&str; 16] = [
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\u{1}",
    "\u{85}",
    " ",
    ":",
    "/",
    "-",
    "127",
    "65536",
    "m=",
    "a=",
    "c=IN IP6 ::",
    "é",
];

/// One of the texts of known programs with some lines swapped, doubled, cut or changed.
fn mutated() -> impl Strategy<Value = String> {
    let which = proptest::sample::select(ALL.to_vec());
    let changes =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5), 0..4);
    (which, changes).prop_map(|((_, text), changes)| {
        let mut lines: Vec<String> = crlf(text).split_inclusive('\n').map(str::to_owned).collect();
        for (one, other, kind) in changes {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            match kind {
                0 => lines.swap(one, other),
                1 => lines[one] = lines[other].clone(),
                2 => lines.insert(one, lines[other].clone()),
                3 => {
                    let fragment = FRAGMENTS[other % FRAGMENTS.len()];
                    let at = (other * 7) % (lines[one].len() + 1);
                    let at = (0..=at).rev().find(|at| lines[one].is_char_boundary(*at)).unwrap_or(0);
                    lines[one].insert_str(at, fragment);
                }
                _ => {
                    let half = lines[one].chars().count() / 2;
                    lines[one] = lines[one].chars().take(half).collect();
                }
            }
        }
        lines.concat()
    })
}

fn formats() -> impl Strategy<Value = Vec<Format>> {
    let format =
        (0_u8..128, "[A-Za-z0-9-]{1,10}", 1_u32..192_000, 1_u8..3).prop_map(|(n, name, rate, channels)| {
            let format = Format::new(n, &name, rate, channels);
            if rate % 2 == 0 { format.with_fmtp("mode=1;x") } else { format }
        });
    proptest::collection::vec(format, 1..6).prop_map(|mut formats| {
        formats.sort_by_key(|format| format.payload_type);
        formats.dedup_by_key(|format| format.payload_type);
        formats
    })
}

fn media() -> impl Strategy<Value = MediaRewrite> {
    let ice = Ice { ufrag: "Ua12".into(), pwd: "p".repeat(24), ended: true, ..Ice::default() };
    (
        proptest::option::of(any::<std::net::IpAddr>()),
        proptest::option::of(1_u16..),
        proptest::option::of(proptest::sample::select(Protocol::RTP.to_vec())),
        proptest::option::of(formats()),
        prop_oneof![Just(IceChange::Keep), Just(IceChange::Remove), Just(IceChange::Set(ice))],
        any::<(bool, bool, bool)>(),
        ".{0,8}",
    )
        .prop_map(|(address, port, protocol, formats, ice, (one, two, three), free)| MediaRewrite {
            address,
            port,
            rtcp: port.map_or(Change::Remove, |port| Change::Set(RtcpLine::Port(port))),
            rtcp_mux: Some(one),
            protocol,
            formats,
            remove_feedback: two,
            direction: one.then_some(Direction::SendOnly),
            ptime: if two { Change::Set(20) } else { Change::Remove },
            crypto: two.then(Vec::new),
            ice,
            label: Change::Set(free),
            remove_ssrcs: three,
            rejected: one && two && three,
            ..MediaRewrite::default()
        })
}

proptest! {
    #[test]
    fn accepted_texts_print_as_they_came(text in prop_oneof![text(), mutated()]) {
        if let Ok(parsed) = SessionText::parse(&text) {
            prop_assert_eq!(parsed.as_str(), &text);
            prop_assert_eq!(rewrite(&parsed, &Rewrite::default()), text);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_fall(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SessionText::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_rewritten_reads_as_decided(
        text in mutated(),
        medias in proptest::collection::vec(media(), 0..3),
        connection in proptest::option::of(any::<std::net::IpAddr>()),
        free in ".{0,10}",
    ) {
        let Ok(parsed) = SessionText::parse(&text) else { return Ok(()) };
        let decided = Rewrite {
            medias,
            connection,
            origin: connection,
            username: Some(free.clone()),
            session_name: Some(free),
            ..Rewrite::default()
        };
        // Payload types stand where RTP is only.
        let fits = decided.medias.iter().zip(parsed.medias()).all(|(media, view)| {
            media.formats.is_none() && media.protocol.is_none() || view.protocol.is_rtp()
        });
        if !fits {
            return Ok(());
        }
        let out = rewrite(&parsed, &decided);
        let again = SessionText::parse(&out);
        prop_assert!(again.is_ok(), "{:?}\n{out}", again);
        let again = again.unwrap();
        prop_assert_eq!(again.medias().len(), parsed.medias().len());
        for ((media, before), after) in decided.medias.iter().zip(parsed.medias()).zip(again.medias()) {
            prop_assert_eq!(&after.kind, &before.kind);
            if let Some(ip) = media.address {
                prop_assert_eq!(after.connection.as_ref().and_then(|host| host.ip()), Some(ip));
            }
            let port = if media.rejected { Some(0) } else { media.port };
            prop_assert_eq!(after.port, port.unwrap_or(before.port));
            if let Some(formats) = &media.formats {
                prop_assert_eq!(&after.formats, formats);
            }
            prop_assert_eq!(after.rtcp_mux, media.rtcp_mux == Some(true));
        }
    }
}
