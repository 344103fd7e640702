//! What AF_XDP leaves to the kernel, and what the kernel's sockets do beside it.

use super::capture::Capture;
use super::*;

/// The kernel gives a tagged frame to the interface of its VLAN, or drops it: it is not the node's.
#[test]
fn a_vlan_stays_with_the_kernel() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    let mut capture = Capture::open(&pair.far, "kn1");
    warm(&mut io, to, &far);
    let frame = capture.next_udp().turned_round();
    let tagged = [&frame[..12], &[0x81, 0x00, 0x00, 0x07], &frame[12..]].concat();
    capture.inject(&tagged);
    capture.inject(&frame);
    assert_eq!(receive(&mut io), vec![(to, b"warm".to_vec())]);
    let counters = io.counters();
    assert_eq!((counters.packets_received, counters.xdp_malformed), (1, 0), "{counters:?}");
}

#[test]
fn fragments_and_what_exceeds_the_mtu_go_by_the_kernel() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    warm(&mut io, to, &far);
    let before = *io.counters();
    far.send_to(&[7; 1900], io.locals()[0]).expect("sends in two fragments");
    assert_eq!(receive(&mut io), vec![(to, vec![7; 1900])]);
    for len in [1473, 1900, 20_000] {
        send(&mut io, to, &vec![8; len]);
        assert_eq!(receive_from(&far).0.len(), len);
    }
    assert_eq!((io.counters().xdp_received, io.counters().xdp_sent), (before.xdp_received, before.xdp_sent));
    // The longest that fits one frame.
    send(&mut io, to, &[9; 1472]);
    assert_eq!(receive_from(&far).0.len(), 1472);
    assert_eq!(io.counters().xdp_sent, before.xdp_sent + 1);
    // The link grows shorter.
    pair.near.ip("link set kn0 mtu 1300");
    pair.far.ip("link set kn1 mtu 1300");
    io.wait(Some(PATIENCE)).expect("word of it");
    warm(&mut io, to, &far);
    let sent = io.counters().xdp_sent;
    send(&mut io, to, &[9; 1472]);
    assert_eq!(receive_from(&far).0.len(), 1472);
    assert_eq!(io.counters().xdp_sent, sent, "{:?}", io.counters());
}

#[test]
fn other_ports_and_tcp_stay_with_the_kernel() {
    let Some(pair) = pair() else { return };
    let Some(io) = open(&pair) else { return };
    let port = io.locals()[0].port();
    let other = pair.near.run(|| UdpSocket::bind("192.0.2.1:0").expect("an address of ours"));
    other.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let far = far_socket(&pair, "192.0.2.2:0");
    far.send_to(b"for another", other.local_addr().expect("bound")).expect("sends");
    assert_eq!(receive_from(&other).0, b"for another");
    let listener = pair.near.run(|| std::net::TcpListener::bind(("192.0.2.1", port)).expect("free for TCP"));
    let connected = pair.far.run(|| std::net::TcpStream::connect(("192.0.2.1", port)));
    connected.expect("the kernel answers TCP on the very port");
    drop(listener);
    drop(io);
}

#[test]
fn loopback_and_other_interfaces_go_by_the_kernel() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open_on(&pair, &["192.0.2.1", "127.0.0.1"], XdpMode::Auto) else { return };
    let here = pair.near.run(|| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
    here.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let to = Path::udp(1, here.local_addr().expect("bound"));
    for round in 0..5_u8 {
        send(&mut io, to, &[round; 100]);
        assert_eq!(receive_from(&here), (vec![round; 100], io.locals()[1]));
        here.send_to(&[round; 90], io.locals()[1]).expect("sends");
        assert_eq!(receive(&mut io), vec![(to, vec![round; 90])]);
    }
    assert_eq!(io.counters().xdp_by_kernel, 5, "{:?}", io.counters());
    // Its own address on the very interface is not reached by the wire either.
    let own = Path::udp(0, io.locals()[0]);
    send(&mut io, own, b"to myself");
    assert_eq!(receive(&mut io), vec![(own, b"to myself".to_vec())]);
}

#[test]
fn ports_of_single_legs_go_by_the_kernel() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let from = far.local_addr().expect("bound");
    warm(&mut io, Path::udp(0, from), &far);
    let own = "192.0.2.1:40000".parse().expect("an address");
    let door = io.door();
    let socket = pair.near.run(move || door.open(FIRST_PORT, own).expect("free there"));
    io.open_port(FIRST_PORT, socket);
    let frames = io.counters().xdp_sent;
    for round in 0..5_u8 {
        far.send_to(&[round; 172], own).expect("sends");
        assert_eq!(receive(&mut io), vec![(Path::udp(FIRST_PORT, from), vec![round; 172])]);
        send(&mut io, Path::udp(FIRST_PORT, from), &[round; 172]);
        assert_eq!(receive_from(&far), (vec![round; 172], own));
    }
    assert_eq!((io.counters().xdp_sent, io.counters().ports_received), (frames, 5), "{:?}", io.counters());
    assert!(io.close_port(FIRST_PORT));
}
