//! One WebRTC end that hands out its socket and its SRTP keys, on a foreign stack (rtc-dtls, stun-types).
//!
//! It does what it takes to be connected to a node that answers: an offer, a connectivity check that nominates (RFC 8445
//! section 7.2), DTLS as the client with one SRTP profile (RFC 5764). What happens to the media is the owner's business.

mod dtls;
mod sdp;
mod stun;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub(crate) use dtls::{Identity, handshake};
use sdp::Answer;
pub(in crate::rivals) use sdp::{Direction, Media};

use super::{Keys, RivalError, Suite};

/// How long one answer is waited for before the question is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// How long a link may take to connect, after its answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// An end that has made its offer.
pub(in crate::rivals) struct Offered {
    socket: UdpSocket,
    ufrag: String,
    password: String,
    /// The offer, to be given to the node.
    pub(in crate::rivals) sdp: String,
}

/// A connected end.
pub(in crate::rivals) struct Link {
    /// Its socket: STUN, RTCP and SRTP come in here.
    pub(in crate::rivals) socket: UdpSocket,
    /// The node's address.
    pub(in crate::rivals) remote: SocketAddr,
    /// Protects what it sends.
    pub(in crate::rivals) send: Keys,
    /// Protects what it receives.
    pub(in crate::rivals) receive: Keys,
    /// A connectivity check that renews consent (RFC 7675) whenever it is sent.
    pub(in crate::rivals) keepalive: Vec<u8>,
}

impl Offered {
    /// Binds a socket and offers one stream.
    pub(in crate::rivals) fn new(
        identity: &Identity,
        media: &Media,
        bind: Ipv4Addr,
    ) -> Result<Offered, RivalError> {
        let socket = UdpSocket::bind((bind, 0))?;
        let port = socket.local_addr()?.port();
        // Unique on this machine at any time, which is all that ICE needs of a fragment; the password is no secret on
        // a loopback that only the harness and the node share.
        let ufrag = format!("bench{port}");
        let password = format!("benchmark{:0>16}", port);
        let sdp = sdp::offer(media, (bind, port), &ufrag, &password, &identity.fingerprint);
        Ok(Offered { socket, ufrag, password, sdp })
    }

    /// Connects according to the node's answer.
    pub(in crate::rivals) fn connect(
        self,
        identity: &Identity,
        answer: &str,
        suite: Suite,
    ) -> Result<Link, RivalError> {
        let answer = Answer::parse(answer)?;
        let until = Instant::now() + CONNECT_WITHIN;
        self.socket.set_read_timeout(Some(ASK_AGAIN))?;
        let keepalive = stun::request(&answer.ufrag, &self.ufrag, &answer.password)?;
        self.check(&keepalive, &answer, until)?;
        let peer = (answer.remote, answer.fingerprint.as_str());
        let keys = handshake(&self.socket, identity, peer, suite, until, |datagram| {
            self.answer(datagram, answer.remote)
        })?;
        Ok(Link { socket: self.socket, remote: answer.remote, send: keys.0, receive: keys.1, keepalive })
    }

    /// Asks until the node says that the path is good.
    fn check(&self, request: &[u8], answer: &Answer, until: Instant) -> Result<(), RivalError> {
        let mut buffer = [0; 2048];
        while Instant::now() < until {
            self.socket.send_to(request, answer.remote)?;
            let Ok((len, from)) = self.socket.recv_from(&mut buffer) else { continue };
            if from != answer.remote {
                continue;
            }
            if stun::is_success(&buffer[..len], request) {
                return Ok(());
            }
            self.answer(&buffer[..len], from);
        }
        Err(RivalError::Setup(format!("no answer to connectivity checks from {}", answer.remote)))
    }

    /// A full agent (RFC 8445 section 7.3) wants its own checks answered before it trusts the path.
    fn answer(&self, datagram: &[u8], from: SocketAddr) {
        if let Some(response) = stun::response(datagram, from, &self.password) {
            // What gets lost is asked for again.
            let _ = self.socket.send_to(&response, from);
        }
    }
}
