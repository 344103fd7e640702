//! The little that is read of records ahead of the DTLS library: which of them begin a handshake.

/// Bytes of a hello's random.
pub(super) const RANDOM: usize = 32;

/// A fragment of a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hello {
    /// The first, with the client's random.
    First([u8; RANDOM]),
    /// Any other: datagrams may change places on the way.
    Later,
}

impl Hello {
    pub(super) fn random(self) -> Option<[u8; RANDOM]> {
        match self {
            Hello::First(random) => Some(random),
            Hello::Later => None,
        }
    }
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// RFC 8446 section 4.1.3: the random of a ServerHello that is a HelloRetryRequest.
const RETRY: [u8; RANDOM] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What fragment of a ClientHello in the clear the datagram begins with.
pub(super) fn client_hello(datagram: &[u8]) -> Option<Hello> {
    let (kind, fragment) = handshake(datagram)?;
    if kind != CLIENT_HELLO {
        return None;
    }
    match fragment {
        Some(body) => Some(Hello::First(random(body)?)),
        None => Some(Hello::Later),
    }
}

/// Whether a ClientHello is the first of its sender, which answers no question yet: its number is 0.
pub(super) fn is_first_hello(datagram: &[u8]) -> bool {
    datagram.get(13 + 4..13 + 6) == Some(&[0; 2])
}

/// Whether a datagram of ours only asks the peer to show that it is where it says (HelloVerifyRequest, RFC 6347 section
/// 4.2.1; HelloRetryRequest with a cookie, RFC 9147 section 5.1).
pub(super) fn asks_for_proof(datagram: &[u8]) -> bool {
    match handshake(datagram) {
        Some((HELLO_VERIFY_REQUEST, _)) => true,
        Some((SERVER_HELLO, Some(body))) => random(body) == Some(RETRY),
        _ => false,
    }
}

/// Whether a datagram may be the answer to a ClientHello.
pub(super) fn is_server_hello(datagram: &[u8]) -> bool {
    handshake(datagram).is_some_and(|(kind, _)| matches!(kind, SERVER_HELLO | HELLO_VERIFY_REQUEST))
}

/// Whether a datagram cannot be part of a handshake whose other side is the client, or the server: a message in the clear
/// that only we would send, or an alert in the clear. Neither is authentic, so neither may end anything.
pub(super) fn is_foreign(datagram: &[u8], other_is_client: bool) -> bool {
    const ALERT: u8 = 21;
    match handshake(datagram) {
        Some((kind, _)) => !may_come(kind, other_is_client),
        None => datagram.first() == Some(&ALERT) && datagram.get(3..5) == Some(&[0; 2]),
    }
}

/// Whether a handshake message in the clear may come from the other side, by its type. RFC 8446 section 4 and RFC 5246 section
/// 7.4: certificate; then verify and key exchange of the client; key exchange, request and end of the server.
pub(super) fn may_come(kind: u8, other_is_client: bool) -> bool {
    if other_is_client {
        matches!(kind, CLIENT_HELLO | 11 | 15 | 16 | 20)
    } else {
        matches!(kind, SERVER_HELLO | HELLO_VERIFY_REQUEST | 11..=14 | 20)
    }
}

/// The type of the handshake message in the clear that the datagram begins with, and the body if it is the message's
/// beginning: record header 13 bytes (RFC 6347 section 4.1), handshake header 12 bytes (section 4.2.2).
fn handshake(datagram: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    const HANDSHAKE: u8 = 22;
    let (record, rest) = datagram.split_first_chunk::<13>()?;
    let (header, body) = rest.split_first_chunk::<12>()?;
    let in_the_clear = record[0] == HANDSHAKE && record[3..5] == [0; 2];
    in_the_clear.then_some((header[0], (header[6..9] == [0; 3]).then_some(body)))
}

/// Behind the version, two bytes.
fn random(body: &[u8]) -> Option<[u8; RANDOM]> {
    body.get(2..2 + RANDOM)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8) -> Vec<u8> {
        let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80];
        hello.extend([kind, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 60, 254, 253]);
        hello.extend([7; RANDOM]);
        hello.extend([0; 26]);
        hello
    }

    #[test]
    fn fragments_of_a_client_hello_are_told_apart() {
        let mut hello = message(1);
        assert_eq!(client_hello(&hello), Some(Hello::First([7; RANDOM])));
        for cut in 0..13 + 12 + 2 + RANDOM {
            assert_eq!(client_hello(&hello[..cut]), None);
        }
        for (at, what) in [(0, "content type"), (4, "epoch"), (13, "message type")] {
            let mut other = hello.clone();
            other[at] ^= 2;
            assert_eq!(client_hello(&other), None, "{what}");
        }
        assert!(is_first_hello(&hello));
        hello[18] = 1;
        assert!(!is_first_hello(&hello));
        hello[21] = 30;
        assert_eq!(client_hello(&hello), Some(Hello::Later));
    }

    #[test]
    fn what_only_we_would_send_and_alerts_in_the_clear_are_foreign() {
        assert!(is_foreign(&message(2), true) && !is_foreign(&message(2), false));
        assert!(is_foreign(&message(1), false) && !is_foreign(&message(1), true));
        let mut alert = vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
        assert!(is_foreign(&alert, true) && is_foreign(&alert, false));
        alert[4] = 1;
        assert!(!is_foreign(&alert, true), "protected: it may be authentic");
        assert!(!is_foreign(&[], true));
    }

    #[test]
    fn a_request_for_proof_is_told_from_an_answer() {
        assert!(asks_for_proof(&message(3)));
        let mut server_hello = message(2);
        assert!(!asks_for_proof(&server_hello));
        server_hello[27..27 + RANDOM].copy_from_slice(&RETRY);
        assert!(asks_for_proof(&server_hello));
        assert!(
            !asks_for_proof(&message(1)) && !asks_for_proof(&message(3)[..20]) && !asks_for_proof(&[23; 80])
        );
    }
}
