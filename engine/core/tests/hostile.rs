//! What strangers and lying participants send: counted, without effect on anyone else.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{DropReason, Event};
use kaname_wire::extension::Element;
use kaname_wire::rtcp::write;
use kaname_wire::rtcp::{Pli, ReportBlock, SenderInfo};
use kit::*;
use proptest::prelude::*;

/// Two publishers (streams 1 and 2, SSRC 1000 both) and a subscriber of the first.
fn call(world: &mut World) -> (Peer, Peer, Peer) {
    let peers = (Peer::join(world, 1), Peer::join(world, 2), Peer::join(world, 3));
    world.add_stream(&peers.0, 1, audio_stream(Some(1000)));
    world.add_stream(&peers.1, 2, audio_stream(Some(1000)));
    world.add_sender(&peers.2, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    peers
}

fn opus(ssrc: u32, sequence: u16) -> Rtp<'static> {
    let timestamp = u32::from(sequence) * 960;
    Rtp { payload_type: OPUS, ssrc, sequence, timestamp, payload: vec![1; 80], ..Rtp::default() }
}

#[test]
fn anothers_ssrc_has_no_effect() {
    let mut world = World::new();
    let (mut publisher, mut other, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(1000, 1));
    // The other's own SSRC 1000 is its own stream, and SSRCs that it did not signal are nobody's.
    other.send(&mut world, &opus(1000, 2));
    other.send(&mut world, &opus(10, 3));
    other.send(&mut world, &opus(99, 4));
    assert_eq!(subscriber.media(&mut world).len(), 1);
    assert_eq!(world.dropped(DropReason::UnclaimedSsrc), 2);
    assert_eq!(world.dropped(DropReason::NoRoute), 1);
    // From the publisher's address under the other's keys.
    let forged = other.rtp(&opus(1000, 5));
    world.receive(publisher.path, &forged);
    assert_eq!(world.dropped(DropReason::BadTag), 1);
    assert!(subscriber.media(&mut world).is_empty());
}

#[test]
fn a_bad_tag_a_replay_and_a_stranger_are_dropped_and_the_call_lives() {
    let mut world = World::new();
    let (mut publisher, _, mut subscriber) = call(&mut world);
    let good: Vec<_> = (0..100).map(|sequence| publisher.rtp(&opus(1000, sequence))).collect();
    for packet in &good {
        // Not the sequence number: another of it may be one that was there.
        for byte in (0..packet.len()).filter(|byte| !(2..4).contains(byte)) {
            let mut forged = packet.clone();
            forged[byte] ^= 0x80 >> (byte % 8);
            world.receive(publisher.path, &forged);
        }
        // Twice in one batch, and from a stranger.
        let copies =
            [(publisher.path, packet.clone()), (path(66), packet.clone()), (publisher.path, packet.clone())];
        world.receive_all(&copies);
        world.receive(publisher.path, packet);
        world.pass(20 * MS);
        for number in [1, 3] {
            world.receive(path(number), &check(&ice(number), true));
        }
    }
    assert_eq!(subscriber.media(&mut world).len(), 100);
    assert_eq!(world.dropped(DropReason::Replayed), 200);
    assert_eq!(world.dropped(DropReason::UnknownPath), 100);
    assert!(world.dropped(DropReason::BadTag) > 8000, "{:?}", world.all_drops());
}

#[test]
fn a_flood_of_forgeries_does_not_use_up_the_publishers_share() {
    let mut world = World::new();
    let (mut publisher, _, mut subscriber) = call(&mut world);
    let mut forged = publisher.rtp(&opus(1000, 200));
    forged[20] ^= 1;
    for sequence in 0..50 {
        world.receive_all(&vec![(publisher.path, forged.clone()); 256]);
        publisher.send(&mut world, &opus(1000, sequence));
        world.pass(MS);
    }
    assert_eq!(subscriber.media(&mut world).len(), 50);
    assert_eq!(world.dropped(DropReason::MediaRate), 0);
}

#[test]
fn more_than_a_leg_may_send_is_dropped() {
    let mut world = World::new();
    let (mut publisher, mut other, _) = call(&mut world);
    for batch in 0..40u16 {
        let packets: Vec<_> =
            (0..100).map(|at| (publisher.path, publisher.rtp(&opus(1000, batch * 100 + at)))).collect();
        world.receive_all(&packets);
    }
    assert_eq!(world.dropped(DropReason::MediaRate), 1500);
    other.send(&mut world, &opus(1000, 1));
    assert_eq!(world.dropped(DropReason::MediaRate), 1500);
}

#[test]
fn feedback_about_others_is_dropped() {
    let mut world = World::new();
    let (mut publisher, mut other, _) = call(&mut world);
    world.add_stream(&publisher, 7, video_stream(Some(7000), None));
    publisher.send(&mut world, &opus(1000, 1));
    publisher.reports(&mut world);
    other.rtcp(&mut world, |out| write::pli(out, Pli { sender_ssrc: 1, media_ssrc: 10 }));
    other.rtcp(&mut world, |out| write::pli(out, Pli { sender_ssrc: 1, media_ssrc: 7000 }));
    other.rtcp(&mut world, |out| write::nack(out, 1, 10, &[1, 2, 3]).map(|it| it.len));
    other.rtcp(&mut world, |out| {
        write::receiver_report(out, 1, &[ReportBlock { ssrc: 10, ..Default::default() }])
    });
    other.rtcp(&mut world, |out| write::sender_report(out, 7000, &SenderInfo::default(), &[]));
    assert_eq!(world.dropped(DropReason::RtcpForeignSsrc), 5);
    other.rtcp(&mut world, |out| write::bye(out, &[7000], ""));
    assert!(!world.events.iter().any(|it| matches!(it, Event::StreamEnded { .. })));
    assert_eq!(publisher.reports(&mut world).len(), 0);
}

#[test]
fn rtcp_is_authenticated_and_never_twice() {
    let mut world = World::new();
    let (_, _, mut subscriber) = call(&mut world);
    let mut plain = [0; 100];
    let len = write::pli(&mut plain, Pli { sender_ssrc: 1, media_ssrc: 10 }).unwrap();
    let mut packet = [0; 200];
    let len = subscriber.outbound.protect_rtcp(&plain[..len], &mut packet).unwrap();
    let packet = &mut packet[..len];
    packet[9] ^= 1;
    world.receive(subscriber.path, packet);
    packet[9] ^= 1;
    world.receive(subscriber.path, packet);
    world.receive(subscriber.path, packet);
    world.receive(path(66), packet);
    assert_eq!(world.dropped(DropReason::RtcpBadTag), 1);
    assert_eq!(world.dropped(DropReason::RtcpReplayed), 1);
    assert_eq!(world.dropped(DropReason::UnknownPath), 1);
}

#[test]
fn authentic_header_bombs_and_tiny_repairs_cost_one_packet() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = {
        let publisher = Peer::join(&mut world, 1);
        let subscriber = Peer::join(&mut world, 2);
        world.add_stream(&publisher, 1, video_stream(Some(2000), Some(2001)));
        world.add_sender(&subscriber, 1, video_sender(20, Some(21)));
        world.route(1, 1, VIDEO_MAP);
        (publisher, subscriber)
    };
    let base = Rtp { payload_type: VP8, ssrc: 2000, ..Rtp::default() };
    publisher.send(&mut world, &Rtp { payload: vp8(true, &[]), ..base.clone() });
    let long = [7u8; 255];
    let bombs = vec![
        Rtp { sequence: 1, payload: vec![], ..base.clone() },
        Rtp { sequence: 2, payload: vec![0xff; 3], ..base.clone() },
        Rtp { sequence: 3, extensions: vec![Element { id: 7, data: &long }], ..base.clone() },
        Rtp { ssrc: 2001, payload_type: VP8_RTX, sequence: 1, payload: vec![1], ..base.clone() },
        Rtp { ssrc: 2001, payload_type: VP8_RTX, sequence: 2, payload: vec![1, 2], ..base.clone() },
        Rtp { ssrc: 2001, payload_type: 5, sequence: 3, payload: vec![1, 2, 3], ..base.clone() },
        Rtp { payload_type: 5, sequence: 4, ..base.clone() },
    ];
    for bomb in &bombs {
        publisher.send(&mut world, bomb);
    }
    publisher.send(&mut world, &Rtp { sequence: 5, payload: vp8(false, &[]), ..base });
    let got = subscriber.media(&mut world);
    assert_eq!(got.len(), 5);
    assert_eq!(view(&got[3]).extension(7).map(<[u8]>::len), Some(255));
    assert_eq!(world.dropped(DropReason::RepairMalformed), 3);
}

/// Anything a stranger or a participant could put on the wire.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![Just(0u8), Just(1), Just(22), Just(0x80), Just(0x90), Just(0xbf), any::<u8>()];
    let second = prop_oneof![Just(1u8), Just(111), Just(96), Just(200), Just(201), Just(205), any::<u8>()];
    (first, second, prop::collection::vec(any::<u8>(), 0..200), any::<bool>()).prop_map(
        |(first, second, rest, is_ours)| {
            let mut bytes = [&[first, second][..], &rest].concat();
            if is_ours && bytes.len() >= 12 {
                bytes[8..12].copy_from_slice(&1000u32.to_be_bytes());
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Garbage never panics, and no honest packet is lost for it.
    #[test]
    fn garbage_takes_nothing_from_anyone(batches in prop::collection::vec(prop::collection::vec((0u32..5, garbage()), 0..40), 1..20)) {
        let mut world = World::new();
        let (mut publisher, _, mut subscriber) = call(&mut world);
        let count = batches.len();
        for (sequence, batch) in batches.into_iter().enumerate() {
            let mut packets: Vec<_> = batch.into_iter().map(|(from, bytes)| (path(from), bytes)).collect();
            let at = packets.len() / 2;
            packets.insert(at, (publisher.path, publisher.rtp(&opus(1000, sequence as u16))));
            world.receive_all(&packets);
            world.pass(Duration::from_millis(7));
        }
        prop_assert_eq!(subscriber.media(&mut world).len(), count);
    }

    /// Neither does garbage that is authentic.
    #[test]
    fn authentic_rtcp_garbage_takes_nothing(packets in prop::collection::vec((200u8..208, 0u8..32, prop::collection::vec(any::<u8>(), 0..30)), 1..40)) {
        let mut world = World::new();
        let (mut publisher, mut other, mut subscriber) = call(&mut world);
        for (sequence, (kind, count, words)) in packets.iter().enumerate() {
            let mut plain = vec![0x80 | count, *kind, 0, words.len() as u8 + 1, 0, 0, 0, 10];
            plain.extend(words.iter().flat_map(|word| [0, 0, *word & 3, *word]));
            other.send_rtcp(&mut world, &plain);
            subscriber.send_rtcp(&mut world, &plain);
            publisher.send(&mut world, &opus(1000, sequence as u16));
            world.pass(Duration::from_millis(7));
        }
        prop_assert_eq!(subscriber.media(&mut world).len(), packets.len());
    }
}

#[test]
fn stats_name_what_was_sent_and_received() {
    let mut world = World::new();
    let (mut publisher, _, mut subscriber) = call(&mut world);
    (0..10).for_each(|sequence| publisher.send(&mut world, &opus(1000, sequence)));
    assert_eq!(subscriber.media(&mut world).len(), 10);
    world.command(Command::QueryStats { leg: LegId(1), token: 1 });
    world.command(Command::QueryStats { leg: LegId(3), token: 2 });
    let stats = world.events.iter().filter_map(|it| match it {
        Event::Stats { token, stats } => Some((*token, stats.clone())),
        _ => None,
    });
    let [(1, publisher), (2, subscriber)] = &stats.collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((publisher.streams[0].packets, publisher.streams[0].bytes), (10, 800));
    assert_eq!((subscriber.senders[0].packets, subscriber.senders[0].bytes), (10, 800));
    assert_eq!(subscriber.path, Some(path(3)));
}
