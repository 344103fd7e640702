//! Handshakes on RTCP's own port.

use kaname_core::command::{Keyed, Learn, Remote};
use kaname_srtp::Keying;

use super::active::{active, begin};
use super::contest::{hello, open, passive, signalled, stranger};
use super::handshake::{failure, secured};
use super::peer::LIBRARIES;
use super::*;
use crate::limits::{ACTIVE_TIME, FLIGHT_TIME, LINGER_TIME, REFUSED_TIME};
use crate::{DtlsPeer, DtlsRole};

const RTCP_PORT: u32 = FIRST_PORT + 1;

/// Where the peer's RTCP comes from: the port above, or another that was named.
fn rtcp_path(port: u16) -> Path {
    Path::udp(RTCP_PORT, ([127, 0, 0, 1], port).into())
}

fn apart(params: DtlsParams, rtcp: Option<u16>) -> DtlsParams {
    let DtlsPeer::Signalled { local, remote, .. } = signalled(Learn::Window) else { unreachable!() };
    let remote = Remote { rtcp: rtcp.map(|port| rtcp_path(port).remote), ..remote };
    DtlsParams { peer: DtlsPeer::Signalled { local, rtcp: Some(RTCP_PORT), remote }, ..params }
}

fn keys(commands: &[Command], which: Keyed) -> Option<(&Keying, &Keying)> {
    commands.iter().find_map(|command| match command {
        Command::SetKeysOf { leg, of, inbound, outbound } if *leg == KEY.leg && *of == which => {
            Some((&**inbound, &**outbound))
        }
        _ => None,
    })
}

#[test]
fn each_port_has_a_handshake_and_keys_of_its_own() {
    for version in LIBRARIES {
        for (role, named) in [DtlsRole::Passive, DtlsRole::Active].into_iter().zip([None, Some(7005)]) {
            let mut bench = Bench::new();
            let is_client = role == DtlsRole::Passive;
            let mut rtp = match is_client {
                true => Peer::new(version, 1400, bench.now),
                false => Peer::passive(version, bench.now),
            };
            let mut rtcp = rtp.twin(bench.now, is_client);
            begin(&mut bench, apart(DtlsParams { role, ..passive(&rtp) }, named));
            // Reports first, and then it takes a moment.
            let there = rtcp_path(named.unwrap_or(5005));
            let mut commands = bench.converse_from(KEY, there, &mut rtcp, || false);
            assert!(secured(&bench.events()).is_none(), "media has no keys yet");
            for _ in 0..4 {
                bench.advance(FLIGHT_TIME);
                commands.extend(bench.converse(KEY, &mut rtp, || false));
            }
            assert_eq!(secured(&bench.events()), Some("DTLS 1.2"));
            for (of, peer) in [(Keyed::Rtp, &rtp), (Keyed::Rtcp, &rtcp)] {
                let (inbound, outbound) = keys(&commands, of).expect("keys");
                let (material, _) = peer.keys.as_ref().expect("keys");
                let key = inbound.profile().key_len();
                let (client, server) = if is_client { (inbound, outbound) } else { (outbound, inbound) };
                assert_eq!((client.key(), server.key()), (&material[..key], &material[key..2 * key]));
            }
            assert_eq!((bench.counter("dtls_secured"), open(&bench)), (2, (0, 0)));
            // A goodbye on the one is none on the other.
            rtcp.close();
            bench.converse_from(KEY, there, &mut rtcp, || false);
            assert!(bench.events().is_empty());
            rtp.close();
            bench.converse(KEY, &mut rtp, || false);
            assert!(matches!(bench.events()[..], [EngineEvent::LegClosed { .. }]));
        }
    }
}

#[test]
fn whoever_shakes_hands_on_one_port_alone_has_keys_there_alone() {
    for version in LIBRARIES {
        let mut bench = Bench::new();
        let mut rtp = Peer::new(version, 1400, bench.now);
        bench.secure(KEY, apart(passive(&rtp), None));
        let commands = bench.converse(KEY, &mut rtp, || false);
        assert!(keys(&commands, Keyed::Rtp).is_some() && keys(&commands, Keyed::Rtcp).is_none());
        bench.advance(LINGER_TIME);
        assert!(bench.worker.timers.is_empty(), "it may come at any time, and costs none");
        let mut rtcp = rtp.twin(bench.now, true);
        let commands = bench.converse_from(KEY, rtcp_path(5005), &mut rtcp, || false);
        assert!(keys(&commands, Keyed::Rtcp).is_some());
        assert_eq!(bench.events().len(), 1);

        // Where we begin, it is given up.
        let mut bench = Bench::new();
        let mut rtp = Peer::passive(version, bench.now);
        begin(&mut bench, apart(active(&rtp), None));
        bench.converse(KEY, &mut rtp, || false);
        assert!(secured(&bench.events()).is_some());
        bench.advance(ACTIVE_TIME);
        let events = bench.events();
        let [EngineEvent::RtcpSecureFailed { leg, reason: SecureError::Timeout }] = events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((leg, open(&bench)), (KEY.leg, (0, 0)));
    }
}

#[test]
fn another_certificate_on_the_one_port_leaves_the_other_alone() {
    for version in LIBRARIES {
        let mut bench = Bench::new();
        let mut rtp = Peer::new(version, 1400, bench.now);
        bench.secure(KEY, apart(passive(&rtp), None));
        let mut other = Peer::new(version, 1400, bench.now);
        let commands = bench.converse_from(KEY, rtcp_path(5005), &mut other, || false);
        assert!(keys(&commands, Keyed::Rtcp).is_none() && bench.counter("dtls_refused") == 1);
        // Strangers there, too.
        for number in 0..50 {
            let from = Path { local: RTCP_PORT, ..stranger(number) };
            bench.deliver_from(KEY, from, &hello(&bench, version));
        }
        let commands = bench.converse(KEY, &mut rtp, || false);
        assert!(keys(&commands, Keyed::Rtp).is_some());
        bench.advance(REFUSED_TIME);
        let events = bench.events();
        assert!(secured(&events).is_some() && failure(&events).is_none());
        let refused = |event: &EngineEvent| {
            matches!(event, EngineEvent::RtcpSecureFailed { reason: SecureError::Fingerprint, .. })
        };
        assert!(events.iter().any(refused), "{events:?}");
        bench.port().order(Order::Forget(KEY)).expect("room");
        bench.run();
        assert_eq!(open(&bench), (0, 0));
    }
}
