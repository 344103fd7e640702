//! Next hops: found, confirmed, changed and lost.

use super::capture::Capture;
use super::*;

/// Sends until a frame leaves for that Ethernet address; the kernel's word of a change is on its way.
fn until_sent_to(io: &mut AfXdp, to: Path, capture: &mut Capture, mac: [u8; 6]) {
    let since = Instant::now();
    loop {
        let before = io.counters().xdp_sent;
        send(io, to, b"whereto");
        let frame = capture.next_udp().frame;
        if io.counters().xdp_sent > before && frame[..6] == mac {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "still to {:x?}: {:?}", &frame[..6], io.counters());
        io.wait(Some(Duration::from_millis(1))).expect("waits");
    }
}

#[test]
fn the_first_packets_go_by_the_kernel_and_none_is_lost() {
    let Some(pair) = pair() else { return };
    for (bind, local, far) in [("192.0.2.1", 0, "192.0.2.2:0"), ("2001:db8::1", 0, "[2001:db8::2]:0")] {
        let Some(mut io) = open_on(&pair, &[bind], XdpMode::Auto) else { return };
        let far = far_socket(&pair, far);
        let to = Path::udp(local, far.local_addr().expect("bound"));
        // Nobody has asked for the neighbour before.
        pair.near.ip("neigh flush dev kn0");
        let mut sent = 0_u64;
        while io.counters().xdp_sent < 10 {
            send(&mut io, to, &sent.to_be_bytes());
            assert_eq!(receive_from(&far).0, sent.to_be_bytes(), "in order");
            sent += 1;
            io.wait(Some(Duration::ZERO)).expect("looks");
        }
        assert!(io.counters().xdp_by_kernel > 0);
        assert_eq!(io.counters().packets_sent, sent);
    }
}

#[test]
fn a_gateway_is_followed_when_it_changes() {
    let Some(pair) = pair() else { return };
    pair.far.ip("addr add 198.51.100.7/32 dev lo");
    pair.far.ip("addr add 192.0.2.3/24 dev kn1");
    let (first, second) = ([2, 0, 0, 0, 0, 0x21], [2, 0, 0, 0, 0, 0x22]);
    pair.far.ip("link set kn1 address 02:00:00:00:00:21");
    pair.near.ip("route add 198.51.100.0/24 via 192.0.2.2");
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "198.51.100.7:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    warm(&mut io, to, &far);
    let mut capture = Capture::open(&pair.far, "kn1");
    until_sent_to(&mut io, to, &mut capture, first);

    // Another machine takes over the gateway's address and says so.
    pair.far.ip("link set kn1 address 02:00:00:00:00:22");
    pair.near.ip("neigh replace 192.0.2.2 lladdr 02:00:00:00:00:22 nud reachable dev kn0");
    until_sent_to(&mut io, to, &mut capture, second);

    // Another gateway.
    pair.near.ip("neigh replace 192.0.2.3 lladdr 02:00:00:00:00:21 nud permanent dev kn0");
    pair.near.ip("route replace 198.51.100.0/24 via 192.0.2.3");
    until_sent_to(&mut io, to, &mut capture, first);

    // No route: the kernel says so, and it is counted.
    pair.near.ip("route del 198.51.100.0/24");
    let since = Instant::now();
    while io.counters().send_unreachable == 0 {
        io.tx().take(&to, 4).expect("room").copy_from_slice(b"lost");
        io.flush().expect("flushes");
        assert!(since.elapsed() < PATIENCE, "{:?}", io.counters());
        io.wait(Some(Duration::from_millis(1))).expect("waits");
    }
}

/// A neighbour that only AF_XDP sends to would never be asked again, if the kernel were not told.
#[test]
fn a_stale_neighbour_is_confirmed() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    warm(&mut io, to, &far);
    // The kernel asks a doubted neighbour at once, not after five seconds.
    pair.near
        .run(|| std::fs::write("/proc/sys/net/ipv4/neigh/kn0/delay_first_probe_time", "0"))
        .expect("set");
    pair.near.ip("neigh change 192.0.2.2 nud stale dev kn0");
    let state = || {
        pair.near.run(|| {
            let output = std::process::Command::new("ip").args(["neigh", "show", "192.0.2.2"]).output();
            String::from_utf8(output.expect("ip is there").stdout).expect("text")
        })
    };
    let since = Instant::now();
    while !state().contains("REACHABLE") {
        assert!(since.elapsed() < PATIENCE, "{}", state());
        let by_kernel = io.counters().xdp_by_kernel;
        send(&mut io, to, b"doubted");
        assert_eq!(receive_from(&far).0, b"doubted");
        assert_eq!(io.counters().xdp_by_kernel, by_kernel, "it is used meanwhile");
        io.wait(Some(Duration::from_millis(1))).expect("waits");
    }
}
