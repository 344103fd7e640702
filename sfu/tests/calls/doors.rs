//! How messages come in and replies go out.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use kaname_sfu::ng::Carrier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{World, command, config, read, text};

const PORTS: (u16, u16) = (20_000, 20_099);

#[tokio::test]
async fn pings_are_answered_in_the_writing_they_came_in() {
    let world = World::start(config(PORTS));
    let proxy = world.proxy().await;
    for (ask, answer) in [
        ("5323_1 d7:command4:pinge", "5323_1 d6:result4:ponge"),
        ("5323_2 {\"command\": \"ping\"}", "5323_2 {\"result\":\"pong\"}"),
    ] {
        proxy.send(ask.as_bytes()).await;
        assert_eq!(String::from_utf8(proxy.receive().await).unwrap(), answer);
    }
    assert_eq!(world.door_count("received"), 2);
}

#[tokio::test]
async fn a_stream_carries_many_messages_however_they_are_cut() {
    let world = World::start(config(PORTS));
    let mut stream = TcpStream::connect(world.address(Carrier::Tcp)).await.unwrap();
    let asked = "a_1 d7:command4:pingea_2 {\"command\":\"ping\"}\na_3 d7:command4:pinge";
    for half in [&asked[..30], &asked[30..]] {
        stream.write_all(half.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    let answered = "a_1 d6:result4:ponge".len() * 2 + "a_2 {\"result\":\"pong\"}".len();
    let mut replies = vec![0; answered];
    stream.read_exact(&mut replies).await.unwrap();
    let replies = String::from_utf8(replies).unwrap();
    assert_eq!(replies, "a_1 d6:result4:pongea_2 {\"result\":\"pong\"}a_3 d6:result4:ponge");
    // What no reader could follow ends the connection.
    stream.write_all(b"a_4 x").await.unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(world.door_count("malformed"), 1);
}

#[tokio::test]
async fn http_and_websockets_carry_messages() {
    let world = World::start(config(PORTS));
    let address = world.address(Carrier::Http);
    let post = |body: &str| {
        let head = format!(
            "POST /ng HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        format!("{head}{body}")
    };
    for (body, status, contains) in [
        ("h_1 d7:command4:pinge", "200", "h_1 d6:result4:ponge"),
        ("h_2 d7:command", "200", "error-reason"),
        ("nothing", "400", "cookie"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(post(body).as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}")) && reply.contains(contains), "{reply}");
    }
    let mut request = format!("ws://{address}/ng").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "ng.rtpengine.com".parse().unwrap());
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "ng.rtpengine.com");
    socket.send(Message::text("w_1 {\"command\":\"ping\"}")).await.unwrap();
    let reply = socket.next().await.unwrap().unwrap();
    assert_eq!(reply.into_text().unwrap(), "w_1 {\"result\":\"pong\"}");
}

#[tokio::test]
async fn what_is_wrong_is_said_where_a_cookie_can_be_read() {
    let world = World::start(config(PORTS));
    let mut proxy = world.proxy().await;
    // No cookie, so no reply; the next message is answered.
    proxy.send(b"garbage").await;
    for bad in ["b_1 d7:command", "b_2 {\"command\":", "b_3 d7:commandi1ee"] {
        proxy.send(bad.as_bytes()).await;
        let (cookie, reply) = read(&proxy.receive().await);
        assert_eq!(cookie, bad[..3]);
        assert_eq!(text(&reply, "result"), "error");
        assert!(!text(&reply, "error-reason").is_empty());
    }
    let reply = proxy.ask(command("make coffee")).await;
    assert!(text(&reply, "error-reason").contains("make coffee"), "{reply:?}");
    assert_eq!(world.door_count("malformed"), 3);
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike() {
    let world = World::start(config(PORTS));
    let proxy = world.proxy().await;
    for _ in 0..2 {
        proxy.send(b"r_1 d7:command4:pinge").await;
        assert_eq!(proxy.receive().await, b"r_1 d6:result4:ponge");
    }
    assert_eq!(world.calls.counters().await.repeated_total, 1);
}

#[tokio::test]
async fn strangers_hear_nothing_and_are_counted() {
    let world = World::open(config(PORTS), "192.0.2.0/24");
    let proxy = world.proxy().await;
    proxy.send(b"s_1 d7:command4:pinge").await;
    let mut stream = TcpStream::connect(world.address(Carrier::Tcp)).await.unwrap();
    assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)), "closed without a word");
    // The datagram was sent first; nothing was ever read from it.
    while world.door_count("refused_source") < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.door_count("received"), 0);
    let silence = tokio::time::timeout(Duration::ZERO, proxy.socket.recv(&mut [0; 16])).await;
    assert!(silence.is_err());
}
