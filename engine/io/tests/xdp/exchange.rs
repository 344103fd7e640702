//! Packets in frames, both ways.

use super::capture::{Capture, Seen};
use super::*;

#[test]
fn both_ways_over_both_families() {
    let Some(pair) = pair() else { return };
    for mode in [XdpMode::Auto, XdpMode::Driver, XdpMode::Generic] {
        let Some(mut io) = open_on(&pair, &["192.0.2.1", "2001:db8::1"], mode) else { return };
        assert_eq!(io.name(), "af_xdp");
        for (local, far) in [(0, "192.0.2.2:0"), (1, "[2001:db8::2]:0")] {
            let far = far_socket(&pair, far);
            let to = Path::udp(local as u32, far.local_addr().expect("bound"));
            let here = io.locals()[local];
            warm(&mut io, to, &far);
            let (received, sent) = (io.counters().xdp_received, io.counters().xdp_sent);
            for round in 0..10_u8 {
                far.send_to(&[round; 172], here).expect("sends");
                assert_eq!(receive(&mut io), vec![(to, vec![round; 172])]);
                send(&mut io, to, &[round; 1200]);
                assert_eq!(receive_from(&far), (vec![round; 1200], here));
            }
            assert_eq!(io.counters().xdp_received - received, 10, "{mode:?} {:?}", io.counters());
            assert_eq!(io.counters().xdp_sent - sent, 10, "{mode:?} {:?}", io.counters());
        }
    }
}

/// A veth pair promises the receiver that checksums are good, so the kernel there looks at none: they are computed here.
#[test]
fn what_leaves_has_good_checksums() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    for (local, far) in [(0, "192.0.2.2:0"), (1, "[2001:db8::2]:0")] {
        let far = far_socket(&pair, far);
        let to = Path::udp(local as u32, far.local_addr().expect("bound"));
        warm(&mut io, to, &far);
        let mut capture = Capture::open(&pair.far, "kn1");
        for len in [0_usize, 1, 2, 63, 64, 65, 172, 1200, 1201, 1452] {
            let packet: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
            send(&mut io, to, &packet);
            let Seen { from, to: seen, payload, sums_good, .. } = capture.next_udp();
            assert!(sums_good, "{len} bytes");
            assert_eq!((from, seen, payload), (io.locals()[local], to.remote, packet));
        }
    }
}

/// A capture that finds everything good would prove nothing.
#[test]
fn a_bad_checksum_would_be_seen() {
    let Some(pair) = pair() else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let near = pair.near.run(|| UdpSocket::bind("192.0.2.1:0").expect("an address of ours"));
    let mut capture = Capture::open(&pair.far, "kn1");
    near.send_to(b"left to the device", far.local_addr().expect("bound")).expect("sends");
    assert!(!capture.next_udp().sums_good, "the kernel leaves the sum to a device that is not there");
}

#[test]
fn frames_that_contradict_themselves_are_counted() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    let mut capture = Capture::open(&pair.far, "kn1");
    warm(&mut io, to, &far);
    // What came, with its ends exchanged, is a frame to us.
    let frame = capture.next_udp().turned_round();
    capture.inject(&frame);
    assert_eq!(receive(&mut io), vec![(to, b"warm".to_vec())]);
    for (at, value, what) in [
        (17, 200, "an IPv4 length beyond the frame"),
        (17, 27, "an IPv4 length too short for UDP"),
        (24, frame[24] ^ 1, "a wrong header sum"),
        (39, 200, "a UDP length beyond the datagram"),
        (39, 7, "a UDP length below its own header"),
    ] {
        let mut bad = frame.clone();
        bad[at] = value;
        let before = io.counters().xdp_malformed;
        capture.inject(&bad);
        capture.inject(&frame);
        assert_eq!(receive(&mut io), vec![(to, b"warm".to_vec())], "{what}");
        assert_eq!(io.counters().xdp_malformed, before + 1, "{what}");
    }
}
