//! One str0m session on one transport: feeds it, sends what it wants sent, and hands out what it says.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::config::DtlsVersion;
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, Event, Input, Output, Rtc};

use super::ClientError;
use super::transport::{Arrival, DATAGRAM_MAX, Transport};
use crate::stamp::{Content, Ledger, clock_ns};

/// Datagrams taken at one wake-up before other work gets its turn.
const BATCH: usize = 64;

/// Direction of a datagram, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the node.
    Out,
    /// From the node.
    In,
}

/// Decides for each datagram whether the network loses it.
pub type Impair = Box<dyn FnMut(Way, &[u8]) -> bool + Send>;

/// How a client speaks WebRTC.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Local address to bind.
    pub ip: IpAddr,
    /// ICE over TCP instead of UDP.
    pub tcp: bool,
    /// Offer DTLS 1.3 only, instead of 1.2 only.
    pub dtls13: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions { ip: IpAddr::from([127, 0, 0, 1]), tcp: false, dtls13: false }
    }
}

/// An event of str0m, with the time at which the datagram behind it came in.
pub struct Happened {
    /// What happened.
    pub event: Event,
    /// Arrival of the latest datagram, nanoseconds since 1970.
    pub at_ns: u64,
}

/// The session.
pub struct Session {
    /// The stack. After each change call [`Session::pump`].
    pub rtc: Rtc,
    transport: Transport,
    local: SocketAddr,
    timeout: Instant,
    buffer: Box<[u8; DATAGRAM_MAX]>,
    events: VecDeque<Happened>,
    impair: Option<Impair>,
    /// The packet written last, to be stamped when it goes out.
    unstamped: Option<(Arc<Ledger>, String, Content)>,
    arrival_ns: u64,
    /// RTX packets by direction: sent, received.
    repairs: (u64, u64),
    mischief: bool,
}

/// Payload type of H.264 in every offer, and of its repair stream (RFC 4588).
const PT_H264: u8 = 108;
const PT_H264_RTX: u8 = 109;

impl Session {
    /// Binds and prepares; nothing is sent before an answer is accepted.
    pub async fn new(options: &SessionOptions) -> Result<Session, ClientError> {
        let transport =
            if options.tcp { Transport::tcp(options.ip)? } else { Transport::udp(options.ip).await? };
        let local = transport.local()?;
        let version = if options.dtls13 { DtlsVersion::Dtls13 } else { DtlsVersion::Dtls12 };
        let mut config = Rtc::builder().clear_codecs().enable_opus(true, false).set_rtp_mode(true);
        // One H.264 form (constrained baseline, packetization mode 1), the one the encoder makes.
        config.codec_config().add_h264(PT_H264.into(), Some(PT_H264_RTX.into()), true, 0x42_e0_1f);
        let mut rtc = config.set_dtls_version(version).build(Instant::now());
        let candidate = if options.tcp {
            Candidate::builder().tcp().host(local).tcptype(TcpType::Active).build()
        } else {
            Candidate::host(local, Protocol::Udp)
        };
        rtc.add_local_candidate(candidate.map_err(|e| ClientError::Rtc(e.to_string()))?);
        Ok(Session {
            rtc,
            transport,
            local,
            timeout: Instant::now(),
            buffer: Box::new([0; DATAGRAM_MAX]),
            events: VecDeque::new(),
            impair: None,
            unstamped: None,
            arrival_ns: 0,
            repairs: (0, 0),
            mischief: false,
        })
    }

    /// The local address of the media path.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Repair packets (RTX) sent and received so far, before the impaired network.
    pub fn repairs(&self) -> (u64, u64) {
        self.repairs
    }

    /// Lets a network lose datagrams from now on; `None` heals it.
    pub fn impair(&mut self, impair: Option<Impair>) {
        self.impair = impair;
    }

    /// From now on, each RTP packet is followed by its copies that no node may accept: the same again, one with a tag
    /// that does not fit, and one of a source that nobody announced.
    pub fn set_mischief(&mut self, mischief: bool) {
        self.mischief = mischief;
    }

    /// Accepts the answer to an offer.
    pub fn accept(&mut self, pending: SdpPendingOffer, sdp: &str) -> Result<(), ClientError> {
        let answer = SdpAnswer::from_sdp_string(sdp).map_err(|e| ClientError::Protocol(e.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.pump()
    }

    /// The next RTP packet to leave is this one: note the time when it does.
    pub fn stamp_next(&mut self, ledger: &Arc<Ledger>, track: &str, content: Content) {
        self.unstamped = Some((Arc::clone(ledger), track.to_owned(), content));
    }

    /// Lets the stack's clock run and drains it.
    pub fn tick(&mut self) -> Result<(), ClientError> {
        self.rtc.handle_input(Input::Timeout(Instant::now()))?;
        self.pump()
    }

    /// Drains the stack: sends what it wants sent and queues what it says.
    pub fn pump(&mut self) -> Result<(), ClientError> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return Ok(());
                }
                Output::Transmit(transmit) => self.send(transmit.destination, &transmit.contents),
                Output::Event(event) => self.events.push_back(Happened { event, at_ns: self.arrival_ns }),
            }
        }
    }

    /// The next thing that happened.
    pub fn next_event(&mut self) -> Option<Happened> {
        self.events.pop_front()
    }

    /// Waits for datagrams or the stack's timer, and takes them in. Cancel safe.
    pub async fn wait(&mut self) -> Result<(), ClientError> {
        let timer = tokio::time::sleep_until(self.timeout.into());
        let mut arrival = tokio::select! {
            arrival = self.transport.receive(&mut self.buffer[..]) => arrival?,
            () = timer => return self.tick(),
        };
        for _ in 0..BATCH {
            self.take(arrival)?;
            match self.transport.try_receive(&mut self.buffer[..]) {
                Some(next) => arrival = next,
                None => return Ok(()),
            }
        }
        // The rest waits in the socket.
        self.take(arrival)
    }

    fn take(&mut self, arrival: Arrival) -> Result<(), ClientError> {
        let bytes = &self.buffer[..arrival.len];
        if self.impair.as_mut().is_some_and(|lose| lose(Way::In, bytes)) {
            return Ok(());
        }
        self.arrival_ns = arrival.at_ns;
        self.repairs.1 += u64::from(is_repair(bytes));
        let proto = if self.transport.is_tcp() { Protocol::Tcp } else { Protocol::Udp };
        let Ok(receive) = Receive::new(proto, arrival.from, self.local, bytes) else {
            // Not a datagram that WebRTC knows. The node's business, not worth the session.
            return Ok(());
        };
        self.rtc.handle_input(Input::Receive(Instant::now(), receive))?;
        self.pump()
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        if is_rtp(datagram)
            && let Some((ledger, track, content)) = self.unstamped.take()
        {
            ledger.sent(&track, content, clock_ns());
        }
        self.repairs.0 += u64::from(is_repair(datagram));
        if self.impair.as_mut().is_some_and(|lose| lose(Way::Out, datagram)) {
            return;
        }
        self.transport.send(to, datagram);
        if self.mischief && is_rtp(datagram) {
            for copy in unwelcome_copies(datagram) {
                self.transport.send(to, &copy);
            }
        }
    }
}

/// An RTP packet again, with a broken tag, and of an unknown source (bytes 8 to 11 of RFC 3550 section 5.1).
fn unwelcome_copies(datagram: &[u8]) -> [Vec<u8>; 3] {
    let replayed = datagram.to_vec();
    let (mut broken, mut foreign) = (replayed.clone(), replayed.clone());
    if let Some(last) = broken.last_mut() {
        *last ^= 0x55;
    }
    // A sequence number ahead, or the copy would be refused as a replay before its tag is looked at.
    if let Some(sequence) = broken.get_mut(2..4) {
        let ahead = u16::from_be_bytes([sequence[0], sequence[1]]).wrapping_add(20);
        sequence.copy_from_slice(&ahead.to_be_bytes());
    }
    if let Some(source) = foreign.get_mut(8..12) {
        source.iter_mut().for_each(|b| *b ^= 0xa5);
    }
    [replayed, broken, foreign]
}

/// RTP by RFC 7983 (first byte 128 to 191) and not RTCP by RFC 5761 (packet types 192 to 223).
pub fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

fn is_repair(datagram: &[u8]) -> bool {
    is_rtp(datagram) && datagram.get(1).is_some_and(|b| b & 0x7f == PT_H264_RTX)
}

/// Loses RTP packets in the given directions, `per_mille` of a thousand, by a fixed sequence from the seed.
pub fn lossy(seed: u64, out_per_mille: u64, in_per_mille: u64) -> Impair {
    let mut state = seed | 1;
    Box::new(move |way, datagram| {
        if !is_rtp(datagram) {
            return false;
        }
        // xorshift64: enough to scatter losses, and the same ones each run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let limit = if way == Way::Out { out_per_mille } else { in_per_mille };
        state % 1000 < limit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwelcome_copies_differ_where_they_should() {
        let packet: Vec<u8> = [0x80, 111].into_iter().chain(0..50).collect();
        let [replayed, broken, foreign] = unwelcome_copies(&packet);
        assert_eq!(replayed, packet);
        assert!(broken[51] != packet[51] && broken[8..12] == packet[8..12] && broken[2..4] != packet[2..4]);
        assert!(foreign[8..12] != packet[8..12] && foreign[12..] == packet[12..]);
    }

    #[test]
    fn loss_is_about_as_asked_and_spares_control() {
        let mut lose = lossy(42, 100, 0);
        let rtp = [0x80, 111, 0, 0];
        let lost = (0..10_000).filter(|_| lose(Way::Out, &rtp)).count();
        assert!((800..1200).contains(&lost), "{lost}");
        assert!((0..1000).all(|_| !lose(Way::In, &rtp)));
        assert!((0..1000).all(|_| !lose(Way::Out, &[0x80, 200, 0, 0])));
        assert!((0..1000).all(|_| !lose(Way::Out, &[0, 1, 0, 0])));
    }
}
