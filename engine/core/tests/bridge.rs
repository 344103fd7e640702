//! Legs that carry no RTP (UDPTL of faxes): bytes go from peer to peer as they are, and nothing of anybody else's.

mod kit;

use std::time::Duration;

use kaname_core::DropReason;
use kaname_core::command::*;
use kaname_core::event::CommandError;
use kaname_wire::path::Path;
use kit::phone::*;
use kit::*;

/// Two fax machines, bridged both ways.
fn call(world: &mut World, learn: Learn) -> (Phone, Phone) {
    let at = |number| signalled(([192, 0, 2, number], 4000).into(), learn);
    let (one, two) = (plain_leg(world, 1, at(1), false), plain_leg(world, 2, at(2), false));
    world.must(Command::Bridge { leg: one.leg, to: Some(two.leg) });
    world.must(Command::Bridge { leg: two.leg, to: Some(one.leg) });
    (one, two)
}

/// UDPTL with this sequence number; its bytes may look like anything.
fn udptl(sequence: u16, rest: &[u8]) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], rest].concat()
}

#[test]
fn bytes_pass_as_they_are_whatever_they_look_like() {
    let mut world = World::new();
    let (one, two) = call(&mut world, Learn::Window);
    // First bytes of STUN, DTLS, TURN, RTP, RTCP and of nothing (RFC 7983).
    for (at, first) in [0x00, 0x16, 0x48, 0x80, 0xc8, 0xff].into_iter().enumerate() {
        let bytes = udptl(u16::from_be_bytes([first, at as u8]), &[1, 2, 3, 0x21, 0x12, 0xa4, 0x42, 0]);
        world.receive(one.path(), &bytes);
        assert_eq!(world.out.drain(..).collect::<Vec<_>>(), [(two.path(), bytes.clone())]);
        world.receive(two.path(), &bytes);
        assert_eq!(world.out.drain(..).collect::<Vec<_>>(), [(one.path(), bytes)]);
    }
    assert_eq!(world.all_drops(), []);
    let stats = world.stats(one.leg);
    assert_eq!((stats.packets_in, stats.packets_out, stats.bytes_in), (6, 6, 60));
    // Nothing else is ever sent to a fax machine: no reports, no farewell.
    world.pass(Duration::from_secs(20));
    world.must(Command::RemoveLeg { leg: one.leg });
    assert_eq!(world.out, []);
    world.receive(two.path(), &udptl(9, &[1, 2]));
    assert_eq!((world.out.len(), world.dropped(DropReason::NoRoute)), (0, 1));
}

#[test]
fn strangers_are_neither_heard_nor_sent_to() {
    for learn in [Learn::Never, Learn::Window, Learn::Handover] {
        let mut world = World::new();
        let (one, two) = call(&mut world, learn);
        world.receive(one.path(), &udptl(1, &[7; 20]));
        world.receive(two.path(), &udptl(1, &[7; 20]));
        world.out.clear();
        for number in 0..200u16 {
            let from = ([203, 0, 113, number as u8], 1000 + number).into();
            world.receive(Path::udp(one.ports.0, from), &udptl(number, &[9; 20]));
            world.receive(Path::udp(one.ports.0, ([203, 0, 113, 1], 900).into()), &udptl(number, &[9; 20]));
        }
        assert_eq!((world.out.len(), world.learned()), (0, vec![]), "{learn:?}");
        world.receive(two.path(), &udptl(2, &[7; 20]));
        assert_eq!(world.out.drain(..).collect::<Vec<_>>(), [(one.path(), udptl(2, &[7; 20]))], "{learn:?}");
    }
}

#[test]
fn one_behind_address_translation_is_learned_by_its_numbers() {
    let mut world = World::new();
    let (one, two) = call(&mut world, Learn::Window);
    let behind = Path::udp(one.ports.0, ([198, 51, 100, 1], 6000).into());
    for sequence in [5, 9, 20, 21, 22] {
        world.receive(behind, &udptl(sequence, &[1; 9]));
        assert_eq!(world.out, [], "{sequence}: not four in a row");
    }
    world.receive(behind, &udptl(23, &[1; 9]));
    assert_eq!(world.out.drain(..).collect::<Vec<_>>(), [(two.path(), udptl(23, &[1; 9]))]);
    assert_eq!(world.learned(), [behind]);
    world.receive(two.path(), &udptl(1, &[1; 9]));
    assert_eq!(world.out.drain(..).collect::<Vec<_>>(), [(behind, udptl(1, &[1; 9]))]);
}

#[test]
fn only_legs_in_the_clear_without_streams_are_bridged() {
    let mut world = World::new();
    let at = |number| signalled(([192, 0, 2, number], 4000).into(), Learn::Window);
    let (plain, secure) = (plain_leg(&mut world, 1, at(1), false), secure_leg(&mut world, 2, at(2), false));
    let voice = plain_leg(&mut world, 3, at(3), true);
    let add = |leg| Command::AddStream { leg, stream: StreamId(1), config: Box::new(speech_stream()) };
    world.must(add(voice.leg));
    for (leg, to, error) in [
        (plain.leg, Some(plain.leg), CommandError::Invalid),
        (plain.leg, Some(LegId(99)), CommandError::UnknownLeg),
        (voice.leg, Some(plain.leg), CommandError::Invalid),
        (LegId(99), None, CommandError::UnknownLeg),
    ] {
        world.command(Command::Bridge { leg, to });
        let failed = world.events.drain(..).collect::<Vec<_>>();
        assert!(format!("{failed:?}").contains(&format!("{error:?}")), "{failed:?}");
    }
    world.must(Command::Bridge { leg: plain.leg, to: Some(secure.leg) });
    world.command(add(plain.leg));
    assert_eq!(world.events.drain(..).count(), 1, "a leg that carries no RTP has no streams");
    world.receive(plain.path(), &udptl(1, &[1; 9]));
    world.must(Command::Bridge { leg: secure.leg, to: Some(plain.leg) });
    world.receive(secure.path(), &udptl(1, &[1; 9]));
    assert_eq!(world.out, [], "nothing in the clear from or to a leg under SRTP");
    assert_eq!((world.dropped(DropReason::LegNotReady), world.dropped(DropReason::NoKeys)), (1, 1));
    world.receive(plain.path(), &[1, 2]);
    world.receive(plain.path(), &vec![1; 1_600]);
    assert_eq!((world.dropped(DropReason::TooShort), world.dropped(DropReason::TooLong)), (1, 1));
    // Once it is gone its port means nothing.
    world.must(Command::RemoveLeg { leg: plain.leg });
    world.receive(plain.path(), &udptl(2, &[1; 9]));
    assert_eq!(world.out, []);
}
