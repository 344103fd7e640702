//! Kernel UDP on loopback, with real traffic.

#[path = "../common/mod.rs"]
mod common;
mod devices;
mod joined;

use std::net::{SocketAddr, UdpSocket};

use common::{open, put, receive};
use kaname_io::{MAX_RECEIVED, PacketIo, RX_BATCH, Slots, TX_BATCH};
use kaname_wire::path::{Carrier, Path};

fn peer(ip: &str) -> UdpSocket {
    UdpSocket::bind((ip, 0)).expect("loopback")
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("bound")
}

#[test]
fn both_families_are_answered_from_the_address_that_was_asked() {
    let mut io = open(&["127.0.0.1", "::1", "127.0.0.2"], false, 1 << 20);
    for (local, ip) in ["127.0.0.1", "::1", "127.0.0.1"].into_iter().enumerate() {
        let peer = peer(ip);
        peer.send_to(b"question", io.locals()[local]).expect("sent");
        let got = receive(&mut io, |all| !all.is_empty());
        assert_eq!(got, vec![(Path::udp(local as u32, address(&peer)), b"question".to_vec())]);
        put(&mut io, got[0].0, b"answer");
        assert_eq!(io.flush().expect("flushes").sent, 1);
        let mut buffer = [0; 64];
        let (len, from) = peer.recv_from(&mut buffer).expect("answered");
        assert_eq!((&buffer[..len], from), (&b"answer"[..], io.locals()[local]));
    }
}

#[test]
fn many_arrive_in_order_and_batches_are_bounded() {
    const COUNT: u32 = 1000;
    let mut io = open(&["127.0.0.1"], false, 16 << 20);
    let peer = peer("127.0.0.1");
    for i in 0..COUNT {
        let len = 4 + (i as usize * 37) % 1200;
        let mut bytes = vec![i as u8; len];
        bytes[..4].copy_from_slice(&i.to_be_bytes());
        peer.send_to(&bytes, io.locals()[0]).expect("sent");
    }
    let mut seen = 0;
    while seen < COUNT {
        let batch = io.recv().expect("receives");
        assert!(batch.len() <= RX_BATCH);
        assert!(!batch.is_empty(), "all is here already");
        for (_, bytes) in batch.iter() {
            assert_eq!(bytes[..4], seen.to_be_bytes());
            assert_eq!(bytes.len(), 4 + (seen as usize * 37) % 1200);
            assert!(bytes[4..].iter().all(|b| *b == seen as u8));
            seen += 1;
        }
    }
    assert_eq!(io.counters().packets_received, u64::from(COUNT));
    assert!(io.counters().receive_calls < u64::from(COUNT) / 10, "many a call");
}

#[test]
fn one_bad_destination_loses_nothing_else() {
    let mut io = open(&["127.0.0.1", "::1"], false, 1 << 20);
    let (four, six) = (peer("127.0.0.1"), peer("::1"));
    let bad = [
        // The wrong family for its socket, an address that cannot be, and a socket that is not there.
        (Path::udp(0, address(&six)), 5, "io_send_bad_address"),
        (Path::udp(0, "127.0.0.1:0".parse().expect("an address")), 5, "io_send_bad_address"),
        (Path::udp(9, address(&four)), 5, "io_send_no_local"),
        (Path { carrier: Carrier::Tcp(7), ..Path::udp(0, address(&four)) }, 5, "io_send_no_connection"),
        (Path::udp(0, "255.255.255.255:9".parse().expect("an address")), 5, "io_send_forbidden"),
        (Path::udp(1, address(&six)), 65_507, "io_sent_well"),
    ];
    for (i, (path, len, _)) in bad.iter().enumerate() {
        put(&mut io, Path::udp(0, address(&four)), &[i as u8; 100]);
        io.tx().take(path, *len).expect("room").fill(0);
        put(&mut io, Path::udp(1, address(&six)), &[i as u8; 200]);
    }
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (2 * bad.len() + 1, bad.len() - 1));
    let mut buffer = vec![0; 70_000];
    for i in 0..bad.len() {
        assert_eq!(four.recv(&mut buffer).expect("sent"), 100);
        assert_eq!(buffer[0], i as u8);
    }
    let mut lengths = Vec::new();
    for _ in 0..=bad.len() {
        lengths.push(six.recv(&mut buffer).expect("sent"));
    }
    assert_eq!(lengths.iter().filter(|len| **len == 200).count(), bad.len());
    let counters = io.counters();
    assert_eq!((counters.send_bad_address, counters.send_no_local), (2, 1));
    assert_eq!((counters.send_no_connection, counters.send_forbidden), (1, 1));
    assert_eq!(counters.packets_sent, report.sent as u64);
    assert_eq!(counters.bytes_sent, (bad.len() * 300 + 65_507) as u64);
    assert_eq!(io.flush().expect("flushes").sent, 0, "a flush empties the batch");
}

#[test]
fn a_full_batch_goes_out_in_order() {
    let mut io = open(&["127.0.0.1"], false, 1 << 20);
    let mut sink = open(&["127.0.0.1"], false, 16 << 20);
    let to = Path::udp(0, sink.locals()[0]);
    let mut tx = io.tx();
    let mut taken = 0_u32;
    while let Some(slot) = tx.take(&to, 300) {
        slot[..4].copy_from_slice(&taken.to_be_bytes());
        taken += 1;
    }
    assert_eq!(taken as usize, TX_BATCH);
    assert_eq!(io.flush().expect("flushes").sent, TX_BATCH);
    let got = receive(&mut sink, |all| all.len() == TX_BATCH);
    assert!(got.iter().zip(0_u32..).all(|((_, bytes), i)| bytes[..4] == i.to_be_bytes()));
    assert_eq!(io.counters().send_calls, 1);
}

#[test]
fn what_is_too_long_is_dropped_and_counted_and_the_next_is_not() {
    let mut io = open(&["127.0.0.1"], false, 1 << 20);
    let peer = peer("127.0.0.1");
    peer.send_to(&[1; MAX_RECEIVED + 1], io.locals()[0]).expect("sent");
    peer.send_to(&[2; MAX_RECEIVED], io.locals()[0]).expect("sent");
    peer.send_to(&[], io.locals()[0]).expect("sent");
    let got = receive(&mut io, |all| all.len() == 2);
    assert_eq!(got[0].1, vec![2; MAX_RECEIVED]);
    assert_eq!(got[1].1, Vec::<u8>::new());
    assert_eq!(io.counters().received_too_long, 1);
}

#[test]
fn the_kernels_drops_are_counted() {
    let mut io = open(&["127.0.0.1"], false, 1);
    let granted = io.counters().receive_buffer_bytes;
    assert!(granted > 0 && granted < 65_536, "the smallest the kernel has: {granted}");
    let peer = peer("127.0.0.1");
    const COUNT: u64 = 100;
    for _ in 0..COUNT {
        peer.send_to(&[0; 1000], io.locals()[0]).expect("sent");
    }
    let first = receive(&mut io, |all| !all.is_empty()).len() as u64;
    // The counter comes with the first packet that gets through after the drops.
    peer.send_to(&[1; 10], io.locals()[0]).expect("sent");
    let rest = receive(&mut io, |all| all.iter().any(|(_, bytes)| bytes.len() == 10)).len() as u64;
    let received = first + rest - 1;
    assert!(received < COUNT, "they do not fit");
    assert_eq!(io.counters().kernel_drops, COUNT - received);
}

#[test]
fn a_waker_ends_a_wait_and_is_not_lost() {
    let mut io = open(&["127.0.0.1"], false, 1 << 20);
    assert!(io.recv().expect("receives").is_empty());
    for _ in 0..3 {
        // Before the wait, several times: one wait ends, at once.
        let waker = io.waker();
        waker.wake();
        waker.wake();
        io.wait(None).expect("woken");
        // During the wait, from elsewhere.
        let thread = std::thread::spawn(move || waker.wake());
        io.wait(None).expect("woken");
        thread.join().expect("no panic");
        io.wait(Some(std::time::Duration::ZERO)).expect("returns");
    }
}

#[test]
fn what_is_discarded_is_not_sent() {
    let mut io = open(&["127.0.0.1"], false, 1 << 20);
    let peer = peer("127.0.0.1");
    let to = Path::udp(0, address(&peer));
    put(&mut io, to, b"half-made");
    io.discard();
    put(&mut io, to, b"whole");
    assert_eq!(io.flush().expect("flushes").sent, 1);
    let mut buffer = [0; 64];
    assert_eq!(peer.recv(&mut buffer).expect("sent"), 5);
}
