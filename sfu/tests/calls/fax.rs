//! T.38: UDPTL through the node, as it is.

use std::net::SocketAddr;

use crate::phone::{Phone, media};
use crate::rtp::{about, call};
use crate::support::{PATIENCE, World, config};

fn fax(phone: &Phone) -> String {
    let (ip, port) = (phone.address().ip(), phone.address().port());
    format!(
        "v=0\r\no=fax 2 2 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=image {port} udptl t38\r\n\
         a=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )
}

async fn next(phone: &Phone) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2_048];
    loop {
        let received = tokio::time::timeout(PATIENCE, phone.rtp.recv_from(&mut buffer)).await;
        let (length, from) = received.expect("something comes").unwrap();
        // Farewells of the voice that was.
        if buffer[0] >> 6 != 2 || buffer[1] != 203 {
            return (buffer[..length].to_vec(), from);
        }
    }
}

#[tokio::test]
async fn a_call_turns_into_a_fax() {
    let world = World::start(config((27_100, 27_199)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, to_caller) = call(&mut proxy, "c1", &caller, &callee).await;
    caller.say(to_callee, 8, b"tones of a fax").await;
    callee.hear().await;
    // The machine that is called hears them, and offers T.38.
    let offered = proxy.describe(about("offer", "c1", "b", "a").with("sdp", fax(&callee))).await;
    let answered = proxy.describe(about("answer", "c1", "b", "a").with("sdp", fax(&caller))).await;
    for (text, address) in [(&offered, to_callee), (&answered, to_caller)] {
        assert!(media(text).is_t38() && text.contains("a=T38FaxUdpEC:t38UDPRedundancy"), "{text}");
        let line = media(text);
        assert_eq!((line.port, line.connection.unwrap().ip()), (address.port(), Some(address.ip())));
    }
    for sequence in 0..200_u8 {
        // Whatever its first bytes look like.
        let packet = [sequence, 7, 1, 2, 3, sequence];
        caller.rtp.send_to(&packet, to_callee).await.unwrap();
        assert_eq!(next(&callee).await, (packet.to_vec(), to_caller));
        callee.rtp.send_to(&packet, to_caller).await.unwrap();
        assert_eq!(next(&caller).await, (packet.to_vec(), to_callee));
    }
    let stranger = Phone::new("127.0.0.3", 3).await;
    stranger.rtp.send_to(&[1, 2, 3, 4], to_callee).await.unwrap();
    let last = [201, 7, 1, 2];
    caller.rtp.send_to(&last, to_callee).await.unwrap();
    assert_eq!(next(&callee).await.0, last, "of a stranger nothing comes through");
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
    proxy.ask(about("delete", "c1", "a", "b")).await;
    assert_eq!(world.calls.counters().await.packets_total, 401);
}
