//! Telephones in rooms by the HTTP API.

use std::net::SocketAddr;

use kaname_engine::audio::Codec;
use serde_json::{Value, json};

use crate::http::{Ask, Reply, admin, participant};
use crate::phone::{Phone, media, rtp_address};
use crate::rooms::{HIGH, LOW, Talker, room_of, talk};
use crate::sound::{sound_config, wav, whole_file};
use crate::support::{PATIENCE, World, config};

const PHONES: &str = "/api/v1/rooms/lobby/phones";

/// Asks with the token of the lobby's administrator.
pub(crate) async fn ask(api: SocketAddr, line: &str, body: Option<Value>) -> Reply {
    let token = admin("lobby");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let headers = [("Content-Type", "application/json")];
    Ask { token: Some(&token), headers: &headers, body: body.as_bytes(), ..Ask::new(line) }.send(api).await
}

pub(crate) async fn post(api: SocketAddr, path: &str, body: Value) -> Reply {
    ask(api, &format!("POST {path}"), Some(body)).await
}

/// A telephone that calls the lobby: where it is to be asked about, and what it is answered.
pub(crate) async fn call_in(api: SocketAddr, phone: &Phone, name: &str) -> (String, String) {
    let reply = post(api, PHONES, json!({ "sdp": phone.describe("8", &[]), "name": name })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let path = reply.header("location").unwrap().to_owned();
    assert_eq!(path, format!("{PHONES}/{id}"));
    (path, reply.json()["sdp"].as_str().unwrap().to_owned())
}

async fn phones(api: SocketAddr) -> Vec<Value> {
    ask(api, &format!("GET {PHONES}"), None).await.json()["phones"].as_array().unwrap().clone()
}

/// The list once it is as wished.
async fn phones_when(api: SocketAddr, wished: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let waiting = async {
        loop {
            let phones = phones(api).await;
            if wished(&phones) {
                return phones;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it becomes so")
}

#[tokio::test]
async fn telephones_come_and_are_called_hold_and_hang_up() {
    let world = World::start(config((24_400, 24_499)));
    let (api, _server) = world.serve();
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_hang_up, answer) = call_in(api, &one, "Ada").await;
    let called = post(api, PHONES, json!({ "number": "+49301" })).await;
    assert_eq!(called.status, 201, "{}", called.text());
    let path = called.header("location").unwrap().to_owned();
    let offered = called.json()["sdp"].as_str().unwrap().to_owned();
    assert_eq!(media(&offered).formats[0].name, "opus");
    let listed = phones_when(api, |phones| phones[0]["state"] == "in_room").await;
    assert_eq!(listed[1]["state"], "called");
    assert_eq!((&listed[1]["outgoing"], &listed[1]["name"]), (&json!(true), &json!("+49301")));
    let answered = post(api, &format!("{path}/answer"), json!({ "sdp": other.describe("8", &[]) })).await;
    assert_eq!(answered.status, 204, "{}", answered.text());
    let room = room_of(&world, 2).await;
    let listed = phones_when(api, |phones| phones[1]["state"] == "in_room").await;
    assert_eq!(listed[0]["peer"], json!(room.peers[0].id));
    assert_eq!((&listed[0]["codec"], &listed[0]["recording"]), (&json!("PCMA"), &json!(false)));
    let mut one = Talker::new(one, rtp_address(&answer), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&offered), Codec::Pcma, 8, HIGH);
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    // On hold and back.
    let reoffer = async |phone: &Phone, lines: &[&str]| {
        let reply = post(api, &format!("{path}/offer"), json!({ "sdp": phone.describe("8", lines) })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["sdp"].as_str().unwrap().to_owned()
    };
    assert!(reoffer(&other.phone, &["a=sendonly"]).await.contains("a=recvonly"));
    talk(&mut one, &mut other, |one, _| one.hears_silence()).await;
    assert!(!reoffer(&other.phone, &[]).await.contains("a=recvonly"));
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    // The room asks anew, and the telephone answers.
    let offered = post(api, &format!("{path}/offer"), json!({})).await;
    assert!(offered.status == 200 && offered.text().contains("opus"), "{}", offered.text());
    let answered =
        post(api, &format!("{path}/answer"), json!({ "sdp": other.phone.describe("8", &[]) })).await;
    assert_eq!(answered.status, 204, "{}", answered.text());
    // One hangs up, the other is removed.
    assert_eq!(ask(api, &format!("DELETE {to_hang_up}"), None).await.status, 204);
    let left = room_of(&world, 1).await;
    assert_eq!(phones(api).await.len(), 1);
    world.node.kick("lobby".into(), left.peers[0].id.clone()).await.unwrap();
    phones_when(api, <[Value]>::is_empty).await;
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
    assert_eq!(world.calls.counters().await.ports, 0);
}

#[tokio::test]
async fn telephones_are_the_administrators_of_their_room_alone() {
    let world = World::start(config((24_500, 24_599)));
    let (api, _server) = world.serve();
    let phone = Phone::new("127.0.0.1", 1).await;
    let (path, _) = call_in(api, &phone, "Ada").await;
    let elsewhere = path.replace("lobby", "other");
    let (participant, stranger) = (participant("lobby"), admin("other"));
    for (line, token, status, code) in [
        (format!("GET {PHONES}"), &participant, 403, "grant_missing"),
        (format!("POST {PHONES}"), &participant, 403, "grant_missing"),
        (format!("DELETE {path}"), &participant, 403, "grant_missing"),
        (format!("DELETE {path}"), &stranger, 403, "wrong_room"),
        // A name that is known is of no use in another room.
        (format!("DELETE {elsewhere}"), &stranger, 404, "unknown_call"),
        (format!("DELETE {elsewhere}/play"), &stranger, 404, "unknown_call"),
        (format!("DELETE {elsewhere}/recording"), &stranger, 404, "unknown_call"),
    ] {
        let reply = Ask { token: Some(token), ..Ask::new(&line) }.send(api).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{line}");
    }
    assert_eq!(phones(api).await.len(), 1);
    let theirs = Ask { token: Some(&stranger), ..Ask::new("GET /api/v1/rooms/other/phones") }.send(api).await;
    assert_eq!(theirs.json(), json!({ "phones": [] }));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let world = World::start(config((24_600, 24_699)));
    let (api, _server) = world.serve();
    let phone = Phone::new("127.0.0.1", 1).await;
    let good = phone.describe("8", &[]);
    let strange = phone.describe("97", &["a=rtpmap:97 iLBC/8000"]);
    for (path, body, status, code) in [
        (PHONES, json!({ "sdp": "nonsense" }), 400, "bad_sdp"),
        (PHONES, json!({ "sdp": strange }), 422, "no_sound"),
        (PHONES, json!({ "sdp": good, "interface": "none" }), 400, "no_interface"),
        (PHONES, json!({ "protocol": "SIP" }), 400, "bad_request"),
        (PHONES, json!({ "name": "a\nb" }), 400, "bad_request"),
        (PHONES, json!({ "colour": "red" }), 400, "bad_json"),
        (PHONES, json!({ "pin": "never" }), 400, "bad_json"),
        (&format!("{PHONES}/none/offer"), json!({ "sdp": good }), 404, "unknown_call"),
        (&format!("{PHONES}/none/offer"), json!({}), 404, "unknown_call"),
        (&format!("{PHONES}/none/answer"), json!({ "sdp": good }), 404, "unknown_call"),
        (&format!("{PHONES}/none/play"), json!({ "file": "a.wav" }), 404, "unknown_call"),
        ("/api/v1/rooms/lobby/play", json!({ "file": "a.wav" }), 400, "cannot_play"),
        ("/api/v1/rooms/lobby/recording", json!({}), 400, "cannot_play"),
    ] {
        let reply = post(api, path, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}: {}", reply.text());
    }
    let token = admin("*");
    let line = "POST /api/v1/rooms/not%20a%20room/phones";
    let headers = [("Content-Type", "application/json")];
    let reply = Ask { token: Some(&token), headers: &headers, body: b"{}", ..Ask::new(line) }.send(api).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "bad_name"));
    let (path, _) = call_in(api, &phone, "Ada").await;
    let answer = post(api, &format!("{path}/answer"), json!({ "sdp": good })).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "unknown_tag"), "{}", answer.text());
    assert_eq!(ask(api, &format!("DELETE {path}"), None).await.status, 204);
    assert_eq!(world.calls.counters().await.calls, 0);
    assert_eq!(world.calls.counters().await.ports, 0);
}

/// Whether it hears another sound than silence and the other's tone.
fn hears_a_prompt(talker: &Talker) -> bool {
    talker.share(LOW) + talker.share(HIGH) < 0.5 && !talker.hears_silence() && talker.share(LOW) > 0.0
}

#[tokio::test]
async fn prompts_and_recordings_of_a_telephone_and_of_a_room() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tone.wav"), wav()).unwrap();
    let world = World::start(sound_config((24_700, 24_799), folder.path()));
    let (api, _server) = world.serve();
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (first, to_one) = call_in(api, &one, "Ada").await;
    let (_, to_other) = call_in(api, &other, "Bo").await;
    phones_when(api, |phones| phones.iter().all(|phone| phone["state"] == "in_room")).await;
    let mut one = Talker::new(one, rtp_address(&to_one), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::Pcma, 8, HIGH);
    let both = |one: &Talker, other: &Talker| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH);
    talk(&mut one, &mut other, both).await;
    // Recorded from here on, each on its own and the whole room.
    let room = "/api/v1/rooms/lobby";
    let record = async |path: &str| {
        let reply = post(api, &format!("{path}/recording"), json!({})).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let again = post(api, &format!("{path}/recording"), json!({})).await;
        assert_eq!((again.status, again.code().as_str()), (409, "already_recording"), "{}", again.text());
        reply.json()["file"].as_str().unwrap().to_owned()
    };
    let (of_phone, of_room) = (record(&first).await, record(room).await);
    assert_eq!(phones(api).await[0]["recording"], json!(true));
    // To one of them.
    let reply = post(api, &format!("{first}/play"), json!({ "file": "tone.wav", "times": 1_000 })).await;
    assert_eq!((reply.status, &reply.json()["duration_ms"]), (200, &json!(500)), "{}", reply.text());
    talk(&mut one, &mut other, |one, other| hears_a_prompt(one) && other.hears_only(LOW, HIGH)).await;
    assert_eq!(ask(api, &format!("DELETE {first}/play"), None).await.status, 204);
    talk(&mut one, &mut other, both).await;
    // To all.
    let reply = post(api, &format!("{room}/play"), json!({ "file": "tone.wav", "times": 1_000 })).await;
    assert_eq!((reply.status, &reply.json()["duration_ms"]), (200, &json!(500)), "{}", reply.text());
    talk(&mut one, &mut other, |one, other| hears_a_prompt(one) && hears_a_prompt(other)).await;
    assert_eq!(ask(api, &format!("DELETE {room}/play"), None).await.status, 204);
    talk(&mut one, &mut other, both).await;
    let stopped = ask(api, &format!("DELETE {first}/recording"), None).await;
    assert_eq!((stopped.status, &stopped.json()["file"]), (200, &json!(of_phone)));
    assert_eq!(ask(api, &format!("DELETE {room}/recording"), None).await.status, 204);
    for path in [&first, room] {
        let again = ask(api, &format!("DELETE {path}/recording"), None).await;
        assert_eq!((again.status, again.code().as_str()), (409, "not_recording"), "{path}");
    }
    // Channels: what it said beside all voices; and all voices.
    let (phone, all) = (whole_file(&of_phone).await, whole_file(&of_room).await);
    assert_eq!((phone[22], all[22]), (2, 1));
    assert!(of_phone.contains("/call-") && of_room.contains("/room-lobby-"), "{of_phone} {of_room}");
    let loud = |samples: &mut dyn Iterator<Item = &[u8]>| {
        samples.filter(|sample| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() > 1_000).count()
    };
    for channel in [0, 2] {
        let count = loud(&mut phone[44..].chunks_exact(4).map(|both| &both[channel..channel + 2]));
        assert!(count > 1_000, "channel {channel}: {count}");
    }
    assert!(loud(&mut all[44..].chunks_exact(2)) > 1_000);
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn figures_of_audio_workers_are_told() {
    let world = World::start(config((24_800, 24_899)));
    let (api, _server) = world.serve();
    let phone = Phone::new("127.0.0.1", 1).await;
    call_in(api, &phone, "Ada").await;
    phones_when(api, |phones| phones[0]["state"] == "in_room").await;
    let waiting = async {
        loop {
            let metrics = Ask::new("GET /metrics").send(api).await;
            if metrics.text().contains("\nkaname_audio_participants{worker=\"0\"} 1\n") {
                return metrics;
            }
        }
    };
    let metrics = tokio::time::timeout(PATIENCE, waiting).await.expect("one is in a room");
    assert!(metrics.text().contains("\nkaname_audio_items{worker=\"0\"} 2\n"), "{}", metrics.text());
    assert!(metrics.text().contains("\nkaname_audio_dropped_total{worker=\"0\",reason=\"no_room\"} 0\n"));
}
