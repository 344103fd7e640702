use proptest::prelude::*;

use super::*;
use crate::ng::limits::{DEPTH, VALUES};
use crate::ng::value::Value;

#[test]
fn ping_both_ways() {
    let request = Request::parse(b"5323_1 d7:command4:pinge").expect("bencode");
    assert_eq!((request.cookie.as_str(), request.writing), ("5323_1", Writing::Bencode));
    assert_eq!(request.dictionary.text("command"), Some("ping"));
    let pong = Dictionary::new().with("result", "pong");
    assert_eq!(reply("5323_1", Writing::Bencode, &pong), b"5323_1 d6:result4:ponge");

    let request = Request::parse(br#"a {"command":"ping"}"#).expect("JSON");
    assert_eq!((request.cookie.as_str(), request.writing), ("a", Writing::Json));
    assert_eq!(reply("a", Writing::Json, &pong), br#"a {"result":"pong"}"#);
}

#[test]
fn keys_with_hyphens_are_keys_with_blanks() {
    let request = Request::parse(b"1 d7:call-id1:x8:ICE-lite4:both8:from tag1:f1:n2:-7e").expect("fine");
    assert_eq!(request.dictionary.text("call id"), Some("x"));
    assert_eq!(request.dictionary.text("ICE lite"), Some("both"));
    assert_eq!(request.dictionary.text("from-tag"), Some("f"));
    assert_eq!(request.dictionary.get("n").and_then(Value::number), Some(-7));
}

#[test]
fn keys_need_not_be_in_order_and_blobs_need_not_be_text() {
    let request = Request::parse(b"1 d1:b1:x1:a4:\xff\xfe\x00\x01e").expect("as rtpengine takes it");
    assert_eq!(request.dictionary.get("a"), Some(&Value::Bytes(vec![0xff, 0xfe, 0, 1])));
    assert_eq!(request.dictionary.text("a"), None);
}

/// What must be refused, with the words that say why; and whether there is someone to tell.
#[test]
fn bad_messages_say_what_is_wrong() {
    let deep = [b"1 d1:a".as_slice(), &b"l".repeat(30_000), &b"e".repeat(30_001)].concat();
    let many = [b"1 d1:al".as_slice(), &b"0:".repeat(VALUES), b"ee"].concat();
    let long_cookie = [b"c".repeat(COOKIE_BYTES + 1).as_slice(), b" d7:command4:pinge"].concat();
    for (message, words, told) in [
        (b"".as_slice(), "cookie", false),
        (b"d7:command4:pinge", "cookie", false),
        (b" d7:command4:pinge", "cookie", false),
        (&long_cookie, "cookie", false),
        (b"1 hello", "neither bencode", false),
        (b"1 d7:command4:ping", "bencode", true),
        (b"1 d7:command99999999999999999999:pinge", "bencode", true),
        (b"1 d7:command4000000000:pinge", "bencode", true),
        (b"1 d7:commandi99999999999999999999ee", "bencode", true),
        (b"1 di1e4:pinge", "bencode", true),
        (b"1 d7:command4:pingeXX", "something follows", true),
        (b"1 {\"command\":1.5}", "JSON", true),
        (b"1 {\"command\":null}", "JSON", true),
        (b"1 {\"command\":\"ping\"} {}", "JSON", true),
        (&deep, "within each other", true),
        (&many, "values", true),
    ] {
        let shown = String::from_utf8_lossy(&message[..message.len().min(60)]).into_owned();
        let error = Request::parse(message).expect_err(&shown);
        assert!(error.reason.contains(words), "{shown}: {error}");
        assert_eq!(error.reply_to.is_some(), told, "{shown}");
    }
}

#[test]
fn the_bounds_themselves_are_allowed() {
    // The dictionary is the first of them.
    let deep = [b"1 d1:a".as_slice(), &b"l".repeat(DEPTH - 1), &b"e".repeat(DEPTH)].concat();
    assert!(Request::parse(&deep).is_ok());
    let many = [b"1 d1:al".as_slice(), &b"0:".repeat(VALUES - 2), b"ee"].concat();
    assert!(Request::parse(&many).is_ok());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(Value::Number), ".{0,20}".prop_map(Value::from)];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            prop::collection::btree_map("[a-zA-Z -]{0,12}", inner, 0..8).prop_map(|map| {
                let all = map.into_iter();
                Value::Dictionary(all.fold(Dictionary::new(), |all, (key, value)| all.with(&key, value)))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in value(), json: bool) {
        let writing = if json { Writing::Json } else { Writing::Bencode };
        let dictionary = Dictionary::new().with("value", value);
        let request = Request::parse(&reply("c", writing, &dictionary)).expect("own writing");
        prop_assert_eq!(request, Request { cookie: "c".into(), writing, dictionary });
    }

    #[test]
    fn no_message_brings_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..40_usize) {
        let _ = Request::parse(&bytes);
        let mut good = b"1 d5:flagsl5:trust7:addresse4:sdpp3:v=07:command5:offere".to_vec();
        if let (Some(byte), Some(new)) = (good.get_mut(at), bytes.first()) {
            *byte = *new;
        }
        let _ = Request::parse(&good);
    }
}
