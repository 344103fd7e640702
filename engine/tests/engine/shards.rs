//! Several shards on one port: every peer reaches its shard, and a room may span them.

use std::time::{Duration, Instant};

use crate::client::{Client, Wire};
use crate::world::{World, described};
use kaname_engine::core::Command;
use kaname_engine::core::command::{IceCredentials, LegId, MediaKind, SenderId, StreamId};
use kaname_engine::{EngineBusy, EngineConfig, EngineEvent, ShardId, SteeringChoice, SteeringMode};

const ZERO: ShardId = ShardId(0);
const ONE: ShardId = ShardId(1);

fn start(steering: SteeringChoice) -> World {
    World::new(EngineConfig { shards: 2, pin: false, steering, ..EngineConfig::default() })
}

/// Both ways of steering; only the second where the kernel allows no eBPF.
#[expect(clippy::print_stderr, reason = "a test that proves less here says so")]
fn worlds() -> Vec<World> {
    let first = start(SteeringChoice::Auto);
    if let SteeringMode::HandOver(Some(why)) = first.engine.steering() {
        eprintln!("skipped: steering by eBPF: {why}");
        return vec![first];
    }
    assert_eq!(first.engine.steering(), &SteeringMode::Ebpf);
    let second = start(SteeringChoice::HandOver);
    assert_eq!(second.engine.steering(), &SteeringMode::HandOver(None));
    vec![first, second]
}

fn payload(from: u32, i: u64) -> Vec<u8> {
    // A VP8 key frame of one packet (RFC 7741).
    let head = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0];
    [&head[..], &from.to_be_bytes(), &i.to_be_bytes(), &[0xb0; 500]].concat()
}

/// What a client got of one SSRC, in the order of the sequence numbers, which have no gap.
fn got(client: &Client, ssrc: u32) -> Vec<Vec<u8>> {
    let of = client.packets.iter().filter(|packet| packet.header.ssrc == ssrc.into());
    let mut packets: Vec<_> = of.map(|packet| (*packet.seq_no, packet.payload.to_vec())).collect();
    packets.sort();
    assert!(packets.windows(2).all(|two| two[1].0 == two[0].0 + 1), "each once, none missing");
    packets.into_iter().map(|(_, payload)| payload).collect()
}

fn sum(world: &World, name: &str) -> u64 {
    [ZERO, ONE].map(|shard| world.engine.counters(shard).get(name)).iter().sum()
}

#[test]
fn every_peer_reaches_its_shard_over_one_port() {
    for mut world in worlds() {
        assert_eq!(world.engine.addresses(ZERO), world.engine.addresses(ONE));
        let hands_over = *world.engine.steering() != SteeringMode::Ebpf;
        for pair in 0..6_u32 {
            // Over TCP the kernel never knows.
            let wire = Wire { tcp: pair >= 4, ..Wire::PLAIN };
            let shard = ShardId(pair as usize % 2);
            let (from, to) = (world.join(shard, wire), world.join(shard, wire));
            world.publish(from, StreamId(pair), MediaKind::Video, 100 + pair);
            world.subscribe(to, SenderId(pair), StreamId(pair), MediaKind::Video, 200 + pair);
        }
        world.until_secured(12);
        let payload_type = described(MediaKind::Video).1.number;
        for i in 0..50 {
            for pair in 0..6_u32 {
                let client = &mut world.clients[2 * pair as usize];
                client.send_rtp(100 + pair, payload_type, 500 + i, 3000 * i as u32, &payload(pair, i));
            }
            world.drive();
        }
        for pair in 0..6_u32 {
            let client = 2 * pair as usize + 1;
            world.until("media", |world| world.clients[client].packets.len() >= 50);
            let expected: Vec<_> = (0..50).map(|i| payload(pair, i)).collect();
            assert_eq!(got(&world.clients[client], 200 + pair), expected);
        }
        if hands_over {
            world.until("figures", |world| sum(world, "steer_taken") > 0);
        } else {
            world.until("figures", |world| sum(world, "steer_learned") >= 8);
            assert_eq!(sum(&world, "steer_taken"), 0, "the kernel chose well");
        }
        assert_eq!(sum(&world, "steer_dropped") + sum(&world, "steer_learn_failed"), 0);
    }
}

#[test]
fn a_peer_whose_address_changes_stays_with_its_shard() {
    for mut world in worlds() {
        let (from, to) = (world.join(ONE, Wire::PLAIN), world.join(ONE, Wire::PLAIN));
        world.publish(from, StreamId(1), MediaKind::Audio, 100);
        world.subscribe(to, SenderId(1), StreamId(1), MediaKind::Audio, 200);
        world.until_secured(2);
        let mut sent = 0;
        for _ in 0..4 {
            for client in 0..2 {
                world.rebind(client);
            }
            let before = world.clients[1].packets.len();
            // Until its next check the node does not know it; then media flows from and to the new address.
            world.until("media over the new addresses", |world| {
                world.clients[0].send_rtp(100, 111, 100 + sent, 960 * sent as u32, &[1; 80]);
                sent += 1;
                world.clients[1].packets.len() >= before + 20
            });
        }
    }
}

#[test]
fn a_room_that_spans_shards_gets_everything_once_in_order() {
    const SUBSCRIBERS: u32 = 40;
    const COUNT: u64 = 60;
    let mut world = start(SteeringChoice::Auto);
    let video = MediaKind::Video;
    for (leg, shard) in [(0, ZERO), (1, ONE)] {
        assert_eq!(world.join(shard, Wire::PLAIN), LegId(leg));
        world.publish(LegId(leg), StreamId(leg), video, 10 + leg);
    }
    world.span(StreamId(0), video, 1, ZERO, ONE);
    world.span(StreamId(1), video, 2, ONE, ZERO);
    for number in 0..SUBSCRIBERS {
        let leg = world.join(ShardId(number as usize % 2), Wire::PLAIN);
        for stream in 0..2 {
            let sender = SenderId(2 * number + stream);
            world.subscribe(leg, sender, StreamId(stream), video, 1000 + 2 * number + stream);
        }
    }
    world.until_secured(2 + SUBSCRIBERS as usize);
    // A few of each shard lose packets.
    const LOSING: std::ops::Range<usize> = 2..10;
    for client in LOSING {
        world.clients[client].loss = Some(23);
    }
    let (before, payload_type) = ([0, 1].map(|p: usize| world.clients[p].asked), described(video).1.number);
    for i in 0..COUNT {
        if i == COUNT - 10 {
            // Nobody asks for a stream's last packet: only a later one tells that it was lost.
            LOSING.for_each(|client| world.clients[client].loss = None);
        }
        for from in 0..2 {
            let client = &mut world.clients[from as usize];
            client.send_rtp(10 + from, payload_type, 500 + i, 3000 * i as u32, &payload(from, i));
        }
        world.drive();
    }
    for number in 0..SUBSCRIBERS {
        let client = 2 + number as usize;
        world.until("every packet", |world| world.clients[client].packets.len() >= 2 * COUNT as usize);
        for stream in 0..2 {
            let expected: Vec<_> = (0..COUNT).map(|i| payload(stream, i)).collect();
            assert_eq!(
                got(&world.clients[client], 1000 + 2 * number + stream),
                expected,
                "{client} {stream}"
            );
        }
        if !LOSING.contains(&client) {
            let order: Vec<_> =
                world.clients[client].packets.iter().map(|p| (p.header.ssrc, p.seq_no)).collect();
            for ssrc in order.iter().map(|(ssrc, _)| *ssrc) {
                let of: Vec<_> =
                    order.iter().filter(|(it, _)| *it == ssrc).map(|(_, number)| *number).collect();
                assert!(of.is_sorted(), "in order");
            }
        }
    }
    world.until("figures", |world| sum(world, "core_crossed_in") >= 2 * COUNT);
    assert_eq!(sum(&world, "core_crossed_out"), 2 * COUNT, "each packet crossed once");
    assert!(sum(&world, "core_repaired") > 0, "some were lost and repaired");
    // A wish for a key frame crosses: subscriber 3 is on shard 1, publisher 0 on shard 0.
    let since = Instant::now();
    world.until("the request", |world| {
        if since.elapsed() > Duration::from_millis(1) {
            world.clients[3].request_key_frame(1002);
        }
        world.clients[0].asked > before[0]
    });
}

#[test]
fn a_fragment_that_names_another_shard_is_refused_and_the_command_comes_back() {
    let world = start(SteeringChoice::HandOver);
    let ice = IceCredentials {
        local_ufrag: "Afrag".into(),
        local_pwd: "aPasswordOf22OrMore+1234".into(),
        remote_ufrag: "them".into(),
    };
    let command = Command::RestartIce { leg: LegId(1), ice };
    let refused = world.engine.command(ONE, command).expect_err("shard 0's letter");
    assert_eq!(refused.why, EngineBusy::ForeignFragment);
    assert!(refused.to_string().contains("letter(shard)"), "{refused}");
    assert!(matches!(refused.command, Command::RestartIce { leg: LegId(1), .. }));
    let unknown = world.engine.command(ShardId(2), refused.command).expect_err("two shards");
    assert_eq!(unknown.why, EngineBusy::ForeignFragment);
    let query = Command::QueryStats { leg: LegId(1), token: 1 };
    assert_eq!(world.engine.command(ShardId(2), query).map_err(|e| e.why), Err(EngineBusy::UnknownShard));
}

#[test]
fn a_shard_that_dies_ends_its_own_legs_only() {
    // The embedder's own panic, on the shard's thread.
    let config = EngineConfig { shards: 2, pin: false, ..EngineConfig::default() };
    let mut world = World::with_sink(config, |event| {
        if let EngineEvent::Core(kaname_engine::core::Event::CommandFailed { .. }) = event {
            panic!("on purpose");
        }
    });
    let (from, to) = (world.join(ZERO, Wire::PLAIN), world.join(ZERO, Wire::PLAIN));
    let there = world.join(ONE, Wire::PLAIN);
    world.publish(from, StreamId(1), MediaKind::Audio, 100);
    world.span(StreamId(1), MediaKind::Audio, 1, ZERO, ONE);
    world.subscribe(to, SenderId(1), StreamId(1), MediaKind::Audio, 200);
    world.subscribe(there, SenderId(2), StreamId(1), MediaKind::Audio, 300);
    world.until_secured(3);
    let mut sent = 0;
    let mut flow = |world: &mut World, client: usize| {
        let before = world.clients[client].packets.len();
        world.until("media", |world| {
            world.clients[0].send_rtp(100, 111, 100 + sent, 960 * sent as u32, &[1; 80]);
            sent += 1;
            world.clients[client].packets.len() >= before + 50
        });
    };
    flow(&mut world, 2);
    world.command(ONE, Command::QueryStats { leg: LegId(99), token: 1 });
    world.until("the report", |world| {
        world.count(|event| matches!(event, EngineEvent::ShardFailed { .. })) == 1
    });
    let lost = world.clients[2].packets.len();
    flow(&mut world, 1);
    flow(&mut world, 1);
    assert!(world.clients[2].packets.len() <= lost + 60, "its leg is gone");
}
