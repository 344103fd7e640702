//! Memory: nothing is allocated for a packet, and nothing is left of those who have gone.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

#[path = "../../tests/allocator/mod.rs"]
mod allocator;
mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{Datagram, Drained};
use kit::pair::{Ring, link};
use kit::phone::{connect, plain_leg, secure_leg, signalled};
use kit::*;

const SUBSCRIBERS: u32 = 50;

/// Drains into memory that is already there; gives the packets.
fn drain(
    world: &mut World,
    memory: &mut [u8],
    slots_taken: &mut Vec<(kaname_wire::path::Path, usize)>,
) -> usize {
    let mut packets = 0;
    loop {
        let mut slots = Slots::with_list(memory, 256, std::mem::take(slots_taken));
        let drained = world.shard.drain(world.now, &mut slots, &mut |_| {});
        packets += slots.taken.len();
        *slots_taken = slots.taken;
        slots_taken.clear();
        if let Drained::Done(_) = drained {
            return packets;
        }
    }
}

/// Forwards `count` packets of audio and as many of video to all subscribers, with reports and ticks between;
/// gives the allocations made, and what left.
fn forward(world: &mut World, publisher: &mut Peer, from: u32, count: u32) -> (u64, usize) {
    let step = Duration::from_millis(5);
    let mut memory = vec![0; 256 * 2048];
    let mut taken = Vec::with_capacity(256);
    let mut packets = Vec::new();
    for number in from..from + count {
        let (sequence, timestamp) = (number as u16, number * 960);
        let audio = Rtp {
            payload_type: OPUS,
            ssrc: 1000,
            sequence,
            timestamp,
            payload: vec![1; 80],
            ..Rtp::default()
        };
        let payload = vp8(number % 500 == 0, &[3; 1000]);
        let video = Rtp { payload_type: VP8, ssrc: 2000, sequence, timestamp, payload, ..Rtp::default() };
        packets.push([publisher.rtp(&audio), publisher.rtp(&video)]);
    }
    let checks: Vec<_> =
        (1..=SUBSCRIBERS + 1).map(|number| (path(number), check(&ice(number), true))).collect();
    let (mut allocations, mut left) = (0, 0);
    for (at, pair) in packets.iter().enumerate() {
        // Checks may allocate: they are not media.
        if at % 1000 == 0 {
            for (path, bytes) in &checks {
                world.shard.ingest(world.now, &[Datagram::new(*path, bytes)]);
            }
            drain(world, &mut memory, &mut taken);
        }
        let before = allocator::allocations();
        let batch = [&pair[0], &pair[1]].map(|bytes| Datagram::new(publisher.path, bytes));
        world.shard.ingest(world.now, &batch);
        left += drain(world, &mut memory, &mut taken);
        world.now = world.now + step;
        world.shard.tick(world.now);
        drain(world, &mut memory, &mut taken);
        allocations += allocator::allocations() - before;
    }
    (allocations, left)
}

fn nothing_is_allocated_for_a_packet() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_stream(&publisher, 2, video_stream(Some(2000), Some(2001)));
    for number in 2..2 + SUBSCRIBERS {
        let subscriber = Peer::join(&mut world, number);
        world.add_sender(&subscriber, 2 * number, audio_sender(10));
        world.add_sender(&subscriber, 2 * number + 1, video_sender(20, Some(21)));
        world.route(2 * number, 1, AUDIO_MAP);
        world.route(2 * number + 1, 2, VIDEO_MAP);
    }
    forward(&mut world, &mut publisher, 0, 2000);
    let (allocations, left) = forward(&mut world, &mut publisher, 2000, 5000);
    // 10_000 packets in: each leaves fifty times.
    assert_eq!(left, 10_000 * SUBSCRIBERS as usize);
    assert_eq!(allocations, 0);
}

/// Packets of a room that spans two shards: on the way out, across, and on to the subscribers there.
fn nothing_is_allocated_for_a_crossing() {
    const FAR: u32 = 10;
    let (mut near, mut far) = (World::new(), World::new());
    let mut publisher = Peer::join(&mut near, 1);
    let configs = [audio_stream(Some(1000)), video_stream(Some(2000), Some(2001))];
    for (stream, config) in (1..).zip(&configs) {
        near.add_stream(&publisher, stream, config.clone());
        link(&mut near, &mut far, stream, u64::from(stream), config);
    }
    for number in 2..2 + FAR {
        let subscriber = Peer::join(&mut far, number);
        far.add_sender(&subscriber, 2 * number, audio_sender(10));
        far.add_sender(&subscriber, 2 * number + 1, video_sender(20, Some(21)));
        far.route(2 * number, 1, AUDIO_MAP);
        far.route(2 * number + 1, 2, VIDEO_MAP);
    }
    let (mut there, mut back) = (Ring::new(64), Ring::new(64));
    let mut memory = vec![0; 256 * 2048];
    let mut taken = Vec::with_capacity(256);
    let (mut allocations, mut left) = (0, 0);
    for number in 0..4500_u32 {
        let (sequence, timestamp) = (number as u16, number * 960);
        let audio = Rtp { payload_type: OPUS, ssrc: 1000, sequence, timestamp, ..Rtp::default() };
        let audio = publisher.rtp(&Rtp { payload: vec![1; 80], ..audio });
        let payload = vp8(number % 500 == 0, &[3; 1000]);
        let video = Rtp { payload_type: VP8, ssrc: 2000, sequence, timestamp, payload, ..Rtp::default() };
        let video = publisher.rtp(&video);
        let before = allocator::allocations();
        near.shard.ingest(near.now, &[&audio, &video].map(|bytes| Datagram::new(publisher.path, bytes)));
        drain(&mut near, &mut memory, &mut taken);
        near.shard.hand_over(near.now, &mut there);
        for mut parcel in there.parcels.drain(..) {
            far.shard.ingest_remote(&mut parcel);
            there.free.push(parcel);
        }
        there.notes.drain(..).for_each(|note| far.shard.heed(far.now, note));
        let packets = drain(&mut far, &mut memory, &mut taken);
        far.shard.hand_over(far.now, &mut back);
        back.notes.drain(..).for_each(|note| near.shard.heed(near.now, note));
        for world in [&mut near, &mut far] {
            world.now = world.now + Duration::from_millis(5);
            world.shard.tick(world.now);
            drain(world, &mut memory, &mut taken);
        }
        // Until the reports of a publisher without clocks are under way.
        if number >= 2500 {
            allocations += allocator::allocations() - before;
            left += packets;
        }
    }
    assert_eq!((allocations, left), (0, 2000 * 2 * FAR as usize));
}

/// A telephone call: in the clear to in the clear, and in the clear to SRTP and back.
fn nothing_is_allocated_for_a_call(secure: bool) {
    let mut world = World::new();
    let at = |number| signalled(([192, 0, 2, number], 4000).into(), Learn::Window);
    let one = plain_leg(&mut world, 1, at(1), true);
    let two = match secure {
        true => secure_leg(&mut world, 2, at(2), true),
        false => plain_leg(&mut world, 2, at(2), true),
    };
    connect(&mut world, [&one, &two]);
    let mut phones = [one, two];
    let mut memory = vec![0; 256 * 2048];
    let mut taken = Vec::with_capacity(256);
    let (mut allocations, mut left) = (0, 0);
    for number in 0..4000 {
        // Behind a NAT, and later another SSRC: under SRTP that has a replay window of its own, ahead of what is counted.
        match number {
            0 => phones[0].at.set_port(61_000),
            700 if secure => phones[1].ssrc += 1,
            1500 if !secure => phones[1].ssrc += 1,
            _ => {}
        }
        let packets = phones.each_mut().map(|phone| (phone.path(), phone.speech()));
        let before = allocator::allocations();
        let batch = packets.each_ref().map(|(path, bytes)| Datagram::new(*path, bytes));
        world.shard.ingest(world.now, &batch);
        let sent = drain(&mut world, &mut memory, &mut taken);
        world.now = world.now + Duration::from_millis(20);
        world.shard.tick(world.now);
        drain(&mut world, &mut memory, &mut taken);
        if number >= 1400 {
            allocations += allocator::allocations() - before;
            left += sent;
        }
    }
    assert_eq!((allocations, left), (0, 2 * 2600 - if secure { 0 } else { 2 }), "{:?}", world.all_drops());
}

/// A fax: datagrams from peer to peer as they are.
fn nothing_is_allocated_for_a_fax() {
    let mut world = World::new();
    let at = |number| signalled(([192, 0, 2, number], 4000).into(), Learn::Window);
    let phones = [1, 2].map(|number| plain_leg(&mut world, number.into(), at(number), false));
    let [one, two] = &phones;
    world.must(Command::Bridge { leg: one.leg, to: Some(two.leg) });
    world.must(Command::Bridge { leg: two.leg, to: Some(one.leg) });
    let mut memory = vec![0; 256 * 2048];
    let mut taken = Vec::with_capacity(256);
    let (mut allocations, mut left) = (0, 0);
    for number in 0..3000_u16 {
        let bytes = [&number.to_be_bytes()[..], &[7; 60]].concat();
        let before = allocator::allocations();
        let batch = phones.each_ref().map(|phone| Datagram::new(phone.path(), &bytes));
        world.shard.ingest(world.now, &batch);
        let sent = drain(&mut world, &mut memory, &mut taken);
        world.now = world.now + Duration::from_millis(20);
        world.shard.tick(world.now);
        drain(&mut world, &mut memory, &mut taken);
        if number >= 1000 {
            allocations += allocator::allocations() - before;
            left += sent;
        }
    }
    assert_eq!((allocations, left), (0, 2 * 2000), "{:?}", world.all_drops());
}

/// A publisher and a subscriber come, talk and go.
fn visit(world: &mut World, round: u32) {
    let (publisher, subscriber) = (LegId(1 + 2 * round), LegId(2 + 2 * round));
    for (leg, number) in [(publisher, 1), (subscriber, 2)] {
        let config = LegConfig { leg, transport: Transport::Ice(ice(number)), extensions: ids() };
        world.shard.command(world.now, Command::AddLeg(Box::new(config)));
        let sender = SenderId(leg.0);
        let config = Box::new(video_sender(20, Some(21)));
        world.shard.command(world.now, Command::AddSender { leg, sender, config });
        let stream = StreamId(leg.0);
        let config = Box::new(audio_stream(Some(1000)));
        world.shard.command(world.now, Command::AddStream { leg, stream, config });
    }
    let stream = StreamId(publisher.0);
    world.shard.command(world.now, Command::RemoveStream { stream });
    let config = Box::new(video_stream(None, None));
    world.shard.command(world.now, Command::AddStream { leg: publisher, stream, config });
    let sender = SenderId(subscriber.0);
    world.shard.command(world.now, Command::Route { sender, stream, payload_types: vec![VIDEO_MAP] });
}

fn leave(world: &mut World, round: u32) {
    world.shard.command(world.now, Command::RemoveLeg { leg: LegId(1 + 2 * round) });
    world.shard.command(world.now, Command::RemoveLeg { leg: LegId(2 + 2 * round) });
}

/// Bytes live after so many visits, some with keys, checks and media.
fn churn(world: &mut World, rounds: std::ops::Range<u32>) -> i64 {
    let checks = [1, 2].map(|number| (path(number), check(&ice(number), true)));
    for round in rounds {
        visit(world, round);
        if round % 100 == 0 {
            for (path, bytes) in &checks {
                world.receive(*path, bytes);
            }
            let keys = || Box::new(keying(round));
            for leg in [1 + 2 * round, 2 + 2 * round] {
                world.command(Command::SetKeys { leg: LegId(leg), inbound: keys(), outbound: keys() });
            }
            let header = Rtp {
                payload_type: VP8,
                ssrc: 7,
                sequence: 1,
                payload: vp8(true, &[1; 500]),
                ..Rtp::default()
            };
            let mut publisher = Peer::outside(1, &keying(round));
            world.receive(path(1), &publisher.rtp(&header));
            // Checks of one source are bounded.
            world.pass(Duration::from_millis(100));
        }
        leave(world, round);
        world.drain();
        world.out = Vec::new();
        world.events = Vec::new();
    }
    allocator::live_bytes()
}

fn nothing_is_left_of_those_who_have_gone() {
    let mut world = World::new();
    let before = churn(&mut world, 0..2_000);
    let after = churn(&mut world, 2_000..ROUNDS);
    let (forwarded, legs) = (world.shard.counters().forwarded, world.shard.counters().legs);
    assert!(forwarded >= u64::from(ROUNDS / 100), "{:?}", world.all_drops());
    assert_eq!((legs, world.shard.counters().arena_used), (0, 0));
    assert_eq!(after, before);
}

/// Two legs a round come and go: a million joins and leaves.
const ROUNDS: u32 = 250_000;

#[test]
fn memory() {
    nothing_is_allocated_for_a_packet();
    nothing_is_allocated_for_a_crossing();
    [false, true].into_iter().for_each(nothing_is_allocated_for_a_call);
    nothing_is_allocated_for_a_fax();
    nothing_is_left_of_those_who_have_gone();
}
