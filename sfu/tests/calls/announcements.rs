//! What is played to a room: browsers are sent it as a track, telephones have it in their mix, and each hears it once.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::path::Path;

use kaname_bench::client::{Heard, Peer, PeerOptions, PeerState};
use kaname_engine::audio::Codec;
use serde_json::json;

use crate::api::{ask, call_in, post};
use crate::http::participant;
use crate::phone::{Phone, rtp_address};
use crate::rooms::{LOW, Talker, room_of};
use crate::sound::{sound_config, wav_of, whole_file};
use crate::support::{PATIENCE, World};

const ROOM: &str = "/api/v1/rooms/lobby";
const RATE: usize = 8_000;
const LOUD: f64 = 6_000.0;

/// A second of the tone by which the browser's client knows a sender without a number.
fn tone() -> Vec<i16> {
    (0..RATE).map(|at| (LOUD * (TAU * LOW * at as f64 / RATE as f64).sin()) as i16).collect()
}

/// Half a second from 300 to 2,500 Hz: heard twice, one behind the other, it has twice the energy.
fn sweep() -> Vec<i16> {
    let hz = |seconds: f64| 300.0 * seconds + (2_500.0 - 300.0) * seconds * seconds;
    (0..RATE / 2).map(|at| (LOUD * (TAU * hz(at as f64 / RATE as f64)).sin()) as i16).collect()
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

fn start(ports: (u16, u16), folder: &Path) -> World {
    std::fs::write(folder.join("tone.wav"), wav_of(&tone())).unwrap();
    std::fs::write(folder.join("sweep.wav"), wav_of(&sweep())).unwrap();
    World::start(sound_config(ports, folder))
}

/// A browser, as far as the node can tell, that is sent all tracks.
async fn browser(api: SocketAddr, name: &str) -> Peer {
    let mut options = PeerOptions::new(&format!("ws://{api}/ws"), &participant("lobby"), name, 1);
    // A connection stands before there is anything to be sent.
    (options.subscribe, options.chat) = (true, true);
    Peer::join(options).await.unwrap()
}

async fn play(api: SocketAddr, file: &str, times: u32, duration_ms: u32) {
    let reply = post(api, &format!("{ROOM}/play"), json!({ "file": file, "times": times })).await;
    assert_eq!((reply.status, &reply.json()["duration_ms"]), (200, &json!(duration_ms)), "{}", reply.text());
}

/// What came of the announcer's track.
fn announced(state: &PeerState) -> Option<&Heard> {
    state
        .heard
        .values()
        .find(|heard| state.peers.get(&heard.peer).is_some_and(|name| name == "Announcements"))
}

/// Whether so many stretches of 20 ms had the tone.
fn hears_tone(state: &PeerState, count: u64) -> bool {
    announced(state).is_some_and(|heard| heard.right >= count)
}

/// Two phones listen until what they hear is as wished.
async fn listen(one: &mut Talker, other: &mut Talker, mut done: impl FnMut(&Talker, &Talker) -> bool) {
    let listening = async {
        while !done(one, other) {
            tokio::select! {
                heard = one.phone.hear() => one.hear(&heard.payload),
                heard = other.phone.hear() => other.hear(&heard.payload),
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("heard in time");
}

fn both_hear_silence(one: &Talker, other: &Talker) -> bool {
    one.hears_silence() && other.hears_silence()
}

#[tokio::test]
async fn browsers_telephones_and_the_recording_have_it_once_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let world = start((26_000, 26_099), folder.path());
    let (api, _server) = world.serve();
    let (one, other) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (_, to_one) = call_in(api, &one, "Ada").await;
    let (_, to_other) = call_in(api, &other, "Bo").await;
    room_of(&world, 2).await;
    let mut one = Talker::new(one, rtp_address(&to_one), Codec::Pcma, 8, LOW);
    let mut other = Talker::new(other, rtp_address(&to_other), Codec::Pcma, 8, LOW);
    let mut cy = browser(api, "Cy").await;
    cy.until(|state| state.connected && state.heard.len() == 2).await.unwrap();

    play(api, "tone.wav", 1_000, 1_000).await;
    cy.until(|state| hears_tone(state, 25)).await.unwrap();
    listen(&mut one, &mut other, |one, other| one.share(LOW) > 0.8 && other.share(LOW) > 0.8).await;
    let listed = ask(api, &format!("GET {ROOM}"), None).await.json();
    assert_eq!(listed["peers"][3]["announcer"], json!(true), "{listed}");
    assert_eq!(ask(api, &format!("DELETE {ROOM}/play"), None).await.status, 204);
    // Once phones have heard a second of silence, all that was on its way has come.
    listen(&mut one, &mut other, both_hear_silence).await;
    let before = announced(&cy.state()).unwrap().packets;

    let recording = post(api, &format!("{ROOM}/recording"), json!({})).await;
    assert_eq!(recording.status, 201, "{}", recording.text());
    play(api, "sweep.wav", 1, 500).await;
    let mut most = [0.0_f64; 2];
    listen(&mut one, &mut other, |one, other| {
        most = [most[0].max(one.energy()), most[1].max(other.energy())];
        most.iter().all(|most| *most > 0.5 * energy(&sweep())) && both_hear_silence(one, other)
    })
    .await;
    assert_eq!(ask(api, &format!("DELETE {ROOM}/recording"), None).await.status, 204);
    let state = cy.state();
    let packets = announced(&state).unwrap().packets - before;
    assert!((25..=27).contains(&packets), "half a second in packets of 20 ms: {packets}");
    assert!(state.speakers.is_empty(), "the announcer is nobody: {:?}", state.speakers);
    let file = whole_file(recording.json()["file"].as_str().unwrap()).await;
    let samples: Vec<i16> =
        file[44..].chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect();
    // It is at 16 kHz, so it has each sample twice.
    for heard in [most[0], most[1], energy(&samples) / 2.0] {
        let times = heard / energy(&sweep());
        assert!((0.8..1.25).contains(&times), "heard {times} times");
    }
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
    assert!(world.node.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn browsers_alone_hear_it_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let world = start((26_100, 26_199), folder.path());
    let (api, _server) = world.serve();
    let mut ada = browser(api, "Ada").await;
    ada.until(|state| state.connected).await.unwrap();
    play(api, "tone.wav", 1, 1_000).await;
    ada.until(|state| hears_tone(state, 25)).await.unwrap();
    // Its end takes the mixer along; the announcer's player stays for the next one.
    let ended = async {
        loop {
            let counters = world.node.counters().await;
            if counters.audio[0].get("items") == Some(&1) {
                return counters;
            }
            tokio::task::yield_now().await;
        }
    };
    let counters = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    assert_eq!(counters.peers, 1, "the announcer is nobody");
    // Who comes later is shown the track, and hears the next one whole.
    let mut bo = browser(api, "Bo").await;
    bo.until(|state| state.connected && state.negotiations > 0 && announced(state).is_some()).await.unwrap();
    let before = announced(&ada.state()).unwrap().packets;
    play(api, "tone.wav", 1, 1_000).await;
    bo.until(|state| hears_tone(state, 45)).await.unwrap();
    ada.until(|state| hears_tone(state, 70)).await.unwrap();
    let packets = announced(&ada.state()).unwrap().packets;
    assert!(before <= 52 && packets - before <= 52, "a second in packets of 20 ms: {before}, {packets}");
    ada.leave().await;
    bo.leave().await;
    let empty = async {
        while !world.node.rooms().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("the announcer keeps no room open");
    assert!(world.node.counters().await.commands_failed_total.is_empty());
}
