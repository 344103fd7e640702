//! One port for several shards: who receives what.

mod common;

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use common::{put, receive};
use kaname_io::steer::{SteerError, Steering, letter};
use kaname_io::{BindError, KernelUdp, PacketIo, UdpConfig};
use kaname_wire::path::{Carrier, Path};

const SHARDS: usize = 3;

fn group(tcp: bool) -> Vec<KernelUdp> {
    let bind = ["127.0.0.1", "::1"].iter().map(|ip| ip.parse().expect("an address")).collect();
    KernelUdp::group(&UdpConfig { bind, tcp, receive_buffer: 1 << 20, ..UdpConfig::default() }, SHARDS)
        .expect("loopback")
}

/// Steering, or `None` with a word on why not.
#[expect(clippy::print_stderr, reason = "a test that proves nothing here says so")]
fn steered(group: &[KernelUdp]) -> Option<Steering> {
    match Steering::attach(group) {
        Ok(steering) => Some(steering),
        Err(SteerError::Bpf(error @ kaname_io::bpf::BpfError::Forbidden)) => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A connectivity check as far as steering reads it, with another attribute ahead of the name.
fn check(shard: usize) -> Vec<u8> {
    let name = format!("{}abc:them", letter(shard));
    let mut check = vec![0, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42];
    check.extend([9; 12]);
    check.extend([0, 0x24, 0, 4, 1, 2, 3, 4, 0, 6, 0, name.len() as u8]);
    check.extend(name.as_bytes());
    check.resize(check.len().next_multiple_of(4), 0);
    check
}

/// Which shard has something, and what.
fn arrival(group: &mut [KernelUdp]) -> (usize, Path, Vec<u8>) {
    let since = std::time::Instant::now();
    loop {
        for (shard, io) in group.iter_mut().enumerate() {
            if let Some((path, bytes)) = io.recv().expect("receives").iter().next() {
                return (shard, path, bytes.to_vec());
            }
            io.wait(Some(Duration::from_millis(1))).expect("waits");
        }
        assert!(since.elapsed() < Duration::from_secs(20), "nothing arrived");
    }
}

fn client(server: SocketAddr) -> UdpSocket {
    let any: SocketAddr =
        if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }.parse().expect("an address");
    let socket = UdpSocket::bind(any).expect("loopback");
    socket.connect(server).expect("an address");
    socket
}

#[test]
fn all_shards_have_one_port_and_nobody_else_has_it() {
    let group = group(true);
    assert!(group.iter().all(|io| io.locals() == group[0].locals()));
    let port = group[0].locals()[0].port();
    let config = UdpConfig { port, tcp: false, ..UdpConfig::default() };
    for shards in [1, 2] {
        assert!(matches!(KernelUdp::group(&config, shards), Err(BindError::InUse { .. })), "{shards}");
    }
}

#[test]
fn a_check_goes_to_the_shard_it_names_and_what_follows_to_the_shard_that_learned_it() {
    let mut group = group(false);
    let Some(steering) = steered(&group) else { return };
    // They stay, so that none has the port of one before, which was learned.
    let mut clients = Vec::new();
    for (local, server) in group[0].locals().to_vec().into_iter().enumerate() {
        for number in 0..24 {
            let (named, learned) = (number % SHARDS, (number + 1) % SHARDS);
            let client = client(server);
            client.send(&check(named)).expect("sent");
            let (shard, path, bytes) = arrival(&mut group);
            assert_eq!((shard, path.local as usize, bytes), (named, local, check(named)));
            steering.learn(&path, learned).expect("room");
            // Whatever it sends, even a check that names another.
            for bytes in [vec![0x80; 40], check(named)] {
                client.send(&bytes).expect("sent");
                assert_eq!(arrival(&mut group), (learned, path, bytes));
            }
            // Each shard answers from the same address, or a connected socket would not hear it.
            put(&mut group[learned], path, b"answer");
            group[learned].flush().expect("flushes");
            let mut answer = [0; 16];
            assert_eq!(client.recv(&mut answer).expect("answered"), 6);
            clients.push(client);
        }
    }
}

#[test]
fn what_names_no_shard_is_spread() {
    let mut group = group(false);
    let Some(_steering) = steered(&group) else { return };
    let server = group[0].locals()[0];
    let mut per_shard = [0; SHARDS];
    for _ in 0..60 {
        for bytes in [vec![0x80; 40], check(60), check(5)[..23].to_vec(), vec![0, 1]] {
            client(server).send(&bytes).expect("sent");
            per_shard[arrival(&mut group).0] += 1;
        }
    }
    assert!(per_shard.iter().all(|count| *count > 20), "{per_shard:?}");
}

#[test]
fn steering_is_possible_where_the_check_says_so() {
    assert_eq!(kaname_io::steer::check().is_ok(), steered(&group(false)).is_some());
}

#[test]
fn a_connection_goes_on_at_another_shard() {
    let mut group = group(true);
    let server = group[0].locals()[0];
    for _ in 0..8 {
        let mut client = TcpStream::connect(server).expect("listening");
        let first = check(1);
        let frame = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        client.write_all(&frame(&first)).expect("open");
        let (shard, path, bytes) = arrival(&mut group);
        assert_eq!(bytes, first);
        let Carrier::Tcp(number) = path.carrier else { panic!("it came by TCP") };
        let other = (shard + 1) % SHARDS;
        client.write_all(&frame(&[0x80; 50])).expect("open");
        let handed = group[shard].hand_over(number, &bytes).expect("a fresh connection");
        assert_eq!(handed.remote(), client.local_addr().expect("connected"));
        group[other].adopt(handed);
        let got = receive(&mut group[other], |all| all.len() == 2);
        assert_eq!((&got[0].1, &got[1].1), (&first, &vec![0x80; 50]));
        assert!(matches!(got[0].0.carrier, Carrier::Tcp(_)) && got[0].0.remote == path.remote);
        put(&mut group[other], got[0].0, b"answer");
        group[other].flush().expect("flushes");
        let mut answer = [0; 8];
        std::io::Read::read_exact(&mut client, &mut answer).expect("answered");
        assert_eq!(answer, *b"\0\x06answer");
        // Once spoken to it stays.
        let Carrier::Tcp(number) = got[0].0.carrier else { panic!("it came by TCP") };
        assert!(group[other].hand_over(number, &first).is_none());
        assert!(group[shard].hand_over(number + 1000, &first).is_none());
    }
    let total = |of: fn(&kaname_io::Counters) -> u64| group.iter().map(|io| of(io.counters())).sum::<u64>();
    assert_eq!((total(|c| c.tcp_handed_over), total(|c| c.tcp_adopted)), (8, 8));
}
