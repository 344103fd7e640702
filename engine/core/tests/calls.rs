//! Telephone calls over legs on ports of their own: keys, numbers that go on, events, ICE and DTLS there.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::event::CommandError;
use kaname_core::{DropReason, Event, limits};
use kaname_srtp::{Keying, Profile};
use kaname_wire::path::Path;
use kaname_wire::rtcp::Message;
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
fn another_ssrc_takes_over_after_a_few_packets_and_the_numbers_go_on() {
    for secure in [false, true] {
        let mut world = World::new();
        let mut one = match secure {
            true => secure_leg(&mut world, 1, here(1), false),
            false => plain_leg(&mut world, 1, here(1), false),
        };
        let mut two = plain_leg(&mut world, 2, here(2), false);
        connect(&mut world, [&one, &two]);
        one.talk(&mut world, 20);
        // A transfer, music, and back: other numbers each time.
        for (ssrc, sequence, timestamp) in [(42, 9, 7), (43, 60_000, 0x8000_0000), (7001, 1234, 99)] {
            (one.ssrc, one.sequence, one.timestamp) = (ssrc, sequence, timestamp);
            one.talk(&mut world, 20);
        }
        let got = two.media(&mut world);
        let lost = usize::from(limits::SSRC_PACKETS) - 1;
        assert_eq!(got.len(), 20 + 3 * (20 - lost), "{:?}", world.all_drops());
        assert_eq!(world.dropped(DropReason::UnclaimedSsrc), 3 * lost as u64);
        for pair in got.windows(2) {
            let (before, after) = (view(&pair[0]), view(&pair[1]));
            assert_eq!(after.sequence(), before.sequence().wrapping_add(1));
            let ticks = after.timestamp().wrapping_sub(before.timestamp());
            assert!(ticks == 160 || ticks == 160 * (1 + lost as u32), "{ticks}");
            assert_eq!((before.ssrc(), before.payload_type()), (12, PCMA));
        }
        let started: Vec<_> = world
            .events
            .iter()
            .filter_map(|it| match it {
                Event::StreamStarted { stream: StreamId(1), ssrc } => Some(*ssrc),
                _ => None,
            })
            .collect();
        assert_eq!(started, [7001, 42, 43, 7001]);
        // What is reported counts from the new one.
        world.out.clear();
        one.talk(&mut world, 100);
        let reports = one.reports(&mut world);
        let block = reports.iter().flat_map(|it| messages(it)).find_map(|it| match it {
            Message::ReceiverReport(report) => report.report_blocks().next(),
            _ => None,
        });
        let block = block.unwrap();
        assert_eq!((block.ssrc, block.cumulative_lost), (7001, 0));
        assert!(u64::from(block.highest_sequence).abs_diff(u64::from(one.sequence)) < 100);
    }
}

#[test]
fn one_stray_packet_of_another_ssrc_changes_nothing() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    for number in 0..100 {
        one.talk(&mut world, 1);
        let (ssrc, sequence) = (one.ssrc, one.sequence);
        (one.ssrc, one.sequence) = (42, 500 + number);
        one.speak(&mut world);
        (one.ssrc, one.sequence) = (ssrc, sequence);
    }
    assert_eq!(two.media(&mut world).len(), 100);
    assert_eq!(world.dropped(DropReason::UnclaimedSsrc), 100);
}

#[test]
fn a_phone_that_begins_anew_with_its_ssrc_is_followed_in_the_clear() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    one.sequence = 20_000;
    one.talk(&mut world, 100);
    (one.sequence, one.timestamp) = (3, 77);
    one.talk(&mut world, 100);
    let got = two.media(&mut world);
    assert_eq!(got.len(), 200 + 1 - usize::from(limits::SSRC_PACKETS));
    assert!(got.windows(2).all(|it| view(&it[1]).sequence() == view(&it[0]).sequence().wrapping_add(1)));
}

#[test]
fn an_unmapped_payload_type_is_dropped_and_counted() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    for payload_type in [PCMA, 13, PCMA] {
        let packet = one.packet(payload_type, false, &[0; 160]);
        world.receive(one.path(), &packet);
    }
    assert_eq!((two.media(&mut world).len(), world.dropped(DropReason::PayloadTypeUnmapped)), (2, 1));
    (one.ssrc, one.sequence) = (5, 5);
    let packet = one.packet(13, false, &[0; 160]);
    world.receive(one.path(), &packet);
    assert_eq!(world.dropped(DropReason::PayloadTypeUnmapped), 2);
}

#[test]
fn events_keep_their_timestamp_and_marker() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world);
    one.talk(&mut world, 10);
    let began = one.timestamp + 160;
    for step in 0..25u8 {
        one.timestamp = began - 160;
        let packet = one.packet(EVENT, step == 0, &[5, 10, 0, step]);
        world.receive(one.path(), &packet);
        world.pass(20 * MS);
    }
    one.timestamp = began + 24 * 160;
    one.talk(&mut world, 10);
    let got = two.media(&mut world);
    assert_eq!(got.len(), 45);
    let clock: Vec<u32> =
        got.iter().map(|it| view(it).timestamp().wrapping_sub(view(&got[0]).timestamp())).collect();
    let events = 10..35;
    for (at, packet) in got.iter().enumerate() {
        let view = view(packet);
        assert_eq!(view.payload_type(), if events.contains(&at) { 96 } else { PCMA });
        assert_eq!(
            (view.marker(), view.sequence()),
            (at == 10, kit::view(&got[0]).sequence().wrapping_add(at as u16))
        );
        assert_eq!(clock[at], if events.contains(&at) { 1600 } else { 160 * at as u32 });
    }
    // Nor do they spoil the jitter.
    assert_eq!(world.stats(one.leg).streams[0].jitter, 0);
}

#[test]
fn a_new_offer_with_the_same_keys_goes_on_counting() {
    let mut world = World::new();
    let mut one = secure_leg(&mut world, 1, here(1), false);
    let mut two = plain_leg(&mut world, 2, here(2), false);
    connect(&mut world, [&one, &two]);
    let replayed = one.speech();
    world.receive(one.path(), &replayed);
    two.talk(&mut world, 10);
    one.rekey(&mut world, (2, 3));
    world.receive(one.path(), &replayed);
    assert_eq!(world.dropped(DropReason::Replayed), 1);
    two.talk(&mut world, 10);
    one.talk(&mut world, 10);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (20, 11));
    // Their key changes, ours does not: the one goes on, the other begins.
    one.rekey(&mut world, (2, 33));
    one.keys.as_mut().unwrap().1 = sessions((2, 33)).1;
    two.talk(&mut world, 10);
    one.talk(&mut world, 10);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (10, 10));
    // Back again after music: what was received under that key is still known.
    one.rekey(&mut world, (2, 3));
    world.receive(one.path(), &replayed);
    assert_eq!(world.dropped(DropReason::Replayed), 2);
    // An earlier key of ours would take its indices again.
    one.rekey(&mut world, (22, 3));
    let (inbound, outbound) = (Box::new(keying(3)), Box::new(keying(2)));
    world.command(Command::SetKeys { leg: one.leg, inbound, outbound });
    let failed = world.events.pop();
    assert!(matches!(failed, Some(Event::CommandFailed { error: CommandError::Duplicate, .. })));
}

#[test]
fn each_direction_has_its_suite_and_the_clear_is_a_renegotiation_away() {
    let mut world = World::new();
    let mut one = secure_leg(&mut world, 1, here(1), false);
    let mut two = plain_leg(&mut world, 2, here(2), false);
    connect(&mut world, [&one, &two]);
    let theirs = Keying::new(Profile::Aes128CmSha1_80, &[7; 16], &[8; 14]).unwrap();
    let (inbound, outbound) = (Box::new(theirs.clone()), Box::new(keying(50)));
    world.must(Command::SetKeys { leg: one.leg, inbound, outbound });
    let backend = kaname_srtp::Backend::best();
    one.keys =
        Some((kaname_srtp::Inbound::new(backend, &keying(50)), kaname_srtp::Outbound::new(backend, &theirs)));
    for _ in 0..10 {
        one.talk(&mut world, 1);
        two.talk(&mut world, 1);
    }
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (10, 10));
    // What was protected is not taken for what is not.
    let sealed = one.speech();
    world.must(Command::SetPlain { leg: one.leg });
    one.keys = None;
    one.talk(&mut world, 5);
    two.talk(&mut world, 5);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (5, 5));
    drop(sealed);
    // And back, under new keys.
    one.rekey(&mut world, (60, 61));
    one.keys = Some(sessions((60, 61)));
    one.talk(&mut world, 5);
    two.talk(&mut world, 5);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (5, 5));
}

#[test]
fn reports_on_a_port_of_their_own_may_have_keys_of_their_own() {
    let mut world = World::new();
    let mut one = Phone::add(&mut world, 1, here(1), true);
    let mut two = plain_leg(&mut world, 2, here(2), false);
    connect(&mut world, [&one, &two]);
    let leg = one.leg;
    let keys = |of, ours, theirs| {
        let (inbound, outbound) = (Box::new(keying(theirs)), Box::new(keying(ours)));
        Command::SetKeysOf { leg, of, inbound, outbound }
    };
    // An empty receiver report.
    let report = |out: &mut [u8]| {
        out[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 27, 89]);
        8
    };
    world.must(keys(Keyed::Rtp, 2, 3));
    one.keys = Some(sessions((2, 3)));
    one.talk(&mut world, 10);
    two.talk(&mut world, 500);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (500, 10));
    // Not under the keys of media, in either direction, whether or not those of reports are there.
    assert!(one.reports(&mut world).is_empty() && world.dropped(DropReason::LegNotReady) > 0);
    one.send_rtcp(&mut world, report);
    assert_eq!(world.dropped(DropReason::NoKeys), 1);
    world.must(keys(Keyed::Rtcp, 20, 21));
    one.send_rtcp(&mut world, report);
    assert_eq!(world.dropped(DropReason::RtcpBadTag), 1);

    let media = one.keys.replace(sessions((20, 21)));
    let heard = world.stats(leg).packets_in;
    one.send_rtcp(&mut world, report);
    assert_eq!(world.stats(leg).packets_in, heard + 1);
    // The same again goes on counting.
    for _ in 0..2 {
        two.talk(&mut world, 500);
        assert!(!one.reports(&mut world).is_empty(), "each under the keys of reports");
        world.must(keys(Keyed::Rtcp, 20, 21));
    }
    one.keys = media;
    one.talk(&mut world, 10);
    assert_eq!((one.media(&mut world).len(), two.media(&mut world).len()), (1000, 10));

    // An earlier one of ours would take its indices again; and where there is one port, there is one handshake.
    world.must(keys(Keyed::Rtcp, 22, 21));
    world.command(keys(Keyed::Rtcp, 20, 21));
    let failed = world.events.pop();
    assert!(matches!(failed, Some(Event::CommandFailed { error: CommandError::Duplicate, .. })));
    let (inbound, outbound) = (Box::new(keying(30)), Box::new(keying(31)));
    world.command(Command::SetKeysOf { leg: two.leg, of: Keyed::Rtcp, inbound, outbound });
    let failed = world.events.pop();
    assert!(matches!(failed, Some(Event::CommandFailed { error: CommandError::Invalid, .. })));
    // Keys by signalling are for both again.
    one.rekey(&mut world, (40, 41));
    one.keys = Some(sessions((40, 41)));
    two.talk(&mut world, 500);
    assert!(!one.reports(&mut world).is_empty());
}

#[test]
fn ice_lite_works_on_own_ports_and_nobody_elses_checks_do() {
    let mut world = World::new();
    let leg = LegId(1);
    let ports = Ports { rtp: 500, rtcp: Some(501), ice: Some(ice(1)), remote: here(1) };
    let config = LegConfig { leg, transport: Transport::Ports(ports), extensions: ids() };
    world.must(Command::AddLeg(Box::new(config)));
    let other = Peer::join(&mut world, 2);
    let (rtp, rtcp) = (Path { local: 500, ..path(1) }, Path { local: 501, ..path(1) });
    // Another leg's credentials here, and this one's on the shared port.
    world.receive(rtp, &check(&ice(2), true));
    world.receive(path(1), &check(&ice(1), true));
    assert_eq!(world.dropped(DropReason::StunPathTaken), 2);
    assert!(world.out.is_empty());
    world.receive(rtp, &check(&ice(1), true));
    world.receive(rtcp, &check(&ice(1), true));
    assert_eq!(world.out.len(), 2);
    assert!(matches!(world.events[..], [
        Event::PathValidated { leg: LegId(1), path: one },
        Event::PathSelected { leg: LegId(1), path: two },
        Event::PathValidated { leg: LegId(1), path: three },
    ] if (one, two, three) == (rtp, rtp, rtcp)));
    world.out.clear();
    let (inbound, outbound) = (Box::new(keying(3)), Box::new(keying(2)));
    world.must(Command::SetKeys { leg, inbound, outbound });
    let mut peer = Peer { path: rtp, leg, ..Peer::outside(1, &keying(2)) };
    peer.outbound = sessions((2, 3)).1;
    world.add_stream(&peer, 1, audio_stream(Some(1000)));
    world.add_sender(&peer, 1, audio_sender(10));
    world.add_sender(&other, 2, audio_sender(20));
    world.add_stream(&other, 2, audio_stream(Some(2000)));
    world.route(1, 2, AUDIO_MAP);
    world.route(2, 1, AUDIO_MAP);
    let opus = Rtp { payload_type: OPUS, ssrc: 1000, payload: vec![1; 80], ..Rtp::default() };
    peer.send(&mut world, &opus);
    let mut other = other;
    assert_eq!(other.media(&mut world).len(), 1);
    other.send(&mut world, &Rtp { ssrc: 2000, ..opus.clone() });
    assert_eq!(peer.media(&mut world).len(), 1);
    // The signalled address means nothing here, and RTCP leaves from its component.
    let packet = peer.rtp(&Rtp { sequence: 2, ..opus });
    world.receive(Path::udp(500, ([192, 0, 2, 1], 4000).into()), &packet);
    assert_eq!(world.dropped(DropReason::ForeignSource), 1);
    world.pass(3 * SECOND);
    let locals: Vec<u32> = world.out.iter().filter(|(to, _)| to.local >= 500).map(|it| it.0.local).collect();
    assert!(!locals.is_empty() && locals.iter().all(|local| *local == 501));
    // Consent ends as on the shared port.
    world.pass(40 * SECOND);
    assert!(world.events.iter().any(|it| matches!(it, Event::ConsentLost { leg: LegId(1) })));
}

#[test]
fn dtls_comes_from_anyone_in_bounds_and_goes_where_it_is_told() {
    const HELLO: &[u8] = &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    let mut world = World::new();
    let one = plain_leg(&mut world, 1, here(1), true);
    let stranger = Path::udp(one.ports.0, ([203, 0, 113, 9], 9).into());
    for _ in 0..1000 {
        world.receive(stranger, HELLO);
    }
    // A flood of strangers' takes nothing from the peer.
    for _ in 0..100 {
        world.receive(one.path(), HELLO);
    }
    let from = |world: &World, path| {
        world
            .events
            .iter()
            .filter(|it| matches!(it, Event::Datagram { path: from, .. } if *from == path))
            .count()
    };
    assert_eq!(from(&world, stranger), limits::STRANGER_DATAGRAMS_PER_SECOND as usize);
    assert_eq!(from(&world, one.path()), 100);
    assert_eq!(world.stats(one.leg).silence, None);
    let send = |path| Command::SendDatagram { leg: one.leg, path, data: HELLO.into() };
    world.events.clear();
    world.must(send(None));
    world.must(send(Some(stranger)));
    let sent: Vec<Path> = world.out.drain(..).map(|(to, _)| to).collect();
    assert_eq!(sent, [one.path(), stranger]);
    // Through no port but its own.
    world.command(send(Some(Path { local: 7, ..stranger })));
    assert!(matches!(world.events[..], [Event::CommandFailed { error: CommandError::NoPath, .. }]));
    // RTCP's port may have a handshake of its own.
    world.events.clear();
    world.receive(one.rtcp_path(), HELLO);
    let [Event::Datagram { leg, path, .. }] = world.events[..] else { panic!("{:?}", world.events) };
    assert_eq!((leg, path), (one.leg, one.rtcp_path()));
}

#[test]
fn commands_that_do_not_fit_change_nothing() {
    let mut world = World::new();
    let one = plain_leg(&mut world, 1, here(1), true);
    let browser = Peer::join(&mut world, 2);
    let add = |leg, rtp, rtcp| {
        let transport = Transport::Ports(Ports { rtp, rtcp, ice: None, remote: here(3) });
        Command::AddLeg(Box::new(LegConfig { leg: LegId(leg), transport, extensions: ids() }))
    };
    let cases = [
        (add(3, one.ports.0, None), CommandError::Duplicate),
        (add(3, 900, one.ports.1), CommandError::Duplicate),
        (add(3, 900, Some(900)), CommandError::Invalid),
        (Command::SetPlain { leg: browser.leg }, CommandError::Invalid),
        (Command::SetPlain { leg: LegId(77) }, CommandError::UnknownLeg),
        (Command::SetRemote { leg: browser.leg, remote: here(1) }, CommandError::Invalid),
        (Command::SetRemote { leg: LegId(77), remote: here(1) }, CommandError::UnknownLeg),
        (Command::RestartIce { leg: one.leg, ice: ice(9) }, CommandError::Invalid),
    ];
    for (command, expected) in cases {
        let name = format!("{command:?}");
        world.command(command);
        let failed = world.events.pop();
        assert!(
            matches!(failed, Some(Event::CommandFailed { error, .. }) if error == expected),
            "{name}: {failed:?}"
        );
    }
}
