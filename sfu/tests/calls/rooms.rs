//! Phones that call a room of the node, and that a room calls.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use kaname_engine::audio::{Codec, Codecs};
use kaname_sfu::node::{LeaveReason, RoomInfo};

use crate::phone::{Phone, media, rtp_address};
use crate::rtp::{about, list};
use crate::support::{PATIENCE, Proxy, World, config, text};

/// Voices of the phones, in Hz.
pub(crate) const LOW: f64 = 400.0;
pub(crate) const HIGH: f64 = 1_300.0;
/// Packets of a second.
const SECOND: usize = 50;

/// Payloads to samples.
type Ear = Box<dyn FnMut(&[u8]) -> Vec<f64>>;

/// A phone that says a tone and knows which tones it has heard.
pub(crate) struct Talker {
    pub(crate) phone: Phone,
    pub(crate) to: SocketAddr,
    number: u8,
    says: Vec<Vec<u8>>,
    said: usize,
    rate: f64,
    ear: Ear,
    /// The latest second, in packets.
    heard: VecDeque<Vec<f64>>,
}

impl Talker {
    pub(crate) fn new(phone: Phone, to: SocketAddr, codec: Codec, number: u8, hz: f64) -> Talker {
        let rate = codec.rate_max();
        let mut encoder = Codecs::built_in().encoder(codec, rate).unwrap();
        let mut at = 0.0_f64;
        let packet = |_| {
            let samples: Vec<i16> = (0..rate.samples(20))
                .map(|_| {
                    at += std::f64::consts::TAU * hz / f64::from(rate.hz());
                    (6_000.0 * at.sin()) as i16
                })
                .collect();
            let mut out = [0; 1_500];
            let length = encoder.encode(&samples, &mut out).unwrap();
            out[..length].to_vec()
        };
        let mut decoder = Codecs::built_in().decoder(codec, rate).unwrap();
        let ear = Box::new(move |payload: &[u8]| {
            let mut out = [0; 6_000];
            let samples = decoder.decode(payload, &mut out).unwrap();
            out[..samples].iter().map(|sample| f64::from(*sample)).collect()
        });
        let rate = f64::from(rate.hz());
        let says = (0..50).map(packet).collect();
        Talker { phone, to, number, says, said: 0, rate, ear, heard: VecDeque::new() }
    }

    pub(crate) async fn say(&mut self) {
        let payload = self.says[self.said % self.says.len()].clone();
        self.said += 1;
        self.phone.say(self.to, self.number, &payload).await;
    }

    pub(crate) fn hear(&mut self, payload: &[u8]) {
        self.heard.push_back((self.ear)(payload));
        let much = self.heard.len().saturating_sub(SECOND);
        self.heard.drain(..much);
    }

    /// How strong a tone is in what was heard, 0 to 1 of all of it, packet by packet.
    pub(crate) fn share(&self, hz: f64) -> f64 {
        let tone: f64 = self.heard.iter().map(|packet| energy_at(hz, packet, self.rate)).sum();
        tone / self.energy().max(1.0)
    }

    /// Of what was heard.
    pub(crate) fn energy(&self) -> f64 {
        self.heard.iter().flatten().map(|sample| sample * sample).sum()
    }

    /// Whether there is nothing to be heard.
    pub(crate) fn hears_silence(&self) -> bool {
        self.heard.len() == SECOND && self.heard.iter().flatten().all(|sample| sample.abs() < 64.0)
    }

    pub(crate) fn hears_only(&self, hz: f64, but: f64) -> bool {
        self.heard.len() == SECOND && self.share(hz) > 0.8 && self.share(but) < 0.02
    }
}

/// The energy that a stretch of sound has at a frequency (Goertzel).
pub(crate) fn energy_at(hz: f64, sound: &[f64], rate: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in sound.iter().enumerate() {
        let angle = std::f64::consts::TAU * hz * at as f64 / rate;
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    2.0 * (re * re + im * im) / sound.len().max(1) as f64
}

/// Both talk and listen until each hears what is wished.
pub(crate) async fn talk(one: &mut Talker, other: &mut Talker, done: impl Fn(&Talker, &Talker) -> bool) {
    let talking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while !done(one, other) {
            tokio::select! {
                _ = pace.tick() => { one.say().await; other.say().await; }
                heard = one.phone.hear() => one.hear(&heard.payload),
                heard = other.phone.hear() => other.hear(&heard.payload),
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, talking).await;
    let shares = [one.share(LOW), one.share(HIGH), other.share(LOW), other.share(HIGH)];
    assert!(ended.is_ok(), "shares of the tones heard: {shares:?}");
}

pub(crate) async fn call_in(
    proxy: &mut Proxy,
    call: &str,
    phone: &Phone,
    formats: &str,
    name: &str,
) -> String {
    let offer = about("offer", call, "a", "").with("sdp", phone.describe(formats, &[]));
    proxy.describe(offer.with("room", "lobby").with("display-name", name)).await
}

/// The room once so many are in it.
pub(crate) async fn room_of(world: &World, count: usize) -> RoomInfo {
    let waiting = async {
        loop {
            match world.node.room("lobby".into()).await {
                Ok(room) if room.peers.len() == count => return room,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("so many come")
}

#[tokio::test]
async fn phones_in_a_room_hear_each_other_and_not_themselves() {
    let world = World::start(config((24_100, 24_199)));
    let mut proxy = world.proxy().await;
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let to_one = call_in(&mut proxy, "c1", &one, "8", "+49 30 1").await;
    let to_other = call_in(&mut proxy, "c2", &other, "9 8", "Ada").await;
    assert!(media(&to_other).formats[0].is_named("G722"), "{to_other}");
    let room = room_of(&world, 2).await;
    let names: Vec<&str> = room.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["+49 30 1", "Ada"]);
    assert!(room.peers.iter().all(|peer| peer.phone && peer.tracks.len() == 1));
    let mut one = Talker::new(one, rtp_address(&to_one), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::G722, 9, HIGH);
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    // One hangs up, the other stays; who is removed has no call any more.
    proxy.ask(about("delete", "c1", "a", "")).await;
    let room = room_of(&world, 1).await;
    world.node.kick("lobby".into(), room.peers[0].id.clone()).await.unwrap();
    let gone = async {
        while text(&proxy.ask(about("query", "c2", "a", "")).await, "result") != "error" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the call ends");
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn a_phone_whose_keys_are_looked_for_is_heard_in_its_room() {
    let world = World::start(config((26_500, 26_599)));
    let mut proxy = world.proxy().await;
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let offer = about("offer", "c1", "a", "").with("sdp", one.describe("8", &[])).with("room", "lobby");
    let to_one = proxy.describe(offer.with("flags", list(&["detect-DTMF"]))).await;
    let to_other = call_in(&mut proxy, "c2", &other, "8", "Ada").await;
    room_of(&world, 2).await;
    let mut one = Talker::new(one, rtp_address(&to_one), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::Pcma, 8, HIGH);
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
}

#[tokio::test]
async fn a_room_calls_a_phone_which_holds_and_comes_back() {
    let world = World::start(config((24_200, 24_299)));
    let mut proxy = world.proxy().await;
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let offered = proxy.describe(about("offer", "out", "us", "").with("room", "lobby")).await;
    let names: Vec<String> = media(&offered).formats.iter().map(|format| format.name.clone()).collect();
    assert_eq!(names[..4], ["opus", "G722", "PCMA", "PCMU"], "{offered}");
    let answer = about("answer", "out", "us", "b").with("sdp", one.describe("8", &[]));
    proxy.describe(answer).await;
    let to_other = call_in(&mut proxy, "in", &other, "8", "Bo").await;
    room_of(&world, 2).await;
    let mut one = Talker::new(one, rtp_address(&offered), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::Pcma, 8, HIGH);
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    // On hold nobody hears its music.
    let hold = other.phone.describe("8", &["a=sendonly"]);
    let held = proxy.describe(about("offer", "in", "a", "").with("sdp", hold)).await;
    assert!(held.contains("a=recvonly"), "{held}");
    talk(&mut one, &mut other, |one, _| one.hears_silence()).await;
    let back = other.phone.describe("8", &[]);
    proxy.describe(about("offer", "in", "a", "").with("sdp", back)).await;
    talk(&mut one, &mut other, |one, other| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH)).await;
    let peers = room_of(&world, 2).await.peers;
    world.node.leave(peers[0].id.clone(), LeaveReason::Left).await.unwrap();
    room_of(&world, 1).await;
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn a_telephone_goes_on_with_another_codec_on_another_port() {
    let world = World::start(config((24_900, 24_999)));
    let mut proxy = world.proxy().await;
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let to_one = call_in(&mut proxy, "c1", &one, "8", "Ada").await;
    let to_other = call_in(&mut proxy, "c2", &other, "8", "Bo").await;
    let before = room_of(&world, 2).await;
    let mut one = Talker::new(one, rtp_address(&to_one), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::Pcma, 8, HIGH);
    let both = |one: &Talker, other: &Talker| one.hears_only(HIGH, LOW) && other.hears_only(LOW, HIGH);
    talk(&mut one, &mut other, both).await;
    let moved = Phone::new("127.0.0.1", 3).await;
    let to_moved = call_in(&mut proxy, "c1", &moved, "9", "Ada").await;
    assert!(media(&to_moved).formats[0].is_named("G722"), "{to_moved}");
    // Figures come from the shard, so it was told by then.
    proxy.ask(about("query", "c1", "a", "")).await;
    let mut one = Talker::new(moved, rtp_address(&to_moved), Codec::G722, 9, LOW);
    other.heard.clear();
    talk(&mut one, &mut other, both).await;
    assert_eq!(room_of(&world, 2).await, before, "for browsers nothing has changed");
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
    assert!(world.node.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn what_a_room_cannot_join_is_refused_and_leaves_nothing() {
    let world = World::start(config((24_300, 24_399)));
    let mut proxy = world.proxy().await;
    let phone = Phone::new("127.0.0.1", 1).await;
    for (formats, lines, room, says) in
        [("97", &["a=rtpmap:97 iLBC/8000"][..], "lobby", "PCMA"), ("8", &[][..], "not a name", "letters")]
    {
        let offer = about("offer", "c", "a", "").with("sdp", phone.describe(formats, lines));
        let reply = proxy.ask(offer.with("room", room)).await;
        if text(&reply, "result") == "error" {
            assert!(text(&reply, "error-reason").contains(says), "{reply:?}");
        }
        let gone = async {
            while world.calls.counters().await.calls > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("nothing is left");
    }
    assert_eq!(world.calls.counters().await.ports, 0);
}
