//! Ports of single legs on loopback, on the kernel's UDP and on the portable backend.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_io::{FIRST_PORT, KernelUdp, PacketIo, Portable, Slots, UdpConfig};
use kaname_wire::path::Path;

/// How long a test waits for loopback before it calls it a failure.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(ip: &str) -> UdpConfig {
    let bind: Vec<IpAddr> = vec![ip.parse().expect("an address")];
    UdpConfig { bind, tcp: false, receive_buffer: 1 << 20, ..UdpConfig::default() }
}

/// Runs the body on each backend.
macro_rules! on_all {
    ($ip:expr, |$io:ident| $body:expr) => {{
        let mut $io = KernelUdp::new(&config($ip)).expect("loopback");
        $body;
        let mut $io = Portable::new(&config($ip)).expect("loopback");
        $body;
    }};
}

/// A foreign socket on the same address family.
fn stranger(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// Opens a port at any free number of the address.
fn open(io: &mut impl PacketIo, local: u32, ip: &str) -> SocketAddr {
    for _ in 0..100 {
        let address = UdpSocket::bind((ip, 0)).and_then(|probe| probe.local_addr()).expect("loopback");
        // Another test may have taken it meanwhile.
        if let Ok(socket) = io.door().open(local, address) {
            io.open_port(local, socket);
            return address;
        }
    }
    panic!("no free port");
}

/// Batches until so many packets have come.
fn batches(io: &mut impl PacketIo, count: usize) -> Vec<Vec<(Path, Vec<u8>)>> {
    let (mut all, since) = (Vec::<Vec<_>>::new(), Instant::now());
    while all.iter().map(Vec::len).sum::<usize>() < count {
        let batch: Vec<_> =
            io.recv().expect("receives").iter().map(|(path, bytes)| (path, bytes.to_vec())).collect();
        if batch.is_empty() {
            assert!(since.elapsed() < PATIENCE, "of {count}: {all:?}\n{:?}", io.counters());
            io.wait(Some(PATIENCE)).expect("waits");
        } else {
            all.push(batch);
        }
    }
    all
}

fn put(io: &mut impl PacketIo, to: Path, bytes: &[u8]) {
    io.tx().take(&to, bytes.len()).expect("room").copy_from_slice(bytes);
}

/// Sends what was received back to where it came from.
fn echo(io: &mut impl PacketIo, packets: &[(Path, Vec<u8>)]) {
    packets.iter().for_each(|(path, bytes)| put(io, *path, bytes));
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (packets.len(), 0), "{:?}", io.counters());
}

#[test]
fn a_port_hears_and_answers_as_itself() {
    for ip in ["127.0.0.1", "::1"] {
        on_all!(ip, |io| {
            let own = open(&mut io, FIRST_PORT, ip);
            let shared = io.locals()[0];
            let peer = stranger(ip);
            let from = peer.local_addr().expect("bound");
            for (local, address) in [(FIRST_PORT, own), (0, shared)] {
                peer.send_to(b"question", address).expect("sent");
                let got = batches(&mut io, 1).concat();
                assert_eq!(got, [(Path::udp(local, from), b"question".to_vec())]);
                echo(&mut io, &got);
                let mut answer = [0; 64];
                assert_eq!(peer.recv_from(&mut answer).expect("answered"), (8, address));
            }
            assert_eq!((io.counters().ports_open, io.counters().ports_received), (1, 1));
        });
    }
}

#[test]
fn what_came_before_the_shard_took_a_port_over_is_received() {
    on_all!("127.0.0.1", |io| {
        let probe = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = probe.local_addr().expect("bound");
        drop(probe);
        let socket = io.door().open(FIRST_PORT, address).expect("just free");
        stranger("127.0.0.1").send_to(b"early", address).expect("sent");
        // The poller reports a port that is not there yet.
        io.wait(Some(PATIENCE)).expect("waits");
        assert!(io.recv().expect("receives").is_empty());
        io.open_port(FIRST_PORT, socket);
        assert_eq!(batches(&mut io, 1).concat()[0].1, b"early");
    });
}

/// Nothing is received for so long.
fn waits(io: &mut impl PacketIo, time: Duration) {
    let since = Instant::now();
    while since.elapsed() < time {
        io.wait(Some(Duration::ZERO)).expect("looks");
        assert!(io.recv().expect("receives").is_empty());
    }
}

/// The kernel begins to stamp a moment after the first socket of the machine asked for it.
fn until_stamped(io: &mut impl PacketIo, peer: &UdpSocket, port: SocketAddr) {
    let (enough, since) = (Duration::from_millis(1), Instant::now());
    loop {
        peer.send_to(b"stamped?", port).expect("sent");
        waits(io, enough);
        io.look_at_patient_ports().expect("looks");
        let waited: Vec<Duration> =
            io.recv().expect("receives").packets().iter().map(|packet| packet.waited).collect();
        if waited.iter().any(|waited| *waited >= enough) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "{waited:?}");
    }
}

#[test]
fn what_comes_to_a_patient_port_waits_for_a_look_and_tells_for_how_long() {
    on_all!("127.0.0.1", |io| {
        let own = open(&mut io, FIRST_PORT, "127.0.0.1");
        let (peer, prompt) = (stranger("127.0.0.1"), stranger("127.0.0.1"));
        let other = open(&mut io, FIRST_PORT + 1, "127.0.0.1");
        assert!(!io.set_port_patient(FIRST_PORT + 2, true), "no such port");
        assert!(io.set_port_patient(FIRST_PORT, true) && io.set_port_patient(FIRST_PORT, true));
        // A port is looked at once when it is taken over.
        assert!(io.recv().expect("receives").is_empty());
        until_stamped(&mut io, &peer, own);
        let before = *io.counters();
        for round in 0..3_u8 {
            peer.send_to(&[round; 9], own).expect("sent");
            peer.send_to(&[round; 9], own).expect("sent");
            // Loopback keeps the order: when this is here, the others are.
            prompt.send_to(b"prompt", other).expect("sent");
            let got = batches(&mut io, 1).concat();
            assert_eq!(got.iter().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>(), [b"prompt"]);
            waits(&mut io, Duration::from_millis(2));
            io.look_at_patient_ports().expect("looks");
            assert!(io.has_more());
            let batch = io.recv().expect("receives");
            let waited: Vec<Duration> = batch.packets().iter().map(|packet| packet.waited).collect();
            assert!(
                waited.len() == 2 && waited.iter().all(|it| *it >= Duration::from_millis(2)),
                "{waited:?}"
            );
            assert!(batch.iter().all(|(path, bytes)| path.local == FIRST_PORT && bytes == [round; 9]));
        }
        let counters = *io.counters();
        let (received, waited) = (before.ports_received, before.ports_waited);
        assert_eq!((counters.ports_received - received, counters.ports_waited - waited), (9, 6));
        assert_eq!(counters.ports_patient, 1);
        // What waits is not forgotten when the patience ends.
        peer.send_to(b"last", own).expect("sent");
        assert!(io.set_port_patient(FIRST_PORT, false));
        assert_eq!(batches(&mut io, 1).concat()[0].1, b"last");
        peer.send_to(b"prompt", own).expect("sent");
        assert_eq!(batches(&mut io, 1).concat()[0].1, b"prompt");
        io.look_at_patient_ports().expect("looks");
        assert!(io.recv().expect("receives").is_empty());
        assert!(io.set_port_patient(FIRST_PORT, true) && io.close_port(FIRST_PORT));
        assert_eq!((io.counters().ports_patient, io.counters().ports_waited), (0, counters.ports_waited));
    });
}

#[test]
fn a_port_in_use_is_named_at_once() {
    let io = KernelUdp::new(&config("127.0.0.1")).expect("loopback");
    let taken = stranger("127.0.0.1").local_addr().map(|address| (stranger("127.0.0.1"), address));
    let (holder, _) = taken.expect("bound");
    let address = holder.local_addr().expect("bound");
    let text = io.door().open(FIRST_PORT, address).expect_err("taken").to_string();
    assert!(text.contains(&address.to_string()) && text.contains("choose another port"), "{text}");
}

#[test]
fn what_is_queued_for_a_closed_port_is_dropped_and_counted() {
    on_all!("127.0.0.1", |io| {
        let own = open(&mut io, FIRST_PORT, "127.0.0.1");
        let (peer, other) = (stranger("127.0.0.1"), stranger("127.0.0.1"));
        let (to, shared) =
            (peer.local_addr().expect("bound"), Path::udp(0, other.local_addr().expect("bound")));
        for _ in 0..3 {
            peer.send_to(b"unread", own).expect("sent");
        }
        put(&mut io, Path::udp(FIRST_PORT, to), b"late");
        put(&mut io, shared, b"on time");
        put(&mut io, Path::udp(FIRST_PORT, to), b"late");
        assert!(io.close_port(FIRST_PORT) && !io.close_port(FIRST_PORT));
        let report = io.flush().expect("flushes");
        assert_eq!((report.sent, report.dropped), (1, 2));
        let counters = *io.counters();
        assert_eq!((counters.send_no_local, counters.ports_dropped_closed), (2, 3));
        assert_eq!((counters.ports_opened, counters.ports_closed, counters.ports_open), (1, 1, 0));
        assert_eq!(other.recv(&mut [0; 64]).expect("on time"), 7);
        // The address is free again, under another number.
        let socket = io.door().open(FIRST_PORT + 1, own).expect("free");
        io.open_port(FIRST_PORT + 1, socket);
        peer.send_to(b"again", own).expect("sent");
        assert_eq!(batches(&mut io, 1).concat(), [(Path::udp(FIRST_PORT + 1, to), b"again".to_vec())]);
    });
}

#[test]
fn a_flooded_port_delays_no_other() {
    on_all!("127.0.0.1", |io| {
        let flooded = open(&mut io, FIRST_PORT, "127.0.0.1");
        let quiet = open(&mut io, FIRST_PORT + 1, "127.0.0.1");
        let shared = io.locals()[0];
        let peer = stranger("127.0.0.1");
        for _ in 0..1000 {
            peer.send_to(&[7; 100], flooded).expect("sent");
        }
        peer.send_to(b"quiet", quiet).expect("sent");
        peer.send_to(b"shared", shared).expect("sent");
        let all = batches(&mut io, 60);
        let at = |local| all.iter().position(|batch| batch.iter().any(|(path, _)| path.local == local));
        assert!(at(FIRST_PORT + 1) <= Some(1) && at(0) <= Some(1), "{:?} {:?}", at(FIRST_PORT + 1), at(0));
        // What did not fit was counted with the next packet that did.
        while !io.recv().expect("receives").is_empty() {}
        peer.send_to(b"after", flooded).expect("sent");
        batches(&mut io, 1);
        let drops = io.counters().ports_kernel_drops;
        assert!(drops > 0 && drops == io.counters().kernel_drops, "{:?}", io.counters());
    });
}

#[test]
fn thousands_of_ports_are_all_served() {
    const PORTS: u32 = 3000;
    on_all!("127.0.0.1", |io| {
        let ports: Vec<_> =
            (0..PORTS).map(|i| (FIRST_PORT + i, open(&mut io, FIRST_PORT + i, "127.0.0.1"))).collect();
        let peer = stranger("127.0.0.1");
        let from = peer.local_addr().expect("bound");
        for chunk in ports.chunks(64) {
            for (local, address) in chunk {
                peer.send_to(&local.to_be_bytes(), address).expect("sent");
            }
            let mut got = batches(&mut io, chunk.len()).concat();
            echo(&mut io, &got);
            got.sort();
            let wanted: Vec<_> = chunk
                .iter()
                .map(|(local, _)| (Path::udp(*local, from), local.to_be_bytes().to_vec()))
                .collect();
            assert_eq!(got, wanted);
            for _ in chunk {
                let mut answer = [0; 64];
                let (len, by) = peer.recv_from(&mut answer).expect("answered");
                assert!(chunk.iter().any(|(local, own)| *own == by && local.to_be_bytes() == answer[..len]));
            }
        }
        assert_eq!(io.counters().ports_open, u64::from(PORTS));
    });
}

#[test]
fn the_type_of_service_is_on_every_packet() {
    for ip in ["127.0.0.1", "::1"] {
        let mut hearer = KernelUdp::new(&UdpConfig { ecn: true, ..config(ip) }).expect("loopback");
        let to = hearer.locals()[0];
        on_all!(ip, |io| {
            open(&mut io, FIRST_PORT, ip);
            // Expedited forwarding, and one of the two bits that the hearer reads.
            assert!(io.set_port_tos(FIRST_PORT, 46 << 2 | 1) && !io.set_port_tos(FIRST_PORT + 1, 0));
            put(&mut io, Path::udp(FIRST_PORT, to), b"marked");
            io.flush().expect("flushes");
            let since = Instant::now();
            let marks = loop {
                let batch = hearer.recv().expect("receives");
                if let Some(packet) = batch.packets().first() {
                    break packet.ecn;
                }
                assert!(since.elapsed() < PATIENCE);
                hearer.wait(Some(PATIENCE)).expect("waits");
            };
            assert_eq!(marks, 1);
        });
    }
}
