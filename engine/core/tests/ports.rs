//! Legs on ports of their own: where their peer is, and who is believed to be it.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{DropReason, Event, limits};
use kaname_wire::path::Path;
use kit::phone::*;
use kit::*;

const SECOND: Duration = Duration::from_secs(1);

/// A phone that is told to be at 192.0.2.1:4000, in the clear or not, and one at 192.0.2.2:4000 in the clear.
fn call(world: &mut World, secure: bool, learn: Learn) -> (Phone, Phone) {
    let remote = signalled(address("192.0.2.1:4000"), learn);
    let one = if secure { secure_leg(world, 1, remote, false) } else { plain_leg(world, 1, remote, false) };
    let two = plain_leg(world, 2, signalled(address("192.0.2.2:4000"), Learn::Never), false);
    connect(world, [&one, &two]);
    world.events.clear();
    (one, two)
}

#[test]
fn phones_that_are_where_they_said_talk_in_every_mode() {
    for secure in [false, true] {
        for learn in [Learn::Never, Learn::Window, Learn::Handover] {
            let mut world = World::new();
            let (mut one, mut two) = call(&mut world, secure, learn);
            for _ in 0..50 {
                one.speak(&mut world);
                two.speak(&mut world);
                world.pass(20 * MS);
            }
            let (at_one, at_two) = (one.media(&mut world), two.media(&mut world));
            assert_eq!((at_one.len(), at_two.len()), (50, 50), "{:?}", world.all_drops());
            assert!(at_one.iter().chain(&at_two).all(|packet| view(packet).payload() == [0x55; 160]));
            assert!(at_one.iter().all(|packet| view(packet).ssrc() == 11));
            assert_eq!(world.learned(), []);
        }
    }
}

#[test]
fn behind_a_nat_the_source_is_learned_by_its_first_authentic_packet() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, true, Learn::Window);
    two.speak(&mut world);
    assert_eq!(one.media(&mut world).len(), 1);
    one.at = address("198.51.100.1:61000");
    // However late: what proves itself needs no window.
    world.pass(60 * SECOND);
    // A stranger's attempts move nothing.
    for port in 1..100 {
        let mut forged = one.speech();
        forged[30] ^= 1;
        world.receive(Path::udp(one.ports.0, ([203, 0, 113, 9], port).into()), &forged);
    }
    assert_eq!((world.learned(), world.dropped(DropReason::BadTag)), (vec![], 99));
    one.speak(&mut world);
    assert_eq!(world.learned(), [one.path()]);
    two.media(&mut world);
    two.speak(&mut world);
    assert_eq!(one.media(&mut world).len(), 1);
}

#[test]
fn behind_a_nat_in_the_clear_the_source_is_learned_by_a_few_packets_in_a_row() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    one.at = address("198.51.100.1:61000");
    one.talk(&mut world, usize::from(limits::LEARN_PACKETS) - 1);
    assert_eq!((two.media(&mut world).len(), world.learned()), (0, vec![]));
    one.talk(&mut world, 10);
    assert_eq!((two.media(&mut world).len(), world.learned()), (10, vec![one.path()]));
    two.speak(&mut world);
    assert_eq!(one.media(&mut world).len(), 1);
}

#[test]
fn the_window_ends() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    one.at = address("198.51.100.1:61000");
    world.pass(limits::LEARN_WINDOW);
    one.talk(&mut world, 100);
    assert_eq!((two.media(&mut world).len(), world.learned()), (0, vec![]));
    assert_eq!(world.dropped(DropReason::ForeignSource), 100);
    // An answer opens it again.
    world.must(Command::SetRemote {
        leg: one.leg,
        remote: signalled(address("192.0.2.1:4000"), Learn::Window),
    });
    one.talk(&mut world, 10);
    assert_eq!(world.learned(), [one.path()]);
}

#[test]
fn packets_that_do_not_belong_together_are_not_learned_from() {
    let mut world = World::new();
    let (mut one, _) = call(&mut world, false, Learn::Window);
    one.at = address("198.51.100.1:61000");
    for step in 0..40u32 {
        match step % 2 {
            0 => one.ssrc += 1,
            _ => one.sequence = one.sequence.wrapping_add(5),
        }
        one.speak(&mut world);
    }
    // Nor from another family.
    one.at = address("[2001:db8::7]:61000");
    (0..20).for_each(|_| one.speak(&mut world));
    assert_eq!(world.learned(), []);
    assert_eq!(world.dropped(DropReason::SourceNotLearned), 40);
    assert_eq!(world.dropped(DropReason::ForeignSource), 20);
}

#[test]
fn the_signalled_address_always_wins() {
    for secure in [false, true] {
        let mut world = World::new();
        let (mut one, mut two) = call(&mut world, secure, Learn::Window);
        let here = one.at;
        one.at = address("198.51.100.1:61000");
        one.talk(&mut world, 20);
        assert_eq!(world.learned().len(), 1);
        one.at = here;
        one.talk(&mut world, 1);
        assert_eq!(world.learned().last(), Some(&one.path()));
        // And it stays there.
        one.at = address("198.51.100.1:61000");
        two.media(&mut world);
        one.talk(&mut world, 100);
        assert_eq!((two.media(&mut world).len(), world.learned().len()), (0, 2));
        assert_eq!(world.dropped(DropReason::ForeignSource), 100);
    }
}

/// Whoever was first within the window at the port of a silent peer loses it to the peer's first packet, however much it
/// sends and whatever it calls itself.
#[test]
fn an_impostor_in_the_clear_gives_way_to_the_signalled_address() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    let mut impostor = Phone { at: address("203.0.113.9:9000"), ssrc: 666, ..call_copy(&one) };
    impostor.talk(&mut world, 20);
    assert_eq!(world.learned(), [impostor.path()]);
    two.media(&mut world);
    for _ in 0..20 {
        impostor.speak(&mut world);
        one.speak(&mut world);
        impostor.speak(&mut world);
        two.speak(&mut world);
        world.pass(20 * MS);
    }
    assert_eq!(world.learned(), [impostor.path(), one.path()]);
    // One of the impostor's ahead of it, and the packets by which another SSRC takes over.
    assert_eq!(two.media(&mut world).len(), 20 + 1 - (usize::from(limits::SSRC_PACKETS) - 1));
    assert_eq!((one.media(&mut world).len(), impostor.media(&mut world).len()), (20, 0));
}

/// An authentic peer that is in two places at once is followed a few times a second.
#[test]
fn moves_are_bounded() {
    let mut world = World::new();
    let (mut one, _) = call(&mut world, true, Learn::Handover);
    let places = [1, 2, 3].map(|number| ([198, 51, 100, number], 61_000).into());
    for step in 0..500 {
        one.at = places[step % 3];
        one.speak(&mut world);
        world.now = world.now + 2 * MS;
    }
    assert!((5..=11).contains(&world.learned().len()), "{}", world.learned().len());
}

#[test]
fn a_third_address_is_never_heard_and_nothing_is_reflected_to_it() {
    for secure in [false, true] {
        for learn in [Learn::Never, Learn::Window, Learn::Handover] {
            let mut world = World::new();
            let (mut one, mut two) = call(&mut world, secure, learn);
            one.talk(&mut world, 10);
            two.media(&mut world);
            world.out.clear();
            // Consistent, and plausible but for its source; in the clear it even knows the SSRC.
            let mut stranger = Phone { at: address("203.0.113.9:9000"), keys: None, ..call_copy(&one) };
            for _ in 0..200 {
                one.speak(&mut world);
                stranger.sequence = one.sequence;
                stranger.speak(&mut world);
                world.receive(stranger.path(), &check(&ice(1), true));
                stranger.send_rtcp(&mut world, |out| {
                    kaname_wire::rtcp::write::bye(out, &[one.ssrc], "").unwrap()
                });
                two.speak(&mut world);
                world.pass(20 * MS);
            }
            assert!(world.out.iter().all(|(to, _)| to.remote != stranger.at));
            let heard = (one.media(&mut world).len(), two.media(&mut world).len(), world.learned());
            assert_eq!(heard, (200, 200, vec![]), "{secure} {learn:?} {:?}", world.all_drops());
            let tries = world.dropped(DropReason::ForeignSource)
                + world.dropped(DropReason::SrtpMalformed)
                + world.dropped(DropReason::BadTag)
                + world.dropped(DropReason::Replayed)
                + world.dropped(DropReason::RtcpBadTag)
                + world.dropped(DropReason::RtcpMalformed);
            assert_eq!(tries, 400, "{:?}", world.all_drops());
            assert_eq!(world.dropped(DropReason::StunUnknownUser), 200);
        }
    }
}

/// A phone with the same numbers.
fn call_copy(of: &Phone) -> Phone {
    Phone {
        leg: of.leg,
        at: of.at,
        rtcp_at: address("203.0.113.9:9000"),
        ports: of.ports,
        keys: None,
        ssrc: of.ssrc,
        sequence: of.sequence,
        timestamp: of.timestamp,
    }
}

#[test]
fn a_handover_is_followed_in_the_clear_after_a_silence_with_the_same_ssrc() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Handover);
    one.talk(&mut world, 600);
    one.at = address("198.51.100.1:61000");
    two.media(&mut world);
    one.talk(&mut world, 99);
    assert_eq!(two.media(&mut world).len(), 0, "within the silence");
    one.ssrc += 1;
    one.talk(&mut world, 50);
    assert_eq!((two.media(&mut world).len(), world.learned()), (0, vec![]), "another SSRC");
    one.ssrc -= 1;
    one.talk(&mut world, 50);
    assert_eq!(world.learned(), [one.path()]);
    assert_eq!(two.media(&mut world).len(), 51 - usize::from(limits::LEARN_PACKETS));
}

#[test]
fn a_handover_under_srtp_is_followed_at_once_and_late_packets_do_not_move_it_back() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, true, Learn::Handover);
    one.talk(&mut world, 1000);
    let late = (one.path(), one.speech());
    one.at = address("198.51.100.1:61000");
    one.speak(&mut world);
    assert_eq!(world.learned(), [one.path()]);
    world.receive(late.0, &late.1);
    assert_eq!(world.learned().len(), 1);
    assert_eq!(two.media(&mut world).len(), 1002);
    two.speak(&mut world);
    assert_eq!(one.media(&mut world).len(), 1);
    // Neither does a copy of an authentic packet from elsewhere.
    world.pass(SECOND);
    let packet = one.speech();
    world.receive(one.path(), &packet);
    world.receive(Path::udp(one.ports.0, address("203.0.113.9:9")), &packet);
    assert_eq!((world.learned().len(), world.dropped(DropReason::Replayed)), (1, 1));
}

#[test]
fn nothing_is_sent_until_the_peer_is_known() {
    let mut world = World::new();
    let remote = Remote { rtp: None, rtcp: None, learn: Learn::Window };
    let mut one = plain_leg(&mut world, 1, remote, false);
    let mut two = plain_leg(&mut world, 2, signalled(address("192.0.2.2:4000"), Learn::Never), false);
    connect(&mut world, [&one, &two]);
    two.talk(&mut world, 10);
    assert!(world.out.iter().all(|(to, _)| to.local == two.ports.0));
    one.talk(&mut world, 10);
    two.talk(&mut world, 10);
    assert_eq!((one.media(&mut world).len(), world.learned()), (10, vec![one.path()]));
}

#[test]
fn hold_stops_sending_and_roll_over_survives_it() {
    for secure in [false, true] {
        let mut world = World::new();
        let (mut one, mut two) = call(&mut world, secure, Learn::Window);
        let nat = address("198.51.100.1:61000");
        one.at = nat;
        one.sequence = 65_500;
        one.talk(&mut world, 30);
        let before = two.media(&mut world);
        // Past the wrap of our numbers too, whatever they began with.
        let mut last = 0;
        for _ in 0..66_000 {
            two.speak(&mut world);
            world.now = world.now + MS;
            last = view(&one.media(&mut world)[0]).sequence();
        }
        let nobody = Remote { rtp: Some(address("0.0.0.0:4000")), rtcp: None, learn: Learn::Never };
        world.must(Command::SetRemote { leg: one.leg, remote: nobody });
        world.out.clear();
        two.talk(&mut world, 100);
        one.talk(&mut world, 100);
        assert!(world.out.iter().all(|(to, _)| to.local == two.ports.0), "silent on hold");
        assert_eq!(two.media(&mut world).len(), 0);
        let back = signalled(address("192.0.2.1:4000"), Learn::Window);
        world.must(Command::SetRemote { leg: one.leg, remote: back });
        // Where it was before, at once, and under the numbers that follow.
        two.speak(&mut world);
        let got = one.media(&mut world);
        assert_eq!(sequences(&got), [last.wrapping_add(1)]);
        one.talk(&mut world, 10);
        let after = two.media(&mut world);
        assert_eq!((before.len() >= 26, after.len()), (true, 10), "{:?}", world.all_drops());
    }
}

#[test]
fn a_new_offer_moves_at_once_and_the_old_place_counts_for_nothing() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    let old = one.at;
    one.talk(&mut world, 10);
    two.talk(&mut world, 10);
    let numbers = sequences(&one.media(&mut world));
    two.media(&mut world);
    let new = address("192.0.2.77:5000");
    world.must(Command::SetRemote { leg: one.leg, remote: signalled(new, Learn::Window) });
    one.talk(&mut world, 20);
    assert_eq!((two.media(&mut world).len(), world.learned()), (0, vec![]));
    assert_eq!(one.at, old);
    one.at = new;
    two.speak(&mut world);
    assert_eq!(sequences(&one.media(&mut world)), [numbers[9].wrapping_add(1)]);
    one.speak(&mut world);
    assert_eq!(two.media(&mut world).len(), 1);
}

#[test]
fn under_srtp_a_peer_that_stays_where_it_was_is_soon_found_again() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, true, Learn::Window);
    one.at = address("198.51.100.1:61000");
    one.talk(&mut world, 10);
    two.media(&mut world);
    // Behind a NAT: another address is signalled, and its packets come from the same.
    let new = address("192.0.2.77:5000");
    world.must(Command::SetRemote { leg: one.leg, remote: signalled(new, Learn::Window) });
    one.talk(&mut world, 50);
    assert_eq!((two.media(&mut world).len(), world.learned().len()), (40, 2));
}

#[test]
fn the_same_address_again_keeps_what_was_learned() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    let said = one.at;
    one.at = address("198.51.100.1:61000");
    one.talk(&mut world, 10);
    two.media(&mut world);
    world.must(Command::SetRemote { leg: one.leg, remote: signalled(said, Learn::Window) });
    let mut stranger = Phone { at: address("203.0.113.9:9"), ..call_copy(&one) };
    for _ in 0..50 {
        one.talk(&mut world, 1);
        stranger.talk(&mut world, 1);
    }
    assert_eq!((two.media(&mut world).len(), world.learned().len()), (50, 1));
}

#[test]
fn silence_is_told_and_nothing_expires() {
    let mut world = World::new();
    let (mut one, mut two) = call(&mut world, false, Learn::Window);
    assert_eq!(world.stats(one.leg).silence, None);
    one.talk(&mut world, 10);
    world.pass(3600 * SECOND);
    assert_eq!(world.stats(one.leg).silence, Some(3600 * SECOND + 20 * MS));
    assert!(!world.events.iter().any(|event| matches!(event, Event::ConsentLost { .. })));
    two.speak(&mut world);
    assert_eq!(one.media(&mut world).len(), 1);
}
