//! Reports in both directions, and transport-wide feedback.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{DropReason, Event};
use kaname_wire::extension::Element;
use kaname_wire::ntp::{NtpTime, short_from_nanos};
use kaname_wire::rtcp::write;
use kaname_wire::rtcp::{Message, ReportBlock, SenderInfo};
use kit::*;

fn call(world: &mut World) -> (Peer, Peer) {
    let (publisher, subscriber) = (Peer::join(world, 1), Peer::join(world, 2));
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    (publisher, subscriber)
}

fn opus(sequence: u16) -> Rtp<'static> {
    let timestamp = 50_000 + u32::from(sequence) * 960;
    Rtp { payload_type: OPUS, ssrc: 1000, sequence, timestamp, payload: vec![1; 80], ..Rtp::default() }
}

fn sender_report(ntp: u64, rtp_timestamp: u32) -> SenderInfo {
    SenderInfo { ntp: NtpTime(ntp), rtp_timestamp, packets: 1, octets: 1 }
}

#[test]
fn sender_reports_go_on_with_the_subscribers_clock() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(0));
    let offset = view(&subscriber.media(&mut world)[0]).timestamp().wrapping_sub(50_000);
    let ntp = 0xe000_0000_8000_0000;
    publisher.rtcp(&mut world, |out| write::sender_report(out, 1000, &sender_report(ntp, 50_480), &[]));
    let arrived = world.now;
    world.pass(Duration::from_secs(2));
    let reports = subscriber.reports(&mut world);
    let mut seen = 0;
    for report in &reports {
        for message in messages(report) {
            match message {
                Message::SenderReport(it) => {
                    seen += 1;
                    assert_eq!((it.ssrc, it.info.packets, it.info.octets), (10, 1, 80));
                    // However much later it left: both clocks moved on by the same time.
                    let moved = it.info.ntp.0 - ntp;
                    let ticks = (u128::from(moved) * 48_000) >> 32;
                    let translated = it.info.rtp_timestamp.wrapping_sub(offset).wrapping_sub(50_480);
                    assert!(translated.abs_diff(ticks as u32) <= 1);
                    assert!(
                        Duration::from_nanos(((moved * 1000) >> 32) * 1_000_000) <= world.now.since(arrived)
                    );
                }
                Message::Sdes(sdes) => {
                    let named: Vec<_> = sdes.chunks().map(|it| (it.ssrc, it.cname())).collect();
                    assert_eq!(named, [(10, Some(&b"them"[..]))]);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!((1..=4).contains(&seen), "{seen}");
}

#[test]
fn publishers_hear_of_loss_and_of_their_reports() {
    let mut world = World::new();
    let (mut publisher, _subscriber) = call(&mut world);
    for sequence in (0..100).filter(|it| it % 10 != 5) {
        publisher.send(&mut world, &opus(sequence));
    }
    publisher.rtcp(&mut world, |out| {
        write::sender_report(out, 1000, &sender_report(0x1234_5678_9abc_def0, 0), &[])
    });
    world.pass(Duration::from_secs(3));
    let reports = publisher.reports(&mut world);
    let blocks: Vec<ReportBlock> = reports
        .iter()
        .flat_map(|it| messages(it))
        .filter_map(|it| match it {
            Message::ReceiverReport(report) => report.report_blocks().next(),
            _ => None,
        })
        .collect();
    assert!((2..=6).contains(&blocks.len()));
    let first = blocks[0];
    assert_eq!((first.ssrc, first.cumulative_lost, first.highest_sequence), (1000, 10, 99));
    assert_eq!(first.fraction_lost, (10 * 256 / 100) as u8);
    assert_eq!(blocks[1].fraction_lost, 0);
    assert!(blocks.iter().all(|it| it.last_sr == 0x5678_9abc));
    assert!(blocks[1].delay_since_last_sr > first.delay_since_last_sr);
}

#[test]
fn round_trips_are_measured_and_lies_are_not_believed() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(0));
    publisher.rtcp(&mut world, |out| write::sender_report(out, 1000, &sender_report(77 << 40, 50_000), &[]));
    let mut last_sr = 0;
    while last_sr == 0 {
        world.pass(5 * MS);
        for report in subscriber.reports(&mut world) {
            for message in messages(&report) {
                if let Message::SenderReport(it) = message {
                    last_sr = it.info.ntp.middle();
                }
            }
        }
    }
    let round_trip = |world: &mut World| {
        world.events.clear();
        world.command(Command::QueryStats { leg: LegId(2), token: 1 });
        match &world.events[..] {
            [Event::Stats { stats, .. }] => {
                (stats.round_trip, stats.senders[0].lost, stats.senders[0].jitter)
            }
            other => panic!("{other:?}"),
        }
    };
    world.pass(130 * MS);
    let delay_since_last_sr = short_from_nanos(100_000_000);
    let block = ReportBlock {
        ssrc: 10,
        cumulative_lost: 3,
        jitter: 17,
        last_sr,
        delay_since_last_sr,
        ..Default::default()
    };
    subscriber.rtcp(&mut world, |out| write::receiver_report(out, 5, &[block]));
    let (measured, lost, jitter) = round_trip(&mut world);
    let measured = measured.unwrap();
    assert!((30 * MS..=36 * MS).contains(&measured), "{measured:?}");
    assert_eq!((lost, jitter), (3, 17));
    for lie in [
        ReportBlock { last_sr: last_sr.wrapping_add(1), ..block },
        ReportBlock { delay_since_last_sr: u32::MAX, ..block },
    ] {
        subscriber.rtcp(&mut world, |out| write::receiver_report(out, 5, &[lie]));
        assert_eq!(round_trip(&mut world).0, Some(measured));
    }
    // A block about an SSRC that we do not send to this peer.
    subscriber.rtcp(&mut world, |out| write::receiver_report(out, 5, &[ReportBlock { ssrc: 1000, ..block }]));
    assert_eq!(world.dropped(DropReason::RtcpForeignSsrc), 1);
}

#[test]
fn goodbyes_in_both_directions() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(0));
    publisher.rtcp(&mut world, |out| write::bye(out, &[1000, 4711], "done"));
    assert!(world.events.iter().any(|it| matches!(it, Event::StreamEnded { stream: StreamId(1) })));
    world.must(Command::RemoveSender { sender: SenderId(1) });
    let byes = |reports: Vec<Vec<u8>>| -> Vec<u32> {
        let all = reports.iter().flat_map(|it| messages(it)).filter_map(|it| match it {
            Message::Bye(bye) => bye.ssrcs().next(),
            _ => None,
        });
        all.collect()
    };
    assert_eq!(byes(subscriber.reports(&mut world)), [10]);
    // The SSRC can never come back under these keys; another can.
    let (leg, sender) = (subscriber.leg, SenderId(1));
    world.command(Command::AddSender { leg, sender, config: Box::new(audio_sender(10)) });
    assert!(matches!(world.events.last(), Some(Event::CommandFailed { .. })));
    world.events.clear();
    world.add_sender(&subscriber, 1, audio_sender(11));
    world.must(Command::RemoveLeg { leg });
    assert_eq!(byes(subscriber.reports(&mut world)), [11]);
}

#[test]
fn arrivals_are_told_in_time_and_once() {
    let mut world = World::new();
    let (mut publisher, _subscriber) = call(&mut world);
    let mut told = Vec::new();
    let mut feedbacks = 0;
    for step in 0..500u16 {
        let number = 65_400u16.wrapping_add(step);
        let bytes = number.to_be_bytes();
        if step % 7 != 3 {
            let extensions = vec![Element { id: 3, data: &bytes }];
            publisher.send(&mut world, &Rtp { extensions, ..opus(step) });
        }
        world.pass(10 * MS);
        for report in publisher.reports(&mut world) {
            for message in messages(&report) {
                if let Message::TransportFeedback(feedback) = message {
                    feedbacks += 1;
                    told.extend(feedback.arrivals().map(|it| (it.sequence, it.ticks)));
                }
            }
        }
        world.receive(publisher.path, &check(&ice(1), true));
    }
    assert!((70..=110).contains(&feedbacks), "{feedbacks}");
    let expected: Vec<_> =
        (0..500u16).filter(|it| it % 7 != 3).map(|it| 65_400u16.wrapping_add(it)).collect();
    let numbers: Vec<_> = told.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, expected[..numbers.len()]);
    assert!(numbers.len() > 415);
    for pair in told.windows(2) {
        let packets = i64::from(pair[1].0.wrapping_sub(pair[0].0));
        assert_eq!(pair[1].1 - pair[0].1, packets * 40, "10 ms are 40 ticks of 250 us");
    }
}
