//! What strangers send to the ports of a call: counted, without effect on it, and answered with silence.

mod kit;

use std::net::SocketAddr;

use kaname_core::DropReason;
use kaname_core::command::*;
use kaname_wire::path::Path;
use kit::phone::*;
use kit::*;
use proptest::prelude::*;

/// A call between a phone under SRTP and one in the clear, under way; all have ports for RTCP.
fn call(world: &mut World, learn: Learn) -> (Phone, Phone) {
    let at = |number| signalled(([192, 0, 2, number], 4000).into(), learn);
    let (one, two) = (secure_leg(world, 1, at(1), true), plain_leg(world, 2, at(2), true));
    connect(world, [&one, &two]);
    let (mut one, mut two) = (one, two);
    for phone in [&mut one, &mut two] {
        phone.talk(world, 5);
    }
    for phone in [&mut one, &mut two] {
        assert_eq!(phone.media(world).len(), 5);
    }
    world.out.clear();
    (one, two)
}

fn stranger(number: u16) -> SocketAddr {
    ([203, 0, 113, (number % 200) as u8], 1000 + number).into()
}

/// All that came in went on, or has a reason.
fn assert_counted(world: &World, honest: u64) {
    let counters = world.shard.counters();
    let dropped: u64 = counters.drops().map(|(_, count)| count).sum();
    assert_eq!(counters.packets_in, honest + dropped, "{:?}", world.all_drops());
}

#[test]
fn a_flood_of_speech_from_everywhere() {
    for learn in [Learn::Never, Learn::Window, Learn::Handover] {
        let mut world = World::new();
        let (mut one, mut two) = call(&mut world, learn);
        for round in 0..100 {
            // As good as it can be without the key, with the right SSRC and the next numbers.
            let mut batch = Vec::new();
            for (at, phone) in [&mut one, &mut two].into_iter().enumerate() {
                let honest = phone.speech();
                for copy in 0..50 {
                    let mut forged = honest.clone();
                    if at == 0 {
                        let byte = forged.len() - 1 - copy % 20;
                        forged[byte] ^= 0x40;
                    }
                    let from = stranger(round * 50 + copy as u16);
                    batch.push((Path::udp(phone.ports.0, from), forged));
                }
                batch.insert(batch.len() - 25, (phone.path(), honest));
            }
            world.receive_all(&batch);
            world.pass(20 * MS);
        }
        assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (100, 100));
        assert!(world.out.iter().all(|(to, _)| to.remote.ip().to_string().starts_with("192.0.2.")));
        assert_eq!((world.learned(), world.dropped(DropReason::MediaRate)), (vec![], 0));
        assert_counted(&world, 2 * 105);
    }
}

#[test]
fn bad_srtp_in_masses_from_the_peers_own_address() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, Learn::Window);
    for _ in 0..100 {
        let honest = one.speech();
        let mut forged = honest.clone();
        forged[20] ^= 1;
        let mut batch = vec![(one.path(), forged); 255];
        batch.insert(128, (one.path(), honest));
        world.receive_all(&batch);
        world.pass(20 * MS);
    }
    assert_eq!(two.media(&mut world).len(), 100);
    assert_eq!(world.dropped(DropReason::BadTag), 100 * 255);
    assert_counted(&world, 105 + 5);
}

#[test]
fn rtcp_and_checks_of_strangers() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, Learn::Handover);
    let browser = Peer::join(&mut world, 3);
    let mut bye = [0; 64];
    let len = kaname_wire::rtcp::write::bye(&mut bye, &[one.ssrc, two.ssrc, 11, 12], "").unwrap();
    for number in 0..500 {
        for phone in [&one, &two] {
            for local in [phone.ports.0, phone.ports.1.unwrap()] {
                let from = Path::udp(local, stranger(number));
                world.receive(from, &bye[..len]);
                // With a name that is somebody's, and one that is nobody's.
                world.receive(from, &check(&ice(3), true));
                world.receive(from, &check(&ice(4), true));
            }
        }
        one.speak(&mut world);
        two.speak(&mut world);
        world.receive(browser.path, &check(&ice(3), true));
        world.out.retain(|(to, _)| *to != browser.path);
        world.pass(20 * MS);
    }
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (500, 500));
    assert!(world.out.iter().all(|(to, _)| to.remote.ip().to_string().starts_with("192.0.2.")));
    assert_eq!(world.dropped(DropReason::StunUnknownUser), 4 * 500);
    assert_eq!(world.dropped(DropReason::StunPathTaken), 4 * 500);
    assert!(!world.events.iter().any(|it| matches!(it, kaname_core::Event::StreamEnded { .. })));
    assert_counted(&world, 10 + 2 * 500 + 501);
}

/// Anything that could be put on the wire, with numbers that may be right.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0u8), Just(22), Just(0x80), Just(0x90), Just(0xbf), any::<u8>()];
    let second = prop_oneof![Just(8u8), Just(101), Just(200), Just(201), Just(203), any::<u8>()];
    let ssrc = prop_oneof![Just(7001u32), Just(7002), Just(11), Just(12), any::<u32>()];
    (first, second, ssrc, prop::collection::vec(any::<u8>(), 0..200)).prop_map(
        |(first, second, ssrc, rest)| {
            let mut bytes = [&[first, second][..], &rest].concat();
            if bytes.len() >= 12 {
                bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Garbage from strangers never panics, moves nothing, and no honest packet is lost for it.
    #[test]
    fn garbage_takes_nothing_from_a_call(
        learn in prop_oneof![Just(Learn::Never), Just(Learn::Window), Just(Learn::Handover)],
        batches in prop::collection::vec(prop::collection::vec((0u16..8, 0u32..4, garbage()), 0..40), 1..20),
    ) {
        let mut world = World::new();
        let (mut one, mut two) = call(&mut world, learn);
        let count = batches.len();
        for batch in batches {
            let place = |(from, port, bytes): (u16, u32, Vec<u8>)| (Path::udp(102 + port, stranger(from)), bytes);
            let mut packets: Vec<_> = batch.into_iter().map(place).collect();
            let at = packets.len() / 2;
            packets.insert(at, (one.path(), one.speech()));
            packets.insert(at, (two.path(), two.speech()));
            world.receive_all(&packets);
            world.pass(7 * MS);
        }
        prop_assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (count, count));
        prop_assert!(world.learned().is_empty());
        prop_assert!(world.out.iter().all(|(to, _)| to.remote.ip().to_string().starts_with("192.0.2.")));
    }

    /// Neither does garbage from the peer itself in the clear, which is believed: it may spoil its own stream only.
    #[test]
    fn garbage_of_the_peer_spoils_its_own_stream_at_most(
        batches in prop::collection::vec(prop::collection::vec((0u32..2, garbage()), 0..40), 1..20),
    ) {
        let mut world = World::new();
        let (mut one, mut two) = call(&mut world, Learn::Window);
        let count = batches.len();
        for batch in batches {
            let place = |(port, bytes): (u32, Vec<u8>)| {
                let path = if port == 0 { two.path() } else { two.rtcp_path() };
                (path, bytes)
            };
            let mut packets: Vec<_> = batch.into_iter().map(place).collect();
            packets.push((one.path(), one.speech()));
            world.receive_all(&packets);
            world.pass(7 * MS);
        }
        prop_assert_eq!(two.media(&mut world).len(), count);
        // Whatever reached the other is well-formed under its keys.
        one.media(&mut world).iter().for_each(|packet| _ = view(packet));
    }
}

#[test]
fn ports_and_their_numbers_come_and_go_without_a_trace() {
    let mut world = World::new();
    for _ in 0..2000 {
        let (mut one, mut two) = call(&mut world, Learn::Window);
        one.speak(&mut world);
        two.speak(&mut world);
        for leg in [one.leg, two.leg] {
            world.must(Command::RemoveLeg { leg });
        }
        world.out.clear();
        world.events.clear();
    }
    assert_eq!((world.shard.counters().legs, world.shard.counters().arena_used), (0, 0));
    world.receive(Path::udp(102, stranger(1)), &[0x80; 200]);
    assert_eq!(world.dropped(DropReason::UnknownPath), 1);
}
