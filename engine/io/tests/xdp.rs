//! AF_XDP against the kernel's own UDP in another namespace.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "a test that is not allowed to run says so")]

mod netns;

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_io::xdp::{AfXdp, XdpConfig, XdpError, XdpMode};
use kaname_io::{PacketIo, Slots, UdpConfig};
use kaname_wire::path::Path;
use netns::Namespace;

const PATIENCE: Duration = Duration::from_secs(20);

struct Pair {
    near: Namespace,
    far: Namespace,
}

/// `near` (192.0.2.1, 2001:db8::1) on `kn0`, joined to `far` (.2, ::2) on `kn1`.
fn pair() -> Option<Pair> {
    let (near, far) = (Namespace::new()?, Namespace::new()?);
    near.join("kn0", &far, "kn1", 1);
    near.ip("addr add 192.0.2.1/24 dev kn0");
    near.ip("addr add 2001:db8::1/64 dev kn0 nodad");
    far.ip("addr add 192.0.2.2/24 dev kn1");
    far.ip("addr add 2001:db8::2/64 dev kn1 nodad");
    Some(Pair { near, far })
}

fn config(mode: XdpMode) -> XdpConfig {
    let bind: Vec<IpAddr> =
        ["192.0.2.1", "2001:db8::1"].iter().map(|ip| ip.parse().expect("an address")).collect();
    XdpConfig { interface: "kn0".into(), mode, udp: UdpConfig { bind, tcp: false, ..UdpConfig::default() } }
}

/// `None`, with a word on why: not allowed here.
fn open(pair: &Pair, mode: XdpMode) -> Option<AfXdp> {
    match pair.near.run(|| AfXdp::open(&config(mode))) {
        Ok(io) => Some(io),
        Err(XdpError::Forbidden | XdpError::Unsupported) => {
            eprintln!("skipped: AF_XDP is not allowed here");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn far_socket(pair: &Pair, address: &str) -> UdpSocket {
    let socket = pair.far.run(|| UdpSocket::bind(address).expect("an address of ours"));
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn send(io: &mut AfXdp, to: Path, bytes: &[u8]) {
    io.tx().take(&to, bytes.len()).expect("room").copy_from_slice(bytes);
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (1, 0));
}

/// Waits until something comes.
fn receive(io: &mut AfXdp) -> Vec<(Path, Vec<u8>)> {
    let since = Instant::now();
    loop {
        let batch = io.recv().expect("receives");
        if !batch.is_empty() {
            return batch.iter().map(|(path, bytes)| (path, bytes.to_vec())).collect();
        }
        assert!(since.elapsed() < PATIENCE, "nothing came: {:?}", io.counters());
        io.wait(Some(PATIENCE)).expect("waits");
    }
}

#[test]
fn both_ways_over_both_families() {
    let Some(pair) = pair() else { return };
    for mode in [XdpMode::Driver, XdpMode::Generic] {
        let Some(mut io) = open(&pair, mode) else { return };
        assert_eq!(io.name(), "af_xdp");
        for (local, far) in [(0, "192.0.2.2:0"), (1, "[2001:db8::2]:0")] {
            let far = far_socket(&pair, far);
            let there = far.local_addr().expect("bound");
            let here = io.locals()[local];
            for round in 0..10_u8 {
                far.send_to(&[round; 172], here).expect("sends");
                let got = receive(&mut io);
                assert_eq!(got, vec![(Path::udp(local as u8, there), vec![round; 172])]);
                send(&mut io, Path::udp(local as u8, there), &[round; 1200]);
                let mut buffer = [0; 2000];
                let (len, from) = far.recv_from(&mut buffer).expect("receives");
                assert_eq!((&buffer[..len], from), (&[round; 1200][..], here));
            }
        }
        let counters = *io.counters();
        assert_eq!(counters.xdp_received, 20, "{mode:?} {counters:?}");
        assert!(counters.xdp_sent >= 16 && counters.xdp_sent + counters.xdp_by_kernel == 20, "{counters:?}");
    }
}
