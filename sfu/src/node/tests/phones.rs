//! Telephones in rooms.

use std::sync::atomic::Ordering;

use kaname_engine::audio::{AudioError, AudioEvent, AudioId, Codec, Receives, SendFormat, StreamFormat};
use kaname_engine::core::command::SenderId;

use super::super::phones::{PhoneLine, PhoneRequest};
use super::super::pins::Entry;
use super::fake::OfferText;
use super::*;

/// The calls' own numbers.
const CALLS: u32 = 1 << 31;

pub(super) fn line(shard: usize, number: u32) -> PhoneLine {
    PhoneLine {
        shard: ShardId(shard),
        stream: StreamId(CALLS + number),
        sender: SenderId(CALLS + number),
        receives: vec![StreamFormat { payload_type: 8, receives: Receives::Audio(Codec::Pcma) }],
        sends: SendFormat { codec: Codec::Pcma, payload_type: 8, ptime_ms: 20 },
        held: false,
    }
}

pub(super) fn call(world: &mut World, name: &str, line: PhoneLine) -> Result<Joined, NodeError> {
    let request = PhoneRequest {
        room: "lobby".into(),
        identity: None,
        name: name.into(),
        caller: None,
        entry: Entry::Trusted,
        line,
    };
    world.state.join_phone(world.now, request)
}

#[test]
fn a_caller_is_a_track_to_others_and_hears_the_mix() {
    let mut world = World::new();
    let (mut ada, tracks) = world.publisher("Ada");
    world.told();
    ada.heard();
    let caller = call(&mut world, "+49 30 123", line(0, 1)).expect("joined");
    assert!(caller.peer.phone);
    let track = caller.peer.tracks[0].clone();
    assert_eq!((track.kind, track.codec.as_str()), (TrackKind::Audio, "opus"));
    let told = world.told();
    let mine = CALLS + 1;
    let has = |line: String| assert!(told.contains(&line), "{line} in {told:#?}");
    // Room, Ada's microphone and no picture, the caller's voice once for both that need it.
    assert!(told.iter().any(|line| line.starts_with("audio 0: room ")), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains("audio 0: join ")).count(), 2, "{told:#?}");
    has(format!("export stream {mine} to 1 link 1"));
    assert_eq!(told.iter().filter(|line| line.contains(&format!("export stream {mine} "))).count(), 1);
    assert!(
        told.iter().any(|line| line.ends_with(
            "from 1 to 0/2 Opus(OpusConfig { bitrate: 24000, complexity: 5, fec: true, dtx: false })"
        )),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|line| line.starts_with("route ") && line.contains(&format!("to {mine} "))),
        "{told:#?}"
    );
    let microphone = world.stream(&ada, "0").0;
    has(format!("export stream {microphone} to 1 link 0"));
    let heard = ada.heard();
    assert!(heard[0].contains("peer_joined") && heard[0].contains(r#""phone":true"#), "{heard:?}");
    assert!(heard[1].contains("track_published"), "{heard:?}");

    // A browser is sent the caller's track like any other.
    let offer =
        OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly").data("2").audio("3", "recvonly");
    let wish = [("0", Source::Microphone), ("1", Source::Camera)];
    world.negotiate(&ada, &offer, &wish, &[("3", &track.id)]).expect("answered");
    assert!(world.told().iter().any(|line| line.starts_with("route ")));

    // Who publishes later is heard, and forgotten when that ends.
    let (bo, _) = world.publisher("Bo");
    assert!(world.told().iter().any(|line| line.starts_with("audio 0: join ")));
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    let told = world.told();
    assert!(told.iter().any(|line| line.starts_with("audio 0: remove ")), "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("end link ")), "{told:#?}");

    // Muted, the caller is muted at the source.
    world.state.mute_in("lobby", &track.id, true).expect("muted");
    assert!(world.told().contains(&format!("mute stream {mine} true")));

    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    let told = world.told();
    let removed = told.iter().filter(|line| line.starts_with("audio 0: remove ")).count();
    assert_eq!(removed, 4, "ear, transcoder, Ada's voice, room: {told:#?}");
    assert!(told.contains(&"end link 0".to_owned()) && told.contains(&"end link 1".to_owned()), "{told:#?}");
    assert!(!told.iter().any(|line| line.contains("leg")), "the leg is the calls': {told:#?}");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    assert!(tracks.len() == 2);
    world.assert_empty();
}

#[test]
fn callers_hear_each_other_and_the_last_takes_the_mixer_along() {
    let mut world = World::new();
    let first = call(&mut world, "one", line(0, 1)).expect("joined");
    let second = call(&mut world, "two", line(0, 2)).expect("joined");
    let told = world.told();
    assert_eq!(told.iter().filter(|line| line.starts_with("audio 0: room ")).count(), 1, "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("audio 0: join ")).count(), 2, "{told:#?}");
    world.state.leave(&first.peer.id, LeaveReason::Left).expect("left");
    let removed = |world: &World| world.told().iter().filter(|line| line.contains("remove ")).count();
    assert_eq!(removed(&world), 4, "two things of its own in the worker, two streams");
    world.state.leave(&second.peer.id, LeaveReason::Left).expect("left");
    assert_eq!(removed(&world), 5, "the room as well");
    world.assert_empty();
}

#[test]
fn a_callers_track_goes_to_other_shards_from_the_worker() {
    let mut world = World::with(2, NodeLimits::default());
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let track = caller.peer.tracks[0].id.clone();
    world.state.rooms.get_mut("lobby").expect("there").shard = ShardId(1);
    let ada = world.join("Ada");
    assert_eq!(world.shard(&ada), ShardId(1));
    world.told();
    let offer = OfferText::new("Ada").audio("0", "recvonly");
    world.negotiate(&ada, &offer, &[], &[("0", &track)]).expect("answered");
    let told = world.told();
    assert!(
        told.iter().any(|line| line.starts_with("audio 0: outputs ") && line.contains(",1/")),
        "{told:#?}"
    );
    assert!(told.iter().any(|line| line.starts_with("shard 1: import stream ") && line.contains(" from 2 ")));
    assert!(!told.iter().any(|line| line.contains("export")), "{told:#?}");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    let told = world.told();
    assert!(
        told.iter().any(|line| line.starts_with("audio 0: outputs ") && !line.contains(',')),
        "{told:#?}"
    );
    world.state.leave(&caller.peer.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn with_another_codec_or_connection_the_track_goes_on_and_stays_muted() {
    let mut world = World::new();
    let caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let track = caller.peer.tracks[0].id.clone();
    world.state.mute_in("lobby", &track, true).expect("muted");
    world.told();
    let wideband = PhoneLine {
        receives: vec![StreamFormat { payload_type: 9, receives: Receives::Audio(Codec::G722) }],
        sends: SendFormat { codec: Codec::G722, payload_type: 9, ptime_ms: 20 },
        ..line(0, 2)
    };
    world.state.change_phone(&caller.peer.id, wideband.clone()).expect("changed");
    let told = world.told();
    let mine = CALLS + 2;
    for line in [format!("export stream {mine} to 1 link 3"), format!("mute stream {mine} true")] {
        assert!(told.contains(&line), "{line} in {told:#?}");
    }
    for words in ["ChangeTranscoder", "ChangeParticipant", "SetInput", "remove stream "] {
        assert!(told.iter().any(|line| line.contains(words)), "{words} in {told:#?}");
    }
    assert!(told.iter().any(|line| line.starts_with("route ") && line.contains(&format!("to {mine} 9>9"))));
    let info = world.state.room("lobby", None).expect("a room");
    assert_eq!((&info.peers[0].tracks[0].id, info.peers[0].tracks[0].muted), (&track, true));
    // On hold and back: nothing but the route.
    world.state.change_phone(&caller.peer.id, PhoneLine { held: true, ..wideband.clone() }).expect("held");
    assert_eq!(
        world.told(),
        [format!("mute stream {mine} true"), "Unroute { sender: SenderId(2147483650) }".into()]
    );
    world.state.change_phone(&caller.peer.id, wideband).expect("back");
    assert!(world.told()[0] == format!("mute stream {mine} true"), "still muted by the administrator");
    world.state.kick("lobby", &caller.peer.id).expect("kicked");
    world.assert_empty();
}

#[test]
fn whoever_speaks_is_shown_and_whose_audio_fails_leaves() {
    let mut world = World::new();
    let mut ada = world.listener("Ada");
    let mut caller = call(&mut world, "one", line(0, 1)).expect("joined");
    let told = world.told();
    let number = |of: &str| {
        let line = told.iter().find(|line| line.starts_with(of)).expect("told");
        AudioId(line[of.len()..].split(' ').next().and_then(|n| n.parse().ok()).expect("a number"))
    };
    let (room, ear) = (number("audio 0: room "), number("audio 0: join "));
    ada.heard();
    world.state.audio_event(world.now, AudioEvent::Speaking { room, id: ear, on: true });
    world.pass(Duration::from_secs(1));
    assert!(
        ada.heard()
            .iter()
            .any(|notice| notice.contains("speakers") && notice.contains(caller.peer.id.as_str()))
    );
    world.state.audio_event(world.now, AudioEvent::Failed { id: ear, why: AudioError::Unknown });
    assert!(ada.heard().iter().any(|notice| notice.contains("peer_left")));
    assert!(caller.ended.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn without_audio_workers_a_telephone_is_told_what_to_change() {
    let mut world = World::new();
    world.engine.audio_workers.store(0, Ordering::Relaxed);
    let error = call(&mut world, "one", line(0, 1)).expect_err("nobody mixes");
    assert!(error.to_string().contains("audio_workers"), "{error}");
    world.assert_empty();
}
