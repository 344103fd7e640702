//! The kernel's UDP, many packets a system call and many packets a message, and TCP with RFC 4571 framing beside it.

pub(crate) mod group;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use kaname_wire::path::{Carrier, Path};
use mio::unix::SourceFd;
use mio::{Interest, Token};

use crate::batch::{FlushReport, RxBatch, RxPacket, Tx};
use crate::clock::calendar_ns;
use crate::coalesce::{Run, Runs};
use crate::counters::Counters;
use crate::error::BindError;
use crate::limits::{
    FIRST_PORT, MAX_LOCALS, MAX_RECEIVED, MAX_SLOT, MAX_SOCKET_ERRORS, RX_BATCH, RX_PENDING, SEND_BUFFER,
    TCP_SHARE, TX_BYTES,
};
use crate::poll::Poller;
use crate::ports::{self, Door, PortSocket, Ports};
use crate::receive::{Received, Receiver};
use crate::send::{Outlet, Sender, Sending};
use crate::tcp::{Handed, Tcp};
use crate::waker::Waker;
use crate::{PacketIo, socket};

const _: () = assert!(TX_BYTES >= MAX_SLOT, "an empty batch takes any packet");

const WAKER: Token = Token(0);
const FIRST_UDP: usize = 1;
const FIRST_LISTENER: usize = FIRST_UDP + MAX_LOCALS;
/// Descriptors of a backend around this one.
const WATCHED: Token = Token(FIRST_LISTENER + MAX_LOCALS);
const FIRST_CONNECTION: usize = FIRST_LISTENER + MAX_LOCALS + 1;

/// Events taken from the poller at once.
const EVENTS: usize = 256;

/// What to bind, and how to send and receive.
#[derive(Clone, Debug)]
pub struct UdpConfig {
    /// Addresses; a wildcard stands for those that the machine has now.
    pub bind: Vec<IpAddr>,
    /// 0: any free port, not the same for each address.
    pub port: u16,
    /// Listen for TCP on the same addresses and ports.
    pub tcp: bool,
    /// Receive buffer a socket, in bytes.
    pub receive_buffer: usize,
    /// Send buffer a socket, in bytes.
    pub send_buffer: usize,
    /// How packets are handed to the kernel; where it does not cut runs, [`Sending::Batches`] takes their place.
    pub send: Sending,
    /// Let the kernel join datagrams of one sender (UDP_GRO), where it can.
    pub coalesce: bool,
    /// Read the ECN bits of every packet.
    pub ecn: bool,
    /// Read how long every packet waited. The kernel then looks at the clock for each packet of the machine.
    pub arrival_time: bool,
}

impl Default for UdpConfig {
    /// Any port of 127.0.0.1, as fast as the kernel can.
    fn default() -> UdpConfig {
        UdpConfig {
            bind: vec![IpAddr::from([127, 0, 0, 1])],
            port: 0,
            tcp: true,
            receive_buffer: 16 * 1024 * 1024,
            send_buffer: SEND_BUFFER,
            send: Sending::default(),
            coalesce: true,
            ecn: false,
            arrival_time: false,
        }
    }
}

struct LocalSocket {
    udp: UdpSocket,
    /// Something may wait in it: the poller reports changes only.
    ready: bool,
    /// The kernel's drop counter as last seen.
    overflow: u32,
    fragments: Option<Instant>,
}

/// The kernel's UDP: one socket an address, and ports of single legs.
pub struct KernelUdp {
    poll: Poller,
    waker: Waker,
    /// A watched descriptor was ready.
    watched: bool,
    locals: Vec<SocketAddr>,
    sockets: Vec<LocalSocket>,
    /// Which socket is asked first, so that none is always last.
    turn: usize,
    receiver: Receiver,
    rx_packets: Vec<RxPacket>,
    /// Of those, how many were handed out.
    rx_handed: usize,
    /// Arrival times are told.
    timed: bool,
    tx_memory: Box<[u8]>,
    tx_runs: Runs,
    sending: Sending,
    sender: Sender,
    ports: Ports,
    door: Door,
    tcp: Tcp,
    counters: Counters,
}

impl KernelUdp {
    /// Binds all sockets, or none.
    pub fn new(config: &UdpConfig) -> Result<KernelUdp, BindError> {
        KernelUdp::over(config, group::bind(config)?)
    }

    fn over(config: &UdpConfig, bound: Vec<socket::Bound>) -> Result<KernelUdp, BindError> {
        // Older kernels do neither; all sockets are of one kernel.
        let joins = bound.iter().any(|bound| bound.joins);
        let sending = match config.send {
            Sending::Segments if !bound.iter().all(|bound| socket::cuts_runs(&bound.udp)) => Sending::Batches,
            wish => wish,
        };
        let poll = Poller::new(EVENTS).map_err(BindError::Poll)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(BindError::Poll)?;
        let door = Door::new(poll.registry()).map_err(BindError::Poll)?;
        let mut io = KernelUdp {
            poll,
            waker,
            watched: false,
            locals: Vec::new(),
            sockets: Vec::new(),
            turn: 0,
            receiver: Receiver::new(joins),
            rx_packets: Vec::with_capacity(RX_PENDING),
            rx_handed: 0,
            timed: config.arrival_time,
            tx_memory: vec![0; TX_BYTES].into_boxed_slice(),
            tx_runs: Runs::new(sending == Sending::Segments),
            sending,
            sender: Sender::new(),
            ports: Ports::new(),
            door,
            tcp: Tcp::new(FIRST_CONNECTION, Instant::now()),
            counters: Counters {
                receive_buffer_bytes: u64::MAX,
                segments_on: u64::from(sending == Sending::Segments),
                joining_on: u64::from(joins),
                ..Counters::default()
            },
        };
        bound.into_iter().try_for_each(|bound| io.add(bound))?;
        Ok(io)
    }

    fn add(&mut self, bound: socket::Bound) -> Result<(), BindError> {
        let index = self.sockets.len();
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&bound.udp.as_raw_fd()), Token(FIRST_UDP + index), Interest::READABLE)
            .map_err(BindError::Poll)?;
        if let Some(listener) = bound.tcp {
            self.tcp
                .listen(registry, Token(FIRST_LISTENER + index), index as u32, listener)
                .map_err(BindError::Poll)?;
        }
        self.locals.push(bound.address);
        self.sockets.push(LocalSocket { udp: bound.udp, ready: true, overflow: 0, fragments: None });
        let granted = bound.receive_buffer as u64;
        self.counters.receive_buffer_bytes = self.counters.receive_buffer_bytes.min(granted);
        Ok(())
    }

    /// A wait also ends when this descriptor, of a backend around this one, becomes readable.
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), WATCHED, Interest::READABLE)
    }

    /// Whether a watched descriptor was ready since the last call.
    pub(crate) fn take_watched(&mut self) -> bool {
        std::mem::take(&mut self.watched)
    }

    /// The figures, for a backend around this one: there is one set of them.
    pub(crate) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Whether [`PacketIo::recv`] has something to hand out.
    pub(crate) fn has_received(&mut self) -> bool {
        self.receive_if_empty();
        self.rx_handed < self.rx_packets.len() || self.ports.has_ready()
    }

    fn receive_if_empty(&mut self) {
        if self.rx_handed == self.rx_packets.len() {
            self.rx_packets.clear();
            self.rx_handed = 0;
            // TCP within its share: a flood over UDP must not starve it, nor the reverse.
            self.receive_tcp();
            self.receive_udp();
        }
    }

    /// Addresses and figures together.
    pub(crate) fn parts(&mut self) -> (&[SocketAddr], &mut Counters) {
        (&self.locals, &mut self.counters)
    }

    /// The kernel does not join datagrams any more.
    pub(crate) fn stop_joining(&mut self) {
        self.sockets.iter().for_each(|socket| socket::stop_joining(&socket.udp));
        self.counters.joining_on = 0;
    }

    /// Takes what waits in all sockets, each within its share of the slots.
    fn receive_udp(&mut self) {
        let ready = self.sockets.iter().filter(|socket| socket.ready).count();
        if ready == 0 {
            return;
        }
        let share = self.receiver.slots().div_ceil(ready);
        let mut used = 0;
        for i in 0..self.sockets.len() {
            let index = (self.turn + i) % self.sockets.len();
            if self.sockets[index].ready && used < self.receiver.slots() {
                used += self.receive_from(index, used, share);
            }
        }
        self.turn = (self.turn + 1) % self.sockets.len();
    }

    /// One turn of one socket, into the slots from `used`; returns how many it took.
    fn receive_from(&mut self, index: usize, used: usize, share: usize) -> usize {
        let max = share.min(self.receiver.slots() - used);
        for _ in 0..MAX_SOCKET_ERRORS {
            let socket = &mut self.sockets[index];
            match self.receiver.receive(socket.udp.as_fd(), used, max) {
                Ok(count) => {
                    // Fewer than asked for: it was found empty, and the poller tells of what comes now.
                    socket.ready = count == max;
                    self.accept_messages(index, count);
                    return count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.ready = false;
                    return 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error about something sent earlier: it says nothing about what waits.
                Err(_) => self.counters.receive_errors += 1,
            }
        }
        0
    }

    fn accept_messages(&mut self, index: usize, count: usize) {
        self.counters.receive_calls += 1;
        let now_ns = if self.timed { calendar_ns() } else { 0 };
        for i in 0..count {
            let message = self.receiver.message(i);
            if let Some(overflow) = message.marks.overflow {
                // The kernel's counter is 32 bits wide and wraps.
                let socket = &mut self.sockets[index];
                self.counters.kernel_drops += u64::from(overflow.wrapping_sub(socket.overflow));
                socket.overflow = overflow;
            }
            match message.from {
                _ if message.truncated => self.counters.received_too_long += 1,
                None => self.counters.received_without_source += 1,
                Some(remote) => {
                    let path = Path { carrier: Carrier::Udp, local: index as u32, remote };
                    self.accept_datagrams(path, &message, now_ns);
                }
            }
        }
    }

    /// The datagrams of one message, in the order in which they came.
    fn accept_datagrams(&mut self, path: Path, message: &Received, now_ns: u64) {
        let segment = message.marks.segment.unwrap_or(message.len).max(1);
        let count = message.len.div_ceil(segment).max(1);
        if count > 1 {
            self.counters.messages_joined += 1;
            self.counters.packets_joined += count as u64;
        }
        if segment > MAX_RECEIVED {
            // All of them but perhaps the last, which is of no use without.
            self.counters.received_too_long += count as u64;
            return;
        }
        self.counters.packets_received += count as u64;
        self.counters.bytes_received += message.len as u64;
        let waited = message.marks.arrival_ns.map_or(0, |arrival| now_ns.saturating_sub(arrival));
        for at in 0..count {
            let (start, end) = (at * segment, ((at + 1) * segment).min(message.len));
            self.rx_packets.push(RxPacket {
                ecn: message.marks.ecn,
                waited: Duration::from_nanos(waited),
                ..RxPacket::new(path, (message.offset + start) as u32, (end - start) as u32)
            });
        }
    }

    /// Whole frames of TCP connections into their own room.
    fn receive_tcp(&mut self) {
        let KernelUdp { tcp, receiver, rx_packets, counters, poll, .. } = self;
        tcp.receive(TCP_SHARE, poll.registry(), counters, |path, frame| {
            let (offset, room) = receiver.frame_mut(rx_packets.len());
            room[..frame.len()].copy_from_slice(frame);
            rx_packets.push(RxPacket::new(path, offset as u32, frame.len() as u32));
        });
    }

    fn flush_tcp(&mut self) -> usize {
        let KernelUdp { tcp, tx_memory, tx_runs, counters, poll, .. } = self;
        let mut sent = 0;
        for run in tx_runs.as_slice() {
            // Only packets for UDP form runs.
            if let Carrier::Tcp(number) = run.path.carrier {
                let frame = &tx_memory[run.offset..run.offset + run.len];
                if tcp.send(number, frame, poll.registry(), counters) {
                    sent += 1;
                    counters.bytes_sent += frame.len() as u64;
                }
            }
        }
        tcp.flush(poll.registry(), counters);
        sent
    }

    /// What the poller reported becomes flags.
    fn take_events(&mut self) {
        let KernelUdp { sockets, ports, tcp, waker, watched, poll, counters, .. } = self;
        for event in (0..).map_while(|at| poll.ready(at)) {
            if let Some(port) = ports::number_of(event.token) {
                ports.report(port);
                continue;
            }
            match event.token {
                WAKER => waker.arrived(),
                Token(token) if token < FIRST_LISTENER => {
                    if let Some(socket) = sockets.get_mut(token - FIRST_UDP) {
                        socket.ready = true;
                    }
                }
                WATCHED => *watched = true,
                Token(token) if token < FIRST_CONNECTION => tcp.listener_ready(token - FIRST_LISTENER),
                _ => tcp.connection_event(event, poll.registry(), counters),
            }
        }
    }
}

impl PacketIo for KernelUdp {
    type Tx<'a> = Tx<'a>;

    fn recv(&mut self) -> io::Result<RxBatch<'_>> {
        if self.ports.take_turn() && self.ports.receive(&mut self.counters) {
            return Ok(self.ports.received());
        }
        self.receive_if_empty();
        if self.rx_packets.is_empty() && self.ports.receive(&mut self.counters) {
            return Ok(self.ports.received());
        }
        let from = self.rx_handed;
        self.rx_handed = self.rx_packets.len().min(from + RX_BATCH);
        Ok(RxBatch::new(self.receiver.memory(), &self.rx_packets[from..self.rx_handed]))
    }

    fn tx(&mut self) -> Tx<'_> {
        Tx::new(&mut self.tx_memory, &mut self.tx_runs)
    }

    fn flush(&mut self) -> io::Result<FlushReport> {
        if self.tx_runs.is_empty() {
            return Ok(FlushReport::default());
        }
        let mut wanted = [false; MAX_LOCALS];
        let (mut ports, mut tcp, mut nowhere) = (false, false, 0);
        for run in self.tx_runs.as_slice() {
            match run.path.carrier {
                Carrier::Tcp(_) => tcp = true,
                Carrier::Udp if run.path.local >= FIRST_PORT => ports = true,
                Carrier::Udp if (run.path.local as usize) < self.sockets.len() => {
                    wanted[run.path.local as usize] = true;
                }
                Carrier::Udp => nowhere += run.packets,
            }
        }
        let mut sent = 0;
        for (local, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            let KernelUdp { sockets, sender, tx_memory, tx_runs, counters, sending, .. } = self;
            let LocalSocket { udp, fragments, .. } = &mut sockets[local];
            let local = local as u32;
            let outlet = Outlet { socket: udp.as_fd(), local, fragments };
            let is_of_socket = |run: &&Run| run.path.carrier == Carrier::Udp && run.path.local == local;
            let runs = tx_runs.as_slice().iter().filter(is_of_socket);
            sent += sender.send(outlet, tx_memory, runs, *sending, counters);
        }
        if ports {
            let KernelUdp { ports, sender, tx_memory, tx_runs, counters, sending, .. } = self;
            sent += ports.send(sender, tx_memory, tx_runs.as_slice(), *sending, counters);
        }
        if tcp {
            sent += self.flush_tcp();
        }
        let dropped = self.tx_runs.packets() - sent;
        self.tx_runs.clear();
        self.counters.send_no_local += nowhere as u64;
        self.counters.packets_sent += sent as u64;
        Ok(FlushReport { sent, dropped })
    }

    fn discard(&mut self) {
        self.tx_runs.clear();
    }

    fn has_more(&self) -> bool {
        let pending = self.rx_handed < self.rx_packets.len();
        let ready = self.ports.has_ready() || self.sockets.iter().any(|socket| socket.ready);
        pending || ready || self.tcp.has_work()
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let busy = self.has_more();
        let mut timeout = if busy { Some(Duration::ZERO) } else { timeout };
        if let Some(sweep) = self.tcp.next_sweep() {
            let left = sweep.saturating_duration_since(Instant::now());
            timeout = Some(timeout.map_or(left, |t| t.min(left)));
        }
        self.poll.wait(timeout)?;
        let woken = busy || !self.poll.is_empty();
        self.take_events();
        self.tcp.work(self.poll.registry(), &mut self.counters, Instant::now());
        Ok(woken)
    }

    fn hand_over(&mut self, connection: u32, frame: &[u8]) -> Option<Handed> {
        self.tcp.hand_over(connection, frame, self.poll.registry(), &mut self.counters)
    }

    fn adopt(&mut self, connection: Handed) {
        self.tcp.adopt(connection, self.poll.registry(), &mut self.counters);
    }

    fn door(&self) -> Door {
        self.door.clone()
    }

    fn open_port(&mut self, local: u32, socket: PortSocket) {
        self.ports.open(local, socket, &mut self.counters);
    }

    fn close_port(&mut self, local: u32) -> bool {
        self.ports.close(local, &mut self.counters)
    }

    fn set_port_tos(&mut self, local: u32, tos: u8) -> bool {
        self.ports.set_tos(local, tos)
    }

    fn set_port_patient(&mut self, local: u32, patient: bool) -> bool {
        self.ports.set_patient(local, patient, self.poll.registry(), &mut self.counters)
    }

    fn look_at_patient_ports(&mut self) -> io::Result<()> {
        self.ports.look_at_patient()
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    fn counters(&self) -> &Counters {
        &self.counters
    }

    fn name(&self) -> &'static str {
        match self.sending {
            Sending::OneByOne => "sendto",
            Sending::Batches => "sendmmsg",
            Sending::Segments => "gso",
        }
    }
}
