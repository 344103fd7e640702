//! RFC 4571 frames over TCP on loopback, with real traffic.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{open, patiently, put, receive};
use kaname_io::{KernelUdp, MAX_RECEIVED, PacketIo};
use kaname_wire::path::{Carrier, Path};

fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u16).to_be_bytes(), payload].concat()
}

/// As much of a binding request as a first frame must look like.
fn stun() -> Vec<u8> {
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.resize(20, 9);
    stun
}

fn connect(io: &KernelUdp) -> TcpStream {
    let stream = TcpStream::connect(io.locals()[0]).expect("listening");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// Works until the counters say so; nothing is delivered meanwhile.
fn wait_for(io: &mut KernelUdp, done: impl Fn(&kaname_io::Counters) -> bool) {
    let since = std::time::Instant::now();
    while !done(io.counters()) {
        patiently(io, since);
        assert!(io.recv().expect("receives").is_empty(), "garbage is not delivered");
    }
}

#[test]
fn frames_split_at_every_byte_arrive_whole_and_are_answered() {
    let mut io = open(&["127.0.0.1", "::1"], true, 1 << 20);
    let second = vec![0x80; 300];
    // An empty frame says nothing (RFC 4571 section 2).
    let bytes = [framed(&stun()), framed(&second), framed(&[]), framed(&[5])].concat();
    for cut in 1..bytes.len() {
        let mut client = connect(&io);
        client.write_all(&bytes[..cut]).expect("open");
        // What is whole so far comes, and nothing else.
        let whole = usize::from(cut >= 22) + usize::from(cut >= 22 + 302);
        let mut got = receive(&mut io, |all| all.len() >= whole);
        client.write_all(&bytes[cut..]).expect("open");
        got.extend(receive(&mut io, |all| all.len() >= 3 - whole));
        let payloads: Vec<&[u8]> = got.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        assert_eq!(payloads, [&stun()[..], &second, &[5]], "cut at {cut}");
        let path = got[0].0;
        assert!(matches!(path.carrier, Carrier::Tcp(n) if n as usize == cut - 1), "never used again");
        assert_eq!((path.local, path.remote), (0, client.local_addr().expect("connected")));
        put(&mut io, path, b"answer");
        io.flush().expect("flushes");
        let mut answer = [0; 8];
        client.read_exact(&mut answer).expect("answered");
        assert_eq!(answer[..], framed(b"answer")[..]);
        drop(client);
        // Its place is free for the next before that comes: the bound a source would be hit otherwise.
        let closed = io.counters().tcp_closed_by_peer;
        wait_for(&mut io, |c| c.tcp_closed_by_peer > closed);
    }
}

#[test]
fn many_frames_at_once_of_many_connections() {
    const FRAMES: usize = 200;
    let mut io = open(&["127.0.0.1"], true, 1 << 20);
    let clients: Vec<TcpStream> = (0..5)
        .map(|c| {
            let mut client = connect(&io);
            let mut bytes = framed(&stun());
            for i in 0..FRAMES {
                bytes.extend(framed(&[&[c, i as u8][..], &vec![c; i]].concat()));
            }
            client.write_all(&bytes).expect("open");
            client
        })
        .collect();
    let got = receive(&mut io, |all| all.len() == 5 * (FRAMES + 1));
    for (c, client) in clients.iter().enumerate() {
        let of_client: Vec<&Vec<u8>> = got
            .iter()
            .filter(|(path, _)| path.remote == client.local_addr().expect("connected"))
            .map(|(_, bytes)| bytes)
            .collect();
        assert_eq!(of_client.len(), FRAMES + 1);
        for (i, bytes) in of_client[1..].iter().enumerate() {
            assert_eq!((bytes[0], bytes[1], bytes.len()), (c as u8, i as u8, i + 2));
        }
    }
}

#[test]
fn garbage_closes_the_connection_and_no_other() {
    let mut io = open(&["127.0.0.1"], true, 1 << 20);
    let mut honest = connect(&io);
    honest.write_all(&framed(&stun())).expect("open");
    let path = receive(&mut io, |all| !all.is_empty())[0].0;
    let too_long = [framed(&stun()), (MAX_RECEIVED as u16 + 1).to_be_bytes().to_vec()].concat();
    let cases: [(&[u8], usize); 4] =
        [(b"GET / HTTP/1.1\r\n\r\n", 0), (&framed(&[0; 20]), 0), (&framed(&[0x80; 40]), 0), (&too_long, 1)];
    for (i, (bytes, frames)) in cases.into_iter().enumerate() {
        let mut client = connect(&io);
        client.write_all(bytes).expect("open");
        receive(&mut io, |all| all.len() == frames);
        wait_for(&mut io, |c| c.tcp_garbage == i as u64 + 1);
        // Closed, or reset because something was left unread.
        assert!(!matches!(client.read(&mut [0; 1]), Ok(n) if n > 0));
    }
    put(&mut io, path, b"still here");
    assert_eq!(io.flush().expect("flushes").sent, 1);
    let mut answer = [0; 12];
    honest.read_exact(&mut answer).expect("open");
}

#[test]
fn a_path_of_a_closed_connection_reaches_nobody() {
    let mut io = open(&["127.0.0.1"], true, 1 << 20);
    let mut first = connect(&io);
    first.write_all(&framed(&stun())).expect("open");
    let old: Path = receive(&mut io, |all| !all.is_empty())[0].0;
    drop(first);
    wait_for(&mut io, |c| c.tcp_closed_by_peer == 1);
    let mut second = connect(&io);
    second.write_all(&framed(&stun())).expect("open");
    let new = receive(&mut io, |all| !all.is_empty())[0].0;
    put(&mut io, old, b"old");
    put(&mut io, new, b"new");
    let report = io.flush().expect("flushes");
    assert_eq!((report.sent, report.dropped), (1, 1));
    assert_eq!(io.counters().send_no_connection, 1);
    let mut answer = [0; 5];
    second.read_exact(&mut answer).expect("answered");
    assert_eq!(answer[..], framed(b"new")[..]);
}

#[test]
fn without_tcp_nothing_listens() {
    let io = open(&["127.0.0.1"], false, 1 << 20);
    assert!(TcpStream::connect(io.locals()[0]).is_err());
}
