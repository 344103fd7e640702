//! Strangers on the ports of a call: the call lives, hears nothing of them, and they hear nothing at all.

use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kaname_tests::Error;
use kaname_tests::hostile::Attacker;
use kaname_tests::telephony::lab::address;
use kaname_tests::telephony::{Exchange, Lab, Phone, Relay, Socket, Style, within};
use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};

/// Each as a test with our node alone: Debian's rtpengine passes none of them.
macro_rules! strangers {
    ($($name:ident)*) => {
        mod kaname {
            $(
                #[test]
                #[ignore = "full suite: real phones talk in real time"]
                fn $name() {
                    super::within(concat!("telephony-", stringify!($name)), |lab| {
                        super::$name(lab, super::Relay::Kaname)
                    });
                }
            )*
        }
    };
}

/// Calls whose handshakes are disturbed.
const HANDSHAKES: usize = 5;
/// Ports from the first one of the range on which hellos fall: those of the calls are among them.
const AIMED: u16 = 200;
/// Datagrams of each kind on each port of a call.
const FLOOD: usize = 2000;

/// A call between two phones, and the relay's ports.
async fn call(exchange: &Exchange, alice: Style, bob: Style) -> Result<(Phone, Phone, Vec<u16>), Error> {
    let mut alice = exchange.phone("alice", alice, 440).await?;
    let mut bob = exchange.phone("bob", bob, 1000).await?;
    alice.call(&bob.user).await?;
    bob.event("CALL_ESTABLISHED").await?;
    let ports = Socket::ports("relay")?;
    Ok((alice, bob, ports))
}

/// A stranger at an address of its own.
fn mallory(port: u16, seed: u64) -> Result<Attacker, Error> {
    let at = SocketAddr::from((address("mallory"), 0));
    Ok(Attacker::at(at, SocketAddr::from((address("relay"), port)), seed)?)
}

/// Garbage, STUN, hellos and RTP on every port of a call, while both go on talking. None is answered.
async fn flood(alice: &Phone, bob: &Phone, ports: &[u16]) -> Result<(), Error> {
    let ports = ports.to_vec();
    let attack = tokio::task::spawn_blocking(move || {
        let mut answers = (0, 0);
        for port in ports {
            let mut stranger = mallory(port, u64::from(port))?;
            for _ in 0..FLOOD {
                for datagram in [
                    stranger.garbage(),
                    stranger.stun("a:b"),
                    stranger.hello(),
                    stranger.client_hello(),
                    stranger.rtp(0x1234_5678),
                ] {
                    stranger.send(&datagram);
                }
            }
            let (count, bytes) = stranger.answers();
            answers = (answers.0 + count, answers.1 + bytes);
        }
        Ok::<_, Error>(answers)
    });
    bob.hears(alice.hz, 2000).await?;
    alice.hears(bob.hz, 2000).await?;
    let answers = attack.await.map_err(|e| Error::Telephony(e.to_string()))??;
    assert_eq!(answers, (0, 0), "a stranger was answered");
    bob.hears(alice.hz, 1000).await?;
    alice.hears(bob.hz, 1000).await
}

async fn floods_on_a_plain_calls_ports(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let (mut alice, mut bob, ports) = call(&exchange, Style::Plain, Style::Plain).await?;
    bob.hears(alice.hz, 1000).await?;
    flood(&alice, &bob, &ports).await?;
    alice.hang_up().await?;
    bob.closed().await?;
    exchange.cleared().await
}

async fn floods_on_an_encrypted_calls_ports(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let (mut alice, mut bob, ports) = call(&exchange, Style::Dtls, Style::Sdes).await?;
    bob.hears(alice.hz, 1000).await?;
    flood(&alice, &bob, &ports).await?;
    alice.hang_up().await?;
    bob.closed().await?;
    exchange.cleared().await
}

/// A stranger sends media as a party would, in time and in the party's codec, from an address that nobody named.
async fn media_from_a_third_address(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let (mut alice, bob, ports) = call(&exchange, Style::Plain, Style::Plain).await?;
    bob.hears(alice.hz, 1000).await?;
    let end = Arc::new(AtomicBool::new(false));
    let injector = tokio::spawn(inject(ports, Arc::clone(&end)));
    bob.hears(alice.hz, 3000).await?;
    alice.hears(bob.hz, 3000).await?;
    end.store(true, Ordering::Relaxed);
    let (sent, answers) = injector.await.map_err(|e| Error::Telephony(e.to_string()))??;
    assert!(sent > 100, "the stranger sent {sent}");
    assert_eq!(answers, 0, "media went to a stranger");
    alice.hang_up().await?;
    exchange.cleared().await
}

/// Fifty packets of loud A-law a second at every port. Returns how many, and what came back.
async fn inject(ports: Vec<u16>, end: Arc<AtomicBool>) -> Result<(u64, usize), Error> {
    let strangers: Vec<Attacker> =
        ports.iter().map(|port| mallory(*port, u64::from(*port))).collect::<Result<_, _>>()?;
    let mut clock = tokio::time::interval(std::time::Duration::from_millis(20));
    let (mut sent, mut answers) = (0, 0);
    for number in 0u16.. {
        clock.tick().await;
        let mut packet = vec![0x80, 8];
        packet.extend_from_slice(&number.to_be_bytes());
        packet.extend_from_slice(&(u32::from(number) * 160).to_be_bytes());
        packet.extend_from_slice(&0x0bad_cafe_u32.to_be_bytes());
        packet.extend((0..160u8).map(|n| if n / 4 % 2 == 0 { 0x2a } else { 0xaa }));
        for stranger in &strangers {
            stranger.send(&packet);
            answers += stranger.answers().0;
            sent += 1;
        }
        if end.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok((sent, answers))
}

/// While handshakes run, hellos fall on all ports: from a stranger, and with the phone's own address as their source.
async fn hellos_of_strangers_break_no_handshake(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let mut alice = exchange.phone("alice", Style::Plain, 440).await?;
    let mut bob = exchange.phone("bob", Style::Dtls, 1000).await?;
    let end = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let (stop, count) = (Arc::clone(&end), Arc::clone(&sent));
    let first = Relay::first_port();
    let attack = tokio::spawn(async move {
        let mut stranger = mallory(first, 7)?;
        let mut clock = tokio::time::interval(std::time::Duration::from_millis(10));
        let (plain, raw) = (UdpSocket::bind((address("mallory"), 0))?, raw_socket()?);
        while !stop.load(Ordering::Relaxed) {
            clock.tick().await;
            let hello = stranger.client_hello();
            for port in first..first + AIMED {
                let to = SocketAddrV4::new(address("relay"), port);
                let _ = plain.send_to(&hello, to);
                let from = SocketAddrV4::new(
                    address("bob"),
                    Phone::first_port("bob") + stranger.random() as u16 % 98,
                );
                let _ = raw.send_to(&datagram(from, to, &hello), &SockAddr::from(to));
                count.fetch_add(2, Ordering::Relaxed);
            }
        }
        Ok::<_, Error>(())
    });
    for _ in 0..HANDSHAKES {
        bob.forget();
        alice.call(&bob.user).await?;
        bob.event("CALL_MENC").await?;
        bob.hears(alice.hz, 1000).await?;
        alice.hears(bob.hz, 1000).await?;
        alice.hang_up().await?;
        bob.closed().await?;
    }
    end.store(true, Ordering::Relaxed);
    attack.await.map_err(|e| Error::Telephony(e.to_string()))??;
    assert!(sent.load(Ordering::Relaxed) > 10_000);
    exchange.cleared().await
}

/// For datagrams with a header of our own making; the namespace's root may.
fn raw_socket() -> Result<RawSocket, Error> {
    let socket = RawSocket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))?;
    socket.set_header_included_v4(true)?;
    Ok(socket)
}

/// IPv4 and UDP headers (RFC 791, RFC 768) without checksums: the kernel fills IP's, and UDP's may be left out.
fn datagram(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let udp = 8 + payload.len() as u16;
    let mut bytes = vec![0x45, 0];
    bytes.extend_from_slice(&(20 + udp).to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0]);
    bytes.extend_from_slice(&from.ip().octets());
    bytes.extend_from_slice(&to.ip().octets());
    bytes.extend_from_slice(&from.port().to_be_bytes());
    bytes.extend_from_slice(&to.port().to_be_bytes());
    bytes.extend_from_slice(&udp.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}

strangers!(
    floods_on_a_plain_calls_ports
    floods_on_an_encrypted_calls_ports
    media_from_a_third_address
    hellos_of_strangers_break_no_handshake
);
