//! AF_XDP against the kernel's own UDP in another namespace.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "a test that is not allowed to run says so")]

mod beside;
mod capture;
mod exchange;
mod failures;
#[path = "../netns/mod.rs"]
mod netns;
mod routes;
mod shards;
mod volume;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_io::xdp::{AfXdp, XdpConfig, XdpError, XdpMode};
use kaname_io::{FIRST_PORT, PacketIo, Slots, UdpConfig};
use kaname_wire::path::Path;
use netns::Namespace;

/// How long a test waits for the other namespace before it calls it a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two namespaces, a wire between them.
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

fn addresses(bind: &[&str]) -> UdpConfig {
    let bind: Vec<IpAddr> = bind.iter().map(|ip| ip.parse().expect("an address")).collect();
    UdpConfig { bind, tcp: false, ..UdpConfig::default() }
}

fn config(bind: &[&str], mode: XdpMode) -> XdpConfig {
    XdpConfig { interface: "kn0".into(), mode, udp: addresses(bind) }
}

/// `None`, with a word on why: not allowed here.
fn open_on(pair: &Pair, bind: &[&str], mode: XdpMode) -> Option<AfXdp> {
    match pair.near.run(|| AfXdp::open(&config(bind, mode))) {
        Ok(io) => Some(io),
        Err(XdpError::Forbidden | XdpError::Unsupported) => {
            eprintln!("skipped: AF_XDP is not allowed here");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// On both addresses of `near`.
fn open(pair: &Pair) -> Option<AfXdp> {
    open_on(pair, &["192.0.2.1", "2001:db8::1"], XdpMode::Auto)
}

fn far_socket(pair: &Pair, address: &str) -> UdpSocket {
    let socket = pair.far.run(|| UdpSocket::bind(address).expect("an address of ours"));
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

fn send(io: &mut AfXdp, to: Path, bytes: &[u8]) {
    io.tx().take(&to, bytes.len()).expect("room").copy_from_slice(bytes);
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (1, 0), "{:?}", io.counters());
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

fn receive_from(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut buffer).expect("receives");
    buffer.truncate(len);
    (buffer, from)
}

/// Sends until packets to there leave in frames: the route is known and the neighbour has answered. Says how many.
fn warm(io: &mut AfXdp, to: Path, far: &UdpSocket) -> u32 {
    let since = Instant::now();
    for count in 1.. {
        let before = io.counters().xdp_sent;
        send(io, to, b"warm");
        assert_eq!(receive_from(far).0, b"warm");
        if io.counters().xdp_sent > before {
            return count;
        }
        assert!(since.elapsed() < PATIENCE, "it never left in a frame: {:?}", io.counters());
        io.wait(Some(Duration::from_millis(1))).expect("waits");
    }
    unreachable!("the count does not end")
}
