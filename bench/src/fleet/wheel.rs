//! The thread that all light clients of a fleet live on: their sockets and timers, and what they send.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kaname_wire::demux::{Class, classify};
use kaname_wire::rtcp::SenderInfo;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::client::{Client, State, sender_info};
use super::dtls::Identity;
use super::figures::Figures;
use super::incoming::Incoming;
use super::scenario::Source;
use super::sdp::Answer;
use super::socket::{Buffers, Datagram, Headers, Route, Socket};
use super::source::Plan;
use super::stream::{Outgoing, Stream};
use super::{FleetError, limits};
use crate::stamp::clock_ns;

/// Wakes the wheel; sockets have the tokens from 1 on.
const WAKER: Token = Token(0);
/// Sockets asked in one turn before timers get theirs again.
const TURNS: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Stream(u32),
    Client(u32),
}

/// The wheel.
pub(super) struct Wheel {
    /// Number of this run, in every stamp.
    pub(super) run: u32,
    pub(super) identity: Identity,
    pub(super) clients: Vec<Client>,
    pub(super) streams: Vec<Stream>,
    pub(super) figures: Figures,
    poll: Poll,
    events: Events,
    sockets: Vec<Socket>,
    ready: Vec<bool>,
    /// Clients of a shared socket by address, of others by socket.
    by_address: HashMap<Ipv4Addr, u32>,
    by_socket: HashMap<usize, u32>,
    timers: BinaryHeap<Reverse<(u64, Timer)>>,
    headers: Headers,
    buffers: Buffers,
    datagrams: Vec<Datagram>,
    incoming: Incoming,
    outgoing: Outgoing,
    random: u64,
    napping: bool,
    /// Of a thousand packets that come to a subscriber, how many are lost on the way.
    pub(super) loss_per_mille: u64,
}

impl Wheel {
    pub(super) fn new() -> Result<Wheel, FleetError> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|e| FleetError::Io(io::Error::other(e.to_string())))?;
        let random = u64::from_ne_bytes(seed) | 1;
        raise_descriptors();
        Ok(Wheel {
            run: (random >> 16) as u32,
            identity: Identity::generate()?,
            clients: Vec::new(),
            streams: Vec::new(),
            figures: Figures::new(),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            sockets: Vec::new(),
            ready: Vec::new(),
            by_address: HashMap::new(),
            by_socket: HashMap::new(),
            timers: BinaryHeap::new(),
            headers: Headers::new(),
            buffers: Buffers::new(),
            datagrams: Vec::new(),
            incoming: Incoming::new(),
            outgoing: Outgoing::default(),
            random,
            napping: false,
            loss_per_mille: 0,
        })
    }

    /// Ends a wait from another thread.
    pub(super) fn waker(&self) -> io::Result<Arc<Waker>> {
        Ok(Arc::new(Waker::new(self.poll.registry(), WAKER)?))
    }

    /// xorshift64*: for names, and for spreading things in time. Keys come from elsewhere.
    pub(super) fn random(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Whether to look at sockets by the clock instead of being woken by what comes. A wake-up for each packet is work
    /// that the kernel charges to the sender, on loopback to the node, which no network card would.
    pub(super) fn nap(&mut self, napping: bool) {
        self.napping = napping;
    }

    fn add_socket(&mut self, socket: Socket) -> io::Result<usize> {
        let index = self.sockets.len();
        let token = Token(index + 1);
        self.poll.registry().register(&mut SourceFd(&socket.fd()), token, Interest::READABLE)?;
        self.sockets.push(socket);
        self.ready.push(true);
        Ok(index)
    }

    /// A new client with an address of its own: one of 127.0.0.0/8 where the node is on loopback (IPv4), else a socket.
    pub(super) fn add_client(&mut self, room: u32, towards: IpAddr) -> io::Result<u32> {
        let number = self.clients.len() as u32;
        let (socket, local) = if towards.is_ipv4() && towards.is_loopback() {
            if self.sockets.is_empty() {
                self.add_socket(Socket::shared()?)?;
            }
            // 127.1.0.1 and up; .0 and .255 at the end are as good as any other on loopback.
            let ip = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number);
            self.by_address.insert(ip, number);
            (0, SocketAddr::from((ip, self.sockets[0].local()?.port())))
        } else {
            // The address that the system would speak from.
            let probe = std::net::UdpSocket::bind(SocketAddr::new(unspecified(towards), 0))?;
            probe.connect((towards, 9))?;
            let at = SocketAddr::new(probe.local_addr()?.ip(), 0);
            self.add_own(number, at)?
        };
        Ok(self.push_client(room, socket, local))
    }

    /// A new client on a socket of its own at an address that the caller chose.
    pub(super) fn add_client_at(&mut self, room: u32, at: SocketAddr) -> io::Result<u32> {
        let (socket, local) = self.add_own(self.clients.len() as u32, at)?;
        Ok(self.push_client(room, socket, local))
    }

    fn add_own(&mut self, number: u32, at: SocketAddr) -> io::Result<(usize, SocketAddr)> {
        let socket = Socket::own(at)?;
        let local = socket.local()?;
        let index = self.add_socket(socket)?;
        self.by_socket.insert(index, number);
        Ok((index, local))
    }

    fn push_client(&mut self, room: u32, socket: usize, local: SocketAddr) -> u32 {
        let number = self.clients.len() as u32;
        let random = self.random();
        let remote = SocketAddr::new(unspecified(local.ip()), 0);
        self.clients.push(Client::new(number, room, socket, Route { local, remote }, random));
        number
    }

    /// A stream that a client will send once it is connected.
    pub(super) fn add_stream(&mut self, client: u32, source: Source) -> u32 {
        let number = self.streams.len() as u32;
        let random = self.random();
        self.streams.push(Stream::new(number, client, Plan::new(source, u64::MAX / 4), random));
        self.clients[client as usize].streams.push(number);
        number
    }

    /// The node answered a client's offer.
    pub(super) fn answered(&mut self, number: u32, answer: &Answer) {
        let now_ns = clock_ns();
        let client = &mut self.clients[number as usize];
        if !client.answered(answer, &self.identity, now_ns, Instant::now()) {
            client.fail();
        }
        self.set_timer(number, now_ns);
    }

    /// The keys of a client have come: its streams begin, each at its own moment of their interval.
    pub(super) fn begin(&mut self, number: u32, now_ns: u64) {
        for stream in self.clients[number as usize].streams.clone() {
            let random = self.random();
            let stream_of = &mut self.streams[stream as usize];
            stream_of.plan.begin(now_ns, random);
            self.timers.push(Reverse((stream_of.plan.due_ns(), Timer::Stream(stream))));
        }
        self.set_timer(number, now_ns);
    }

    pub(super) fn set_timer(&mut self, number: u32, now_ns: u64) {
        let client = &mut self.clients[number as usize];
        let due = client.due_ns(now_ns, Instant::now());
        if due != client.timer_ns {
            client.timer_ns = due;
            if due != u64::MAX {
                self.timers.push(Reverse((due, Timer::Client(number))));
            }
        }
    }

    /// One turn: takes what came, does what is due, and waits for at most `patience` if there was neither.
    pub(super) fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let received = self.receive()?;
        let fired = self.fire()?;
        if received || fired {
            return Ok(());
        }
        let next = self.timers.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
        let wait = Duration::from_nanos(next.saturating_sub(clock_ns())).min(patience);
        if self.napping {
            std::thread::sleep(wait.min(Duration::from_nanos(limits::NAP_NS)));
            self.ready.fill(true);
            return Ok(());
        }
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            if let Some(ready) = event.token().0.checked_sub(1).and_then(|i| self.ready.get_mut(i)) {
                *ready = true;
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut any = false;
        for index in 0..self.sockets.len() {
            for _ in 0..TURNS {
                if !self.ready[index] {
                    break;
                }
                let now_ns = clock_ns();
                let socket = &mut self.sockets[index];
                let mut datagrams = std::mem::take(&mut self.datagrams);
                let got = self.buffers.receive(socket, &mut self.headers, now_ns, &mut datagrams)?;
                self.figures.socket_drops += got.drops;
                self.ready[index] = got.messages > 0;
                any |= got.messages > 0;
                self.take(index, &datagrams, now_ns)?;
                self.datagrams = datagrams;
                if got.messages < limits::RECEIVE_MESSAGES {
                    break;
                }
            }
        }
        Ok(any)
    }

    fn take(&mut self, socket: usize, datagrams: &[Datagram], now_ns: u64) -> io::Result<()> {
        let mut incoming = std::mem::replace(&mut self.incoming, Incoming::empty());
        for (at, datagram) in datagrams.iter().enumerate() {
            let number = match self.by_socket.get(&socket) {
                Some(number) => Some(*number),
                None => self.by_address.get(&datagram.to).copied(),
            };
            let Some(number) = number else {
                self.figures.strangers += 1;
                continue;
            };
            if self.loss_per_mille > 0 && self.loses(number, datagram) {
                self.figures.impaired += 1;
                continue;
            }
            incoming.sort(number, at, self.buffers.bytes(datagram));
        }
        incoming.unprotect(self, datagrams);
        for (number, at) in incoming.take_control() {
            self.control(number, &datagrams[at], now_ns)?;
        }
        for number in incoming.take_touched() {
            self.set_timer(number, now_ns);
        }
        self.incoming = incoming;
        Ok(())
    }

    /// Whether the bad network of the scenario loses a packet: of media only, and of subscribers only.
    fn loses(&mut self, number: u32, datagram: &Datagram) -> bool {
        let media = classify(self.buffers.bytes(datagram)) == Ok(Class::Rtp);
        media
            && !self.clients[number as usize].receives.is_empty()
            && self.random() % 1000 < self.loss_per_mille
    }

    pub(super) fn bytes(&self, datagram: &Datagram) -> &[u8] {
        self.buffers.bytes(datagram)
    }

    /// STUN and DTLS.
    fn control(&mut self, number: u32, datagram: &Datagram, now_ns: u64) -> io::Result<()> {
        let Wheel { clients, sockets, buffers, identity: _, .. } = self;
        let client = &mut clients[number as usize];
        let (socket, route) = (&sockets[client.socket], client.route);
        let bytes = buffers.bytes(datagram);
        let mut failed = None;
        let mut send = |packet: &[u8]| failed = socket.send(route, packet).err();
        let now = Instant::now();
        let keys = match bytes.first() {
            Some(0..=3) => {
                client.stun(bytes, now_ns, now, &mut send);
                None
            }
            _ => client.dtls(Some(bytes), now_ns, now, &mut send),
        };
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(keys) = keys {
            self.figures.profile = Some(keys.profile);
            self.begin(number, now_ns);
        }
        self.set_timer(number, now_ns);
        Ok(())
    }

    fn fire(&mut self) -> io::Result<bool> {
        let mut any = false;
        for _ in 0..limits::BURSTS_A_TURN {
            let now_ns = clock_ns();
            let Some(&Reverse((due_ns, timer))) =
                self.timers.peek().filter(|Reverse((due, _))| *due <= now_ns)
            else {
                break;
            };
            self.timers.pop();
            any = true;
            match timer {
                Timer::Stream(number) => self.send(number, now_ns)?,
                Timer::Client(number) => {
                    if self.clients[number as usize].timer_ns == due_ns {
                        self.clients[number as usize].timer_ns = u64::MAX;
                        self.tick(number, now_ns)?;
                    }
                }
            }
        }
        Ok(any)
    }

    fn tick(&mut self, number: u32, now_ns: u64) -> io::Result<()> {
        let Wheel { clients, sockets, streams, .. } = self;
        let client = &mut clients[number as usize];
        let sent: Vec<(u32, SenderInfo)> = client
            .streams
            .iter()
            .map(|s| &streams[*s as usize])
            .map(|s| (s.ssrc, sender_info(now_ns, s.timestamp, s.sent, s.octets)))
            .collect();
        let (socket, route) = (&sockets[client.socket], client.route);
        let mut failed = None;
        let keys = client.tick(now_ns, Instant::now(), &sent, &mut |packet: &[u8]| {
            failed = socket.send(route, packet).err();
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(keys) = keys {
            self.figures.profile = Some(keys.profile);
            self.begin(number, now_ns);
        }
        self.set_timer(number, now_ns);
        Ok(())
    }

    /// Sends the burst of a stream that is due, and notes how late it is.
    fn send(&mut self, number: u32, now_ns: u64) -> io::Result<()> {
        let Wheel { clients, sockets, streams, outgoing, headers, figures, timers, run, .. } = self;
        let stream = &mut streams[number as usize];
        let client = &mut clients[stream.client as usize];
        if client.state != State::Connected {
            return Ok(());
        }
        let burst = stream.plan.next();
        figures.late(now_ns.saturating_sub(burst.due_ns));
        outgoing.clear();
        stream.burst(&burst, (*run, number), client, clock_ns, outgoing);
        let packets = outgoing.packets();
        let sent = sockets[client.socket].send_all(client.route, &packets, headers)?;
        figures.sent += packets.len() as u64;
        figures.unsent += (packets.len() - sent) as u64;
        timers.push(Reverse((stream.plan.due_ns(), Timer::Stream(number))));
        Ok(())
    }

    /// A node asks for packets again.
    pub(super) fn repair(&mut self, ssrc: u32, sequences: impl Iterator<Item = u16>) -> io::Result<()> {
        let Wheel { clients, sockets, streams, outgoing, headers, figures, .. } = self;
        let Some(stream) = streams.iter_mut().find(|s| s.ssrc == ssrc) else { return Ok(()) };
        let client = &mut clients[stream.client as usize];
        outgoing.clear();
        for sequence in sequences {
            figures.repairs_sent += u64::from(stream.repair(sequence, client, outgoing));
        }
        let packets = outgoing.packets();
        if !packets.is_empty() {
            sockets[client.socket].send_all(client.route, &packets, headers)?;
        }
        Ok(())
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() }
}

/// As many descriptors as the system allows: a fleet on sockets of its own needs one a client.
fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it is refused, binding says what is missing.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
