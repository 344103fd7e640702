//! The portable backend on loopback.

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_io::{PacketIo, Portable, Slots, UdpConfig};
use kaname_wire::path::Path;

const PATIENCE: Duration = Duration::from_secs(20);

fn open(ip: &str) -> Portable {
    let bind: Vec<IpAddr> = vec![ip.parse().expect("an address")];
    Portable::new(&UdpConfig { bind, tcp: false, ..UdpConfig::default() }).expect("loopback")
}

/// Waits until so many packets have come.
fn receive(io: &mut Portable, count: usize) -> Vec<(Path, Vec<u8>)> {
    let (mut all, since) = (Vec::new(), Instant::now());
    while all.len() < count {
        let batch = io.recv().expect("receives");
        let empty = batch.is_empty();
        all.extend(batch.iter().map(|(path, bytes)| (path, bytes.to_vec())));
        if empty {
            assert!(since.elapsed() < PATIENCE, "{} came: {:?}", all.len(), io.counters());
            io.wait(Some(PATIENCE)).expect("waits");
        }
    }
    all
}

#[test]
fn frames_of_video_cross_whole_and_in_order() {
    for ip in ["127.0.0.1", "::1"] {
        let (mut one, mut two) = (open(ip), open(ip));
        let to = Path::udp(0, two.locals()[0]);
        let mut expected = Vec::new();
        for frame in 0..20_u8 {
            // As libwebrtc cuts it: some packets of one size, then some of one byte more, and a short one.
            for (at, len) in [1100, 1100, 1100, 1101, 1101, 17].into_iter().enumerate() {
                let packet: Vec<u8> = (0..len).map(|i| frame ^ at as u8 ^ i as u8).collect();
                one.tx().take(&to, packet.len()).expect("room").copy_from_slice(&packet);
                expected.push((Path::udp(0, one.locals()[0]), packet));
            }
            let report = one.flush().expect("flushes");
            assert_eq!((report.sent, report.dropped), (6, 0));
        }
        assert_eq!(receive(&mut two, expected.len()), expected);
        let counters = one.counters();
        assert_eq!(counters.packets_sent, 120);
        if counters.segments_on == 1 {
            assert_eq!(counters.runs_sent, 40, "two runs a frame: {counters:?}");
        }
    }
}

#[test]
fn what_cannot_go_is_counted_and_stops_nothing() {
    let mut io = open("127.0.0.1");
    let sink = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    sink.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let good = Path::udp(0, sink.local_addr().expect("bound"));
    for to in [Path::udp(0, "[::1]:9".parse().expect("v6")), good, Path::udp(9, good.remote)] {
        io.tx().take(&to, 3).expect("room").copy_from_slice(b"abc");
    }
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (1, 2));
    assert_eq!(io.counters().send_no_local, 1);
    let refused = io.counters().send_bad_address + io.counters().send_unreachable + io.counters().send_other;
    assert_eq!(refused, 1, "{:?}", io.counters());
    let mut buffer = [0; 16];
    assert_eq!(sink.recv(&mut buffer).expect("one came"), 3);
}

#[test]
fn a_waker_ends_a_wait() {
    let mut io = open("127.0.0.1");
    let waker = io.waker();
    io.wait(Some(Duration::ZERO)).expect("waits");
    io.recv().expect("receives");
    let thread = std::thread::spawn(move || waker.wake());
    assert!(io.wait(Some(PATIENCE)).expect("waits"), "woken");
    thread.join().expect("no panic");
}
