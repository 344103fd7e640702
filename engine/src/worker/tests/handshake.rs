//! DTLS: both versions, fragments, loss, forgery, refusal, limits.

use kaname_core::command::LegId;

use super::peer::{VERSIONS, Version};
use super::*;
use crate::limits::{FLIGHT_TIME, HANDSHAKE_BYTES, HANDSHAKE_TIME, MAX_ATTEMPTS, MAX_HALF_OPEN};
use crate::{Fingerprint, HashAlgorithm};

/// A browser's, and one that spreads a ClientHello over several datagrams.
const MTUS: [usize; 2] = [1400, SPREAD];

/// A ClientHello of dimpl does not fit.
const SPREAD: usize = 90;

pub(super) fn set_keys(commands: &[Command]) -> Option<(&kaname_srtp::Keying, &kaname_srtp::Keying)> {
    commands.iter().find_map(|command| match command {
        Command::SetKeys { leg, inbound, outbound } if *leg == KEY.leg => Some((&**inbound, &**outbound)),
        _ => None,
    })
}

/// Both sides have the same keys, each the right way round.
pub(super) fn assert_agree(peer: &Peer, commands: &[Command]) {
    let (inbound, outbound) = set_keys(commands).expect("keys");
    let (material, _) = peer.keys.as_ref().expect("keys");
    let (key, salt) = (inbound.profile().key_len(), inbound.profile().salt_len());
    assert_eq!(material.len(), 2 * (key + salt));
    assert_eq!(inbound.key(), &material[..key], "the client's");
    assert_eq!(outbound.key(), &material[key..2 * key], "the server's");
    assert_eq!(inbound.salt(), &material[2 * key..2 * key + salt]);
    assert_eq!(outbound.salt(), &material[2 * key + salt..]);
}

pub(super) fn secured(events: &[EngineEvent]) -> Option<&'static str> {
    events.iter().find_map(|event| match event {
        EngineEvent::Secured { leg, dtls, .. } if *leg == KEY.leg => Some(*dtls),
        _ => None,
    })
}

pub(super) fn failure(events: &[EngineEvent]) -> Option<SecureError> {
    events.iter().find_map(|event| match event {
        EngineEvent::SecureFailed { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// A peer whose handshake is done.
fn connected(bench: &mut Bench) -> Peer {
    let mut peer = Peer::new(Version::Auto, 1400, bench.now);
    bench.secure(KEY, peer.params());
    let commands = bench.converse(KEY, &mut peer, || false);
    assert_agree(&peer, &commands);
    bench.events();
    peer
}

#[test]
fn both_versions_agree_on_keys_whether_or_not_the_hello_is_fragmented() {
    for version in VERSIONS {
        for mtu in MTUS {
            for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
                let mut bench = Bench::new();
                let mut peer = Peer::new(version, mtu, bench.now);
                let remote_fingerprint = peer.fingerprint(algorithm);
                bench.secure(KEY, DtlsParams { remote_fingerprint, ..peer.params() });
                let commands = bench.converse(KEY, &mut peer, || false);
                assert_agree(&peer, &commands);
                assert_eq!(secured(&bench.events()), Some(version.agreed()), "{version:?} {mtu}");
                assert_eq!((bench.counter("dtls_started"), bench.counter("dtls_secured")), (1, 1));
                assert_eq!(bench.worker.half_open, 0);
            }
        }
    }
}

#[test]
fn a_hello_over_several_datagrams_may_come_in_any_order_and_twice() {
    // Asked for both versions, dimpl sends its hello in one.
    for version in [Version::V12, Version::V13, Version::AnyV12] {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, SPREAD, bench.now);
        bench.secure(KEY, peer.params());
        let hello = peer.transmits(bench.now);
        assert!(hello.len() >= 2, "{version:?}: {}", hello.len());
        for datagram in hello.iter().rev().chain(hello.iter().rev()) {
            bench.deliver(KEY, datagram);
        }
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
        assert_eq!(bench.counter("dtls_restarted"), 0, "repetitions are not another's hello");
    }
}

#[test]
fn losses_are_repaired_by_repetition() {
    // Every pattern in which up to three of the first eight datagrams are lost, in either direction.
    for version in [Version::V12, Version::V13, Version::AnyV12] {
        for pattern in (0_u32..256).filter(|pattern| pattern.count_ones() <= 3) {
            let mut bench = Bench::new();
            let mut peer = Peer::new(version, 1400, bench.now);
            bench.secure(KEY, peer.params());
            let mut at = 0;
            let mut lose = || {
                at += 1;
                at <= 8 && pattern & (1 << (at - 1)) != 0
            };
            let mut commands = Vec::new();
            for _ in 0..70 {
                commands.extend(bench.converse(KEY, &mut peer, &mut lose));
                bench.advance(FLIGHT_TIME);
            }
            assert!(peer.connected, "{version:?} {pattern:b}");
            assert_agree(&peer, &commands);
        }
    }
}

#[test]
fn another_certificate_gets_no_keys() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, 1400, bench.now);
        let mut bytes =
            *peer.fingerprint(HashAlgorithm::Sha256).bytes().first_chunk::<32>().expect("32 bytes");
        bytes[31] ^= 1;
        let other = Fingerprint::new(HashAlgorithm::Sha256, &bytes).expect("32 bytes");
        bench.secure(KEY, DtlsParams { remote_fingerprint: other, ..peer.params() });
        let commands = bench.converse(KEY, &mut peer, || false);
        assert!(set_keys(&commands).is_none());
        let events = bench.events();
        assert_eq!(failure(&events), Some(SecureError::Fingerprint), "{version:?}");
        assert_eq!(secured(&events), None);
        // And later neither: not by repetition, not by waiting, not by a new hello.
        let mut again = Peer::new(version, 1400, bench.now);
        for _ in 0..100 {
            assert!(bench.converse(KEY, &mut again, || false).is_empty());
            assert!(bench.converse(KEY, &mut peer, || false).is_empty());
            bench.advance(FLIGHT_TIME);
        }
        assert!(bench.events().is_empty());
        assert_eq!(bench.worker.half_open, 0);
        // A new description may name the certificate that is.
        bench.secure(KEY, again.params());
        let mut third = again;
        let commands = bench.converse(KEY, &mut third, || false);
        assert!(set_keys(&commands).is_none(), "its handshake was begun with the other");
    }
}

#[test]
fn a_hello_ahead_of_the_description_is_dropped_and_its_repetition_answered() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V13, SPREAD, bench.now);
    assert!(bench.converse(KEY, &mut peer, || false).is_empty());
    assert!(bench.counter("dtls_dropped_unknown_leg") >= 2);
    assert!(bench.worker.sessions.is_empty(), "no state for whom nobody announced");
    bench.secure(KEY, peer.params());
    bench.now = peer.deadline.expect("it repeats");
    let commands = bench.converse(KEY, &mut peer, || false);
    assert_agree(&peer, &commands);
}

#[test]
fn a_forged_hello_keeps_nobody_out() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, 1400, bench.now);
        bench.secure(KEY, peer.params());
        let mut forger = Peer::new(version, 1400, bench.now);
        for datagram in forger.transmits(bench.now) {
            bench.deliver(KEY, &datagram);
        }
        // The answers go to the peer, which knows nothing of it.
        let _ = bench.commands();
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
        assert_eq!(bench.counter("dtls_restarted"), 1);
        // Afterwards a forged one changes nothing at all.
        let mut late = Peer::new(version, 1400, bench.now);
        assert!(bench.converse(KEY, &mut late, || false).is_empty());
        peer.close();
        bench.converse(KEY, &mut peer, || false);
        assert!(bench.events().iter().any(|e| matches!(e, EngineEvent::LegClosed { .. })));
    }
}

#[test]
fn garbage_between_the_flights_does_no_harm() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, SPREAD, bench.now);
        bench.secure(KEY, peer.params());
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let mut commands = Vec::new();
        for datagram in peer.transmits(bench.now) {
            for kind in [20, 21, 22, 23, 25, 26, 63] {
                let mut garbage: Vec<u8> = (0..60).map(|_| random()).collect();
                garbage[0] = kind;
                // Of an epoch that is not begun: what is in the clear and well-formed could be an alert.
                garbage[3..5].copy_from_slice(&[0, 9]);
                bench.deliver(KEY, &garbage);
            }
            bench.deliver(KEY, &datagram);
        }
        commands.extend(bench.converse(KEY, &mut peer, || false));
        assert_agree(&peer, &commands);
    }
}

#[test]
fn a_forged_alert_costs_an_attempt_and_not_the_leg() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, 1400, bench.now);
        bench.secure(KEY, peer.params());
        for datagram in peer.transmits(bench.now) {
            bench.deliver(KEY, &datagram);
        }
        // Our flight is lost, and a fatal alert in the clear comes: handshake_failure.
        let _ = bench.commands();
        bench.deliver(KEY, &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
        let mut commands = Vec::new();
        for _ in 0..20 {
            commands.extend(bench.converse(KEY, &mut peer, || false));
            bench.advance(FLIGHT_TIME);
        }
        assert_agree(&peer, &commands);
    }
}

#[test]
fn an_unfinished_handshake_is_bounded_in_bytes_and_in_number() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V13, SPREAD, bench.now);
    bench.secure(KEY, peer.params());
    let hello = peer.transmits(bench.now);
    // The first fragment for ever, never the rest.
    let rounds = HANDSHAKE_BYTES / hello[0].len() + 1;
    for _ in 0..rounds * (MAX_ATTEMPTS as usize + 5) {
        bench.deliver(KEY, &hello[0]);
    }
    assert_eq!(bench.counter("dtls_started"), u64::from(MAX_ATTEMPTS));
    assert!(bench.counter("dtls_dropped_attempts") > 0);
    bench.advance(HANDSHAKE_TIME);
    assert_eq!(failure(&bench.events()), Some(SecureError::Handshake));
    assert_eq!(bench.worker.half_open, 0);
}

#[test]
fn large_fragments_are_not_collected_beyond_the_bound() {
    const PIECE: usize = 1400;
    let mut bench = Bench::new();
    bench.secure(KEY, Peer::new(Version::V13, 1400, bench.now).params());
    let fragment = |number: usize| {
        // Of a hello of 60,000 bytes, none twice.
        let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, number as u8];
        datagram.extend(((PIECE + 12) as u16).to_be_bytes());
        datagram.extend([1, 0, 0xea, 0x60, 0, 0]);
        datagram.extend(&((number * PIECE) as u32).to_be_bytes()[1..]);
        datagram.extend(&(PIECE as u32).to_be_bytes()[1..]);
        datagram.extend(vec![7; PIECE]);
        datagram
    };
    let fitting = HANDSHAKE_BYTES / fragment(0).len();
    for number in 0..fitting {
        bench.deliver(KEY, &fragment(number));
    }
    assert_eq!(bench.worker.half_open, 1, "nothing else ended it");
    bench.deliver(KEY, &fragment(fitting));
    assert_eq!(bench.worker.half_open, 0);
}

#[test]
fn what_never_ends_is_ended() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V13, 1400, bench.now);
    bench.secure(KEY, peer.params());
    for datagram in peer.transmits(bench.now) {
        bench.deliver(KEY, &datagram);
    }
    assert_eq!(bench.worker.half_open, 1);
    for _ in 0..200 {
        let _ = bench.commands();
        bench.advance(HANDSHAKE_TIME / 100);
    }
    assert!(failure(&bench.events()).is_some());
    assert_eq!(bench.worker.half_open, 0);
    assert!(bench.worker.timers.is_empty());
}

#[test]
fn half_open_handshakes_are_bounded_and_room_comes_back() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V13, SPREAD, bench.now);
    let hello = peer.transmits(bench.now);
    let key = |leg| LegKey { leg: LegId(leg), ..KEY };
    for leg in 0..MAX_HALF_OPEN as u32 + 3 {
        bench.secure(key(leg), peer.params());
        bench.deliver(key(leg), &hello[0]);
    }
    assert_eq!(bench.worker.half_open, MAX_HALF_OPEN);
    assert_eq!(bench.counter("dtls_dropped_half_open"), 3);
    bench.port().order(Order::Forget(key(5))).expect("room");
    bench.deliver(key(MAX_HALF_OPEN as u32), &hello[0]);
    assert_eq!(bench.worker.half_open, MAX_HALF_OPEN);
    bench.port().order(Order::ForgetShard(KEY.shard)).expect("room");
    bench.run();
    assert_eq!((bench.worker.half_open, bench.worker.sessions.len()), (0, 0));
    assert!(bench.worker.timers.is_empty());
}

#[test]
fn goodbye_is_said_and_heard() {
    let mut bench = Bench::new();
    let mut peer = connected(&mut bench);
    peer.close();
    bench.converse(KEY, &mut peer, || false);
    let events = bench.events();
    assert!(matches!(events[..], [EngineEvent::LegClosed { leg }] if leg == KEY.leg), "{events:?}");

    let mut bench = Bench::new();
    let mut peer = connected(&mut bench);
    bench.port().order(Order::Close(KEY)).expect("room");
    bench.run();
    let commands = bench.converse(KEY, &mut peer, || false);
    assert!(peer.closed);
    assert!(matches!(commands[..], [Command::RemoveLeg { leg }] if leg == KEY.leg), "after the goodbye");
    assert!(bench.worker.sessions.is_empty());
}

#[test]
fn the_same_fingerprint_again_leaves_the_keys() {
    let mut bench = Bench::new();
    let mut peer = connected(&mut bench);
    bench.secure(KEY, DtlsParams { max_message_size: 1, ..peer.params() });
    peer.close();
    bench.converse(KEY, &mut peer, || false);
    assert!(bench.events().iter().any(|e| matches!(e, EngineEvent::LegClosed { .. })), "it was still there");
}

#[test]
fn a_fault_while_handling_one_leg_ends_that_leg_only() {
    let mut bench = Bench::with_sink(|event| {
        if matches!(event, EngineEvent::Secured { leg: LegId(1), .. }) {
            panic!("on purpose");
        }
    });
    let key = |leg| LegKey { leg: LegId(leg), ..KEY };
    let mut faulty = Peer::new(Version::V13, 1400, bench.now);
    bench.secure(key(1), faulty.params());
    bench.converse(key(1), &mut faulty, || false);
    assert_eq!(failure(&bench.events()), Some(SecureError::Internal));
    assert_eq!(bench.counter("dtls_faults"), 1);
    assert_eq!((bench.worker.half_open, bench.worker.timers.len()), (0, 0));
    connected(&mut bench);
}

#[test]
fn keys_wait_for_a_full_queue_and_are_not_lost() {
    let mut bench = Bench::new();
    let mut peer = Peer::new(Version::V12, 1400, bench.now);
    bench.secure(KEY, peer.params());
    // Up to the last flight, one datagram each way; then the shard's queue is full.
    while !peer.connected {
        let flight = peer.transmits(bench.now);
        assert!(!flight.is_empty(), "the handshake goes on");
        let key = || kaname_srtp::Keying::new(kaname_srtp::Profile::AeadAes128Gcm, &[0; 16], &[0; 12]);
        let half = || Box::new(key().expect("lengths"));
        let other = LegId(KEY.leg.0 + 1);
        let filler = || Command::SetKeys { leg: other, inbound: half(), outbound: half() };
        let last = bench.worker.sessions[&KEY].is_half_open();
        while last && bench.shard().push_lane(filler()).is_ok() {}
        flight.iter().for_each(|datagram| bench.deliver(KEY, datagram));
        if bench.counter("dtls_secured") == 1 {
            break;
        }
        let ours = bench.commands();
        for command in ours {
            if let Command::SendDatagram { data, .. } = command {
                peer.datagram(&data, bench.now);
            }
        }
        bench.now = peer.deadline.map_or(bench.now, |at| at.max(bench.now));
    }
    assert_eq!(bench.worker.kept.len(), 1);
    assert!(set_keys(&bench.commands()).is_none());
    bench.run();
    assert!(set_keys(&bench.commands()).is_some());
}
