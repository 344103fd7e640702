//! Clients that are slow, many, or send nonsense: nobody else notices.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Ask, Setup, admin, exchange, open};

#[tokio::test]
async fn a_slow_head_is_cut_off_and_blocks_nobody() {
    let doors = open(Setup { read_timeout: Duration::from_secs(1), ..Setup::default() });
    let mut slow = TcpStream::connect(doors.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    assert_eq!(Ask::new("GET /healthz").send(doors.address).await.status, 200);
    let mut rest = Vec::new();
    // Ends when the node gives up; without its time-out this would wait for ever.
    let _cut_off = slow.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
}

#[tokio::test]
async fn a_slow_body_is_refused_with_the_reason() {
    let doors = open(Setup { read_timeout: Duration::from_secs(1), ..Setup::default() });
    let head = format!(
        "POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        admin("*")
    );
    let reply = exchange(TcpStream::connect(doors.address).await.unwrap(), head.as_bytes()).await.unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (408, "too_slow"));
}

#[tokio::test]
async fn connections_are_bounded_and_places_come_back() {
    let doors = open(Setup { max_connections: 2, read_timeout: Duration::from_secs(1), ..Setup::default() });
    // More than there are places: the last ones wait in the kernel's queue until the first are cut off.
    let mut idle = Vec::new();
    for _ in 0..6 {
        idle.push(TcpStream::connect(doors.address).await.unwrap());
    }
    assert_eq!(Ask::new("GET /healthz").send(doors.address).await.status, 200);
}

/// Without this, whoever asks once and stays keeps a place for ever.
#[tokio::test]
async fn an_idle_keep_alive_connection_is_closed() {
    let doors = open(Setup { read_timeout: Duration::from_secs(1), ..Setup::default() });
    let mut idle = TcpStream::connect(doors.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut all = Vec::new();
    idle.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 200") && all.ends_with(b"ok\n"), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test]
async fn nonsense_is_answered_or_dropped() {
    let doors = open(Setup::default());
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
    let many: String = (0..5000).map(|number| format!("X-{number}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let cases: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"POST /dev/token HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for case in cases {
        let stream = TcpStream::connect(doors.address).await.unwrap();
        if let Ok(reply) = exchange(stream, case).await {
            assert!(reply.status >= 400, "{case:?}: {}", reply.status);
        }
        assert_eq!(Ask::new("GET /healthz").send(doors.address).await.status, 200);
    }
}

#[tokio::test]
async fn the_server_stops_and_idle_connections_end() {
    let doors = open(Setup::default());
    let mut idle = TcpStream::connect(doors.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0u8; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert!(
        doors.server.stop(crate::support::PATIENT).await,
        "a keep-alive connection does not hold up the stop"
    );
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(doors.address).await.is_err());
}
