//! Prompts, tones and recordings in rooms.

use std::path::PathBuf;

use kaname_engine::audio::{AudioError, AudioEvent, AudioId, Prompt, Rate};

use super::super::phone_sound::SoundOf;
use super::phones::{call, line};
use super::*;

pub(super) fn room() -> SoundOf {
    SoundOf::Room("lobby".into())
}

pub(super) fn record(of: SoundOf) -> SoundWish {
    SoundWish::Record { of, path: "/srv/recordings/a.wav".into() }
}

pub(super) fn play(to: SoundOf) -> SoundWish {
    SoundWish::Play { to, prompt: Prompt::new(Rate::K8, vec![1; 80]), times: 2 }
}

/// The name behind these words in what was told.
pub(super) fn number(told: &[String], of: &str) -> AudioId {
    let line = told.iter().find_map(|line| line.split_once(of)).expect("told").1;
    let digits: String = line.chars().take_while(char::is_ascii_digit).collect();
    AudioId(digits.parse().expect("a number"))
}

fn complete(world: &mut World, id: AudioId) {
    let event = AudioEvent::Recorded { id, path: PathBuf::new(), ms: 1_000, lost_ms: 0 };
    world.state.audio_event(world.now, event);
}

#[test]
fn a_room_without_telephones_is_mixed_while_it_is_recorded() {
    let mut world = World::new();
    let (ada, _) = world.publisher("Ada");
    assert!(!world.told().iter().any(|line| line.starts_with("audio")));
    world.sound(record(room())).expect("recorded");
    let told = world.told();
    let recorder = number(&told, "Record { id: AudioId(");
    assert!(told.iter().any(|line| line.starts_with("audio 0: join ")), "Ada is heard: {told:#?}");
    assert_eq!(world.sound(record(room())), Err(NodeError::Recording { already: true }));
    // A telephone comes and goes: the mixer stays for the recording.
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    let told = world.told();
    assert!(!told.iter().any(|line| line.contains("room") && line.starts_with("audio 0: room")
        || line == &format!("audio 0: remove {}", recorder.0)));
    world.sound(SoundWish::StopRecording(room())).expect("stopped");
    let told = world.told();
    assert_eq!(told[0], format!("audio 0: remove {}", recorder.0));
    assert_eq!(told.iter().filter(|line| line.contains("audio 0: remove ")).count(), 3, "{told:#?}");
    assert_eq!(world.sound(SoundWish::StopRecording(room())), Err(NodeError::Recording { already: false }));
    complete(&mut world, recorder);
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
    assert_eq!(world.sound(record(room())), Err(NodeError::NoSuchRoom));
}

#[test]
fn a_recording_ends_with_its_room_its_telephone_or_its_disk() {
    let mut world = World::new();
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let phone = SoundOf::Phone(caller.peer.id.clone());
    world.told();
    world.sound(record(phone.clone())).expect("recorded");
    let told = world.told();
    assert!(
        told[0].contains("side: In") && told[0].contains("side: Out") && told[0].contains("stereo: true")
    );
    let first = number(&told, "Record { id: AudioId(");
    world.sound(SoundWish::Pause { of: phone.clone(), paused: true }).expect("paused");
    assert!(world.told()[0].contains("paused: true"));
    // The disk is full: another may begin.
    let full = || AudioError::Fault("full".into());
    world.state.audio_event(world.now, AudioEvent::Failed { id: first, why: full() });
    assert!(world.state.peer(&caller.peer.id).is_ok(), "a recording that fails ends no call");
    world.sound(record(phone)).expect("recorded");
    let second = number(&world.told(), "Record { id: AudioId(");
    world.sound(record(room())).expect("recorded");
    let whole = number(&world.told(), "Record { id: AudioId(");
    let refused = AudioEvent::Refused { id: whole, command: "Record", why: AudioError::Recorders };
    world.state.audio_event(world.now, refused);
    world.sound(record(room())).expect("recorded");
    let whole = number(&world.told(), "Record { id: AudioId(");
    world.state.delete_room("lobby").expect("deleted");
    let told = world.told();
    for id in [second, whole] {
        assert!(told.contains(&format!("audio 0: remove {}", id.0)), "{told:#?}");
    }
    complete(&mut world, second);
    complete(&mut world, whole);
    world.assert_empty();
}

#[test]
fn prompts_go_to_one_and_stop() {
    let mut world = World::new();
    let (ada, _) = world.publisher("Ada");
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let told = world.told();
    let ear = told.iter().rfind(|line| line.starts_with("audio 0: join ")).expect("joined");
    let ear = number(std::slice::from_ref(ear), "join ");
    let to = SoundOf::Phone(caller.peer.id.clone());
    world.sound(play(to.clone())).expect("played");
    let told = world.told();
    assert!(told[0].contains(&format!("Play {{ to: AudioId({})", ear.0)), "{told:#?}");
    assert!(told[0].contains("times: Some(2)"), "{told:#?}");
    world.sound(SoundWish::StopPlaying(to)).expect("stopped");
    assert!(world.told()[0].contains(&format!("StopPlaying {{ to: AudioId({})", ear.0)));
    // A browser hears no mix.
    assert_eq!(world.sound(play(SoundOf::Phone(ada.id.clone()))), Err(NodeError::NoSuchPeer));
}

#[test]
fn tones_say_that_somebody_came_or_went_one_at_a_time() {
    let mut world = World::new();
    world.state.create_room("lobby", RoomSettings { pin: None, tones: true }).expect("created");
    let tones = |world: &World| {
        let told = world.told();
        let mixer = told.iter().find_map(|line| line.split_once("Play { to: AudioId(")).map(|(_, rest)| {
            AudioId(rest.split(')').next().and_then(|digits| digits.parse().ok()).expect("a number"))
        });
        (told.iter().filter(|line| line.contains("Play {")).count(), mixer)
    };
    let ada = world.join("Ada");
    assert_eq!(tones(&world).0, 0, "nobody would hear it");
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let (count, mixer) = tones(&world);
    assert_eq!(count, 1);
    let bo = world.join("Bo");
    assert_eq!(tones(&world).0, 0, "the first still sounds");
    let over = AudioEvent::PlayEnded { id: mixer.expect("played"), token: 1, stopped: false };
    world.state.audio_event(world.now, over);
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    assert_eq!(tones(&world).0, 1);
    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    assert_eq!(tones(&world).0, 0);
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.state.delete_room("lobby").expect("deleted");
    world.assert_empty();
}
