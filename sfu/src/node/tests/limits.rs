//! What is full says so, and full queues lose nothing.

use std::sync::atomic::Ordering;

use super::fake::OfferText;
use super::*;

fn any() -> Grants {
    Grants { room: "*".into(), ..everything() }
}

fn refused<T>(result: Result<T, NodeError>) -> String {
    let error = result.err().expect("refused");
    assert_eq!((error.code(), error.status()), ("at_capacity", 503));
    error.to_string()
}

#[test]
fn rooms_and_peers() {
    let limits = NodeLimits { rooms: 2, peers: 3, peers_per_room: 2, ..NodeLimits::default() };
    let mut world = World::with(1, limits);
    world.try_join("a", "One", any()).expect("joined");
    world.try_join("b", "Two", any()).expect("joined");
    assert!(refused(world.try_join("c", "Three", any())).contains("2 rooms"));
    assert!(refused(world.state.create_room("c", RoomSettings::default())).contains("2 rooms"));
    world.try_join("a", "Three", any()).expect("joined");
    assert!(refused(world.try_join("b", "Four", any())).contains("3 peers"));
    let limits = NodeLimits { peers_per_room: 1, ..NodeLimits::default() };
    let mut world = World::with(1, limits);
    world.try_join("a", "One", any()).expect("joined");
    assert!(refused(world.try_join("a", "Two", any())).contains("the room is full (1 peers)"));
}

#[test]
fn tracks_subscriptions_and_layers() {
    let limits = NodeLimits {
        tracks_per_peer: 1,
        subscriptions_per_peer: 0,
        layers_per_track: 2,
        ..NodeLimits::default()
    };
    let mut world = World::with(1, limits);
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendrecv");
    let both = [("0", Source::Microphone), ("1", Source::Camera)];
    assert!(refused(world.negotiate(&ada, &offer, &both, &[])).contains("1 published tracks"));
    let track = TrackId::new("t_x");
    assert!(refused(world.negotiate(&ada, &offer, &[], &[("1", &track)])).contains("0 subscriptions"));
    let offer = OfferText::new("Ada").simulcast("0", &["q", "h", "f"]);
    assert!(
        refused(world.negotiate(&ada, &offer, &[("0", Source::Camera)], &[])).contains("2 simulcast layers")
    );
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn rooms_go_to_the_shard_with_the_fewest_peers() {
    let mut world = World::with(3, NodeLimits::default());
    let mut shards = Vec::new();
    for (room, name) in [("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("d", "5")] {
        let member = world.try_join(room, name, any()).expect("joined");
        shards.push(world.shard(&member).0);
    }
    assert_eq!(shards, [0, 1, 2, 0, 1], "d goes where fewer peers are");
    let dora = world.try_join("d", "Dora", any()).expect("joined");
    let answer = world.negotiate(&dora, &OfferText::new("Dora").data("0"), &[], &[]).expect("answered");
    assert!(answer.sdp.contains("192.0.2.1 7001 typ host"), "the candidate is the shard's port");
    assert_eq!(world.told()[0], "shard 1: add leg 0 for Doraufrag");
}

#[test]
fn a_slow_reader_is_cut_off_and_nobody_waits() {
    let limits = NodeLimits { notices: 4, ..NodeLimits::default() };
    let mut world = World::with(1, limits);
    let mut slow = world.join("Slow");
    for index in 0..10 {
        world.join(&format!("Peer{index}"));
    }
    assert_eq!(slow.heard().len(), 4);
    assert!(slow.notices.is_closed(), "cut off without a last word");
    assert!(world.state.peers.contains_key(&slow.id), "its media flows on");
    assert_eq!(world.state.counters().slow_readers_total, 1, "who hung up is not slow");
}

#[test]
fn names_are_checked() {
    let mut world = World::new();
    for (room, name) in [("", "Ada"), ("a/b", "Ada"), ("lobby", ""), ("lobby", "a\u{202e}b")] {
        let error = world.try_join(room, name, any()).err().expect("refused");
        assert_eq!((error.code(), error.status()), ("bad_name", 400));
    }
    assert!(world.state.rooms.is_empty());
}

#[test]
fn a_full_queue_delays_commands_and_keeps_their_order() {
    let mut world = World::new();
    let ada = world.join("Ada");
    world.engine.full.store(true, Ordering::Relaxed);
    let offer = OfferText::new("Ada").audio("0", "sendonly");
    world.negotiate(&ada, &offer, &[("0", Source::Microphone)], &[]).expect("answered");
    assert_eq!(world.told(), ["secure leg 0 with data 65536"]);
    assert!(world.state.has_backlog());
    world.engine.full.store(false, Ordering::Relaxed);
    // What comes later waits behind, also an end: so it is a command and no direct goodbye.
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.state.flush();
    assert_eq!(
        world.told(),
        [
            "add leg 0 for Adaufrag",
            "add stream 1 leg 0 Audio mid 0 ssrc 1000 Opus 111 Red 63",
            "remove leg 0"
        ]
    );
    assert!(!world.state.has_backlog());
    world.assert_empty();
}

#[test]
fn a_long_backlog_refuses_what_is_new() {
    let mut world = World::new();
    let (ada, tracks) = world.publisher("Ada");
    world.engine.full.store(true, Ordering::Relaxed);
    for round in 0..2_000 {
        world.state.mute(&ada.id, &tracks["1"], round % 2 == 0).expect("muted");
    }
    let error = world.try_join("lobby", "Bo", everything()).err().expect("refused");
    assert_eq!((error.code(), error.status()), ("busy", 503));
    let error = world.try_join("other", "Bo", any()).err().expect("refused");
    assert_eq!(error.code(), "busy");
    world.state.leave(&ada.id, LeaveReason::Left).expect("an end is always taken");
    world.engine.full.store(false, Ordering::Relaxed);
    world.state.flush();
    assert_eq!(world.told().last().map(String::as_str), Some("remove leg 0"));
}

#[test]
fn busy_workers_refuse_a_first_offer_and_leave_nothing() {
    let mut world = World::new();
    let ada = world.join("Ada");
    world.engine.busy.store(true, Ordering::Relaxed);
    let offer = OfferText::new("Ada").audio("0", "sendonly");
    let wish = [("0", Source::Microphone)];
    assert_eq!(world.negotiate(&ada, &offer, &wish, &[]), Err(NodeError::Busy));
    assert_eq!(world.told(), ["add leg 0 for Adaufrag", "remove leg 0"]);
    world.engine.busy.store(false, Ordering::Relaxed);
    world.negotiate(&ada, &offer, &wish, &[]).expect("answered");
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    world.assert_empty();
}

#[test]
fn a_connection_runs_out_of_ssrcs_and_goes_on_with_what_it_has() {
    let mut world = World::new();
    let (_ada, tracks) = world.publisher("Ada");
    let bo = world.listener("Bo");
    let offer = OfferText::new("Bo").data("0").video("1", "recvonly");
    let wish = [("1", &tracks["1"])];
    for _ in 0..500 {
        world.negotiate(&bo, &offer, &[], &[]).expect("unsubscribed");
        world.negotiate(&bo, &offer, &[], &wish).expect("subscribed");
    }
    world.negotiate(&bo, &offer, &[], &wish).expect("nothing new");
    world.negotiate(&bo, &offer, &[], &[]).expect("unsubscribed");
    assert!(refused(world.negotiate(&bo, &offer, &[], &wish)).contains("1000 SSRCs"));
    let sent: Vec<_> = world.told().into_iter().filter(|l| l.starts_with("add sender")).collect();
    assert_eq!(sent.len(), 500);
}
