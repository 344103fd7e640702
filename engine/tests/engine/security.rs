//! Who gets keys, and whom an error of another reaches.

use std::net::UdpSocket;

use crate::client::Wire;
use crate::world::{SHARD, World};
use kaname_engine::{EngineConfig, EngineEvent, Fingerprint, HashAlgorithm, SecureError, ShardId};

#[test]
fn another_fingerprint_gets_no_keys_and_the_other_leg_does() {
    let mut world = World::on("127.0.0.1");
    let wrong = world.join_as(SHARD, Wire::PLAIN, |_| {
        Fingerprint::of(HashAlgorithm::Sha256, b"another certificate").to_string()
    });
    let right = world.join(SHARD, Wire::PLAIN);
    world.until("both ends", |world| {
        world.count(|event| matches!(event, EngineEvent::Secured { leg, .. } if *leg == right)) == 1
            && world.count(|event| {
                matches!(event, EngineEvent::SecureFailed { leg, reason: SecureError::Fingerprint } if *leg == wrong)
            }) == 1
    });
    assert_eq!(world.count(|event| matches!(event, EngineEvent::Secured { leg, .. } if *leg == wrong)), 0);
}

#[test]
fn a_strangers_hello_is_ignored() {
    let mut world = World::on("127.0.0.1");
    world.join(SHARD, Wire::PLAIN);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    stranger.set_nonblocking(true).expect("an option");
    // Well-formed as far as anyone looks before there is a handshake.
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80];
    hello.extend([1, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0, 68, 254, 253]);
    hello.extend([7; 66]);
    let server = world.engine.addresses(SHARD)[0];
    for _ in 0..50 {
        stranger.send_to(&hello, server).expect("sent");
        world.drive();
    }
    world.until_secured(1);
    assert!(stranger.recv_from(&mut [0; 2048]).is_err(), "no answer");
    let started = world.engine.counters(SHARD).get("dtls_started");
    assert_eq!(started, 1, "no handshake for whom ICE has not validated");
}

#[test]
fn a_fault_in_one_shard_is_reported_and_the_others_go_on() {
    // The embedder's own panic, on the shard's thread.
    let config = EngineConfig { shards: 2, pin: false, ..EngineConfig::default() };
    let mut world = World::with_sink(config, |event| {
        if let EngineEvent::Core(kaname_engine::core::Event::CommandFailed { .. }) = event {
            panic!("on purpose");
        }
    });
    world.join(ShardId(1), Wire::PLAIN);
    let unknown = kaname_engine::core::command::LegId(99);
    let query = || kaname_engine::core::Command::QueryStats { leg: unknown, token: 1 };
    for faults in 1..=2 {
        world.command(SHARD, query());
        world.until("the report", |world| {
            world.count(
                |event| matches!(event, EngineEvent::ShardFailed { message } if message == "on purpose"),
            ) == faults
        });
    }
    world.until_secured(1);
    // The shard itself is there again.
    world.join(SHARD, Wire::PLAIN);
    world.until_secured(2);
}
