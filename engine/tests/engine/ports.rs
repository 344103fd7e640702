//! Ports of single legs.

use std::net::{SocketAddr, UdpSocket};

use kaname_engine::core::Command;
use kaname_engine::core::command::{LegId, MediaKind, SenderId, StreamId};
use kaname_engine::{EngineBusy, EngineConfig, EngineEvent, IoChoice, PortError, ShardId};

use crate::client::Wire;
use crate::world::{SHARD, World};

/// Opens a port at any free number of the address.
pub(crate) fn open(world: &World, shard: ShardId, ip: &str) -> (u32, SocketAddr) {
    for _ in 0..100 {
        let address = UdpSocket::bind((ip, 0)).and_then(|probe| probe.local_addr()).expect("loopback");
        // Another test may have taken it meanwhile.
        if let Ok(local) = world.engine.open_port(shard, address) {
            return (local, address);
        }
    }
    panic!("no free port");
}

#[test]
fn media_passes_between_a_port_and_the_shared_one() {
    for (ip, io) in
        [("127.0.0.1", IoChoice::Auto), ("::1", IoChoice::Auto), ("127.0.0.1", IoChoice::Portable)]
    {
        let bind = vec![ip.parse().expect("an address")];
        let mut world = World::new(EngineConfig { bind, io, pin: false, ..EngineConfig::default() });
        let (local, address) = open(&world, SHARD, ip);
        let on_port = world.join_at(SHARD, address, Wire::PLAIN, |client| client.fingerprint());
        let shared = world.join(SHARD, Wire::PLAIN);
        world.publish(on_port, StreamId(1), MediaKind::Audio, 1000);
        world.subscribe(shared, SenderId(1), StreamId(1), MediaKind::Audio, 2000);
        world.publish(shared, StreamId(2), MediaKind::Audio, 3000);
        world.subscribe(on_port, SenderId(2), StreamId(2), MediaKind::Audio, 4000);
        world.until_secured(2);
        for sequence in 0..20 {
            world.clients[0].send_rtp(1000, 111, sequence, 960 * sequence as u32, b"from the port");
            world.clients[1].send_rtp(3000, 111, sequence, 960 * sequence as u32, b"to the port");
            world.drive();
        }
        world.until("media both ways", |world| world.clients.iter().all(|client| client.packets.len() >= 20));
        let selected = world.count(|event| {
            matches!(event, EngineEvent::Core(kaname_engine::core::Event::PathSelected { leg, path })
                if *leg == on_port && path.local == local)
        });
        assert_eq!(selected, 1);
    }
}

#[test]
fn a_closed_port_lets_the_last_word_out_and_is_free_again() {
    let mut world = World::on("127.0.0.1");
    let (local, address) = open(&world, SHARD, "127.0.0.1");
    let leg = world.join_at(SHARD, address, Wire::PLAIN, |client| client.fingerprint());
    world.until_secured(1);
    // What the shard sends for these leaves ahead of the closing.
    for _ in 0..3 {
        world.command(SHARD, Command::SendDatagram { leg, path: None, data: [22; 40].into() });
    }
    world.command(SHARD, Command::RemoveLeg { leg });
    world.engine.close_port(SHARD, local).expect("room");
    world.until("it is closed", |world| world.engine.counters(SHARD).get("io_ports_closed") == 1);
    assert_eq!(world.engine.counters(SHARD).get("io_send_no_local"), 0);
    let again = world.engine.open_port(SHARD, address).expect("free");
    assert_ne!(again, local, "a number is used once");
}

#[test]
fn what_is_wrong_with_a_port_is_known_at_once() {
    let world = World::on("127.0.0.1");
    let shared = world.engine.addresses(SHARD)[0];
    let text = |address: SocketAddr| world.engine.open_port(SHARD, address).expect_err("wrong").to_string();
    for (address, word) in [
        (shared, "in use"),
        ("192.0.2.1:4000".parse().expect("an address"), "no interface"),
        ("127.0.0.1:0".parse().expect("an address"), "one port"),
        ("[::]:4000".parse().expect("an address"), "one address"),
    ] {
        let text = text(address);
        assert!(text.contains(word) && text.contains(&address.ip().to_string()), "{text}");
    }
    let nowhere = world.engine.open_port(ShardId(1), "127.0.0.1:4000".parse().expect("an address"));
    assert!(matches!(nowhere, Err(PortError::Busy { why: EngineBusy::UnknownShard, .. })));
    assert_eq!(world.engine.close_port(ShardId(1), 256), Err(EngineBusy::UnknownShard));
}

#[test]
fn ports_that_are_given_up_make_room() {
    let mut world = World::on("127.0.0.1");
    // None of these is a port: they change no count.
    world.engine.close_port(SHARD, 9999).expect("room");
    world.engine.set_port_tos(SHARD, 9999, 184).expect("room");
    for round in 1..=3 {
        let ports: Vec<_> = (0..200).map(|_| open(&world, SHARD, "127.0.0.1")).collect();
        world.engine.set_port_tos(SHARD, ports[0].0, 184).expect("room");
        for (local, _) in ports {
            world.engine.close_port(SHARD, local).expect("room");
        }
        world.until("all are closed", |world| {
            world.engine.counters(SHARD).get("io_ports_closed") == 200 * round
        });
        assert_eq!(world.engine.counters(SHARD).get("io_ports_open"), 0);
    }
    // The shard itself goes on.
    let leg = world.join(SHARD, Wire::PLAIN);
    assert_eq!(leg, LegId(0));
    world.until_secured(1);
}
