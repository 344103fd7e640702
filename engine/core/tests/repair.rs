//! Lost packets and lost pictures, in both directions.

mod kit;

use std::time::Duration;

use kaname_core::DropReason;
use kaname_core::command::*;
use kaname_wire::rtcp::write;
use kaname_wire::rtcp::{FirEntry, Message, Pli};
use kit::*;

fn call(world: &mut World, subscribers: u32) -> (Peer, Vec<Peer>) {
    let publisher = Peer::join(world, 1);
    world.add_stream(&publisher, 1, video_stream(Some(2000), Some(2001)));
    let subscribers: Vec<_> = (2..2 + subscribers).map(|number| Peer::join(world, number)).collect();
    for subscriber in &subscribers {
        world.add_sender(subscriber, subscriber.number, video_sender(20, Some(21)));
        world.route(subscriber.number, 1, VIDEO_MAP);
    }
    (publisher, subscribers)
}

fn frame(sequence: u16, key_frame: bool) -> Rtp<'static> {
    let payload = vp8(key_frame, &[&sequence.to_be_bytes()[..], &[0; 1000]].concat());
    let timestamp = u32::from(sequence).wrapping_mul(3000);
    Rtp { payload_type: VP8, ssrc: 2000, sequence, timestamp, payload, ..Rtp::default() }
}

fn is_pli(message: &Message<'_>) -> bool {
    matches!(message, Message::Pli(_))
}

#[test]
fn a_subscriber_gets_what_it_misses_as_rtx() {
    let mut world = World::new();
    let (mut publisher, mut subscribers) = call(&mut world, 1);
    let subscriber = &mut subscribers[0];
    for step in 0..50u16 {
        publisher.send(&mut world, &frame(65_500u16.wrapping_add(step), step == 0));
        world.pass(10 * MS);
    }
    let got = subscriber.media(&mut world);
    let missing = [sequences(&got)[30], sequences(&got)[38], sequences(&got)[47]];
    subscriber.rtcp(&mut world, |out| write::nack(out, 1, 20, &missing).map(|it| it.len));
    let repairs = subscriber.media(&mut world);
    assert_eq!(repairs.len(), 3);
    for (repair, at) in repairs.iter().zip([30, 38, 47]) {
        let (repair, original) = (view(repair), view(&got[at]));
        assert_eq!((repair.ssrc(), repair.payload_type()), (21, 121));
        assert_eq!(repair.timestamp(), original.timestamp());
        assert_eq!(repair.payload()[..2], original.sequence().to_be_bytes());
        assert_eq!(&repair.payload()[2..], original.payload());
    }
    let first = view(&repairs[0]).sequence();
    assert_eq!(sequences(&repairs), [first, first.wrapping_add(1), first.wrapping_add(2)]);
    // At once again: no; a round trip later: yes.
    subscriber.rtcp(&mut world, |out| write::nack(out, 1, 20, &missing[..1]).map(|it| it.len));
    assert!(subscriber.media(&mut world).is_empty());
    assert_eq!(world.dropped(DropReason::RepairTooSoon), 1);
    world.pass(100 * MS);
    subscriber.rtcp(&mut world, |out| write::nack(out, 1, 20, &missing[..1]).map(|it| it.len));
    assert_eq!(subscriber.media(&mut world).len(), 1);
}

#[test]
fn repairs_reach_back_over_a_switch() {
    let mut world = World::new();
    let (mut publisher, mut subscribers) = call(&mut world, 1);
    let subscriber = &mut subscribers[0];
    world.add_stream(&publisher, 2, StreamConfig { rid: Some("h".into()), ..video_stream(Some(3000), None) });
    (0..5).for_each(|step| publisher.send(&mut world, &frame(step, step == 0)));
    world.route(subscriber.number, 2, VIDEO_MAP);
    (50..55).for_each(|step| publisher.send(&mut world, &Rtp { ssrc: 3000, ..frame(step, step == 50) }));
    let got = subscriber.media(&mut world);
    let missing = [sequences(&got)[3], sequences(&got)[7]];
    subscriber.rtcp(&mut world, |out| write::nack(out, 1, 20, &missing).map(|it| it.len));
    let repairs = subscriber.media(&mut world);
    assert_eq!(view(&repairs[0]).payload()[2..], *view(&got[3]).payload());
    assert_eq!(view(&repairs[1]).payload()[2..], *view(&got[7]).payload());
    assert_eq!(view(&repairs[0]).timestamp(), view(&got[3]).timestamp());
}

#[test]
fn a_greedy_subscriber_gets_a_fifth_and_no_more() {
    let mut world = World::new();
    let (mut publisher, mut subscribers) = call(&mut world, 1);
    let subscriber = &mut subscribers[0];
    let (mut sent, mut repaired) = (0, 0);
    for step in 0..3000u16 {
        publisher.send(&mut world, &frame(step, step == 0));
        let got = subscriber.media(&mut world);
        sent += got.len();
        let last = sequences(&got)[0];
        let all: Vec<_> = (0..40).rev().map(|back| last.wrapping_sub(back)).collect();
        subscriber.rtcp(&mut world, |out| write::nack(out, 1, 20, &all).map(|it| it.len));
        repaired += subscriber.media(&mut world).len();
        world.pass(10 * MS);
        world.receive(publisher.path, &check(&ice(1), true));
        world.receive(subscriber.path, &check(&ice(2), true));
        subscriber.reports(&mut world);
    }
    assert_eq!(sent, 3000);
    assert!((500..=650).contains(&repaired), "{repaired}");
}

#[test]
fn without_rtx_nothing_is_repaired() {
    let mut world = World::new();
    let (mut publisher, _) = call(&mut world, 1);
    let mut plain = Peer::join(&mut world, 9);
    world.add_sender(&plain, 9, video_sender(30, None));
    world.route(9, 1, VIDEO_MAP);
    publisher.send(&mut world, &frame(1, true));
    let sent = sequences(&plain.media(&mut world))[0];
    plain.rtcp(&mut world, |out| write::nack(out, 1, 30, &[sent]).map(|it| it.len));
    assert!(plain.media(&mut world).is_empty());
    assert_eq!(world.dropped(DropReason::RepairUnknown), 1);
}

#[test]
fn a_storm_of_requests_is_one_a_second() {
    let mut world = World::new();
    let (mut publisher, mut subscribers) = call(&mut world, 20);
    world.pass(20 * MS);
    publisher.send(&mut world, &frame(0, true));
    publisher.reports(&mut world);
    let mut asked = 0;
    for step in 1..=1000u16 {
        for subscriber in &mut subscribers {
            subscriber.rtcp(&mut world, |out| write::pli(out, Pli { sender_ssrc: 1, media_ssrc: 20 }));
        }
        // Key frames answer the requests, and the storm goes on.
        publisher.send(&mut world, &frame(step, step % 20 == 0));
        world.pass(10 * MS);
        asked += publisher.count_reports(&mut world, is_pli);
        for peer in [1, 2, 3] {
            world.receive(path(peer), &check(&ice(peer), true));
        }
    }
    assert!((9..=11).contains(&asked), "{asked}");
}

#[test]
fn a_request_is_repeated_until_a_key_frame_comes() {
    let mut world = World::new();
    let (mut publisher, _subscribers) = call(&mut world, 1);
    world.pass(Duration::from_millis(4500));
    assert_eq!(publisher.count_reports(&mut world, is_pli), 5);
    publisher.send(&mut world, &frame(1, true));
    world.pass(Duration::from_millis(4500));
    assert_eq!(publisher.count_reports(&mut world, is_pli), 0);
}

#[test]
fn fir_counts_once_for_each_number_and_is_sent_where_pli_is_not_known() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    let config = StreamConfig { pli: false, fir: true, ..video_stream(Some(2000), None) };
    world.add_stream(&publisher, 1, config);
    let mut subscriber = Peer::join(&mut world, 2);
    world.add_sender(&subscriber, 2, video_sender(20, None));
    world.route(2, 1, VIDEO_MAP);
    let mut numbers = Vec::new();
    for round in 0..3u8 {
        for _ in 0..3 {
            let entry = FirEntry { ssrc: 20, sequence: round };
            subscriber.rtcp(&mut world, |out| write::fir(out, 1, &[entry]));
            world.pass(500 * MS);
        }
        for report in publisher.reports(&mut world) {
            numbers.extend(messages(&report).iter().filter_map(|it| match it {
                Message::Fir(fir) => fir.entries().next().map(|entry| (entry.ssrc, entry.sequence)),
                _ => None,
            }));
        }
    }
    assert!(numbers.iter().enumerate().all(|(at, number)| *number == (2000, at as u8 + 1)), "{numbers:?}");
    world.command(Command::QueryStats { leg: subscriber.leg, token: 5 });
    let asked = world.events.iter().find_map(|event| match event {
        kaname_core::Event::Stats { token: 5, stats } => Some(stats.senders[0].key_frame_requests),
        _ => None,
    });
    assert_eq!(asked, Some(3));
}

#[test]
fn a_publisher_is_asked_for_gaps_and_its_repairs_reach_everyone() {
    let mut world = World::new();
    let (mut publisher, mut subscribers) = call(&mut world, 2);
    publisher.send(&mut world, &frame(65_533, true));
    publisher.reports(&mut world);
    for subscriber in &mut subscribers {
        subscriber.media(&mut world);
    }
    publisher.send(&mut world, &frame(2, false));
    publisher.send(&mut world, &frame(0, false));
    world.pass(10 * MS);
    let mut asked = Vec::new();
    for report in publisher.reports(&mut world) {
        for message in messages(&report) {
            if let Message::Nack(nack) = message {
                assert_eq!(nack.media_ssrc, 2000);
                asked.extend(nack.sequences());
            }
        }
    }
    assert_eq!(asked, [65_534, 65_535, 1]);
    for (number, missing) in asked.iter().enumerate() {
        let original = frame(*missing, false);
        let payload = [&missing.to_be_bytes()[..], &original.payload].concat();
        let sequence = number as u16;
        let rtx = Rtp { payload_type: VP8_RTX, ssrc: 2001, sequence, payload, ..original };
        publisher.send(&mut world, &rtx);
    }
    // A repair of what is there, and a probe without content.
    let again = Rtp { payload_type: VP8_RTX, ssrc: 2001, sequence: 10, ..frame(2, false) };
    let payload = [&2u16.to_be_bytes()[..], &again.payload].concat();
    publisher.send(&mut world, &Rtp { payload, ..again.clone() });
    publisher.send(&mut world, &Rtp { payload: vec![], sequence: 11, ..again });
    assert_eq!((world.dropped(DropReason::Duplicate), world.dropped(DropReason::Probe)), (1, 1));
    assert_eq!(world.shard.counters().recovered, 3);
    for subscriber in &mut subscribers {
        let got = subscriber.media(&mut world);
        let first = view(&got[0]).sequence().wrapping_sub(5);
        let mut places: Vec<_> = sequences(&got).iter().map(|it| it.wrapping_sub(first)).collect();
        assert_eq!(places, [5, 3, 1, 2, 4]);
        places.sort_unstable();
        for packet in &got {
            let number = view(packet).sequence().wrapping_sub(first).wrapping_add(65_533);
            assert_eq!(view(packet).payload(), frame(number, false).payload);
            assert_eq!((view(packet).ssrc(), view(packet).payload_type()), (20, 120));
        }
    }
    world.pass(Duration::from_secs(2));
    let nacks = publisher.count_reports(&mut world, |it| matches!(it, Message::Nack(_)));
    assert_eq!(nacks, 0);
}

#[test]
fn what_never_comes_is_given_up_for_a_key_frame() {
    let mut world = World::new();
    let (mut publisher, _subscribers) = call(&mut world, 1);
    publisher.send(&mut world, &frame(0, true));
    publisher.send(&mut world, &frame(2, false));
    world.pass(Duration::from_millis(400));
    let early = publisher.reports(&mut world);
    let count = |reports: &[Vec<u8>], is: fn(&Message<'_>) -> bool| {
        reports.iter().flat_map(|it| messages(it)).filter(|it| is(it)).count()
    };
    assert!(count(&early, |it| matches!(it, Message::Nack(_))) >= 3);
    world.pass(Duration::from_secs(3));
    let late = publisher.reports(&mut world);
    let nacks = count(&early, |it| matches!(it, Message::Nack(_)))
        + count(&late, |it| matches!(it, Message::Nack(_)));
    assert_eq!(nacks, 10);
    assert!(count(&late, is_pli) >= 1);
}
