//! Calls in the clear.

use std::net::SocketAddr;
use std::time::Duration;

use kaname_sfu::ng::{Dictionary, Value};

use crate::phone::{Phone, media, rtp_address};
use crate::support::{Proxy, World, command, config, text};

/// As long as a packet over loopback could be on its way.
const A_WHILE: Duration = Duration::from_millis(100);

pub(crate) fn about(name: &str, call: &str, from: &str, to: &str) -> Dictionary {
    let request = command(name).with("call-id", call).with("from-tag", from);
    if to.is_empty() { request } else { request.with("to-tag", to) }
}

pub(crate) fn list(words: &[&str]) -> Value {
    Value::List(words.iter().map(|word| Value::from(*word)).collect())
}

impl Proxy {
    /// Asks, and wants a description.
    pub(crate) async fn describe(&mut self, request: Dictionary) -> String {
        let reply = self.ask(request).await;
        assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
        text(&reply, "sdp").to_owned()
    }
}

/// A call between two phones; where each of them sends to.
pub(crate) async fn call(
    proxy: &mut Proxy,
    id: &str,
    caller: &Phone,
    callee: &Phone,
) -> (SocketAddr, SocketAddr) {
    let offer = caller.describe("8 0 101", &["a=rtpmap:101 telephone-event/8000"]);
    let offered = proxy.describe(about("offer", id, "a", "").with("sdp", offer)).await;
    let answer = callee.describe("8 101", &["a=rtpmap:101 telephone-event/8000"]);
    let answered = proxy.describe(about("answer", id, "a", "b").with("sdp", answer)).await;
    (rtp_address(&answered), rtp_address(&offered))
}

#[tokio::test]
async fn two_phones_hear_each_other() {
    let world = World::start(config((21_000, 21_099)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, to_caller) = call(&mut proxy, "c1", &caller, &callee).await;
    assert!((21_000..=21_099).contains(&to_callee.port()) && to_callee.port() % 2 == 0);
    caller.say(to_callee, 8, b"hello").await;
    let heard = callee.hear().await;
    assert_eq!((heard.payload.as_slice(), heard.payload_type, heard.from), (&b"hello"[..], 8, to_caller));
    callee.say(to_caller, 8, b"who is it").await;
    let heard = caller.hear().await;
    assert_eq!((heard.payload.as_slice(), heard.from), (&b"who is it"[..], to_callee));
    caller.say(to_callee, 101, &[5, 0x8a, 0, 160]).await;
    assert_eq!(callee.hear().await.payload_type, 101);

    let reply = proxy.ask(about("query", "c1", "a", "")).await;
    let tags = reply.get("tags").and_then(Value::dictionary).unwrap();
    let caller_told = tags.get("a").and_then(Value::dictionary).unwrap();
    assert_eq!(text(caller_told, "in dialogue with"), "b");
    let totals = reply.get("totals").and_then(Value::dictionary).unwrap();
    let rtp = totals.get("RTP").and_then(Value::dictionary).unwrap();
    assert_eq!(rtp.get("packets").and_then(Value::number), Some(3));

    let reply = proxy.ask(about("delete", "c1", "a", "b")).await;
    assert_eq!(text(&reply, "result"), "ok");
    assert!(reply.get("totals").is_some() && reply.get("created").is_some());
    caller.say(to_callee, 8, b"anybody there").await;
    assert!(callee.hears_nothing(A_WHILE).await);
    let reply = proxy.ask(about("delete", "c1", "a", "b")).await;
    assert_eq!(text(&reply, "result"), "ok");
    assert!(text(&reply, "warning").contains("unknown call-id"), "{reply:?}");
    let reply = proxy.ask(about("delete", "c1", "a", "b").with("flags", list(&["fatal"]))).await;
    assert_eq!(text(&reply, "result"), "error");
    let counters = world.calls.counters().await;
    assert_eq!((counters.calls, counters.calls_total, counters.ended_total["deleted"]), (0, 1, 1));
    assert_eq!(counters.ports, 0);
}

#[tokio::test]
async fn hold_and_resume_keep_the_voice() {
    let world = World::start(config((21_100, 21_199)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, to_caller) = call(&mut proxy, "c1", &caller, &callee).await;
    caller.say(to_callee, 8, b"one").await;
    let before = callee.hear().await;
    for (direction, mirrored) in [("a=sendonly", "a=recvonly"), ("a=sendrecv", "a=sendrecv")] {
        // The callee holds, and resumes.
        let offer = callee.describe("8", &[direction]);
        let offered = proxy.describe(about("offer", "c1", "b", "a").with("sdp", offer)).await;
        assert!(offered.contains(direction), "{offered}");
        assert_eq!(rtp_address(&offered), to_callee, "ports stay");
        let answer = caller.describe("8", &[mirrored]);
        let answered = proxy.describe(about("answer", "c1", "b", "a").with("sdp", answer)).await;
        assert_eq!(rtp_address(&answered), to_caller);
        assert!(answered.contains(mirrored), "{answered}");
        caller.say(to_callee, 8, b"two").await;
        if direction == "a=sendonly" {
            assert!(callee.hears_nothing(A_WHILE).await);
            callee.say(to_caller, 8, b"music").await;
            assert_eq!(caller.hear().await.payload, b"music");
        }
    }
    let after = callee.hear().await;
    assert_eq!(after.payload, b"two");
    assert_eq!(after.ssrc, before.ssrc, "one voice for the whole call");
    assert!(after.sequence.wrapping_sub(before.sequence) < 10, "{before:?} {after:?}");
}

#[tokio::test]
async fn a_phone_behind_address_translation_is_found() {
    let world = World::start(config((21_200, 21_299)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    // The caller's description names an address that it does not send from.
    let offer = caller.describe("8", &[]).replace("127.0.0.1", "192.0.2.99");
    let offered = proxy.describe(about("offer", "c1", "a", "").with("sdp", offer)).await;
    let answered =
        proxy.describe(about("answer", "c1", "a", "b").with("sdp", callee.describe("8", &[]))).await;
    let heard = caller.say_until_heard(rtp_address(&answered), &callee, 8, b"me").await;
    assert_eq!(heard.payload, b"me");
    callee.say(rtp_address(&offered), 8, b"you").await;
    assert_eq!(caller.hear().await.payload, b"you");
}

#[tokio::test]
async fn the_interfaces_that_a_request_picks_are_used() {
    let world = World::start(config((21_300, 21_399)));
    let mut proxy = world.proxy().await;
    let caller = Phone::new("127.0.0.1", 1).await;
    let callee = Phone::new("127.0.0.2", 2).await;
    let request = about("offer", "c1", "a", "").with("sdp", caller.describe("0", &[]));
    let request = request
        .with("direction", list(&["internal", "external"]))
        .with("replace", list(&["origin", "session connection"]));
    let offered = proxy.describe(request).await;
    assert_eq!(rtp_address(&offered).ip().to_string(), "127.0.0.2");
    assert!(offered.contains("o=phone 1 1 IN IP4 127.0.0.2") && !offered.contains("127.0.0.1"), "{offered}");
    let request = about("answer", "c1", "a", "b").with("sdp", callee.describe("0", &[]));
    let answered = proxy.describe(request).await;
    assert_eq!(rtp_address(&answered).ip().to_string(), "127.0.0.1");
    let request = about("offer", "c2", "a", "").with("sdp", caller.describe("0", &[]));
    let reply = proxy.ask(request.with("direction", list(&["nowhere", "external"]))).await;
    assert!(text(&reply, "error-reason").contains("nowhere"), "{reply:?}");
    assert_eq!(world.calls.counters().await.calls, 1);
}

#[tokio::test]
async fn forks_answer_one_after_the_other() {
    let world = World::start(config((21_400, 21_499)));
    let mut proxy = world.proxy().await;
    let mut caller = Phone::new("127.0.0.1", 1).await;
    let (mut one, mut other) = (Phone::new("127.0.0.1", 2).await, Phone::new("127.0.0.1", 3).await);
    let offer = |branch: &str| {
        about("offer", "c1", "a", "").with("via-branch", branch).with("sdp", caller.describe("8", &[]))
    };
    let (first, second) = (proxy.describe(offer("v1")).await, proxy.describe(offer("v2")).await);
    assert_ne!(rtp_address(&first), rtp_address(&second), "each branch has its own ports");
    let answer = |tag: &str, branch: &str, phone: &Phone| {
        about("answer", "c1", "a", tag).with("via-branch", branch).with("sdp", phone.describe("8", &[]))
    };
    let early = proxy.describe(answer("b", "v1", &one)).await;
    one.say(rtp_address(&first), 8, b"ring").await;
    assert_eq!(caller.hear().await.payload, b"ring");
    let late = proxy.describe(answer("c", "v2", &other)).await;
    assert_eq!(rtp_address(&early), rtp_address(&late), "the caller keeps its port");
    other.say(rtp_address(&second), 8, b"here").await;
    assert_eq!(caller.hear().await.payload, b"here");
    // The branch that lost goes; the other stays.
    let reply = proxy.ask(about("delete", "c1", "a", "b").with("via-branch", "v1")).await;
    assert_eq!(text(&reply, "result"), "ok");
    caller.say(rtp_address(&late), 8, b"you it is").await;
    assert_eq!(other.hear().await.payload, b"you it is");
    assert!(one.hears_nothing(A_WHILE).await);
    assert_eq!(world.calls.counters().await.calls, 1);
}

#[tokio::test]
async fn answers_without_offers_and_swapped_tags() {
    let world = World::start(config((21_500, 21_599)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let sdp = || callee.describe("8", &[]);
    let reply = proxy.ask(about("answer", "c1", "a", "b").with("sdp", sdp())).await;
    assert!(text(&reply, "error-reason").contains("unknown call-id"), "{reply:?}");
    proxy.describe(about("offer", "c1", "a", "").with("sdp", caller.describe("8", &[]))).await;
    let reply = proxy.ask(about("answer", "c1", "x", "y").with("sdp", sdp())).await;
    assert!(text(&reply, "error-reason").contains("no such tag"), "{reply:?}");
    let two = sdp() + "m=audio 5000 RTP/AVP 8\r\n";
    let reply = proxy.ask(about("answer", "c1", "a", "b").with("sdp", two)).await;
    assert!(text(&reply, "error-reason").contains("m-lines"), "{reply:?}");
    // The proxy names the two the other way round, once both are known.
    proxy.describe(about("answer", "c1", "a", "b").with("sdp", sdp())).await;
    let offer = about("offer", "c1", "a", "b").with("sdp", caller.describe("8", &[]));
    proxy.describe(offer).await;
    let answered = proxy.describe(about("answer", "c1", "b", "a").with("sdp", sdp())).await;
    caller.say(rtp_address(&answered), 8, b"still").await;
    assert_eq!(callee.hear().await.payload, b"still");
}

#[tokio::test]
async fn a_flood_of_offers_ends_at_the_limit_with_a_clear_word() {
    let world = World::start(kaname_sfu::calls::CallsConfig { max_calls: 20, ..config((21_600, 21_799)) });
    let mut proxy = world.proxy().await;
    let caller = Phone::new("127.0.0.1", 1).await;
    for number in 0..40 {
        let request = about("offer", &format!("c{number}"), "a", "").with("sdp", caller.describe("8", &[]));
        let reply = proxy.ask(request.with("supports", list(&["load limit"]))).await;
        assert_eq!(text(&reply, "result"), if number < 20 { "ok" } else { "load limit" }, "{number}");
    }
    let reply = proxy.ask(about("offer", "d", "a", "").with("sdp", caller.describe("8", &[]))).await;
    assert!(text(&reply, "error-reason").contains("calls.max_calls"), "{reply:?}");
    // Calls that are there go on, and places that become free are taken.
    for number in 0..20 {
        proxy.ask(about("delete", &format!("c{number}"), "a", "")).await;
    }
    proxy.describe(about("offer", "e", "a", "").with("sdp", caller.describe("8", &[]))).await;
    world.calls.drain(true).await;
    let request = about("offer", "f", "a", "").with("sdp", caller.describe("8", &[]));
    let reply = proxy.ask(request.with("supports", list(&["load limit"]))).await;
    assert_eq!(text(&reply, "result"), "load limit");
    assert_eq!(text(&proxy.ask(command("ping")).await, "result"), "pong");
    assert_eq!(text(&proxy.ask(command("undrain")).await, "result"), "ok");
    proxy.describe(about("offer", "g", "a", "").with("sdp", caller.describe("8", &[]))).await;
}

#[tokio::test]
async fn ports_run_out_as_a_load_limit() {
    let world = World::start(config((21_800, 21_807)));
    let mut proxy = world.proxy().await;
    let caller = Phone::new("127.0.0.1", 1).await;
    for number in 0..6 {
        let request = about("offer", &format!("c{number}"), "a", "").with("sdp", caller.describe("8", &[]));
        let reply = proxy.ask(request.with("supports", list(&["load limit"]))).await;
        assert_eq!(
            text(&reply, "result"),
            if number < 4 { "ok" } else { "load limit" },
            "{number}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn hostile_descriptions_are_refused_and_the_call_lives() {
    let world = World::start(config((21_900, 21_999)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    let many: Vec<String> =
        (0..1_500).map(|number| format!("a=rtpmap:{} X{number}/8000", number % 128)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let good = caller.describe("8", &[]);
    for bad in [
        String::new(),
        "v=0".to_owned(),
        good.replace("m=audio ", "m=audio 99"),
        good.replace("v=0", "v=0\r\nv=0"),
        caller.describe(&"8 ".repeat(3_000), &many),
        good.replace("s=-\r\n", "s=-\r\r\n"),
    ] {
        let reply = proxy.ask(about("offer", "c1", "a", "b").with("sdp", bad.as_str())).await;
        assert_eq!(text(&reply, "result"), "error", "{bad:.200}");
        assert!(!text(&reply, "error-reason").is_empty());
    }
    caller.say(to_callee, 8, b"alive").await;
    assert_eq!(callee.hear().await.payload, b"alive");
    assert_eq!(media(&good).formats.len(), 1);
}

#[tokio::test]
async fn copies_go_to_subscribers() {
    let world = World::start(config((22_300, 22_399)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    let listener = Phone::new("127.0.0.1", 3).await;
    let reply = proxy.ask(about("subscribe request", "c1", "a", "")).await;
    let (offered, tag) = (text(&reply, "sdp").to_owned(), text(&reply, "to-tag").to_owned());
    assert!(offered.contains("a=sendonly") && offered.contains("101 telephone-event/8000"), "{reply:?}");
    assert_eq!(text(&reply, "from-tag"), "a");
    let answer = |formats: &str| {
        let sdp = listener.describe(formats, &["a=recvonly", "a=rtpmap:101 telephone-event/8000"]);
        command("subscribe answer").with("call-id", "c1").with("to-tag", tag.as_str()).with("sdp", sdp)
    };
    let reply = proxy.ask(answer("8 101").with("flags", list(&["allow-transcoding"]))).await;
    assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
    caller.say(to_callee, 8, b"for two").await;
    assert_eq!(callee.hear().await.payload, b"for two");
    assert_eq!(listener.hear().await.payload, b"for two");
    let reply = proxy.ask(about("query", "c1", "", "")).await;
    let tags = reply.get("tags").and_then(Value::dictionary).unwrap();
    assert_eq!(tags.iter().count(), 3, "no more than the two and the subscriber: {reply:?}");
    let request = command("unsubscribe").with("call-id", "c1").with("to-tag", tag.as_str());
    assert_eq!(text(&proxy.ask(request.clone()).await, "result"), "ok");
    assert_eq!(text(&proxy.ask(request).await, "result"), "error");
    caller.say(to_callee, 8, b"for one").await;
    assert_eq!(callee.hear().await.payload, b"for one");
    assert!(listener.hears_nothing(A_WHILE).await);
}

#[tokio::test]
async fn what_is_published_can_be_subscribed_to() {
    let world = World::start(config((22_400, 22_499)));
    let mut proxy = world.proxy().await;
    let (mut publisher, listener) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let sdp = publisher.describe("8 0", &["a=sendonly"]);
    let answered = proxy.describe(about("publish", "p1", "a", "").with("sdp", sdp)).await;
    assert!(answered.contains("a=recvonly"), "{answered}");
    assert_eq!(media(&answered).formats.len(), 1, "one codec is taken: {answered}");
    let reply = proxy.ask(about("subscribe request", "p1", "a", "s")).await;
    assert_eq!(text(&reply, "to-tag"), "s", "{reply:?}");
    let answer = command("subscribe answer").with("call-id", "p1").with("to-tag", "s");
    let reply = proxy.ask(answer.with("sdp", listener.describe("8", &["a=recvonly"]))).await;
    assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
    publisher.say(rtp_address(&answered), 8, b"to whom it may concern").await;
    assert_eq!(listener.hear().await.payload, b"to whom it may concern");
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}
