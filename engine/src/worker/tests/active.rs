//! Handshakes that we begin.

use kaname_core::command::{Learn, Remote};

use super::contest::{hello, moved, open, passive, signalled, stranger};
use super::handshake::{failure, secured, set_keys};
use super::peer::{LIBRARIES, VERSIONS};
use super::*;
use crate::limits::{ACTIVE_DELAY, ACTIVE_TIME, FLIGHT_TIME, REFUSED_TIME};
use crate::{DtlsPeer, DtlsRole};

pub(super) fn active(peer: &Peer) -> DtlsParams {
    DtlsParams { role: DtlsRole::Active, ..passive(peer) }
}

/// Until our ClientHello is out.
pub(super) fn begin(bench: &mut Bench, params: DtlsParams) {
    bench.secure(KEY, params);
    bench.advance(ACTIVE_DELAY);
}

#[test]
fn where_we_begin_both_versions_agree_on_keys() {
    for version in VERSIONS {
        for peer_is in [signalled(Learn::Window), DtlsPeer::Validated] {
            let mut bench = Bench::new();
            let mut peer = Peer::passive(version, bench.now);
            begin(&mut bench, DtlsParams { peer: peer_is, ..active(&peer) });
            assert_eq!(open(&bench), (1, 0));
            let commands = bench.converse(KEY, &mut peer, || false);
            let (inbound, outbound) = set_keys(&commands).expect("keys");
            let (material, _) = peer.keys.as_ref().expect("keys");
            let key = inbound.profile().key_len();
            assert_eq!(outbound.key(), &material[..key], "the client's");
            assert_eq!(inbound.key(), &material[key..2 * key], "the server's");
            assert_eq!(moved(&commands), None);
            assert_eq!(secured(&bench.events()), Some(version.agreed()), "{version:?}");
            assert_eq!(open(&bench), (0, 0));
        }
    }
}

#[test]
fn our_hello_is_repeated_until_somebody_listens_or_the_time_is_over() {
    for version in LIBRARIES {
        let mut bench = Bench::new();
        let mut peer = Peer::passive(version, bench.now);
        begin(&mut bench, active(&peer));
        let began = bench.now;
        let mut hellos = 0;
        while bench.now < began + ACTIVE_TIME / 2 {
            hellos += bench.commands().len();
            bench.advance(FLIGHT_TIME);
        }
        assert!((8..40).contains(&hellos), "with growing pauses: {hellos}");
        bench.commands();
        // Now it listens.
        while !peer.connected && bench.now < began + ACTIVE_TIME {
            bench.advance(FLIGHT_TIME);
            bench.converse(KEY, &mut peer, || false);
        }
        assert!(peer.connected && secured(&bench.events()).is_some());

        let mut bench = Bench::new();
        begin(&mut bench, active(&peer));
        bench.advance(ACTIVE_TIME);
        assert_eq!(failure(&bench.events()), Some(SecureError::Timeout));
        assert_eq!(open(&bench), (0, 0));
    }
}

#[test]
fn where_we_begin_strangers_and_nonsense_change_nothing() {
    for version in VERSIONS {
        let mut bench = Bench::new();
        let mut peer = Peer::passive(version, bench.now);
        begin(&mut bench, active(&peer));
        // A ServerHello to somebody else, an alert, nonsense, a hello: from elsewhere and in the peer's name.
        let forged: [&[u8]; 3] =
            [&[23; 60], &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40], &hello(&bench, version)];
        let mut rounds = 0;
        while !peer.connected && rounds < 20 {
            for from in [path(1), stranger(1)] {
                forged.iter().for_each(|datagram| bench.deliver_from(KEY, from, datagram));
            }
            for command in bench.commands() {
                if let Command::SendDatagram { path: Some(to), data, .. } = command {
                    assert_eq!(to, path(1), "nobody else is spoken to");
                    peer.datagram(&data, bench.now);
                }
            }
            peer.transmits(bench.now).iter().for_each(|datagram| bench.deliver(KEY, datagram));
            rounds += 1;
        }
        bench.converse(KEY, &mut peer, || false);
        assert!(peer.connected, "{version:?}");
        assert!(failure(&bench.events()).is_none());
    }
}

#[test]
fn an_answer_forged_in_the_peers_name_costs_a_moment() {
    for version in LIBRARIES {
        let mut bench = Bench::new();
        let (mut peer, mut forger) = (Peer::passive(version, bench.now), Peer::passive(version, bench.now));
        begin(&mut bench, active(&peer));
        // The forger sees everything, answers first, and shakes hands to the end.
        bench.converse(KEY, &mut forger, || false);
        assert!(bench.events().is_empty() && bench.counter("dtls_refused") == 1);
        let mut commands = Vec::new();
        for _ in 0..4 {
            bench.advance(FLIGHT_TIME);
            commands.extend(bench.converse(KEY, &mut peer, || false));
        }
        assert!(peer.connected && secured(&bench.events()).is_some());

        // A peer with another certificate is told from that by its persistence.
        let mut bench = Bench::new();
        let began = bench.now;
        begin(&mut bench, active(&peer));
        while bench.now < began + REFUSED_TIME {
            let mut other = Peer::passive(version, bench.now);
            bench.converse(KEY, &mut other, || false);
            bench.advance(FLIGHT_TIME);
        }
        assert_eq!(failure(&bench.events()), Some(SecureError::Fingerprint));
    }
}

#[test]
fn a_new_address_moves_what_is_not_done_and_leaves_what_is() {
    for version in LIBRARIES {
        let mut bench = Bench::new();
        let mut peer = Peer::passive(version, bench.now);
        begin(&mut bench, active(&peer));
        bench.commands();
        let DtlsPeer::Signalled { local, remote, .. } = signalled(Learn::Window) else { unreachable!() };
        let remote = Remote { rtp: Some(stranger(1).remote), ..remote };
        let elsewhere =
            DtlsParams { peer: DtlsPeer::Signalled { local, rtcp: None, remote }, ..active(&peer) };
        begin(&mut bench, elsewhere.clone());
        bench.converse_from(KEY, stranger(1), &mut peer, || false);
        assert!(peer.connected && secured(&bench.events()).is_some());
        for again in [elsewhere, active(&peer)] {
            begin(&mut bench, again);
            assert!(bench.commands().is_empty() && bench.events().is_empty(), "it has its keys");
        }
    }
}
