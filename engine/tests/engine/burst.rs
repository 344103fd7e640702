//! Many publishers' key frames arrive in one instant: the shard's buffers hold them all.

use kaname_engine::core::Command;
use kaname_engine::core::command::{MediaKind, PayloadMap, SenderConfig, SenderId, StreamId};

use crate::client::Wire;
use crate::world::{SHARD, World, described};

const PUBLISHERS: u32 = 30;
const PACKETS: u64 = 100;

/// A packet of a VP8 key frame (RFC 7741): only the first one starts partition 0.
fn packet(i: u64) -> Vec<u8> {
    let descriptor: &[u8] =
        if i == 0 { &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0] } else { &[0x00] };
    [descriptor, &[0xb0; 1100]].concat()
}

#[test]
fn thirty_key_frames_of_a_hundred_packets_at_once_and_nothing_is_lost() {
    let mut world = World::on("127.0.0.1");
    let viewer = world.join(SHARD, Wire::PLAIN);
    let (_, payload) = described(MediaKind::Video);
    for number in 1..=PUBLISHERS {
        let leg = world.join(SHARD, Wire::PLAIN);
        world.publish(leg, StreamId(number), MediaKind::Video, number);
        let config = SenderConfig {
            kind: MediaKind::Video,
            ssrc: 1000 + number,
            rtx_ssrc: None,
            cname: "publisher".into(),
            mid: None,
        };
        let sender = SenderId(number);
        world.command(SHARD, Command::AddSender { leg: viewer, sender, config: Box::new(config) });
        let map = PayloadMap { from: payload.number, to: payload.number, rtx: None };
        let stream = StreamId(number);
        world.command(SHARD, Command::Route { sender, stream, payload_types: vec![map] });
    }
    world.until_secured(1 + PUBLISHERS as usize);
    for i in 0..PACKETS {
        for number in 1..=PUBLISHERS {
            world.clients[number as usize].send_rtp(number, payload.number, 500 + i, 3000, &packet(i));
        }
    }
    let all = u64::from(PUBLISHERS) * PACKETS;
    // The figures are published once a second.
    world.until("every copy", |world| world.engine.counters(SHARD).get("core_forwarded") >= all);
    let counters = world.engine.counters(SHARD);
    assert_eq!(counters.get("core_forwarded"), all);
    assert_eq!(counters.get("io_kernel_drops"), 0);
    let unsent = counters.values.iter().filter(|(name, value)| {
        *value > 0 && name.starts_with("io_send_") && !["io_send_calls", "io_send_waits"].contains(name)
    });
    assert_eq!(unsent.collect::<Vec<_>>(), Vec::<&(&str, u64)>::new());
    let dropped = counters.drops.iter().filter(|(_, count)| *count > 0);
    assert_eq!(dropped.collect::<Vec<_>>(), Vec::<&(&str, u64)>::new());
}
