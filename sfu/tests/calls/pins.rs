//! Rooms with a PIN: telephones type it before they come in.

use std::net::SocketAddr;
use std::time::Duration;

use kaname_engine::audio::{Codec, Codecs, Rate};
use kaname_sfu::calls::PhoneState;
use kaname_sfu::node::{Pin, RoomSettings};

use crate::phone::{Phone, rtp_address};
use crate::rooms::{HIGH, LOW, Talker, room_of, talk};
use crate::rtp::about;
use crate::support::{PATIENCE, Proxy, World, config, text};

const EVENTS: &[&str] = &["a=rtpmap:101 telephone-event/8000"];

/// A caller of the lobby, and the way to the node.
struct Caller {
    phone: Phone,
    to: SocketAddr,
    call: String,
}

async fn call(proxy: &mut Proxy, call: &str, number: &str, formats: &str) -> Caller {
    let phone = Phone::new("127.0.0.1", 1).await;
    let lines = if formats.contains("101") { EVENTS } else { &[] };
    let offer = about("offer", call, "a", "").with("sdp", phone.describe(formats, lines));
    let answer = proxy.describe(offer.with("room", "lobby").with("from-number", number)).await;
    Caller { phone, to: rtp_address(&answer), call: call.to_owned() }
}

/// Speaks silence until a tone of the door is heard.
async fn hear_prompt(caller: &mut Caller) {
    let heard = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                _ = pace.tick() => caller.phone.say(caller.to, 8, &[0xd5; 160]).await,
                heard = caller.phone.hear() => {
                    if heard.payload_type == 8 && heard.payload.iter().any(|b| (b ^ 0x55) & 0x70 >= 0x30) {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("the door asks");
}

/// Waits until the caller is asked, so many wrong PINs later. Figures come from the shard, so it and the worker listen then.
async fn at_door(world: &World, proxy: &mut Proxy, caller: &Caller, wrong: u64) {
    let waiting = async {
        loop {
            let phones = world.calls.phones("lobby").await;
            let phone = phones.iter().find(|phone| phone.id == caller.call);
            if outcome(world, "wrong").await == wrong
                && phone.is_some_and(|phone| phone.state == PhoneState::AtDoor)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the door asks");
    proxy.ask(about("query", &caller.call, "a", "")).await;
}

/// Types keys as telephone events (RFC 4733): each ends with its first packet.
async fn type_keys(caller: &mut Caller, keys: &str) {
    for key in keys.chars() {
        let event = "0123456789*#".find(key).unwrap() as u8;
        caller.phone.say(caller.to, 101, &[event, 0x8a, 3, 0x20]).await;
        // Silence between them keeps their order, as on a telephone.
        caller.phone.say(caller.to, 8, &[0xd5; 160]).await;
    }
}

/// Types keys as tones: 100 ms of each, and as much silence.
async fn type_tones(caller: &mut Caller, keys: &str) {
    let mut encoder = Codecs::built_in().encoder(Codec::Pcma, Rate::K8).unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for key in keys.chars() {
        let at = "123A456B789C*0#D".find(key).unwrap();
        let pair = [[697.0, 770.0, 852.0, 941.0][at / 4], [1_209.0, 1_336.0, 1_477.0, 1_633.0][at % 4]];
        for packet in 0..10 {
            let sample = |n: usize| {
                let time = std::f64::consts::TAU * (packet * 160 + n) as f64 / 8_000.0;
                pair.iter().map(|hz: &f64| 6_000.0 * (time * hz).sin()).sum::<f64>() as i16
            };
            let samples: Vec<i16> = (0..160).map(|n| if packet < 5 { sample(n) } else { 0 }).collect();
            let mut payload = [0; 160];
            encoder.encode(&samples, &mut payload).unwrap();
            pace.tick().await;
            caller.phone.say(caller.to, 8, &payload).await;
        }
    }
}

async fn world(ports: (u16, u16)) -> World {
    let world = World::start(config(ports));
    let settings = RoomSettings { pin: Some(Pin::parse("471100").unwrap()), tones: true };
    world.node.create_room("lobby".into(), settings).await.unwrap();
    world
}

/// Waits until so many calls have ended for this reason.
async fn ended(world: &World, reason: &str, count: u64) {
    let waiting = async {
        while world.calls.counters().await.ended_total.get(reason) != Some(&count) {
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(ended.is_ok(), "{reason}: {:?}", world.calls.counters().await.ended_total);
}

async fn outcome(world: &World, outcome: &str) -> u64 {
    world.node.counters().await.pins_total.get(outcome).copied().unwrap_or_default()
}

#[tokio::test]
async fn who_types_the_pin_comes_in_and_nobody_knew_it_was_there() {
    let world = world((25_500, 25_599)).await;
    let mut proxy = world.proxy().await;
    // The proxy vouches for one.
    let known = Phone::new("127.0.0.1", 2).await;
    let offer = about("offer", "known", "a", "").with("sdp", known.describe("8", &[]));
    let to_known = proxy.describe(offer.with("room", "lobby").with("pin", "skip")).await;
    room_of(&world, 1).await;
    let mut caller = call(&mut proxy, "c1", "+49301", "8 101").await;
    at_door(&world, &mut proxy, &caller, 0).await;
    hear_prompt(&mut caller).await;
    assert_eq!(room_of(&world, 1).await.peers.len(), 1);
    // Wrong, and another that was begun anew.
    type_keys(&mut caller, "471101#").await;
    at_door(&world, &mut proxy, &caller, 1).await;
    type_keys(&mut caller, "99*471100#").await;
    room_of(&world, 2).await;
    assert_eq!((outcome(&world, "wrong").await, outcome(&world, "right").await), (1, 1));
    let mut one = Talker::new(caller.phone, caller.to, Codec::Pcma, 8, LOW);
    let mut other = Talker::new(known, rtp_address(&to_known), Codec::Pcma, 8, HIGH);
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    proxy.ask(about("delete", &caller.call, "a", "")).await;
    room_of(&world, 1).await;
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn tones_in_the_voice_are_keys_too() {
    let world = world((25_600, 25_699)).await;
    let mut proxy = world.proxy().await;
    let mut caller = call(&mut proxy, "c1", "+49301", "8").await;
    // On a busy machine packets come in lumps, and a tone may be heard twice or not at all: then it is typed again.
    let mut wrong = 0;
    while outcome(&world, "right").await == 0 {
        at_door(&world, &mut proxy, &caller, wrong).await;
        type_tones(&mut caller, "471100#").await;
        let judged = async {
            while outcome(&world, "right").await + outcome(&world, "wrong").await == wrong {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, judged).await.expect("keys were heard");
        wrong = outcome(&world, "wrong").await;
        assert!(wrong < 3, "never understood");
    }
    room_of(&world, 1).await;
    // The room calls out without asking.
    let offered = proxy.describe(about("offer", "out", "us", "").with("room", "lobby")).await;
    assert!(offered.contains("opus"));
    let other = Phone::new("127.0.0.1", 2).await;
    proxy.describe(about("answer", "out", "us", "b").with("sdp", other.describe("8", &[]))).await;
    room_of(&world, 2).await;
}

#[tokio::test]
async fn guessing_ends_calls_and_then_is_not_even_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("calls.jsonl");
    let mut settings = config((25_700, 25_799));
    settings.records_file = Some(records.clone());
    let world = World::start(settings);
    let pin = Some(Pin::parse("471100").unwrap());
    world.node.create_room("lobby".into(), RoomSettings { pin, tones: false }).await.unwrap();
    let mut proxy = world.proxy().await;
    // Two calls of three tries each, as much as one caller may.
    for number in 1..=2 {
        let mut caller = call(&mut proxy, &format!("guess {number}"), "+49666", "8 101").await;
        for tries in 0..3 {
            at_door(&world, &mut proxy, &caller, (number - 1) * 3 + tries).await;
            type_keys(&mut caller, "000000#").await;
        }
        ended(&world, "wrong pin", number).await;
    }
    assert_eq!((outcome(&world, "wrong").await, outcome(&world, "blocked").await), (6, 0));
    // The door does not open for this caller any more, and does for another.
    let mut caller = call(&mut proxy, "guess 3", "+49666", "8 101").await;
    at_door(&world, &mut proxy, &caller, 6).await;
    type_keys(&mut caller, "471100#").await;
    ended(&world, "pin blocked", 1).await;
    assert_eq!(outcome(&world, "right").await, 0);
    let mut honest = call(&mut proxy, "honest", "+49301", "8 101").await;
    at_door(&world, &mut proxy, &honest, 6).await;
    type_keys(&mut honest, "471100#").await;
    room_of(&world, 1).await;
    let wrote = async {
        loop {
            let lines = std::fs::read_to_string(&records).unwrap_or_default();
            if lines.lines().count() >= 3 {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    };
    let lines = tokio::time::timeout(PATIENCE, wrote).await.expect("three calls have ended");
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["room"], &first["wrong_pins"]), (&"lobby".into(), &3.into()), "{first}");
    assert_eq!(first["reason"], "wrong pin");
    assert_eq!(world.calls.counters().await.ended_total.len(), 2);
}

#[tokio::test]
async fn a_strict_door_is_shut_where_there_is_no_pin() {
    let world = World::start(config((25_800, 25_899)));
    let mut proxy = world.proxy().await;
    let phone = Phone::new("127.0.0.1", 1).await;
    let offer = about("offer", "c1", "a", "").with("sdp", phone.describe("8", &[]));
    proxy.describe(offer.with("room", "nobody-made-it").with("pin", "require")).await;
    ended(&world, "refused by the room", 1).await;
    assert!(world.node.rooms().await.is_empty());
    let reply = proxy.ask(about("offer", "c2", "a", "").with("room", "lobby").with("pin", "4711")).await;
    assert!(text(&reply, "error-reason").contains("ask, require or skip"), "{reply:?}");
}
