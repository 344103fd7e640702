//! What rewriting does to each kind of line.

use super::texts::*;
use crate::ng::sdp::crypto::{CryptoLine, InlineKey, Suite};
use crate::ng::sdp::dtls::Setup;
use crate::ng::sdp::ice::{Candidate, Ice};
use crate::ng::sdp::protocol::Protocol;
use crate::ng::sdp::{
    AttributeEdit, Change, Direction, DtlsLines, EditAction, EditScope, Format, IceChange, MediaRewrite,
    Rewrite, RtcpLine, SessionText, rewrite,
};

/// The lines of the outcome that were not there, and those that are gone, each in order.
fn difference(text: &str, decided: &Rewrite) -> (Vec<String>, Vec<String>) {
    let before = crlf(text);
    let after = rewrite(&SessionText::parse(&before).unwrap(), decided);
    let minus = |one: &str, other: &str| {
        let mut other: Vec<&str> = other.lines().collect();
        let mut left = Vec::new();
        for line in one.lines() {
            match other.iter().position(|known| *known == line) {
                Some(at) => drop(other.remove(at)),
                None => left.push(line.to_owned()),
            }
        }
        left
    };
    (minus(&after, &before), minus(&before, &after))
}

fn one(media: MediaRewrite) -> Rewrite {
    Rewrite { medias: vec![media], ..Rewrite::default() }
}

fn expect(text: &str, decided: &Rewrite, added: &[&str], gone: &[&str]) {
    let (new, old) = difference(text, decided);
    assert_eq!(
        (new, old),
        (added.iter().map(|s| (*s).into()).collect(), gone.iter().map(|s| (*s).into()).collect())
    );
}

fn relayed(port: u16) -> MediaRewrite {
    MediaRewrite {
        address: Some("203.0.113.1".parse().unwrap()),
        port: Some(port),
        ..MediaRewrite::default()
    }
}

#[test]
fn a_plain_call_changes_address_port_and_rtcp_only() {
    let mut media = relayed(30_000);
    media.rtcp = Change::Set(RtcpLine::Port(30_001));
    expect(
        BARESIP,
        &one(media),
        &["c=IN IP4 203.0.113.1", "m=audio 30000 RTP/AVP 96 0 8 97", "a=rtcp:30001"],
        &["c=IN IP4 10.64.0.7", "m=audio 21834 RTP/AVP 96 0 8 97", "a=rtcp:21835"],
    );
}

#[test]
fn lines_stay_where_they_stood() {
    let text = crlf(BARESIP);
    let mut media = relayed(30_000);
    media.rtcp = Change::Set(RtcpLine::Full(30_001, "203.0.113.1".parse().unwrap()));
    media.direction = Some(Direction::SendOnly);
    let out = rewrite(&SessionText::parse(&text).unwrap(), &one(media));
    let expected = text
        .replace("c=IN IP4 10.64.0.7", "c=IN IP4 203.0.113.1")
        .replace("21834", "30000")
        .replace("a=rtcp:21835", "a=rtcp:30001 IN IP4 203.0.113.1")
        .replace("a=sendrecv", "a=sendonly");
    assert_eq!(out, expected);
}

#[test]
fn connections_of_the_session_and_of_m_lines() {
    // Its own line is replaced, the session's only when that is asked for.
    let own = one(relayed(30_000));
    let first = ["c=IN IP4 203.0.113.1", "m=audio 30000 RTP/AVP 18 0 8 101"];
    let out = difference(CISCO, &own).0;
    assert_eq!(out, [first[1], first[0]]);
    let both = Rewrite { connection: Some("203.0.113.2".parse().unwrap()), ..one(relayed(30_000)) };
    assert_eq!(difference(CISCO, &both).0, ["c=IN IP4 203.0.113.2", first[1], first[0]]);
    // Two m-lines that relied on the session's, with different addresses.
    let mut other = relayed(30_002);
    other.address = Some("2001:db8::1".parse().unwrap());
    let two = Rewrite { medias: vec![relayed(30_000), other], ..Rewrite::default() };
    assert!(difference(FREESWITCH, &two).0.contains(&"c=IN IP6 2001:db8::1".to_owned()));
    // One that is not touched keeps the address that it meant.
    let out = rewrite(&SessionText::parse(&crlf(FREESWITCH)).unwrap(), &one(relayed(30_000)));
    assert!(out.contains("m=audio 26530 RTP/AVP 0 8\r\nc=IN IP4 198.51.100.20\r\n"), "{out}");
    // Without any line of the session, the m-line gets one behind `m=` and `i=`.
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\ni=x\r\nb=AS:1\r\n";
    let out = rewrite(&SessionText::parse(text).unwrap(), &one(relayed(5)));
    assert!(out.ends_with("m=audio 5 RTP/AVP 0\r\ni=x\r\nc=IN IP4 203.0.113.1\r\nb=AS:1\r\n"), "{out}");
}

#[test]
fn codecs_that_stay_keep_their_lines() {
    let formats = vec![
        Format::new(8, "PCMA", 8_000, 1),
        Format::new(97, "telephone-event", 8_000, 1).with_fmtp("0-15"),
        Format::new(98, "AMR-WB", 16_000, 1).with_fmtp("octet-align=1"),
    ];
    let media = MediaRewrite { formats: Some(formats), ..MediaRewrite::default() };
    expect(
        BARESIP,
        &one(media),
        &["m=audio 21834 RTP/AVP 8 97 98", "a=rtpmap:98 AMR-WB/16000", "a=fmtp:98 octet-align=1"],
        &[
            "m=audio 21834 RTP/AVP 96 0 8 97",
            "a=rtpmap:96 opus/48000/2",
            "a=fmtp:96 stereo=1;sprop-stereo=1",
            "a=rtpmap:0 PCMU/8000",
        ],
    );
}

#[test]
fn a_number_with_another_meaning_gets_new_lines_and_loses_its_feedback() {
    let formats = vec![Format::new(111, "PCMA", 8_000, 1)];
    let media = MediaRewrite { formats: Some(formats), ..MediaRewrite::default() };
    let (new, old) = difference(BROWSER, &one(media));
    assert_eq!(new, ["m=audio 54400 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 PCMA/8000"]);
    assert!(old.contains(&"a=rtcp-fb:111 transport-cc".to_owned()));
    assert!(!old.iter().any(|line| line.contains("VP8")), "the other m-line is left alone");
}

#[test]
fn keys_by_sdes_take_the_place_of_those_that_came() {
    let key = InlineKey::new(Suite::Aes128CmSha1_80, &[0xff; 30]).unwrap();
    let line = CryptoLine::new(1, Suite::Aes128CmSha1_80, key);
    let media = MediaRewrite { crypto: Some(vec![line]), ..MediaRewrite::default() };
    let (new, old) = difference(LINPHONE, &one(media));
    assert_eq!(new, [format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}", "/".repeat(40))]);
    assert_eq!(old.len(), 3);
    let none =
        MediaRewrite { crypto: Some(Vec::new()), protocol: Some(Protocol::Avp), ..MediaRewrite::default() };
    let (new, old) = difference(LINPHONE, &one(none));
    assert_eq!(
        (new.as_slice(), old.len()),
        (["m=audio 42610 RTP/AVP 96 97 98 0 8 18 101 99".to_owned()].as_slice(), 4)
    );
}

#[test]
fn dtls_and_ice_come_and_go() {
    let fingerprint = "sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2";
    let ours = Ice {
        ufrag: "ours".into(),
        pwd: "0123456789abcdef01234567".into(),
        candidates: vec![Candidate::host("203.0.113.1:30000".parse().unwrap(), 1, 65_535)],
        options: vec![],
        ended: true,
    };
    let media = MediaRewrite {
        dtls: Change::Set(DtlsLines {
            fingerprint: fingerprint.parse().unwrap(),
            setup: Setup::ActPass,
            tls_id: Some("abc".into()),
        }),
        ice: IceChange::Set(ours),
        rtcp_mux: Some(true),
        protocol: Some(Protocol::TlsSavpf),
        ..MediaRewrite::default()
    };
    expect(
        ASTERISK,
        &Rewrite { ice_lite: Some(true), ..one(media) },
        &[
            "a=ice-lite",
            "m=audio 14372 UDP/TLS/RTP/SAVPF 8 0 9 101",
            "a=rtcp-mux",
            &format!("a=fingerprint:{fingerprint}"),
            "a=setup:actpass",
            "a=tls-id:abc",
            "a=ice-ufrag:ours",
            "a=ice-pwd:0123456789abcdef01234567",
            "a=candidate:1 1 UDP 2130706431 203.0.113.1 30000 typ host",
            "a=end-of-candidates",
        ],
        &["m=audio 14372 RTP/AVP 8 0 9 101"],
    );
    let plain = MediaRewrite {
        dtls: Change::Remove,
        ice: IceChange::Remove,
        rtcp_mux: Some(false),
        rtcp: Change::Remove,
        remove_feedback: true,
        remove_ssrcs: true,
        remove_extensions: true,
        mid: Change::Remove,
        protocol: Some(Protocol::Avp),
        ..MediaRewrite::default()
    };
    let decided = Rewrite { bundle: Change::Remove, ..one(plain) };
    let out = rewrite(&SessionText::parse(&crlf(BROWSER)).unwrap(), &decided);
    let audio = out.split("m=video").next().unwrap();
    for gone in [
        "ice-",
        "candidate",
        "fingerprint",
        "setup",
        "rtcp:",
        "rtcp-mux",
        "rtcp-fb",
        "BUNDLE",
        "a=mid",
        "a=ssrc",
        "a=extmap:",
    ] {
        assert!(!audio.contains(gone), "{gone} is left:\n{audio}");
    }
    assert!(audio.contains("a=msid:7d2a 9b11\r\n"), "what nobody decided stays");
}

#[test]
fn a_relay_candidate_beside_theirs() {
    let mut text = crlf(LINPHONE);
    text.push_str(
        "a=candidate:3 1 UDP 16777215 198.51.100.200 50000 typ relay raddr 203.0.113.9 rport 42610\r\n",
    );
    let mut ours = Candidate::host("203.0.113.1:30000".parse().unwrap(), 1, 1);
    ours.kind = crate::ng::sdp::ice::CandidateKind::Relay;
    let media = MediaRewrite { ice: IceChange::Add(vec![ours]), ..MediaRewrite::default() };
    let out = rewrite(&SessionText::parse(&text).unwrap(), &one(media));
    assert!(!out.contains("198.51.100.200") && out.contains("203.0.113.9 42610 typ srflx"));
    assert!(out.ends_with("203.0.113.1 30000 typ relay\r\n"), "{out}");
}

#[test]
fn a_refused_m_line_has_port_zero_and_no_keys() {
    let rejected = MediaRewrite { rejected: true, port: Some(30_000), ..MediaRewrite::default() };
    let (new, old) = difference(POLYCOM, &one(rejected));
    assert_eq!(new, ["m=audio 0 RTP/SAVP 9 102 0 8 18 127"]);
    assert_eq!(old.len(), 2, "the m-line and the key");
}

#[test]
fn fax_passes_with_a_new_address_and_its_own_writing() {
    let decided = Rewrite { medias: vec![MediaRewrite::default(), relayed(31_000)], ..Rewrite::default() };
    expect(
        FAX,
        &decided,
        &["c=IN IP4 203.0.113.1", "m=image 31000 UDPTL t38"],
        &["c=IN IP4 192.0.2.90", "m=image 20126 UDPTL t38"],
    );
}

#[test]
fn origin_name_group_and_mark() {
    let decided = Rewrite {
        origin: Some("2001:db8::5".parse().unwrap()),
        username: Some("ka na".into()),
        session_name: Some("call".into()),
        bundle: Change::Set(vec!["0".into()]),
        loop_mark: Some("17".into()),
        ..Rewrite::default()
    };
    expect(
        BROWSER,
        &decided,
        &["o=kana 4611731400430051336 2 IN IP6 2001:db8::5", "s=call", "a=group:BUNDLE 0", "a=rtpengine:17"],
        &["o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "a=group:BUNDLE 0 1"],
    );
}

#[test]
fn defaults_of_the_session_go_when_m_lines_have_their_own() {
    let decided = Rewrite {
        remove_dtls: true,
        remove_ice: true,
        remove_media_defaults: true,
        ice_lite: Some(false),
        ..Rewrite::default()
    };
    let (new, old) = difference(SESSION_DEFAULTS, &decided);
    assert!(new.is_empty());
    assert_eq!(old.len(), 6, "{old:?}");
}

#[test]
fn edits_of_attributes() {
    let edit = |scope: EditScope, action| AttributeEdit { scope, action };
    let audio = || EditScope::Kind("audio".into());
    let decided = Rewrite {
        attributes: vec![
            edit(EditScope::Session, EditAction::Add("sendrecv".into())),
            edit(audio(), EditAction::Remove("ssrc:".into())),
            edit(audio(), EditAction::Remove("rtpmap:9".into())),
            edit(audio(), EditAction::Substitute("ptime:20".into(), "ptime:40\r\na=evil".into())),
            edit(audio(), EditAction::Add("sendrecv".into())),
        ],
        ..Rewrite::default()
    };
    expect(
        BARESIP,
        &decided,
        &["a=sendrecv", "a=ptime:40a=evil"],
        &["a=ssrc:3735928559 cname:sip:alice@10.64.0.7", "a=ptime:20"],
    );
}

#[test]
fn nothing_breaks_out_of_its_line() {
    let evil = || "x\r\nm=audio 1 RTP/AVP 0\r\na=".to_owned();
    let media = MediaRewrite {
        label: Change::Set(evil()),
        mid: Change::Set(evil()),
        formats: Some(vec![Format::new(96, &evil(), 8_000, 1).with_fmtp(&evil())]),
        ..MediaRewrite::default()
    };
    let decided = Rewrite {
        username: Some(evil()),
        session_name: Some(evil()),
        loop_mark: Some(evil()),
        bundle: Change::Set(vec![evil()]),
        ..one(media)
    };
    let out = rewrite(&SessionText::parse(&crlf(ASTERISK)).unwrap(), &decided);
    assert_eq!(out.lines().filter(|line| line.starts_with("m=")).count(), 1, "{out}");
}

#[test]
fn a_last_line_without_an_end_gets_one_before_more_lines() {
    let text = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0";
    let media = MediaRewrite { ptime: Change::Set(20), ..MediaRewrite::default() };
    let out = rewrite(&SessionText::parse(text).unwrap(), &one(media));
    assert_eq!(out, format!("{text}\na=ptime:20\n"));
}
