//! How stays end: by leaving, by force, by time, by faults. Nothing may be left behind.

use kaname_engine::SecureError;
use kaname_engine::core::event::CommandError;

use super::fake::OfferText;
use super::*;

/// Ada publishes, Bo watches her picture and publishes too.
fn call(world: &mut World) -> (Member, Member) {
    let (ada, tracks) = world.publisher("Ada");
    let (bo, _) = world.publisher("Bo");
    let offer =
        OfferText::new("Bo").audio("0", "sendonly").video("1", "sendonly").data("2").video("3", "recvonly");
    let wish = [("0", Source::Microphone), ("1", Source::Camera)];
    world.negotiate(&bo, &offer, &wish, &[("3", &tracks["1"])]).expect("answered");
    world.told();
    (ada, bo)
}

fn left(peer: &Member, reason: &str) -> String {
    format!(r#"{{"type":"peer_left","peer":"{}","reason":"{reason}"}}"#, peer.id)
}

#[test]
fn leaving_ends_subscriptions_and_tells_the_others() {
    let mut world = World::new();
    let (mut ada, mut bo) = call(&mut world);
    ada.heard();
    bo.heard();
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    assert_eq!(world.told(), ["remove sender 6", "close leg 0"]);
    assert_eq!(bo.heard(), [left(&ada, "left")]);
    assert_eq!(ada.heard(), Vec::<String>::new());
    assert_eq!(world.state.leave(&ada.id, LeaveReason::Left), Err(NodeError::NoSuchPeer));
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    assert_eq!(world.told(), ["close leg 3"]);
    world.assert_empty();
}

#[test]
fn kicking_tells_why() {
    let mut world = World::new();
    let (mut ada, mut bo) = call(&mut world);
    ada.heard();
    bo.heard();
    assert_eq!(world.state.kick("other", &bo.id), Err(NodeError::NoSuchPeer));
    world.state.kick("lobby", &bo.id).expect("kicked");
    assert_eq!(world.told(), ["close leg 3"]);
    assert_eq!(bo.heard(), [r#"{"type":"closed","reason":"kicked"}"#]);
    assert!(bo.notices.is_closed());
    assert_eq!(ada.heard(), [left(&bo, "kicked")]);
}

#[test]
fn a_lost_connection_is_a_timeout() {
    let mut world = World::new();
    let (mut ada, mut bo) = call(&mut world);
    ada.heard();
    bo.heard();
    let leg = world.leg(&ada);
    world.core(&ada, Event::ConsentLost { leg });
    assert_eq!(world.told(), ["remove sender 6", "remove leg 0"]);
    assert_eq!(ada.heard(), [r#"{"type":"closed","reason":"timeout"}"#]);
    assert_eq!(bo.heard(), [left(&ada, "timeout")]);
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn a_goodbye_over_dtls_is_leaving() {
    let mut world = World::new();
    let (ada, mut bo) = call(&mut world);
    bo.heard();
    let leg = world.leg(&ada);
    world.event(&ada, EngineEvent::LegClosed { leg });
    assert_eq!(bo.heard(), [left(&ada, "left")]);
}

#[test]
fn whoever_never_connects_leaves_after_30_s() {
    let mut world = World::new();
    let mut ada = world.join("Ada");
    world.pass(Duration::from_secs(60));
    assert!(world.state.peers.contains_key(&ada.id), "without an offer there is nothing to wait for");
    let offer = OfferText::new("Ada").audio("0", "sendonly");
    world.negotiate(&ada, &offer, &[("0", Source::Microphone)], &[]).expect("answered");
    world.told();
    world.pass(Duration::from_millis(29_900));
    assert_eq!(world.told(), Vec::<String>::new());
    world.pass(Duration::from_millis(200));
    assert_eq!(world.told(), ["remove leg 0"]);
    let heard = ada.heard();
    assert!(heard[0].contains(r#""type":"error","id":null,"code":"not_connected""#), "{heard:?}");
    assert_eq!(heard[1], r#"{"type":"closed","reason":"timeout"}"#);
    world.assert_empty();
}

#[test]
fn whoever_connected_stays() {
    let mut world = World::new();
    let ada = world.listener("Ada");
    world.pass(Duration::from_secs(120));
    assert!(world.state.peers.contains_key(&ada.id));
}

#[test]
fn a_failed_handshake_says_why() {
    let mut world = World::new();
    let mut ada = world.join("Ada");
    world.negotiate(&ada, &OfferText::new("Ada").data("0"), &[], &[]).expect("answered");
    let leg = world.leg(&ada);
    world.event(&ada, EngineEvent::SecureFailed { leg, reason: SecureError::Fingerprint });
    let heard = ada.heard();
    assert!(heard[0].contains("another fingerprint"), "{heard:?}");
    assert_eq!(heard[1], r#"{"type":"closed","reason":"timeout"}"#);
    world.assert_empty();
}

#[test]
fn events_of_legs_that_are_gone_are_of_no_effect() {
    let mut world = World::new();
    let (ada, bo) = call(&mut world);
    let leg = world.leg(&ada);
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.told();
    world.core(&bo, Event::ConsentLost { leg });
    world.event(&bo, EngineEvent::LegClosed { leg });
    let error = CommandError::UnknownLeg;
    world.core(&bo, Event::CommandFailed { leg: Some(leg), command: "QueryStats", error });
    world.core(&bo, Event::StreamStarted { stream: StreamId(77), ssrc: 1 });
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.state.peers.len(), 1);
    assert_eq!(world.state.counters().commands_failed_total["unknown_leg"], 1);
}

#[test]
fn a_shard_that_is_full_ends_the_stay() {
    let mut world = World::new();
    let mut ada = world.listener("Ada");
    let leg = world.leg(&ada);
    let error = CommandError::Full;
    world.core(&ada, Event::CommandFailed { leg: Some(leg), command: "SendDatagram", error });
    assert!(world.state.peers.contains_key(&ada.id), "not the node's command, not its business");
    world.core(&ada, Event::CommandFailed { leg: Some(leg), command: "AddStream", error });
    assert!(ada.heard()[0].contains("at_capacity"));
    world.assert_empty();
}

#[test]
fn deleting_a_room_and_permanent_rooms() {
    let mut world = World::new();
    world.state.create_room("hall", RoomSettings::default()).expect("created");
    assert_eq!(world.state.create_room("hall", RoomSettings::default()), Err(NodeError::RoomExists));
    let mut ada = world.try_join("hall", "Ada", Grants { room: "*".into(), ..everything() }).expect("joined");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    let summary = RoomSummary { name: "hall".into(), peers: 0, tracks: 0, permanent: true, pin: false };
    assert_eq!(world.state.rooms(), [summary]);
    ada = world.try_join("hall", "Ada", Grants { room: "*".into(), ..everything() }).expect("joined");
    world.state.delete_room("hall").expect("deleted");
    assert_eq!(ada.heard(), [r#"{"type":"closed","reason":"room_deleted"}"#]);
    assert_eq!(world.state.delete_room("hall"), Err(NodeError::NoSuchRoom));
    world.assert_empty();
}

#[test]
fn a_drain_leaves_nothing() {
    let mut world = World::new();
    let (mut ada, mut bo) = call(&mut world);
    ada.heard();
    bo.heard();
    world.state.drain();
    assert_eq!(world.told(), ["remove sender 6", "close leg 0", "close leg 3"]);
    for member in [&mut ada, &mut bo] {
        assert_eq!(member.heard(), [r#"{"type":"closed","reason":"shutdown"}"#]);
    }
    world.assert_empty();
    let error = world.try_join("lobby", "Eve", everything()).err().expect("refused");
    assert_eq!((error.code(), error.status()), ("shutting_down", 503));
}

#[test]
fn a_dead_shard_ends_the_stays_there_and_gets_no_others() {
    let mut world = World::with(2, NodeLimits::default());
    let any = || Grants { room: "*".into(), ..everything() };
    let mut ada = world.try_join("a", "Ada", any()).expect("joined");
    let mut bo = world.try_join("b", "Bo", any()).expect("joined");
    assert_ne!(world.shard(&ada), world.shard(&bo));
    world.event(&ada, EngineEvent::ShardFailed { message: "test".into() });
    assert_eq!(ada.heard(), [r#"{"type":"closed","reason":"timeout"}"#]);
    assert_eq!(bo.heard(), Vec::<String>::new());
    for room in ["a", "c", "d"] {
        let cy = world.try_join(room, "Cy", any()).expect("joined");
        assert_eq!(world.shard(&cy), world.shard(&bo));
    }
}

#[test]
fn who_wants_no_news_is_told_the_end_only() {
    let mut world = World::new();
    let (mut ada, _) = world.publisher("Ada");
    let request = JoinRequest {
        room: "lobby".into(),
        identity: None,
        name: "Viewer".into(),
        grants: everything(),
        news: false,
    };
    let mut joined = world.state.join(world.now, request).expect("joined");
    assert!(joined.room.peers.is_empty());
    ada.heard();
    world.join("Bo");
    assert_eq!(ada.heard().len(), 1, "the others hear of each other");
    assert!(joined.notices.try_recv().is_err());
    assert_eq!(joined.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    world.state.kick("lobby", &joined.peer.id).expect("kicked");
    assert_eq!(joined.ended.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(ada.heard().len(), 1, "the others hear that it left");
}
