//! One str0m client on its own socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Instant;

use kaname_engine::core::command::{IceCredentials, MediaKind};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::config::DtlsVersion;
use str0m::ice::IceCreds;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) dtls: DtlsVersion,
    /// ICE-TCP in place of UDP.
    pub(crate) tcp: bool,
    /// Its ClientHello goes out in two datagrams.
    pub(crate) split_hello: bool,
}

impl Wire {
    pub(crate) const PLAIN: Wire = Wire { dtls: DtlsVersion::Auto, tcp: false, split_hello: false };
}

enum Socket {
    Udp(UdpSocket),
    /// With what was read and is no whole frame yet.
    Tcp(TcpStream, Vec<u8>),
}

pub(crate) struct Client {
    pub(crate) rtc: Rtc,
    socket: Socket,
    local: SocketAddr,
    server: SocketAddr,
    timeout: Instant,
    split_hello: bool,
    fingerprint: String,
    pub(crate) connected: bool,
    /// It is over: by goodbye or by an error.
    pub(crate) closed: bool,
    pub(crate) packets: Vec<RtpPacket>,
    /// Key frames that it was asked for.
    pub(crate) asked: usize,
    /// One in so many packets of media is lost.
    pub(crate) loss: Option<u64>,
    media: u64,
    pub(crate) channel: Option<ChannelId>,
    pub(crate) opened: bool,
    pub(crate) messages: Vec<(bool, Vec<u8>)>,
}

/// The address from which this machine reaches another.
fn towards(server: SocketAddr) -> IpAddr {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind((any, 0)).expect("a socket");
    // Sends nothing.
    probe.connect(server).expect("a route");
    probe.local_addr().expect("bound").ip()
}

impl Client {
    pub(crate) fn new(server: SocketAddr, wire: Wire) -> Client {
        let now = Instant::now();
        let any = SocketAddr::new(towards(server), 0);
        let socket = if wire.tcp {
            let stream = TcpStream::connect(server).expect("listening");
            stream.set_nodelay(true).expect("an option");
            stream.set_nonblocking(true).expect("an option");
            Socket::Tcp(stream, Vec::new())
        } else {
            let udp = UdpSocket::bind(any).expect("loopback");
            udp.set_nonblocking(true).expect("an option");
            Socket::Udp(udp)
        };
        let local = match &socket {
            Socket::Udp(udp) => udp.local_addr(),
            Socket::Tcp(stream, _) => stream.local_addr(),
        };
        let mut rtc = Rtc::builder().set_rtp_mode(true).set_dtls_version(wire.dtls).build(now);
        let fingerprint = rtc.direct_api().local_dtls_fingerprint().to_string();
        Client {
            rtc,
            socket,
            local: local.expect("bound"),
            server,
            timeout: now,
            split_hello: wire.split_hello,
            fingerprint,
            connected: false,
            closed: false,
            packets: Vec::new(),
            asked: 0,
            loss: None,
            media: 0,
            channel: None,
            opened: false,
            messages: Vec::new(),
        }
    }

    /// ICE user name fragment and password.
    pub(crate) fn credentials(&mut self) -> (String, String) {
        let IceCreds { ufrag, pass } = self.rtc.direct_api().local_ice_credentials();
        (ufrag, pass)
    }

    pub(crate) fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Takes the engine's side of the description.
    pub(crate) fn begin(&mut self, ice: &IceCredentials, fingerprint: &str) {
        // str0m is told UDP in any case: what carries its datagrams is our business.
        let host = |address| Candidate::host(address, "udp").expect("a candidate");
        self.rtc.add_local_candidate(host(self.local));
        self.rtc.add_remote_candidate(host(self.server));
        let mut direct = self.rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(IceCreds {
            ufrag: ice.local_ufrag.clone(),
            pass: ice.local_pwd.clone(),
        });
        direct.set_remote_fingerprint(fingerprint.parse().expect("a fingerprint"));
        direct.start_dtls(true).expect("begins");
        direct.start_sctp(true);
        self.drain();
    }

    pub(crate) fn publish(&mut self, kind: MediaKind, mid: &str, ssrc: u32) {
        let mut direct = self.rtc.direct_api();
        direct.declare_media(mid.into(), media_kind(kind));
        direct.declare_stream_tx(ssrc.into(), None, mid.into(), None);
        self.drain();
    }

    pub(crate) fn subscribe(&mut self, kind: MediaKind, mid: &str, ssrc: u32, rtx_ssrc: Option<u32>) {
        let mut direct = self.rtc.direct_api();
        direct.declare_media(mid.into(), media_kind(kind));
        direct.expect_stream_rx(ssrc.into(), rtx_ssrc.map(Into::into), mid.into(), None);
        self.drain();
    }

    /// Sends one RTP packet.
    pub(crate) fn send_rtp(&mut self, ssrc: u32, payload_type: u8, sequence: u64, time: u32, payload: &[u8]) {
        let now = Instant::now();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx(&ssrc.into()).expect("published");
        stream.write_rtp(RtpWrite::new(payload_type.into(), sequence.into(), time, now, payload));
        self.drain();
        self.input(Input::Timeout(Instant::now()));
    }

    /// Opens a data channel in band.
    pub(crate) fn open_channel(&mut self, label: &str) {
        let config = ChannelConfig { label: label.into(), ..ChannelConfig::default() };
        self.channel = Some(self.rtc.direct_api().create_data_channel(config));
        self.drain();
    }

    pub(crate) fn send_message(&mut self, binary: bool, data: &[u8]) {
        let id = self.channel.expect("opened");
        let written = self.rtc.channel(id).expect("open").write(binary, data).expect("open");
        assert!(written, "room");
        self.drain();
    }

    /// Its next datagrams come from another port, and it does not know: an address translator forgot it.
    pub(crate) fn rebind(&mut self, registry: &Registry) {
        let udp = UdpSocket::bind(SocketAddr::new(self.server.ip(), 0)).expect("loopback");
        udp.set_nonblocking(true).expect("an option");
        self.socket = Socket::Udp(udp);
        self.register(registry);
    }

    pub(crate) fn request_key_frame(&mut self, ssrc: u32) {
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx(&ssrc.into()).expect("subscribed");
        stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
        self.drain();
        self.input(Input::Timeout(Instant::now()));
    }

    /// Tells the poller about its socket.
    pub(crate) fn register(&self, registry: &Registry) {
        let fd = match &self.socket {
            Socket::Udp(udp) => udp.as_raw_fd(),
            Socket::Tcp(stream, _) => stream.as_raw_fd(),
        };
        registry.register(&mut SourceFd(&fd), Token(0), Interest::READABLE).expect("registered");
    }

    /// Reads what waits, and does what is due.
    pub(crate) fn drive(&mut self) {
        while let Some(datagram) = self.receive() {
            if self.loses(&datagram) {
                continue;
            }
            let receive = Receive {
                proto: Protocol::Udp,
                source: self.server,
                destination: self.local,
                contents: datagram.as_slice().try_into().expect("a known protocol"),
            };
            self.input(Input::Receive(Instant::now(), receive));
        }
        let now = Instant::now();
        if now >= self.timeout {
            self.input(Input::Timeout(now));
        }
    }

    /// Every so manieth packet of media does not arrive, the first few aside.
    fn loses(&mut self, datagram: &[u8]) -> bool {
        let is_media = matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second));
        self.media += u64::from(is_media);
        is_media && self.loss.is_some_and(|every| self.media > 20 && self.media.is_multiple_of(every))
    }

    fn input(&mut self, input: Input<'_>) {
        // An error ends the client; the test sees that nothing more comes.
        let _ = self.rtc.handle_input(input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.transmit(&transmit.contents),
                Ok(Output::Event(event)) => self.event(event),
                // str0m fails of a goodbye that comes while its SCTP shakes hands.
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::RtpPacket(packet) => self.packets.push(packet),
            Event::KeyframeRequest(_) => self.asked += 1,
            Event::ChannelOpen(..) => self.opened = true,
            Event::ChannelData(data) => self.messages.push((data.binary, data.data)),
            _ => {}
        }
    }

    fn transmit(&mut self, datagram: &[u8]) {
        let parts = self.split_hello.then(|| split_client_hello(datagram)).flatten();
        let parts = parts.unwrap_or_else(|| vec![datagram.to_vec()]);
        for part in parts {
            // What the network does not take is lost.
            match &mut self.socket {
                Socket::Udp(udp) => drop(udp.send_to(&part, self.server)),
                Socket::Tcp(stream, _) => {
                    let framed = [&(part.len() as u16).to_be_bytes(), &part[..]].concat();
                    let _ = stream.write_all(&framed);
                }
            }
        }
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        match &mut self.socket {
            Socket::Udp(udp) => {
                let (len, _) = nothing_yet(udp.recv_from(&mut buffer))?;
                buffer.truncate(len);
                Some(buffer)
            }
            Socket::Tcp(stream, waiting) => loop {
                if let Some((length, rest)) = waiting.split_first_chunk::<2>() {
                    let len = usize::from(u16::from_be_bytes(*length));
                    if rest.len() >= len {
                        let frame = rest[..len].to_vec();
                        waiting.drain(..2 + len);
                        return Some(frame);
                    }
                }
                let len = nothing_yet(stream.read(&mut buffer))?;
                waiting.extend(&buffer[..len]);
                if len == 0 {
                    return None;
                }
            },
        }
    }
}

fn nothing_yet<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        // A port that is gone says so; the next datagram may get through.
        Err(_) => None,
    }
}

fn media_kind(kind: MediaKind) -> str0m::media::MediaKind {
    match kind {
        MediaKind::Audio => str0m::media::MediaKind::Audio,
        MediaKind::Video => str0m::media::MediaKind::Video,
    }
}

/// A ClientHello in one record as two records of half of it each, as one that does not fit a datagram goes out
/// (RFC 6347 section 4.2.3).
fn split_client_hello(datagram: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (record, rest) = datagram.split_first_chunk::<13>()?;
    let (handshake, body) = rest.split_first_chunk::<12>()?;
    let whole = record[0] == 22 && handshake[0] == 1 && handshake[9..12] == handshake[1..4];
    if !whole {
        return None;
    }
    let (first, second) = body.split_at(body.len() / 2);
    let part = |fragment: &[u8], offset: usize, number: u8| {
        let mut header = *record;
        // Each record has its own number; the client goes on from its own, so these are far ahead.
        header[9] = header[9].wrapping_add(number);
        header[11..13].copy_from_slice(&((12 + fragment.len()) as u16).to_be_bytes());
        let mut message = *handshake;
        message[6..9].copy_from_slice(&(offset as u32).to_be_bytes()[1..]);
        message[9..12].copy_from_slice(&(fragment.len() as u32).to_be_bytes()[1..]);
        [&header[..], &message, fragment].concat()
    };
    Some(vec![part(first, 0, 0), part(second, first.len(), 1)])
}
