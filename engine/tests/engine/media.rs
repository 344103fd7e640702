//! Media of one foreign client reaches another through the engine: keys, carriers, both families.

use crate::client::{Client, Wire};
use crate::world::{SHARD, World, described};
use kaname_engine::EngineEvent;
use kaname_engine::core::command::{LegId, MediaKind, SenderId, StreamId};
use str0m::config::DtlsVersion;

const AUDIO: u32 = 0x1111_1111;
const VIDEO: u32 = 0x2222_2222;
const COUNT: u64 = 200;

/// A publisher and a subscriber of one audio and one video stream, connected.
pub(crate) fn two_legs(mut world: World, publisher: Wire, subscriber: Wire) -> World {
    let (from, to) = (world.join(SHARD, publisher), world.join(SHARD, subscriber));
    world.publish(from, StreamId(1), MediaKind::Audio, AUDIO);
    world.publish(from, StreamId(2), MediaKind::Video, VIDEO);
    world.subscribe(to, SenderId(1), StreamId(1), MediaKind::Audio, AUDIO + 1);
    world.subscribe(to, SenderId(2), StreamId(2), MediaKind::Video, VIDEO + 1);
    world.until_secured(2);
    world
}

fn audio(i: u64) -> Vec<u8> {
    [&i.to_be_bytes()[..], &[0xa0; 152]].concat()
}

/// A VP8 key frame of one packet (RFC 7741): start of partition 0, P bit clear.
fn video(i: u64) -> Vec<u8> {
    [&[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0][..], &i.to_be_bytes(), &[0xb0; 1000]].concat()
}

/// Sends the media at a pace that loopback bears, and checks that each packet comes, once and in order.
pub(crate) fn exchange(world: &mut World) {
    let payload_type = |kind| described(kind).1.number;
    for i in 0..COUNT {
        let publisher = &mut world.clients[0];
        publisher.send_rtp(AUDIO, payload_type(MediaKind::Audio), 100 + i, 960 * i as u32, &audio(i));
        publisher.send_rtp(VIDEO, payload_type(MediaKind::Video), 500 + i, 3000 * i as u32, &video(i));
        world.drive();
    }
    world.until("media", |world| world.clients[1].packets.len() >= 2 * COUNT as usize);
    let received = |client: &Client, ssrc: u32| -> Vec<(u64, Vec<u8>)> {
        let of = client.packets.iter().filter(|packet| packet.header.ssrc == ssrc.into());
        of.map(|packet| (*packet.seq_no, packet.payload.to_vec())).collect()
    };
    for (ssrc, payload) in [(AUDIO + 1, audio as fn(u64) -> Vec<u8>), (VIDEO + 1, video)] {
        let packets = received(&world.clients[1], ssrc);
        assert_eq!(packets.len(), COUNT as usize);
        for (i, (sequence, bytes)) in packets.iter().enumerate() {
            assert_eq!(*bytes, payload(i as u64), "{ssrc:x} {i}");
            assert_eq!(*sequence, packets[0].0 + i as u64, "{ssrc:x}");
        }
    }
}

#[test]
fn audio_and_video_flow_over_both_versions_of_dtls() {
    for (dtls, name) in [(DtlsVersion::Dtls12, "DTLS 1.2"), (DtlsVersion::Dtls13, "DTLS 1.3")] {
        let wire = Wire { dtls, ..Wire::PLAIN };
        let mut world = two_legs(World::on("127.0.0.1"), wire, wire);
        let named = |event: &EngineEvent| matches!(event, EngineEvent::Secured { dtls, .. } if *dtls == name);
        assert_eq!(world.count(named), 2, "{:?}", world.seen);
        exchange(&mut world);
    }
}

#[test]
fn they_flow_over_ipv6() {
    exchange(&mut two_legs(World::on("::1"), Wire::PLAIN, Wire::PLAIN));
}

#[test]
fn they_flow_over_tcp_in_either_direction() {
    let tcp = Wire { tcp: true, ..Wire::PLAIN };
    exchange(&mut two_legs(World::on("127.0.0.1"), tcp, Wire::PLAIN));
    exchange(&mut two_legs(World::on("127.0.0.1"), Wire::PLAIN, tcp));
}

#[test]
fn a_client_hello_in_two_datagrams_is_the_normal_case() {
    for dtls in [DtlsVersion::Dtls12, DtlsVersion::Dtls13, DtlsVersion::Auto] {
        let wire = Wire { split_hello: true, dtls, tcp: false };
        exchange(&mut two_legs(World::on("127.0.0.1"), wire, wire));
    }
}

#[test]
fn goodbye_is_said_to_one_leg_and_heard_of_the_other() {
    let mut world = two_legs(World::on("127.0.0.1"), Wire::PLAIN, Wire::PLAIN);
    world.engine.close(SHARD, LegId(0)).expect("room");
    world.until("our goodbye", |world| world.clients[0].closed);
    // The figures are published once a second.
    world.until("its leg's end", |world| world.engine.counters(SHARD).get("core_legs") == 1);
    assert!(!world.clients[1].closed);
    world.clients[1].rtc.close().expect("open");
    world.until("its goodbye", |world| {
        world.count(|event| matches!(event, EngineEvent::LegClosed { leg } if *leg == LegId(1))) == 1
    });
}
