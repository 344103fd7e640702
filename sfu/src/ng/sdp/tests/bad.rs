//! What is refused, and with which words.

use super::texts::{ASTERISK, crlf};
use crate::ng::sdp::{SessionText, limits};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn refused(text: &str) -> String {
    match SessionText::parse(text) {
        Ok(_) => panic!("taken: {:.200}", text),
        Err(error) => error.to_string(),
    }
}

fn media(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn texts_that_are_none() {
    for (text, words) in [
        ("", "v=0"),
        ("\r\n", "v=0"),
        ("v=1\r\n", "v=0"),
        ("V=0\r\n", "small letter"),
        ("o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", "v=0"),
        ("v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n", "o= line"),
        (HEAD, "no m-line"),
        ("v=0\r\n\r\nm=audio 4000 RTP/AVP 0\r\n", "blank line"),
        ("v=0\r\nhello\r\n", "small letter"),
        ("v=0\r\n=\r\n", "small letter"),
        ("v=0\r\no=- 1 1 IN IP4 300.1.1.1\r\nm=audio 1 RTP/AVP 0\r\n", "o= reads"),
        ("v=0\r\no=- 1 1 IN IP4\r\nm=audio 1 RTP/AVP 0\r\n", "o= reads"),
        ("v=0\r\no=- 1 1 IN IP6 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\n", "o= reads"),
    ] {
        assert!(refused(text).contains(words), "{text:?}: {}", refused(text));
    }
}

#[test]
fn lines_that_must_stand_once() {
    let good = crlf(ASTERISK);
    for (line, words) in
        [("v=0\r\n", "v= stands twice"), ("o=- 1273823", "o= stands"), ("s=Asterisk", "s= stands")]
    {
        let start = good.find(line).unwrap();
        let full = good[start..].split_inclusive('\n').next().unwrap();
        let twice = good.replacen(full, &full.repeat(2), 1);
        assert!(refused(&twice).contains(words), "{}", refused(&twice));
    }
    let glued = good.repeat(2);
    assert!(refused(&glued).contains("ahead of the first m-line"), "two texts in one");
    let two = media("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:96 PCMA/8000\r\n");
    assert!(refused(&two).contains("rtpmap of a payload type stands twice"));
    let same = media("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:96 opus/48000/2\r\n");
    assert!(SessionText::parse(&same).is_ok(), "twice the same is no matter");
}

#[test]
fn m_lines_that_are_none() {
    for line in [
        "m=",
        "m=audio",
        "m=audio 4000",
        "m=audio 4000 RTP/AVP",
        "m=audio 65536 RTP/AVP 0",
        "m=audio -1 RTP/AVP 0",
        "m=audio +4000 RTP/AVP 0",
        "m=audio 99999999999999999999 RTP/AVP 0",
        "m=audio 0x1f RTP/AVP 0",
        "m=audio 4000/0 RTP/AVP 0",
        "m=audio 65535/2 RTP/AVP 0",
        "m=audio 4000/x RTP/AVP 0",
        "m=audio 4000 RTP/AVP 128",
        "m=audio 4000 RTP/AVP opus",
        "m=audio 4000 RTP/AVP 0,8",
    ] {
        let words = refused(&media(&format!("{line}\r\n")));
        assert!(words.contains("m= reads"), "{line}: {words}");
    }
    for line in ["m=audio 0 RTP/AVP 0", "m=audio 65535 RTP/AVP 0", "m=audio 4000/2 RTP/AVP 0", "m=x 1 y z"] {
        assert!(SessionText::parse(&media(&format!("{line}\r\n"))).is_ok(), "{line}");
    }
}

#[test]
fn attributes_that_matter_are_read_strictly() {
    for (line, words) in [
        ("c=IN IP4 192.0.2.300", "c= reads"),
        ("c=IN IP4 2001:db8::1", "c= reads"),
        ("c=ATM NSAP 47", "c= reads"),
        ("a=rtcp:70000", "a=rtcp reads"),
        ("a=rtcp:4001 IN IP4", "a=rtcp reads"),
        ("a=rtpmap:200 PCMA/8000", "a=rtpmap reads"),
        ("a=rtpmap:8 PCMA", "a=rtpmap reads"),
        ("a=rtpmap:8 PCMA/0", "a=rtpmap reads"),
        ("a=rtpmap:8 PCMA/99999999999", "a=rtpmap reads"),
        ("a=setup:both", "a=setup reads"),
        ("a=mid:", "a=mid reads"),
        ("a=ice-pwd:a b", "an ICE credential"),
        ("t=0 0", "ahead of the first m-line"),
    ] {
        let words_said = refused(&media(&format!("m=audio 4000 RTP/AVP 8\r\n{line}\r\n")));
        assert!(words_said.contains(words), "{line}: {words_said}");
        assert!(!words_said.contains("a b"), "an ICE password is not repeated");
    }
}

#[test]
fn line_ends_within_values() {
    for line in ["s=a\rb", "a=rtpmap:8 PCMA/8000\rm=audio 1 RTP/AVP 0", "a=x\0y", "a=x\r"] {
        let words = refused(&media(&format!("m=audio 4000 RTP/AVP 8\r\n{line}\r\n")));
        assert!(words.contains("carriage return") || words.contains("NUL"), "{line:?}: {words}");
    }
}

#[test]
fn a_text_that_ends_within_a_line_end() {
    assert!(refused(&media("m=x 4000 y \u{1}\r\n")).contains("control character"));
    let words = refused(&media("m=audio 4000 RTP/AVP 8\r"));
    assert!(words.contains("carriage return"), "what is added behind would read as another line: {words}");
}

#[test]
fn everything_has_a_bound() {
    let m = "m=audio 4000 RTP/SAVP 0\r\n";
    let many = |line: &str, n: usize| media(&(m.to_owned() + &line.repeat(n)));
    for (text, words) in [
        (media(&format!("{m}a={}\r\n", "x".repeat(limits::LINE_BYTES))), "shorten"),
        (media(&"x".repeat(limits::TEXT_BYTES)), "bytes and at most"),
        (media(&m.repeat(limits::MEDIAS + 1)), "m-lines"),
        (media(&format!("m=audio 4000 RTP/AVP{}\r\n", " 0".repeat(limits::FORMATS + 1))), "formats"),
        (many("a=crypto:1 X inline:Y\r\n", limits::CRYPTOS + 1), "a=crypto"),
        (many("a=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\n", limits::CANDIDATES + 1), "candidates"),
        (many("a=ssrc:1 cname:x\r\n", limits::SSRC_LINES + 1), "a=ssrc"),
        (many("a=fingerprint:sha-256 x\r\n", limits::FINGERPRINTS + 1), "a=fingerprint"),
        (many("c=IN IP4 192.0.2.1\r\n", limits::CONNECTIONS + 1), "c= lines"),
        (many("a=x\r\n", limits::LINES), "lines"),
    ] {
        assert!(refused(&text).contains(words), "{words}: {}", refused(&text));
    }
    let full =
        format!("m=audio 4000 RTP/AVP {}\r\n", (0..128).map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
    assert!(SessionText::parse(&media(&full)).is_ok(), "all payload types");
}

#[test]
fn messages_show_foreign_text_shortened_and_escaped() {
    let evil = format!("m=audio 4000 RTP/AVP 8\r\na=setup:\u{1b}[31m{}\r\n", "x".repeat(500));
    let words = refused(&media(&evil));
    assert!(words.len() < 250 && !words.contains('\u{1b}'), "{words:?}");
}
