//! Offers that nobody should send: each has its own error, and none costs much.

use super::*;

fn error(text: &str) -> SdpError {
    Offer::parse(text).expect_err("a bad offer")
}

/// The offer of Chromium with one text replaced, which must be there.
fn munged(from: &str, to: &str) -> String {
    assert!(CHROMIUM_PUBLISH.contains(from), "{from}");
    CHROMIUM_PUBLISH.replace(from, to)
}

#[test]
fn no_sdp_at_all() {
    for text in ["", "hello", "{\"type\":\"offer\"}", "v=1\r\n", "\0\0\0", "<html></html>"] {
        let error = error(text);
        assert!(matches!(error, SdpError::NotSdp { .. } | SdpError::NoMedia), "{text:?}: {error}");
        assert_eq!(error.code(), "bad_sdp");
    }
    assert_eq!(error("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), SdpError::NoMedia);
}

#[test]
fn huge() {
    let text = munged("a=msid-semantic: WMS\r\n", &"a=x:yyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(10_000));
    assert!(matches!(error(&text), SdpError::TooLarge { limit: 262_144, .. }));
    assert_eq!(error(&text).status(), 413);
    let text = munged("a=msid-semantic: WMS\r\n", &"a=x:y\r\n".repeat(2_000));
    let bound = SdpError::TooMany { place: Place::Session, what: "attributes", limit: 1_024 };
    assert_eq!(error(&text), bound);
    let text = munged("a=mid:1\r\n", &format!("a=mid:1\r\n{}", "a=x:y\r\n".repeat(2_000)));
    assert!(matches!(error(&text), SdpError::TooMany { place: Place::Section(1), what: "attributes", .. }));
    let text = munged("a=mid:1", &format!("a=mid:{}", "1".repeat(9_000)));
    assert!(matches!(error(&text), SdpError::NotSdp { problem: "the line is too long", .. }));
}

#[test]
fn too_many_of_everything() {
    let sections = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(65);
    assert!(matches!(error(&format!("v=0\r\n{sections}")), SdpError::TooMany { what: "m-lines", .. }));
    let numbers: Vec<String> = (0..128).map(|n| n.to_string()).collect();
    let text = munged("SAVPF 111 63", &format!("SAVPF {} 1", numbers.join(" ")));
    assert!(matches!(error(&text), SdpError::Twice { .. } | SdpError::TooMany { .. }));
    let lines = |line: fn(usize) -> String, count: usize| (1..=count).map(line).collect::<String>();
    for (extra, what) in [
        (lines(|n| format!("a=extmap:{} urn:x:{n}\r\n", n + 20), 64), "header extensions"),
        (lines(|n| format!("a=ssrc:{n} cname:x\r\n"), 64), "SSRCs"),
        (lines(|n| format!("a=ssrc-group:FID {n} {}\r\n", n + 1_000), 64), "ssrc-groups"),
        (lines(|n| format!("a=rid:r{n} send\r\n"), 64), "rids"),
        (format!("a=simulcast:send {}\r\n", vec!["a"; 64].join(";")), "simulcast layers"),
        (lines(|_| "a=fingerprint:sha-256 00\r\n".into(), 64), "fingerprints"),
    ] {
        let section = if what == "fingerprints" { "a=mid:0\r\n" } else { "a=mid:1\r\n" };
        let found = error(&munged(section, &format!("{section}{extra}")));
        assert!(matches!(found, SdpError::TooMany { what: w, .. } if w == what), "{what}: {found}");
    }
}

#[test]
fn line_breaks_cannot_be_smuggled() {
    // A bare CR would end a line for some readers and not for others.
    for text in [munged("a=mid:1\r\n", "a=mid:1\ra=setup:active\r\n"), munged("a=mid:1\r\n", "a=mid:1\0\r\n")]
    {
        assert!(matches!(error(&text), SdpError::NotSdp { .. }));
    }
    // Whatever is echoed of a parsed offer is on one line.
    let text = munged("a=fmtp:111 minptime=10", "a=fmtp:111 x=\u{2028}a=ice-pwd:y;\u{85}minptime=10");
    let offer = offer(&text);
    let answer = answer(&offer, &generous(&offer));
    let lines = answer.split("\r\n").filter(|l| !l.is_empty());
    assert!(lines.into_iter().all(|l| l.as_bytes().get(1) == Some(&b'=') && !l.contains(['\r', '\n', '\0'])));
}

#[test]
fn foreign_text_in_messages_is_short_and_escaped() {
    let evil = format!("a=setup:\u{1b}[31m\"'<script>{}\r\n", "x".repeat(4_000));
    let message = error(&munged("a=setup:actpass\r\n", &evil)).to_string();
    assert!(message.len() < 400 && !message.contains('\u{1b}'), "{message}");
}

#[test]
fn munged_offers_say_what_is_wrong() {
    for (from, to, part) in [
        ("a=group:BUNDLE 0 1 2\r\n", "", "a=group:BUNDLE"),
        ("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 7", "\"7\""),
        ("a=group:BUNDLE 0 1 2", "a=group:BUNDLE", "a=group:BUNDLE"),
        ("a=mid:1\r\n", "a=mid:0\r\n", "mid"),
        ("a=mid:1\r\n", "", "mid"),
        ("a=mid:1\r\n", "a=mid:<b>\r\n", "a=mid"),
        ("a=rtcp-mux\r\n", "", "a=rtcp-mux"),
        ("a=ice-ufrag:RaAd\r\n", "", "ice-ufrag"),
        ("a=ice-ufrag:RaAd\r\n", "a=ice-ufrag:Ra\r\n", "ice-ufrag"),
        ("a=ice-pwd:lndNbYxVCTiVcJtFuYxmehU2\r\n", "a=ice-pwd:short\r\n", "ice-pwd"),
        ("a=setup:actpass", "a=setup:passive", "setup"),
        ("a=setup:actpass", "a=setup:holdconn", "setup"),
        ("a=fingerprint:sha-256 ", "a=fingerprint:md5 ", "fingerprint"),
        ("a=fingerprint:sha-256 F3:", "a=fingerprint:sha-256 G3:", "fingerprint"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8", "rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:200 VP8/90000", "rtpmap"),
        ("a=rtpmap:96 VP8/90000", "a=rtpmap:97 VP8/90000", "97"),
        ("SAVPF 111 63", "SAVPF 111 111", "111"),
        ("SAVPF 111 63", "SAVPF 111 999", "rtpmap"),
        ("SAVPF 111 63", "SAVPF 111 opus", "rtpmap"),
        ("a=extmap:13 urn", "a=extmap:0 urn", "extmap"),
        ("a=extmap:13 urn", "a=extmap:14 urn", "header extension"),
        ("a=rtcp-fb:96 nack pli", "a=rtcp-fb:x nack pli", "rtcp-fb"),
        ("a=ssrc-group:FID", "a=ssrc-group:FID x", "ssrc-group"),
        ("a=sctp-port:5000", "a=sctp-port:70000", "sctp-port"),
        ("a=max-message-size:262144", "a=max-message-size:-1", "max-message-size"),
    ] {
        let text = munged(from, to);
        let message = error(&text).to_string();
        assert!(message.contains(part), "{from:?} to {to:?}: {message}");
    }
    let lite = munged("a=msid-semantic: WMS", "a=ice-lite");
    assert_eq!(error(&lite), SdpError::BothLite);
}

#[test]
fn an_extension_number_means_one_thing_in_a_bundle() {
    let text = munged("a=extmap:13 urn:3gpp:video-orientation", "a=extmap:1 urn:3gpp:video-orientation");
    assert_eq!(error(&text), SdpError::ExtensionConflict { place: Place::Section(1), id: 1 });
}

#[test]
fn one_certificate_a_bundle() {
    let at = CHROMIUM_PUBLISH.rfind("a=fingerprint:sha-256 F3").expect("there");
    let mut text = CHROMIUM_PUBLISH.to_owned();
    text.replace_range(at..at + 24, "a=fingerprint:sha-256 F4");
    assert_eq!(error(&text), SdpError::FingerprintChanged { place: Place::Section(2) });
}

#[test]
fn no_codec_that_we_know() {
    let text = munged("opus", "sopu");
    let error = offer(&text).choose(0).expect_err("no codec");
    assert_eq!(error.code(), "codec_unsupported");
    assert!(error.to_string().contains("opus/48000/2"), "{error}");
    let broken = OBS.replace("profile-level-id=42e01f", "profile-level-id=zzzzzz");
    assert_eq!(offer(&broken).choose(1).expect_err("no codec").status(), 422);
}

#[test]
fn extensions_beyond_the_one_byte_form_are_declined() {
    let text = munged("a=extmap:13 urn:3gpp:video-orientation", "a=extmap:15 urn:3gpp:video-orientation");
    assert_eq!(offer(&text).extensions(|_| true).video_orientation, None);
}

#[test]
fn an_m_line_outside_the_bundle_is_not_usable() {
    let offer = offer(&munged("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1"));
    assert!(!offer.sections[2].bundled);
}

#[test]
fn an_extension_has_one_number_in_a_bundle() {
    let at = CHROMIUM_PUBLISH.rfind("a=extmap:4 urn").expect("there");
    let mut text = CHROMIUM_PUBLISH.to_owned();
    text.replace_range(at..at + 11, "a=extmap:12 ");
    let offer = offer(&text);
    assert_eq!(offer.extensions(|_| true).mid, Some(4));
    assert!(offer.sections[0].has_extension(uri::MID) && !offer.sections[1].has_extension(uri::MID));
    let answer = answer(&offer, &generous(&offer));
    assert!(!answer.contains("a=extmap:12 "), "{answer}");
}
