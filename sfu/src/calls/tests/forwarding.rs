//! Whose sound is forwarded, and when.

use kaname_engine::audio::{AudioError, AudioEvent, AudioId, Rate};

use super::fake::{Bench, about, config, sdp};
use super::sound::logged;
use crate::calls::{CallsConfig, Receiver};
use crate::ng::Dictionary;

/// Calls with a receiver, which nobody is.
fn bench() -> Bench {
    let receiver = Receiver::new("tcp://127.0.0.1:9".parse().unwrap(), Rate::K16, None).unwrap();
    Bench::new(CallsConfig { forward: Some(receiver), ..config() })
}

/// Asks; what a worker was told then, taps and recorders only.
fn told(bench: &mut Bench, request: Dictionary) -> Vec<String> {
    let reply = bench.ask(request);
    assert_eq!(reply.text("result"), Some("ok"), "{reply:?}");
    let is_sound = |line: &String| {
        ["tap", "listen", "record", "remove worker"].iter().any(|word| line.starts_with(word))
    };
    bench.told().into_iter().filter(is_sound).collect()
}

fn whole(command: &str) -> Dictionary {
    Dictionary::new().with("command", command).with("call-id", "c")
}

#[tokio::test]
async fn a_party_and_a_whole_call_are_forwarded_apart() {
    let mut bench = bench();
    bench.call("c");
    bench.told();
    let start = |tag: &str| about("start forwarding", "c", tag, "");
    let log = logged(|| assert_eq!(told(&mut bench, start("a")), ["tap", "listen at 16000"]));
    for word in ["INFO", "call=c", r#"tags=Some(["a"])"#, "on=true", "receiver=tcp://127.0.0.1:9"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert_eq!(told(&mut bench, start("a")), [""; 0], "as it is");
    assert_eq!(told(&mut bench, whole("start forwarding")), ["tap", "listen at 16000"], "the other");
    // The call's order is taken back; the party's stays, until all are meant.
    assert_eq!(told(&mut bench, whole("stop forwarding")), ["remove worker's"; 2]);
    assert_eq!(told(&mut bench, whole("stop forwarding").with("all", "all")), ["remove worker's"; 2]);
    assert_eq!(bench.state.calls.values().map(|call| call.forwarded.len()).sum::<usize>(), 0);
    let reply = bench.ask(about("start forwarding", "c", "nobody", ""));
    assert!(reply.text("error-reason").unwrap().contains("tag"), "{reply:?}");
}

#[tokio::test]
async fn a_call_that_is_not_answered_yet_is_forwarded_then() {
    let mut bench = bench();
    let audio = |ip: &str| sdp(ip, 4_000, "RTP/AVP 8 101", "");
    bench.describe(about("offer", "c", "a", "").with("sdp", audio("203.0.113.1")).with("metadata", "x"));
    bench.told();
    let reply = bench.ask(whole("start forwarding"));
    assert!(reply.text("warning").unwrap().contains("begins then"), "{reply:?}");
    assert!(bench.told().is_empty());
    let answer = about("answer", "c", "a", "b").with("sdp", audio("203.0.113.2")).with("metadata", "y");
    assert_eq!(told(&mut bench, answer).iter().filter(|line| *line == "listen at 16000").count(), 2);
    let call = bench.state.calls.values().next().unwrap();
    let of = |tag: &str| call.parties[call.by_tag(tag).unwrap()].metadata.as_deref();
    assert_eq!((of("a"), of("b"), call.metadata.as_deref()), (Some("x"), Some("y"), Some("y")));
    assert!(call.parties.iter().all(|party| party.forwarded), "the record will have it");
}

#[tokio::test]
async fn streams_go_on_with_another_codec_and_end_with_the_call() {
    let mut bench = bench();
    bench.call("c");
    assert!(
        told(&mut bench, about("start forwarding", "c", "a", "")).contains(&"listen at 16000".to_owned())
    );
    let numbers = bench.state.tools.ids.in_use();
    let audio = |ip: &str| sdp(ip, 4_000, "RTP/AVP 0", "");
    told(&mut bench, about("offer", "c", "a", "b").with("sdp", audio("203.0.113.1")));
    let told_then = told(&mut bench, about("answer", "c", "a", "b").with("sdp", audio("203.0.113.2")));
    assert_eq!(told_then, ["remove worker's", "tap", "record from 1 of 1"]);
    assert_eq!(bench.state.tools.ids.in_use(), numbers);
    assert_eq!(told(&mut bench, about("delete", "c", "a", "b")), ["remove worker's"; 2]);
    assert_eq!((bench.state.tools.ids.in_use(), bench.state.owners.len()), (0, 0));
}

#[tokio::test]
async fn a_stream_that_a_worker_refused_is_begun_anew_with_the_next_plan() {
    let mut bench = bench();
    bench.call("c");
    told(&mut bench, about("start forwarding", "c", "a", ""));
    let streams: Vec<u32> =
        bench.state.calls.values().flat_map(|call| call.numbers()).map(|(id, _)| id).collect();
    let id = AudioId(*streams.last().unwrap());
    let refused = AudioEvent::Refused { id, command: "Listen", why: AudioError::Recorders };
    bench.state.audio_event(bench.now, refused);
    assert!(!bench.state.owners.contains_key(&id.0));
    assert_eq!(told(&mut bench, whole("unblock media")), ["listen at 16000"]);
}

#[tokio::test]
async fn a_call_to_a_room_is_not_forwarded() {
    let mut bench = bench();
    let (rooms, _wishes) = tokio::sync::mpsc::unbounded_channel();
    bench.state.rooms = Some(rooms);
    let offer = about("offer", "c", "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", ""));
    bench.describe(offer.with("room", "lobby"));
    let reply = bench.ask(whole("start forwarding"));
    assert!(reply.text("error-reason").unwrap().contains("record it instead"), "{reply:?}");
}
