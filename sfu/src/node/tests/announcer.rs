//! What is played to a whole room.

use std::sync::atomic::Ordering;

use kaname_engine::audio::{AudioError, AudioEvent, AudioId};

use super::fake::OfferText;
use super::phones::{call, line};
use super::sounds::{number, play, record, room};
use super::*;

const LEAD: Duration = Duration::from_secs(1);

/// The announcer, as the room's list shows it.
fn announcer(world: &World) -> Option<PeerInfo> {
    let room = world.state.room("lobby", None).expect("a room");
    room.peers.into_iter().find(|peer| peer.announcer)
}

/// The token of what an audio worker's thing was told to play last.
fn token(told: &[String], to: AudioId) -> u64 {
    let begins = format!("audio 0: Play {{ to: AudioId({}), token: ", to.0);
    let digits = told.iter().rev().find_map(|line| line.strip_prefix(&begins)).expect("played");
    digits.split(',').next().and_then(|digits| digits.parse().ok()).expect("a number")
}

fn plays(told: &[String]) -> usize {
    told.iter().filter(|line| line.contains(": Play {")).count()
}

fn over(world: &mut World, id: AudioId, token: u64) {
    world.state.audio_event(world.now, AudioEvent::PlayEnded { id, token, stopped: false });
}

/// Subscribes somebody who receives one sound.
fn listen(world: &mut World, name: &str, member: &Member, track: &TrackId) {
    let offer = OfferText::new(name).audio("0", "recvonly");
    world.negotiate(member, &offer, &[], &[("0", track)]).expect("answered");
}

#[test]
fn a_prompt_is_a_track_to_browsers_and_in_the_mix_for_telephones() {
    let mut world = World::new();
    let mut ada = world.join("Ada");
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let mixer = number(&world.told(), "audio 0: room ");
    ada.heard();
    world.sound(play(room())).expect("played");
    let heard = ada.heard();
    assert!(heard[0].contains("peer_joined") && heard[0].contains(r#""announcer":true"#), "{heard:?}");
    assert!(heard[1].contains("track_published") && heard[1].contains("opus"), "{heard:?}");
    let told = world.told();
    let player = number(&told, "audio 0: player ");
    assert_eq!(plays(&told), 0, "browsers have to subscribe first: {told:#?}");
    assert!(!told.iter().any(|line| line.contains("join ") || line.contains("export")), "{told:#?}");
    let track = announcer(&world).expect("there").tracks[0].id.clone();
    listen(&mut world, "Ada", &ada, &track);
    let told = world.told();
    assert!(told.iter().any(|line| line.starts_with("route ")), "{told:#?}");
    world.pass(LEAD);
    let told = world.told();
    assert_eq!(plays(&told), 2, "once to browsers, once to the mix: {told:#?}");
    let (first, mixed) = (token(&told, player), token(&told, mixer));
    assert!(told.iter().filter(|line| line.contains("times: Some(2)")).count() == 2, "{told:#?}");
    // Who has come meanwhile, and has the track; the next prompt waits for nothing.
    world.sound(play(room())).expect("played");
    let told = world.told();
    assert_eq!((plays(&told), token(&told, mixer)), (2, mixed));
    assert_ne!(token(&told, player), first);
    assert!(!told.iter().any(|line| line.contains("player")), "{told:#?}");

    world.sound(SoundWish::StopPlaying(room())).expect("stopped");
    let told = world.told();
    assert!(told[0].contains(&format!("StopPlaying {{ to: AudioId({}), token: None", player.0)), "{told:#?}");
    assert!(told[1].contains(&format!("StopPlaying {{ to: AudioId({}), token: Some(", mixer.0)), "{told:#?}");
    assert_eq!(told.len(), 2, "{told:#?}");
    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn while_something_is_played_the_room_is_mixed() {
    let mut world = World::new();
    let (ada, _) = world.publisher("Ada");
    world.sound(play(room())).expect("played");
    world.pass(LEAD);
    let told = world.told();
    let (player, mixer) = (number(&told, "audio 0: player "), number(&told, "audio 0: room "));
    let first = token(&told, player);
    // A telephone and a recording that come now have the rest of it, from the same mixer.
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    world.sound(record(room())).expect("recorded");
    let told = world.told();
    assert!(!told.iter().any(|line| line.starts_with("audio 0: room ")), "{told:#?}");
    let recorder = number(&told, "Record { id: AudioId(");
    world.sound(play(room())).expect("played");
    let second = token(&world.told(), player);
    over(&mut world, player, first);
    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    world.sound(SoundWish::StopRecording(room())).expect("stopped");
    let gone = |world: &World| world.told().contains(&format!("audio 0: remove {}", mixer.0));
    assert!(!gone(&world), "the second still sounds");
    over(&mut world, player, second);
    assert!(gone(&world), "nobody hears it any more");
    assert!(announcer(&world).is_some(), "for the next prompt");
    let recorded = AudioEvent::Recorded { id: recorder, path: "a.wav".into(), ms: 1, lost_ms: 0 };
    world.state.audio_event(world.now, recorded);
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn nobody_is_waited_for_who_would_not_hear_it() {
    let mut world = World::new();
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    world.sound(play(room())).expect("played");
    assert_eq!(plays(&world.told()), 2);
    // A browser that comes now is shown the track with the room.
    let ada = world.join("Ada");
    let track = announcer(&world).expect("there").tracks[0].id.clone();
    listen(&mut world, "Ada", &ada, &track);
    for id in [caller.peer.id, ada.id] {
        world.state.leave(&id, LeaveReason::Left).expect("left");
    }
    world.assert_empty();
}

#[test]
fn what_waits_can_be_stopped() {
    let mut world = World::new();
    let ada = world.join("Ada");
    world.sound(play(room())).expect("played");
    world.sound(SoundWish::StopPlaying(room())).expect("stopped");
    world.pass(LEAD * 2);
    assert_eq!(plays(&world.told()), 0);
    for _ in 0..7 {
        world.sound(play(room())).expect("played");
    }
    assert_eq!(world.sound(play(room())).expect_err("enough").code(), "at_capacity");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn the_announcer_counts_for_nothing_and_leaves_with_the_last() {
    let limits = NodeLimits { peers: 2, peers_per_room: 2, ..NodeLimits::default() };
    let mut world = World::with(1, limits);
    world.state.create_room("lobby", RoomSettings::default()).expect("created");
    assert_eq!(world.sound(play(room())), Err(NodeError::NoListeners));
    assert_eq!(world.sound(SoundWish::StopPlaying(room())), Ok(()), "nothing to stop");
    let mut ada = world.join("Ada");
    world.sound(play(room())).expect("played");
    world.pass(LEAD);
    let bo = world.join("Bo");
    assert_eq!(world.state.counters().peers, 2);
    let line = &world.state.rooms()[0];
    assert_eq!((line.peers, line.tracks), (2, 0));
    let player = number(&world.told(), "audio 0: player ");
    world.state.audio_event(world.now, AudioEvent::Speaking { room: player, id: player, on: true });
    let track = announcer(&world).expect("there").tracks[0].clone();
    let of_nobody = world.state.mute_in("lobby", &track.id, true);
    assert_eq!(of_nobody, Err(NodeError::Announcement), "telephones would still hear it");
    // A viewer without a wish is not given it, one who names it is.
    let text = OfferText::new("Bo").audio("0", "recvonly").text();
    let watch = |world: &mut World, choice: &Choice| {
        world.state.watch(world.now, &bo.id, Offer::parse(&text), choice)
    };
    assert_eq!(watch(&mut world, &Choice::Any), Err(NodeError::NothingPublished));
    watch(&mut world, &Choice::Track(track.id)).expect("answered");
    for id in [&ada.id, &bo.id] {
        world.state.leave(id, LeaveReason::Left).expect("left");
    }
    assert!(announcer(&world).is_none(), "the room stays, and is silent");
    let told = world.told();
    assert!(told.contains(&format!("audio 0: remove {}", player.0)), "{told:#?}");
    assert!(!ada.heard().iter().any(|notice| notice.contains("speakers")));
    world.state.delete_room("lobby").expect("deleted");
    world.assert_empty();
}

#[test]
fn an_announcer_that_is_removed_or_fails_comes_back_with_the_next_prompt() {
    let mut world = World::new();
    let mut ada = world.join("Ada");
    for how in ["removed", "failed", "refused"] {
        world.sound(play(room())).expect("played");
        world.pass(LEAD);
        let told = world.told();
        let (player, mixer) = (number(&told, "audio 0: player "), number(&told, "audio 0: room "));
        let first = announcer(&world).expect("there");
        listen(&mut world, "Ada", &ada, &first.tracks[0].id);
        world.told();
        ada.heard();
        match how {
            "removed" => world.state.kick("lobby", &first.id).expect("removed"),
            "failed" => {
                let why = AudioError::Fault("a fault".into());
                world.state.audio_event(world.now, AudioEvent::Failed { id: player, why });
            }
            _ => {
                let refused = AudioEvent::Refused { id: player, command: "AddPlayer", why: AudioError::Full };
                world.state.audio_event(world.now, refused);
            }
        }
        let heard = ada.heard();
        assert!(heard[0].contains("track_unpublished") && heard[1].contains("peer_left"), "{heard:?}");
        let told = world.told();
        for id in [player, mixer] {
            assert!(told.contains(&format!("audio 0: remove {}", id.0)), "{told:#?}");
        }
        assert!(told.iter().any(|line| line.starts_with("remove sender ")), "{told:#?}");
        assert!(announcer(&world).is_none());
        // What the worker tells late is about nothing.
        over(&mut world, player, 0);
    }
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn the_announcers_track_goes_to_other_shards_from_the_worker() {
    let limits = NodeLimits { room_peers_per_shard: 1, ..NodeLimits::default() };
    let mut world = World::with(2, limits);
    let (ada, bo) = (world.join("Ada"), world.join("Bo"));
    assert_ne!(world.shard(&ada), world.shard(&bo));
    world.sound(play(room())).expect("played");
    let track = announcer(&world).expect("there").tracks[0].id.clone();
    world.told();
    listen(&mut world, "Ada", &ada, &track);
    listen(&mut world, "Bo", &bo, &track);
    let told = world.told();
    assert_eq!(told.iter().filter(|line| line.contains("audio 0: outputs ")).count(), 1, "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains("import stream ")).count(), 1, "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("export")), "{told:#?}");
    // The shard on which it began dies: the others hear of it, and of the next prompt.
    let shard = world.state.peers[&announcer(&world).expect("there").id].shard;
    let message = "gone".to_owned();
    world.state.event(world.now, shard, EngineEvent::ShardFailed { message });
    assert!(announcer(&world).is_none());
    world.sound(play(room())).expect("played");
    assert!(announcer(&world).is_some());
    for member in [ada, bo] {
        let _gone = world.state.leave(&member.id, LeaveReason::Left);
    }
    world.assert_empty();
}

#[test]
fn without_audio_workers_it_is_said_what_to_change() {
    let mut world = World::new();
    let ada = world.join("Ada");
    world.engine.audio_workers.store(0, Ordering::Relaxed);
    assert_eq!(world.sound(play(room())), Err(NodeError::NoAudio));
    assert!(announcer(&world).is_none());
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}
