//! Rooms that span shards, and which shard a peer is placed on.

use std::sync::atomic::Ordering;

use super::fake::OfferText;
use super::*;

fn any() -> Grants {
    Grants { room: "*".into(), ..everything() }
}

/// A node of so many shards on which so many peers of a room fit each.
fn world(shards: usize, room_peers_per_shard: usize) -> World {
    World::with(shards, NodeLimits { room_peers_per_shard, ..NodeLimits::default() })
}

/// Subscribes a member to a picture.
fn watch(world: &mut World, member: &Member, name: &str, track: &TrackId) {
    let offer = OfferText::new(name).video("0", "recvonly");
    world.negotiate(member, &offer, &[], &[("0", track)]).expect("answered");
}

#[test]
fn a_track_crosses_once_for_a_shard_and_as_long_as_somebody_watches() {
    let mut world = world(2, 1);
    let (ada, tracks) = world.publisher("Ada");
    let (bo, cy) = (world.join("Bo"), world.join("Cy"));
    assert_eq!([&ada, &bo, &cy].map(|it| world.shard(it).0), [0, 1, 0], "evenly, when all are full");
    let dora = world.join("Dora");
    assert_eq!(world.shard(&dora).0, 1);
    let picture = &tracks["1"];
    world.told();
    watch(&mut world, &bo, "Bo", picture);
    let told = world.told();
    assert!(told.contains(&"shard 0: export stream 2 to 1 link 0".to_owned()), "{told:?}");
    assert!(told.contains(&"shard 1: import stream 2 from 0 link 0 Video".to_owned()), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("shard 1: route 2 to ")), "{told:?}");
    watch(&mut world, &dora, "Dora", picture);
    watch(&mut world, &cy, "Cy", picture);
    let told = world.told();
    assert!(!told.iter().any(|line| line.contains("link")), "it is there already: {told:?}");
    assert_eq!(world.state.counters().spans, 1);

    world.state.mute(&ada.id, picture, true).expect("muted");
    assert_eq!(world.told(), ["shard 0: mute stream 2 true", "shard 1: mute stream 2 true"]);
    world.state.leave(&bo.id, LeaveReason::Left).expect("left");
    assert!(!world.told().iter().any(|line| line.contains("stream 2")), "one still watches");
    world.state.leave(&dora.id, LeaveReason::Left).expect("left");
    let told = world.told();
    assert_eq!(told[..2], ["shard 1: remove stream 2", "shard 0: end link 0"]);
    // Who comes now is told of the mute, and the link has another name.
    let eve = world.join("Eve");
    assert_eq!(world.shard(&eve).0, 1);
    watch(&mut world, &eve, "Eve", picture);
    let told = world.told();
    assert!(told.contains(&"shard 0: export stream 2 to 1 link 1".to_owned()), "{told:?}");
    assert!(told.contains(&"shard 1: mute stream 2 true".to_owned()), "{told:?}");
    // The publisher goes: both ends of the link go with it, ahead of its leg.
    world.state.leave(&ada.id, LeaveReason::Left).expect("left");
    let told = world.told();
    let at = |line: &str| told.iter().position(|it| it.contains(line)).expect(line);
    assert!(at("shard 1: remove stream 2") < at("shard 0: close leg"), "{told:?}");
    assert!(at("shard 0: end link 1") < at("shard 0: close leg"), "{told:?}");
}

#[test]
fn every_layer_crosses_and_a_switch_is_told_where_the_subscriber_is() {
    let mut world = world(2, 1);
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").simulcast("0", &["h", "l"]);
    let tracks = world.negotiate(&ada, &offer, &[("0", Source::Camera)], &[]).expect("answered").publish;
    world.connect(&ada);
    let bo = world.join("Bo");
    watch(&mut world, &bo, "Bo", &tracks["0"]);
    let told = world.told();
    let imports = told.iter().filter(|line| line.starts_with("shard 1: import stream")).count();
    assert_eq!(imports, 2, "{told:?}");
    let low = world.state.peers[&ada.id].tracks[0].layers[1].stream;
    world.core(&ada, Event::StreamStarted { stream: low, ssrc: 1 });
    let told = world.told();
    assert!(told.iter().any(|line| line.starts_with(&format!("shard 1: route {} to ", low.0))), "{told:?}");
}

#[test]
fn load_decides_and_not_numbers() {
    let mut world = world(3, 100);
    let place = |world: &mut World, room: &str| {
        let member = world.try_join(room, "Somebody", any()).expect("joined");
        world.shard(&member).0
    };
    let busy = |world: &World, shard: usize, permille| {
        world.engine.busy_permille[shard].store(permille, Ordering::Relaxed);
    };
    // Full of few who send much.
    busy(&world, 0, 600);
    busy(&world, 1, 500);
    assert_eq!(place(&mut world, "a"), 2);
    busy(&world, 2, 550);
    assert_eq!(place(&mut world, "b"), 1);
    // A room stays where it is until that is too busy; then it grows where there is most left.
    busy(&world, 1, 690);
    assert_eq!(place(&mut world, "b"), 1);
    busy(&world, 1, 700);
    assert_eq!(place(&mut world, "b"), 2);
    busy(&world, 2, 900);
    assert_eq!(place(&mut world, "b"), 0);
    // Back to where it was once that has time again.
    busy(&world, 0, 800);
    busy(&world, 1, 300);
    assert_eq!(place(&mut world, "b"), 1);
    // With all of them busy, the least busy one it is.
    (0..3).for_each(|shard| busy(&world, shard, 950 - 100 * shard as u32));
    assert_eq!(place(&mut world, "b"), 2);
}

#[test]
fn a_storm_of_joins_spreads_before_the_load_shows_it() {
    let mut world = world(2, 1000);
    let mut here = [0; 2];
    for number in 0..100 {
        let member = world.try_join(&format!("room{number}"), "Somebody", any()).expect("joined");
        here[world.shard(&member).0] += 1;
    }
    assert_eq!(here, [50, 50]);
    // What was measured since counts by itself.
    world.pass(Duration::from_secs(10));
    assert!(world.state.shards.iter().all(|shard| shard.fresh == 0));
}

#[test]
fn a_dead_shard_takes_its_own_peers_only() {
    let mut world = world(2, 1);
    let (mut ada, tracks) = world.publisher("Ada");
    let mut bo = world.join("Bo");
    watch(&mut world, &bo, "Bo", &tracks["1"]);
    bo.heard();
    ada.heard();
    world.event(&bo, EngineEvent::ShardFailed { message: "test".into() });
    assert_eq!(bo.heard(), [r#"{"type":"closed","reason":"timeout"}"#]);
    assert!(ada.heard()[0].contains("peer_left"), "she stays");
    assert_eq!(world.state.counters().spans, 0);
    // The room goes on where it is alive.
    let cy = world.join("Cy");
    assert_eq!(world.shard(&cy), world.shard(&ada));
    // The other dies too: nothing is left, and nobody can join.
    world.event(&ada, EngineEvent::ShardFailed { message: "test".into() });
    assert!(world.state.rooms.is_empty());
    assert_eq!(world.try_join("lobby", "Dora", any()).err().map(|e| e.code()), Some("busy"));
}
