//! RTCP of telephone calls: on ports of its own, and made where a phone or an audio worker sends none.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{DropReason, Event, LinkId, ParcelPacket};
use kaname_wire::ntp::NtpTime;
use kaname_wire::rtcp::{Message, ReportBlock, SenderInfo, write};
use kit::pair::{Ring, deliver};
use kit::phone::*;
use kit::*;

const SECOND: Duration = Duration::from_secs(1);

fn here(number: u8) -> Remote {
    signalled(([192, 0, 2, number], 4000).into(), Learn::Window)
}

/// Two phones in the clear with ports for RTCP.
fn call(world: &mut World) -> (Phone, Phone) {
    let (one, two) = (plain_leg(world, 1, here(1), true), plain_leg(world, 2, here(2), true));
    connect(world, [&one, &two]);
    (one, two)
}

#[test]
fn rtcp_has_its_port_both_ways_and_follows_rtp_behind_a_nat() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    for _ in 0..150 {
        one.talk(&mut world, 1);
        two.speak(&mut world);
    }
    let info = SenderInfo { ntp: NtpTime(0xe000_0000 << 32), rtp_timestamp: 1, packets: 1, octets: 1 };
    one.send_rtcp(&mut world, |out| write::sender_report(out, one_ssrc(), &info, &[]).unwrap());
    let reports = one.reports(&mut world);
    let blocks: Vec<ReportBlock> = reports
        .iter()
        .flat_map(|it| messages(it))
        .filter_map(|it| match it {
            Message::ReceiverReport(report) => report.report_blocks().next(),
            _ => None,
        })
        .collect();
    assert!(blocks.len() >= 2 && blocks.iter().all(|it| it.ssrc == 7001 && it.cumulative_lost == 0));
    assert!((100..u32::from(one.sequence)).contains(&blocks[blocks.len() - 1].highest_sequence));
    // Nothing of it on the RTP port.
    assert!(world.out.iter().all(|(to, bytes)| (to.local % 2 == 1) == matches!(bytes[1], 200..=207)));
    // Another address behind the NAT: RTCP goes above RTP until it is heard from.
    let nat = |port| ([198, 51, 100, 1], port).into();
    (one.at, one.rtcp_at) = (nat(61_000), nat(61_001));
    world.must(Command::SetRemote {
        leg: one.leg,
        remote: Remote { rtcp: Some(([192, 0, 2, 9], 7).into()), ..signalled(one.at, Learn::Window) },
    });
    world.out.clear();
    one.rtcp_at = ([192, 0, 2, 9], 7).into();
    world.pass(3 * SECOND);
    assert!(!one.reports(&mut world).is_empty(), "as signalled");
    one.talk(&mut world, 5);
    one.rtcp_at = nat(62_222);
    one.send_rtcp(&mut world, |out| write::sender_report(out, one_ssrc(), &info, &[]).unwrap());
    world.out.clear();
    world.pass(3 * SECOND);
    assert!(!one.reports(&mut world).is_empty(), "as learned beside RTP");
    // Once only.
    one.rtcp_at = nat(63_333);
    one.send_rtcp(&mut world, |out| write::sender_report(out, one_ssrc(), &info, &[]).unwrap());
    assert_eq!(world.dropped(DropReason::ForeignSource), 1);
    assert_eq!(world.shard.counters().forwarded, 155 + 150);
}

fn one_ssrc() -> u32 {
    7001
}

#[test]
fn rtcp_on_the_port_of_rtp_is_heard_and_media_on_that_of_rtcp_is_not() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    one.speak(&mut world);
    let mut plain = [0; 100];
    let len = write::bye(&mut plain, &[one.ssrc], "").unwrap();
    world.receive(one.path(), &plain[..len]);
    assert!(world.events.iter().any(|it| matches!(it, Event::StreamEnded { stream: StreamId(1) })));
    let speech = one.speech();
    world.receive(one.rtcp_path(), &speech);
    assert_eq!((world.dropped(DropReason::WrongPort), two.media(&mut world).len()), (1, 1));
}

/// The sender reports that left for a phone, as (NTP, timestamp, packets).
fn clocks(world: &mut World, phone: &mut Phone) -> Vec<(NtpTime, u32, u32)> {
    let reports = phone.reports(world);
    let all = reports.iter().flat_map(|it| messages(it)).filter_map(|it| match it {
        Message::SenderReport(report) => {
            Some((report.info.ntp, report.info.rtp_timestamp, report.info.packets))
        }
        _ => None,
    });
    all.collect()
}

#[test]
fn sender_reports_are_made_where_the_publisher_sends_none() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    let begin = (one.timestamp, world.now);
    one.talk(&mut world, 500);
    let offset = view(&two.media(&mut world)[0]).timestamp().wrapping_sub(begin.0 + 160);
    let clocks = clocks(&mut world, &mut two);
    assert!(clocks.len() > 4, "{}", clocks.len());
    for (ntp, timestamp, packets) in clocks {
        let elapsed = ntp.to_nanos(0) - begin.1.as_nanos();
        let expected = offset.wrapping_add(begin.0 + 160).wrapping_add((elapsed / 125_000) as u32);
        assert!(timestamp.wrapping_sub(expected).wrapping_add(2) <= 4, "{timestamp} {expected}");
        assert!((u64::from(packets) * 20).abs_diff(elapsed / 1_000_000) <= 40);
    }
}

#[test]
fn what_an_audio_worker_makes_is_reported_by_our_clock() {
    let mut world = World::new();
    let mut one = plain_leg(&mut world, 1, here(1), false);
    let config = SenderConfig { mid: None, ..audio_sender(11) };
    world.must(Command::AddSender { leg: one.leg, sender: SenderId(1), config: Box::new(config) });
    let config = ImportConfig { kind: MediaKind::Audio, payload_types: speech_stream().payload_types };
    let (stream, link) = (StreamId(7), LinkId(70));
    world.must(Command::ImportStream { stream, link, from: 9, config: Box::new(config) });
    world.must(Command::Route { sender: SenderId(1), stream, payload_types: SPEECH_MAP.to_vec() });
    let mut ring = Ring::new(4);
    for number in 0..200 {
        let mut parcel = ring.free.pop().unwrap();
        let packet = ParcelPacket {
            sequence: 5_000_000 + number,
            timestamp: 160 * number as u32,
            payload_type: PCMA,
            marker: number == 0,
            level: Some((30, true)),
            arrival: world.now,
            payload: &[number as u8; 160],
        };
        assert!(parcel.write(link, &packet));
        ring.parcels.push(parcel);
        deliver(&mut ring, &mut world);
        world.pass(20 * MS);
    }
    let got = one.media(&mut world);
    assert_eq!(got.len(), 200, "{:?}", world.all_drops());
    assert!(view(&got[0]).marker() && !view(&got[1]).marker());
    assert!(got.iter().enumerate().all(|(at, packet)| view(packet).payload() == [at as u8; 160]));
    assert!(clocks(&mut world, &mut one).len() >= 2);
}

#[test]
fn goodbye_is_said_on_the_port_of_rtcp() {
    for secure in [false, true] {
        let mut world = World::new();
        let mut one = match secure {
            true => secure_leg(&mut world, 1, here(1), true),
            false => plain_leg(&mut world, 1, here(1), true),
        };
        let two = plain_leg(&mut world, 2, here(2), true);
        connect(&mut world, [&one, &two]);
        world.must(Command::RemoveLeg { leg: one.leg });
        let reports = one.reports(&mut world);
        let bye = reports.iter().flat_map(|it| messages(it)).find_map(|it| match it {
            Message::Bye(bye) => bye.ssrcs().next(),
            _ => None,
        });
        assert_eq!(bye, Some(11));
        // Its ports are nobody's then, and may be another's.
        world.receive(one.path(), &[0x80; 40]);
        assert_eq!(world.dropped(DropReason::UnknownPath), 1);
        plain_leg(&mut world, 1, here(1), true);
    }
}
