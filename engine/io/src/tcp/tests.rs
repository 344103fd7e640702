//! What depends on time and counts, with time as an argument.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream as Client};
use std::time::Duration;

use super::*;
use crate::poll::Poller;

const FIRST_TOKEN: usize = 10;
/// How long a test waits for the kernel's loopback before it calls it a failure.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    tcp: Tcp,
    poll: Poller,
    counters: Counters,
    start: Instant,
    address: SocketAddr,
}

impl Bench {
    fn new() -> Bench {
        let poll = Poller::new(64).expect("a poller");
        let start = Instant::now();
        let mut tcp = Tcp::new(FIRST_TOKEN, start);
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("an option");
        let address = listener.local_addr().expect("bound");
        tcp.listen(poll.registry(), Token(0), 0, listener).expect("registered");
        Bench { tcp, poll, counters: Counters::default(), start, address }
    }

    fn client(&self) -> Client {
        Client::connect(self.address).expect("listening")
    }

    /// Polls and works at `start + after` until `done`.
    fn work(&mut self, after: Duration, done: impl Fn(&Tcp, &Counters) -> bool) {
        while !done(&self.tcp, &self.counters) {
            self.poll.wait(Some(PATIENCE)).expect("a poll");
            assert!(!self.poll.is_empty(), "nothing happened: {:?}", self.counters);
            for event in (0..).map_while(|at| self.poll.ready(at)).collect::<Vec<_>>() {
                match event.token {
                    Token(0) => self.tcp.listener_ready(0),
                    _ => self.tcp.connection_event(event, self.poll.registry(), &mut self.counters),
                }
            }
            self.tcp.work(self.poll.registry(), &mut self.counters, self.start + after);
            self.tcp.receive(64, self.poll.registry(), &mut self.counters, |_, _| {});
        }
    }

    fn sweep(&mut self, after: Duration) {
        self.tcp.work(self.poll.registry(), &mut self.counters, self.start + after);
    }
}

#[test]
fn a_source_has_its_share_of_connections() {
    let mut bench = Bench::new();
    let clients: Vec<Client> = (0..MAX_CONNECTIONS_PER_SOURCE + 3).map(|_| bench.client()).collect();
    bench.work(Duration::ZERO, |_, c| c.tcp_accepted + c.tcp_refused_source == clients.len() as u64);
    assert_eq!(bench.counters.tcp_refused_source, 3);
    assert_eq!(bench.tcp.connections.len(), MAX_CONNECTIONS_PER_SOURCE);
    // One leaves, so there is room for one; its number is not given again.
    drop(clients);
    bench.work(Duration::ZERO, |tcp, _| tcp.connections.is_empty());
    assert!(bench.tcp.sources.is_empty());
    let _again = bench.client();
    bench.work(Duration::ZERO, |tcp, _| !tcp.connections.is_empty());
    assert!(bench.tcp.connections.contains_key(&(MAX_CONNECTIONS_PER_SOURCE as u32)));
}

#[test]
fn when_all_numbers_are_used_none_is_used_again() {
    let mut bench = Bench::new();
    bench.tcp.next_number = Some(u32::MAX);
    let _clients = [bench.client(), bench.client()];
    bench.work(Duration::ZERO, |_, c| c.tcp_accepted + c.tcp_refused_full == 2);
    assert_eq!(bench.counters.tcp_refused_full, 1);
    assert!(bench.tcp.connections.contains_key(&u32::MAX));
}

#[test]
fn strangers_and_the_silent_are_ended() {
    let mut bench = Bench::new();
    let _clients = [bench.client(), bench.client()];
    bench.work(Duration::ZERO, |_, c| c.tcp_accepted == 2);
    bench.sweep(TCP_ANSWER_TIME / 2);
    assert_eq!(bench.tcp.connections.len(), 2);
    // Connection 1 gets an answer; 0 does not.
    let Bench { tcp, poll, counters, .. } = &mut bench;
    assert!(tcp.send(1, b"answer", poll.registry(), counters));
    bench.sweep(TCP_ANSWER_TIME + Duration::from_secs(2));
    assert_eq!(bench.counters.tcp_idle, 1);
    assert!(bench.tcp.connections.contains_key(&1));
}

#[test]
fn a_slow_reader_is_dropped_within_its_bound() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    bench.work(Duration::ZERO, |_, c| c.tcp_accepted == 1);
    let frame = [7; 1200];
    let Bench { tcp, poll, counters, .. } = &mut bench;
    let mut sent = 0_usize;
    // The kernel takes what its own buffers hold, then ours fills; that bounds the loop.
    while tcp.send(0, &frame, poll.registry(), counters) {
        tcp.flush(poll.registry(), counters);
        sent += 1;
        let unsent = tcp.connections.get(&0).map_or(0, Connection::unsent_bytes);
        assert!(unsent <= crate::limits::MAX_WRITE_BUFFER);
        assert!(sent < 100_000, "loopback buffers are not that large");
    }
    assert_eq!(counters.tcp_slow, 1);
    assert!(!tcp.send(0, &frame, poll.registry(), counters), "it is gone");
    assert_eq!(counters.send_no_connection, 2);
    // What the client had been sent is whole frames from the start.
    let mut head = [0; 1202];
    client.read_exact(&mut head).expect("sent before");
    assert_eq!((&head[..2], &head[2..]), (&[4, 176][..], &frame[..]));
}

#[test]
fn a_reader_that_stands_still_is_dropped() {
    let mut bench = Bench::new();
    let mut client = bench.client();
    client.write_all(&[0]).expect("open");
    bench.work(Duration::ZERO, |_, c| c.tcp_accepted == 1);
    let Bench { tcp, poll, counters, .. } = &mut bench;
    let frame = [7; 60_000];
    while tcp.connections.get(&0).is_some_and(|c| c.unsent_bytes() == 0) {
        assert!(tcp.send(0, &frame, poll.registry(), counters));
        tcp.flush(poll.registry(), counters);
    }
    bench.sweep(TCP_ANSWER_TIME + Duration::from_secs(5));
    assert_eq!(bench.counters.tcp_slow, 1);
    drop(client);
}
