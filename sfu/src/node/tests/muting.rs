//! Muting, speakers and statistics.

use kaname_engine::core::event::{LegStats, SenderStats, StreamStats};
use kaname_engine::wire::path::Path;
use tokio::sync::oneshot;

use super::fake::OfferText;
use super::*;

#[test]
fn own_tracks_and_with_the_grant_anyones() {
    let mut world = World::new();
    let (mut ada, tracks) = world.publisher("Ada");
    let mut bo = world.join("Bo");
    let admin = world.try_join("lobby", "Root", Grants { admin: true, ..everything() }).expect("joined");
    world.told();
    ada.heard();
    bo.heard();
    let picture = &tracks["1"];
    let notice = |muted| format!(r#"{{"type":"track_muted","track":"{picture}","muted":{muted}}}"#);

    world.state.mute(&ada.id, picture, true).expect("muted");
    assert_eq!(world.told(), ["mute stream 2 true"]);
    assert_eq!((ada.heard(), bo.heard()), (vec![notice(true)], vec![notice(true)]));
    world.state.mute(&ada.id, picture, true).expect("muted already");
    assert_eq!((world.told().len(), bo.heard().len()), (0, 0));

    let error = world.state.mute(&bo.id, picture, false).expect_err("refused");
    assert_eq!(error, NodeError::Forbidden { action: "mute others" });
    world.state.mute(&admin.id, picture, false).expect("unmuted");
    assert_eq!(world.told(), ["mute stream 2 false"]);
    assert_eq!(bo.heard(), [notice(false)]);

    world.state.mute_in("lobby", picture, true).expect("muted");
    assert_eq!(world.state.mute_in("other", picture, true), Err(NodeError::NoSuchRoom));
    assert_eq!(world.state.mute(&ada.id, &TrackId::new("t_x"), true), Err(NodeError::NoSuchTrack));
    let info = world.state.room("lobby", None).expect("a room");
    assert!(info.peers[0].tracks[1].muted && !info.peers[0].tracks[0].muted);
}

#[test]
fn every_layer_is_muted() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").simulcast("0", &["h", "l"]);
    let tracks = world.negotiate(&ada, &offer, &[("0", Source::Camera)], &[]).expect("answered").publish;
    world.told();
    world.state.mute(&ada.id, &tracks["0"], true).expect("muted");
    assert_eq!(world.told(), ["mute stream 1 true", "mute stream 2 true"]);
}

#[test]
fn speakers_are_told_to_everyone() {
    let mut world = World::new();
    let (mut ada, tracks) = world.publisher("Ada");
    let (mut bo, _) = world.publisher("Bo");
    ada.heard();
    bo.heard();
    let level = |stream| Event::AudioLevel { stream, level: 25, voice: true };
    let stream = world.stream(&ada, "0");
    world.core(&ada, level(stream));
    world.pass(Duration::from_secs(1));
    let speakers = format!(r#"{{"type":"speakers","peers":["{}"]}}"#, ada.id);
    assert_eq!((ada.heard(), bo.heard()), (vec![speakers.clone()], vec![speakers]));

    // The muted do not speak.
    world.state.mute(&ada.id, &tracks["0"], true).expect("muted");
    bo.heard();
    world.core(&ada, level(stream));
    world.pass(Duration::from_secs(1));
    assert_eq!(bo.heard(), [r#"{"type":"speakers","peers":[]}"#]);
    // Nor do pictures.
    let stream = world.stream(&bo, "1");
    world.core(&bo, level(stream));
    world.pass(Duration::from_secs(1));
    assert_eq!(bo.heard(), Vec::<String>::new());
}

fn ask(world: &mut World, peer: &Member) -> oneshot::Receiver<Result<PeerStats, NodeError>> {
    let (reply, answer) = oneshot::channel();
    world.state.stats(world.now, &peer.id, reply);
    answer
}

#[test]
fn figures_are_joined_with_names() {
    let mut world = World::new();
    let (ada, tracks) = world.publisher("Ada");
    let (bo, _) = world.publisher("Bo");
    let offer =
        OfferText::new("Bo").audio("0", "sendonly").video("1", "sendonly").data("2").audio("3", "recvonly");
    let wish = [("0", Source::Microphone), ("1", Source::Camera)];
    world.negotiate(&bo, &offer, &wish, &[("3", &tracks["0"])]).expect("answered");
    world.told();
    let (mut first, mut second) = (ask(&mut world, &bo), ask(&mut world, &bo));
    assert_eq!(world.told(), ["stats leg 3 token 0"], "two askers, one question");
    assert!(first.try_recv().is_err());

    let subscription = &world.state.peers[&bo.id].subscriptions[0];
    let sender = SenderStats {
        sender: subscription.sender,
        packets: 50,
        bytes: 4_000,
        retransmitted: 0,
        lost: 1,
        jitter: 480,
        key_frame_requests: 0,
    };
    let stream = StreamStats {
        stream: world.stream(&bo, "1"),
        packets: 100,
        bytes: 90_000,
        lost: 2,
        jitter: 900,
        nacks: 3,
        recovered: 1,
        key_frames: 4,
        key_frame_requests: 5,
    };
    let stats = LegStats {
        path: Some(Path::udp(0, "198.51.100.7:5000".parse().expect("an address"))),
        round_trip: Some(Duration::from_micros(12_500)),
        packets_in: 150,
        streams: vec![stream],
        senders: vec![sender],
        ..LegStats::default()
    };
    world.core(&bo, Event::Stats { token: 0, stats: Box::new(stats) });
    let figures = first.try_recv().expect("answered").expect("figures");
    assert_eq!(second.try_recv().expect("answered"), Ok(figures.clone()));
    assert_eq!((figures.connected, figures.round_trip_ms), (true, Some(12.5)));
    assert_eq!(figures.path.as_deref(), Some("udp 198.51.100.7:5000"));
    let picture = &figures.published[1];
    assert_eq!((picture.mid.as_str(), picture.packets, picture.jitter_ms), ("1", 100, 10.0));
    assert_eq!((picture.source, picture.codec.as_str(), picture.rid.as_ref()), (Source::Camera, "VP8", None));
    assert_eq!(figures.published[0].packets, 0, "a stream without packets has a line as well");
    let sound = &figures.subscribed[0];
    assert_eq!((&sound.track, &sound.from), (&tracks["0"], &ada.id));
    assert_eq!((sound.kind, sound.packets, sound.lost, sound.jitter_ms), (TrackKind::Audio, 50, 1, 10.0));
}

#[test]
fn figures_of_those_who_have_none() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let figures = ask(&mut world, &ada).try_recv().expect("at once").expect("figures");
    assert!(!figures.connected && figures.published.is_empty() && figures.path.is_none());
    let (bo, _) = world.publisher("Bo");
    let mut answer = ask(&mut world, &bo);
    world.pass(Duration::from_millis(1_900));
    assert!(answer.try_recv().is_err());
    world.pass(Duration::from_millis(200));
    assert_eq!(answer.try_recv().expect("answered"), Err(NodeError::Busy), "the shard is stuck");
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    assert_eq!(ask(&mut world, &bo).try_recv().expect("at once"), Err(NodeError::NoSuchPeer));
    let mut counters = world.state.counters();
    assert_eq!(
        (counters.refused_total.remove("busy"), counters.refused_total.remove("no_such_peer")),
        (Some(1), Some(1))
    );
    assert_eq!((counters.shards[0]["packets"], counters.shards[0]["packets_dropped_bad_tag"]), (7, 2));
}
