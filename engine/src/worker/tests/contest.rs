//! Handshakes that others try to take part in: of legs on ports of their own, and of those where we begin.

use kaname_core::command::{Learn, Remote};

use super::handshake::{assert_agree, failure, secured};
use super::peer::{LIBRARIES, VERSIONS, Version};
use super::*;
use crate::DtlsPeer;
use crate::limits::{
    FLIGHT_TIME, HANDSHAKE_TIME, LINGER_TIME, MAX_UNPROVEN_KNOWN, MAX_UNPROVEN_STRANGERS, PROOF_TIME, PROOFS,
    REFUSED_TIME,
};

/// The leg's peer is said to be at `path(1)`.
pub(super) fn signalled(learn: Learn) -> DtlsPeer {
    DtlsPeer::Signalled {
        local: FIRST_PORT,
        rtcp: None,
        remote: Remote { rtp: Some(path(1).remote), rtcp: None, learn },
    }
}

pub(super) fn passive(peer: &Peer) -> DtlsParams {
    DtlsParams { peer: signalled(Learn::Window), data_channels: false, ..peer.params() }
}

/// A peer and a worker that waits for it.
pub(super) fn awaited(version: Version) -> (Bench, Peer) {
    let mut bench = Bench::new();
    let peer = Peer::new(version, 1400, bench.now);
    bench.secure(KEY, passive(&peer));
    (bench, peer)
}

/// The first flight of somebody, each time another.
pub(super) fn hello(bench: &Bench, version: Version) -> Vec<u8> {
    Peer::new(version, 1400, bench.now).transmits(bench.now).concat()
}

/// A path that no one else has.
pub(super) fn stranger(number: u32) -> Path {
    let [_, a, b, c] = number.to_be_bytes();
    Path::udp(FIRST_PORT, ([10, a, b, c], 5004).into())
}

/// Bytes that went to a path.
fn answered(commands: &[Command], to: Path) -> usize {
    let bytes = |command: &Command| match command {
        Command::SendDatagram { path, data, .. } if *path == Some(to) => data.len(),
        _ => 0,
    };
    commands.iter().map(bytes).sum()
}

pub(super) fn moved(commands: &[Command]) -> Option<Remote> {
    commands.iter().find_map(|command| match command {
        Command::SetRemote { leg, remote } if *leg == KEY.leg => Some(*remote),
        _ => None,
    })
}

pub(super) fn open(bench: &Bench) -> (usize, usize) {
    (bench.worker.half_open, bench.worker.unproven)
}

#[test]
fn the_signalled_peer_gets_keys_after_it_has_proved_itself() {
    for version in VERSIONS {
        for mtu in [1400, 90] {
            let mut bench = Bench::new();
            let mut peer = Peer::new(version, mtu, bench.now);
            bench.secure(KEY, passive(&peer));
            let first = peer.transmits(bench.now);
            first.iter().for_each(|datagram| bench.deliver(KEY, datagram));
            assert_eq!(open(&bench), (0, 1));
            let answer = bench.commands();
            let [Command::SendDatagram { path: Some(to), data, .. }] = &answer[..] else {
                panic!("{answer:?}")
            };
            assert!(
                *to == path(1) && data.len() < first.iter().map(Vec::len).sum(),
                "{version:?} {}",
                data.len()
            );
            peer.datagram(data, bench.now);
            let commands = bench.converse(KEY, &mut peer, || false);
            assert_agree(&peer, &commands);
            assert_eq!(moved(&commands), None, "it is where it was said to be");
            assert!(secured(&bench.events()).is_some());
            assert_eq!((bench.counter("dtls_started"), bench.counter("dtls_doubted")), (1, 1));
            assert_eq!(open(&bench), (0, 0));
        }
    }
}

#[test]
fn a_peer_behind_a_nat_is_found_unless_only_the_signalled_address_may_try() {
    for version in LIBRARIES {
        for learn in [Learn::Window, Learn::Handover] {
            let mut bench = Bench::new();
            let mut peer = Peer::new(version, 1400, bench.now);
            bench.secure(KEY, DtlsParams { peer: signalled(learn), ..passive(&peer) });
            let commands = bench.converse_from(KEY, stranger(9), &mut peer, || false);
            assert_agree(&peer, &commands);
            assert_eq!(moved(&commands), Some(Remote { rtp: Some(stranger(9).remote), rtcp: None, learn }));
        }
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, 1400, bench.now);
        bench.secure(KEY, DtlsParams { peer: signalled(Learn::Never), ..passive(&peer) });
        assert!(bench.converse_from(KEY, stranger(9), &mut peer, || false).is_empty() && !peer.connected);
        assert_eq!((bench.counter("dtls_dropped_stranger"), open(&bench)), (1, (0, 0)));
        // The same of the leg's other ports.
        bench.deliver_from(KEY, Path { local: FIRST_PORT + 1, ..path(1) }, &hello(&bench, version));
        assert_eq!(bench.counter("dtls_dropped_stranger"), 2);
    }
}

#[test]
fn losses_are_repaired() {
    for version in [Version::V12, Version::V13, Version::AnyV12] {
        for pattern in (0_u32..256).filter(|pattern| pattern.count_ones() <= 2) {
            let (mut bench, mut peer) = awaited(version);
            let mut at = 0;
            let mut commands = Vec::new();
            for _ in 0..70 {
                commands.extend(bench.converse(KEY, &mut peer, || {
                    at += 1;
                    at <= 8 && pattern & (1 << (at - 1)) != 0
                }));
                bench.advance(FLIGHT_TIME);
            }
            assert!(peer.connected, "{version:?} {pattern:b}");
            assert_agree(&peer, &commands);
        }
    }
}

/// Attack B01: strangers' hellos between any two datagrams of the real handshake, from everywhere, in the peer's own name
/// too, do not delay it by a moment, and nobody gets more than was sent in its name.
#[test]
fn thousands_of_strangers_neither_break_nor_delay_the_handshake() {
    for version in VERSIONS {
        for from in [path(1), stranger(0)] {
            let (mut bench, mut peer) = awaited(version);
            let (hello, in_its_name) = (hello(&bench, version), hello(&bench, version));
            let mut kept = Vec::new();
            let mut number = 0;
            let mut flood = |bench: &mut Bench, kept: &mut Vec<Command>| {
                for _ in 0..300 {
                    number += 1;
                    // Its random tells it from the others.
                    let (mut hello, mut in_its_name) = (hello.clone(), in_its_name.clone());
                    hello[27..31].copy_from_slice(&u32::to_be_bytes(number));
                    in_its_name[27..31].copy_from_slice(&u32::to_be_bytes(number));
                    let before = bench.commands();
                    kept.extend(before);
                    bench.deliver_from(KEY, stranger(number), &hello);
                    let answer = bench.commands();
                    assert!(answered(&answer, stranger(number)) <= hello.len(), "{version:?} {answer:?}");
                    if number % 100 == 0 {
                        bench.deliver_from(KEY, from, &in_its_name);
                        // The peer would be asked once more; let it be lost.
                        assert!(answered(&bench.commands(), from) <= in_its_name.len());
                    }
                }
                let (_, unproven) = open(bench);
                assert!(unproven <= MAX_UNPROVEN_KNOWN + MAX_UNPROVEN_STRANGERS, "{unproven}");
            };
            let mut others = Vec::new();
            // A stranger's share is small: whoever is not where it was said to be must answer while it lasts.
            while !peer.connected {
                if from == path(1) {
                    flood(&mut bench, &mut kept);
                }
                let datagrams = peer.transmits(bench.now);
                assert!(!datagrams.is_empty() || !kept.is_empty(), "{version:?}: it stands still");
                datagrams.iter().for_each(|datagram| bench.deliver_from(KEY, from, datagram));
                for command in kept.drain(..).chain(bench.commands()) {
                    match command {
                        Command::SendDatagram { path: Some(to), data, .. } if to == from => {
                            peer.datagram(&data, bench.now);
                        }
                        other => others.push(other),
                    }
                }
                if from != path(1) {
                    (0..MAX_UNPROVEN_STRANGERS as u32 - 1).for_each(|n| {
                        bench.deliver_from(KEY, stranger(n + 1), &hello);
                    });
                }
            }
            others.extend(bench.converse_from(KEY, from, &mut peer, || false));
            assert_agree(&peer, &others);
            let events = bench.events();
            assert!(secured(&events).is_some() && failure(&events).is_none());
            assert_eq!(open(&bench), (0, 0), "all others are forgotten");
        }
    }
}

#[test]
fn what_cannot_be_agreed_on_is_not_answered() {
    // No alert: it would go to the peer, whoever sent the hello, and end the peer's own handshake.
    let (mut bench, mut peer) = awaited(Version::AnyV12);
    let mut forged = hello(&bench, Version::AnyV12);
    let secret = forged.windows(4).rposition(|it| it == [0, 23, 0, 0]).expect("the extended master secret");
    forged[secret..secret + 2].copy_from_slice(&[0xfa, 0xfa]);
    let mut in_its_name = |bench: &mut Bench, number: u8| {
        forged[27] = number;
        bench.deliver(KEY, &forged);
        bench.commands()
    };
    assert_eq!(answered(&in_its_name(&mut bench, 1), path(1)), 0);
    let first = peer.transmits(bench.now);
    first.iter().for_each(|datagram| bench.deliver(KEY, datagram));
    let question = bench.commands();
    assert_eq!(answered(&in_its_name(&mut bench, 2), path(1)), 0);
    assert_eq!(bench.counter("dtls_broken"), 2);
    for command in question {
        let Command::SendDatagram { data, .. } = command else { continue };
        peer.datagram(&data, bench.now);
    }
    let commands = bench.converse(KEY, &mut peer, || false);
    assert_agree(&peer, &commands);
}

#[test]
fn a_stranger_that_can_shake_hands_gets_no_keys_and_ends_nothing() {
    for version in LIBRARIES {
        let (mut bench, mut peer) = awaited(version);
        for number in 1..=3 {
            let mut other = Peer::new(version, 1400, bench.now);
            let commands = bench.converse_from(KEY, stranger(number), &mut other, || false);
            assert!(
                commands.iter().all(|command| !matches!(command, Command::SetKeys { .. })),
                "{commands:?}"
            );
        }
        assert_eq!(bench.counter("dtls_strangers_refused"), 3);
        assert!(bench.events().is_empty());
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
    }
}

#[test]
fn what_a_stranger_left_half_done_is_in_nobodys_way() {
    for version in LIBRARIES {
        let (mut bench, mut peer) = awaited(version);
        for number in 0..20 {
            // It proves itself, and falls silent.
            let mut other = Peer::new(version, 1400, bench.now);
            for _ in 0..2 {
                for datagram in other.transmits(bench.now) {
                    bench.deliver_from(KEY, stranger(number), &datagram);
                }
                for command in bench.commands() {
                    if let Command::SendDatagram { data, .. } = command {
                        other.datagram(&data, bench.now);
                    }
                }
            }
            bench.advance(FLIGHT_TIME);
            bench.commands();
        }
        assert!(bench.worker.half_open <= crate::limits::MAX_PROVEN, "{:?}", open(&bench));
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
    }
}

#[test]
fn strangers_proofs_are_bounded_and_the_peers_are_not_touched() {
    for version in LIBRARIES {
        let (mut bench, mut peer) = awaited(version);
        let mut hello = hello(&bench, version);
        bench.deliver_from(KEY, stranger(1), &hello);
        // From now on with the number of a hello that has a proof in it.
        hello[18] = 1;
        for _ in 0..3 * PROOFS {
            bench.deliver_from(KEY, stranger(1), &hello);
        }
        assert_eq!(bench.counter("dtls_dropped_attempts"), u64::from(2 * PROOFS));
        bench.commands();
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
    }
}

#[test]
fn the_signalled_address_with_another_certificate_is_final() {
    for version in VERSIONS {
        let (mut bench, _) = awaited(version);
        let mut other = Peer::new(version, 1400, bench.now);
        bench.converse(KEY, &mut other, || false);
        assert!(bench.events().is_empty() && bench.counter("dtls_refused") == 1, "it may be forged");
        bench.advance(REFUSED_TIME);
        assert_eq!(failure(&bench.events()), Some(SecureError::Fingerprint), "{version:?}");
        assert_eq!(open(&bench), (0, 0));
    }
}

#[test]
fn what_does_not_prove_itself_is_forgotten_and_never_repeated_to() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::new(version, 1400, bench.now + 100 * HANDSHAKE_TIME);
        bench.secure(KEY, passive(&peer));
        bench.deliver_from(KEY, stranger(1), &hello(&bench, version));
        assert_eq!((bench.commands().len(), open(&bench)), (1, (0, 1)));
        for _ in 0..PROOF_TIME.as_millis() / FLIGHT_TIME.as_millis() {
            bench.advance(FLIGHT_TIME);
        }
        assert!(bench.commands().is_empty(), "{version:?}");
        assert_eq!(open(&bench), (0, 0));
        assert!(bench.worker.timers.is_empty(), "an idle leg costs no time");
        // However late the peer comes.
        bench.advance(100 * HANDSHAKE_TIME);
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
        assert!(failure(&bench.events()).is_none());
    }
}

#[test]
fn once_secured_only_the_peers_path_is_heard() {
    for version in LIBRARIES {
        let (mut bench, mut peer) = awaited(version);
        bench.converse_from(KEY, stranger(1), &mut peer, || false);
        bench.events();
        let before = bench.counter("dtls_dropped_stranger");
        for from in [path(1), stranger(2)] {
            bench.deliver_from(KEY, from, &hello(&bench, version));
        }
        assert_eq!(bench.counter("dtls_dropped_stranger"), before + 2);
        // In the peer's name: an alert in the clear, and nonsense.
        bench.deliver_from(KEY, stranger(1), &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
        bench.deliver_from(KEY, stranger(1), &[23; 100]);
        assert!(bench.events().is_empty(), "nothing of it is authentic");
        peer.close();
        bench.converse_from(KEY, stranger(1), &mut peer, || false);
        assert!(matches!(bench.events()[..], [EngineEvent::LegClosed { .. }]));
    }
}

#[test]
fn a_handshake_that_is_long_over_leaves_only_its_keys() {
    for version in LIBRARIES {
        let (mut bench, mut peer) = awaited(version);
        let params = passive(&peer);
        bench.converse(KEY, &mut peer, || false);
        bench.events();
        bench.advance(LINGER_TIME);
        assert!(bench.worker.timers.is_empty());
        // Nothing begins anew, whatever comes.
        bench.secure(KEY, params);
        bench.deliver(KEY, &hello(&bench, version));
        bench.port().order(Order::Close(KEY)).expect("room");
        bench.run();
        let commands = bench.commands();
        assert!(matches!(commands[..], [Command::RemoveLeg { .. }]), "{commands:?}");
        assert!(bench.events().is_empty());
    }
}

#[test]
fn a_leg_that_is_gone_leaves_nothing() {
    let (mut bench, _) = awaited(Version::V12);
    bench.deliver_from(KEY, stranger(1), &hello(&bench, Version::V12));
    bench.port().order(Order::Forget(KEY)).expect("room");
    bench.run();
    assert_eq!(open(&bench), (0, 0));
    assert!(bench.worker.timers.is_empty() && bench.worker.sessions.is_empty());
}
