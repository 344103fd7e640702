//! Datagrams that the kernel joined on the way (UDP_GRO), from a foreign sender that sends runs (UDP_SEGMENT).

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use kaname_io::{KernelUdp, MAX_RECEIVED, PacketIo, RX_BATCH, UdpConfig};

use crate::common::{open_as, receive};

/// A plain socket whose sends the kernel cuts into segments of this size.
fn cutting(segment: i32) -> UdpSocket {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
    // SAFETY: the descriptor is open, and the kernel reads one int.
    let result = unsafe {
        let value = (&raw const segment).cast();
        let len = size_of::<i32>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, value, len)
    };
    assert_eq!(result, 0, "Linux 4.18 or newer");
    socket
}

fn joining(coalesce: bool) -> KernelUdp {
    open_as(UdpConfig { tcp: false, coalesce, ..UdpConfig::default() })
}

/// Sends `total` bytes as one run: byte `i` is that of the segment it falls into.
fn send(socket: &UdpSocket, to: &KernelUdp, segment: usize, total: usize) {
    let bytes: Vec<u8> = (0..total).map(|i| (i / segment) as u8).collect();
    assert_eq!(socket.send_to(&bytes, to.locals()[0]).expect("sent"), total);
}

#[test]
fn joined_datagrams_are_told_apart_the_shorter_last_one_too() {
    for coalesce in [true, false] {
        let mut io = joining(coalesce);
        let (first, second) = (cutting(1000), cutting(300));
        send(&first, &io, 1000, 6500);
        send(&second, &io, 300, 900);
        let got = receive(&mut io, |all| all.len() == 10);
        let from_first: Vec<_> =
            got.iter().filter(|(path, _)| path.remote == first.local_addr().expect("bound")).collect();
        let lens: Vec<usize> = from_first.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lens, [1000, 1000, 1000, 1000, 1000, 1000, 500]);
        for (number, (_, bytes)) in from_first.iter().enumerate() {
            assert!(bytes.iter().all(|byte| usize::from(*byte) == number));
        }
        let counters = io.counters();
        let joined = if coalesce { (2, 10) } else { (0, 0) };
        assert_eq!((counters.messages_joined, counters.packets_joined), joined);
        assert_eq!((counters.packets_received, counters.bytes_received), (10, 7400));
    }
}

#[test]
fn more_than_a_batch_is_handed_out_bit_by_bit_and_no_wait_is_too_long() {
    let mut io = joining(true);
    let socket = cutting(100);
    let runs = 20;
    (0..runs).for_each(|_| send(&socket, &io, 100, 6400));
    let mut left = runs * 64;
    while left > 0 {
        let len = io.recv().expect("receives").len();
        assert!(len > 0 && len <= RX_BATCH && len <= left, "{len} of {left}");
        left -= len;
        // Were it to wait for the socket, it would wait for ever.
        assert!(left == 0 || io.wait(None).expect("waits"));
    }
    assert_eq!(io.counters().receive_calls, 1);
    assert!(io.recv().expect("receives").is_empty());
}

#[test]
fn segments_that_are_too_long_are_dropped_and_counted_and_the_next_are_not() {
    let mut io = joining(true);
    let (long, fine) = (cutting(MAX_RECEIVED as i32 + 1), cutting(MAX_RECEIVED as i32));
    send(&long, &io, MAX_RECEIVED + 1, 3 * (MAX_RECEIVED + 1));
    send(&fine, &io, MAX_RECEIVED, 2 * MAX_RECEIVED);
    let got = receive(&mut io, |all| all.len() == 2);
    assert!(got.iter().all(|(_, bytes)| bytes.len() == MAX_RECEIVED));
    assert_eq!(io.counters().received_too_long, 3);
}

#[test]
fn ecn_and_the_time_of_arrival_are_read_where_asked() {
    for bind in ["127.0.0.1", "::1"] {
        for asked in [true, false] {
            let bind = vec![bind.parse().expect("an address")];
            let mut io = open_as(UdpConfig {
                bind,
                tcp: false,
                ecn: asked,
                arrival_time: asked,
                ..UdpConfig::default()
            });
            let peer = UdpSocket::bind((io.locals()[0].ip(), 0)).expect("loopback");
            let option = if io.locals()[0].is_ipv4() {
                (libc::IPPROTO_IP, libc::IP_TOS)
            } else {
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS)
            };
            let congested = 3_i32;
            // SAFETY: the descriptor is open, and the kernel reads one int.
            let result = unsafe {
                let (value, len) = ((&raw const congested).cast(), size_of::<i32>() as libc::socklen_t);
                libc::setsockopt(peer.as_raw_fd(), option.0, option.1, value, len)
            };
            assert_eq!(result, 0);
            peer.send_to(b"marked", io.locals()[0]).expect("sent");
            // Loopback delivers within the call.
            let packet = io.recv().expect("receives").packets()[0];
            assert_eq!(packet.ecn, if asked { 3 } else { 0 });
            assert_eq!(!packet.waited.is_zero(), asked, "{:?}", packet.waited);
        }
    }
}
