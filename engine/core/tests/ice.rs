//! Connectivity checks, consent, and who may speak DTLS.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::event::CommandError;
use kaname_core::{DropReason, Event};
use kit::*;
use stun_types::attribute::{ErrorCode, XorMappedAddress};
use stun_types::message::{Message as Stun, MessageIntegrityCredentials, ShortTermCredentials};

const DTLS: &[u8] = &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 42];

fn add(world: &mut World, number: u32) {
    let config = LegConfig { leg: LegId(number), transport: Transport::Ice(ice(number)), extensions: ids() };
    world.must(Command::AddLeg(Box::new(config)));
}

fn validated(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event, Event::PathValidated { .. })).count()
}

fn selected(world: &World) -> Vec<kaname_wire::path::Path> {
    let paths = world.events.iter().filter_map(|event| match event {
        Event::PathSelected { path, .. } => Some(*path),
        _ => None,
    });
    paths.collect()
}

#[test]
fn a_good_check_is_answered_and_validates_its_path() {
    let mut world = World::new();
    add(&mut world, 1);
    let request = check(&ice(1), false);
    world.receive(path(77), &request);
    let (to, answer) = &world.out[0];
    assert_eq!(*to, path(77));
    assert!(answer.len() <= request.len());
    let message = Stun::from_bytes(answer).unwrap();
    let password = MessageIntegrityCredentials::from(ShortTermCredentials::new(ice(1).local_pwd));
    assert!(message.validate_integrity(&password).is_ok());
    let mapped = message.attribute::<XorMappedAddress>().unwrap().addr(message.transaction_id());
    assert_eq!(mapped, path(77).remote);
    assert_eq!((validated(&world), selected(&world).len()), (1, 0));
    world.receive(path(77), &check(&ice(1), true));
    world.receive(path(77), &check(&ice(1), true));
    assert_eq!((validated(&world), selected(&world)), (1, vec![path(77)]));
}

#[test]
fn everything_else_is_silence_and_changes_nothing() {
    let mut world = World::new();
    add(&mut world, 1);
    let good = check(&ice(1), true);
    let wrong_password = IceCredentials { local_pwd: "another+password+of+22".into(), ..ice(1) };
    let wrong_peer = IceCredentials { remote_ufrag: "else".into(), ..ice(1) };
    let mut forged = good.clone();
    forged[30] ^= 1;
    let mut indication = good.clone();
    indication[1] = 0x11;
    for (bytes, reason) in [
        (check(&wrong_password, true), DropReason::StunBadIntegrity),
        (check(&wrong_peer, true), DropReason::StunUnknownUser),
        (check(&ice(9), true), DropReason::StunUnknownUser),
        (forged, DropReason::StunMalformed),
        (good[..good.len() - 8].to_vec(), DropReason::StunMalformed),
        (indication, DropReason::StunNotRequest),
        (vec![0; 20], DropReason::StunMalformed),
    ] {
        let before = world.dropped(reason);
        world.receive(path(5), &bytes);
        assert_eq!(world.dropped(reason), before + 1, "{reason:?}");
    }
    assert!(world.out.is_empty() && world.events.is_empty());
    world.receive(path(5), DTLS);
    assert_eq!(world.dropped(DropReason::DtlsUnknownPath), 1);
}

#[test]
fn errors_are_told_only_to_those_who_know_the_password() {
    let mut world = World::new();
    add(&mut world, 1);
    for (attribute, code) in [((0x8029, &[0; 8][..]), 487), ((0x0030, &[1; 4][..]), 420)] {
        let request = check_with(&ice(1), &[attribute]);
        world.receive(path(5), &request);
        let (_, answer) = world.out.pop().unwrap();
        assert!(answer.len() <= request.len());
        let message = Stun::from_bytes(&answer).unwrap();
        assert_eq!(message.attribute::<ErrorCode>().unwrap().code(), code);
    }
    assert_eq!(validated(&world), 0);
}

#[test]
fn dtls_goes_up_from_validated_paths_and_down_on_the_current_one() {
    let mut world = World::new();
    add(&mut world, 1);
    world.command(Command::SendDatagram { leg: LegId(1), path: None, data: DTLS.into() });
    let no_path = |event: &Event| {
        matches!(event, Event::CommandFailed { error: CommandError::NoPath, command: "SendDatagram", .. })
    };
    assert!(world.events.iter().any(no_path));
    world.events.clear();
    world.receive(path(5), &check(&ice(1), false));
    world.receive(path(5), DTLS);
    world.receive(path(6), DTLS);
    let up: Vec<_> = world.events.iter().filter(|it| matches!(it, Event::Datagram { .. })).collect();
    assert!(matches!(up[..], [Event::Datagram { leg: LegId(1), data, .. }] if **data == *DTLS));
    world.out.clear();
    world.must(Command::SendDatagram { leg: LegId(1), path: None, data: DTLS.into() });
    assert_eq!(world.out, [(path(5), DTLS.to_vec())]);
    // A flood is bounded, and the leg lives on.
    for _ in 0..50 {
        world.receive_all(&vec![(path(5), DTLS.to_vec()); 100]);
    }
    let up = world.events.iter().filter(|it| matches!(it, Event::Datagram { .. })).count();
    assert!(up <= 2001 && world.dropped(DropReason::DtlsRate) >= 2999, "{up}");
}

#[test]
fn consent_runs_out_and_comes_back() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    let mut subscriber = Peer::join(&mut world, 2);
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    let send = |world: &mut World, publisher: &mut Peer, sequence| {
        let rtp = Rtp { payload_type: OPUS, ssrc: 1000, sequence, payload: vec![1; 20], ..Rtp::default() };
        publisher.send(world, &rtp);
    };
    for second in 0..60 {
        world.receive(publisher.path, &check(&ice(1), true));
        if second < 20 {
            world.receive(subscriber.path, &check(&ice(2), true));
        }
        send(&mut world, &mut publisher, second);
        world.pass(Duration::from_secs(1));
    }
    let lost: Vec<_> = world.events.iter().filter(|it| matches!(it, Event::ConsentLost { .. })).collect();
    assert!(matches!(lost[..], [Event::ConsentLost { leg: LegId(2) }]), "{lost:?}");
    // The last check came at 19 s, so what was sent at 49 s was the first that did not go.
    let got = subscriber.media(&mut world);
    assert_eq!(got.len(), 49);
    assert!(subscriber.reports(&mut world).len() < 60);
    world.out.clear();
    send(&mut world, &mut publisher, 60);
    assert!(world.out.iter().all(|(to, _)| *to != subscriber.path));
    world.receive(subscriber.path, &check(&ice(2), true));
    send(&mut world, &mut publisher, 61);
    let again = subscriber.media(&mut world);
    assert_eq!(view(&again[0]).sequence(), view(&got[48]).sequence().wrapping_add(1));
}

#[test]
fn a_leg_that_nobody_connects_to_is_told_once() {
    let mut world = World::new();
    add(&mut world, 1);
    world.pass(Duration::from_secs(29));
    assert!(world.events.is_empty());
    world.pass(Duration::from_secs(90));
    assert!(matches!(world.events[..], [Event::ConsentLost { leg: LegId(1) }]));
}

#[test]
fn a_restart_keeps_the_old_path_until_the_new_credentials_nominate() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    let mut subscriber = Peer::join(&mut world, 2);
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    let mut sequence = 0;
    let mut send = |world: &mut World| {
        sequence += 1;
        let rtp = Rtp { payload_type: OPUS, ssrc: 1000, sequence, payload: vec![1; 20], ..Rtp::default() };
        publisher.send(world, &rtp);
    };
    world.must(Command::RestartIce { leg: LegId(2), ice: ice(200) });
    world.receive(subscriber.path, &check(&ice(2), true));
    send(&mut world);
    assert_eq!(subscriber.media(&mut world).len(), 1);
    let elsewhere = path(999);
    world.receive(elsewhere, &check(&ice(200), false));
    send(&mut world);
    assert_eq!(subscriber.media(&mut world).len(), 1);
    world.receive(elsewhere, &check(&ice(200), true));
    subscriber.path = elsewhere;
    send(&mut world);
    assert_eq!(subscriber.media(&mut world).len(), 1);
    // The old credentials are void now.
    world.receive(path(2), &check(&ice(2), true));
    assert_eq!(world.dropped(DropReason::StunUnknownUser), 1);
    send(&mut world);
    assert_eq!(subscriber.media(&mut world).len(), 1);
    assert!(!world.events.iter().any(|it| matches!(it, Event::CommandFailed { .. })));
}

#[test]
fn a_later_nomination_moves_the_leg() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    let mut subscriber = Peer::join(&mut world, 2);
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    for step in 0..20u16 {
        subscriber.path = path(5000 + u32::from(step));
        world.receive(subscriber.path, &check(&ice(2), true));
        let rtp =
            Rtp { payload_type: OPUS, ssrc: 1000, sequence: step, payload: vec![1; 20], ..Rtp::default() };
        publisher.send(&mut world, &rtp);
        assert_eq!(subscriber.media(&mut world).len(), 1);
    }
    // Validated paths are bounded: from the oldest, nothing is taken any more.
    world.receive(path(2), DTLS);
    assert_eq!(world.dropped(DropReason::DtlsUnknownPath), 1);
}

#[test]
fn a_participant_cannot_take_anothers_path() {
    let mut world = World::new();
    let victim = Peer::join(&mut world, 1);
    let _ = Peer::join(&mut world, 2);
    world.receive(victim.path, &check(&ice(2), true));
    assert_eq!(world.dropped(DropReason::StunPathTaken), 1);
    assert!(world.out.is_empty());
    world.receive(victim.path, DTLS);
    assert!(matches!(world.events[..], [Event::Datagram { leg: LegId(1), .. }]));
}

#[test]
fn checks_of_one_source_are_bounded_and_others_are_not_affected() {
    let mut world = World::new();
    add(&mut world, 1);
    add(&mut world, 2);
    let flood = vec![(path(5), check(&ice(1), true)); 250];
    for _ in 0..4 {
        world.receive_all(&flood);
    }
    assert_eq!(world.out.len(), 100);
    assert_eq!(world.dropped(DropReason::StunRate), 900);
    world.out.clear();
    world.receive(path(6), &check(&ice(2), true));
    assert_eq!(world.out.len(), 1);
}

#[test]
fn commands_that_cannot_be_carried_out_say_why() {
    let mut world = World::new();
    add(&mut world, 1);
    let same_ufrag = LegConfig { leg: LegId(2), transport: Transport::Ice(ice(1)), extensions: ids() };
    let short = IceCredentials { local_pwd: "short".into(), ..ice(3) };
    let short_password = LegConfig { leg: LegId(3), transport: Transport::Ice(short), extensions: ids() };
    let twice = ExtensionIds { mid: Some(1), rid: Some(1), ..ExtensionIds::default() };
    let cases = [
        (Command::AddLeg(Box::new(same_ufrag)), CommandError::Duplicate),
        (Command::AddLeg(Box::new(short_password)), CommandError::Invalid),
        (Command::SetExtensions { leg: LegId(1), extensions: twice }, CommandError::Invalid),
        (Command::RemoveLeg { leg: LegId(8) }, CommandError::UnknownLeg),
        (Command::RemoveStream { stream: StreamId(8) }, CommandError::UnknownStream),
        (Command::RemoveSender { sender: SenderId(8) }, CommandError::UnknownSender),
        (Command::RestartIce { leg: LegId(1), ice: ice(1) }, CommandError::Duplicate),
    ];
    for (command, expected) in cases {
        world.events.clear();
        world.command(command);
        assert!(
            matches!(world.events[..], [Event::CommandFailed { error, .. }] if error == expected),
            "{:?}",
            world.events
        );
    }
}
