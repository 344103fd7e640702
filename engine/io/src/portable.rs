//! UDP through quinn-udp, for systems other than Linux: it knows what each of them can do about segments, joined
//! datagrams and many messages a call. Selectable on Linux, so that it is tested.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use kaname_wire::path::{Carrier, Path};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};

use crate::PacketIo;
use crate::batch::{FlushReport, RxBatch, RxPacket, Tx};
use crate::coalesce::Runs;
use crate::counters::Counters;
use crate::error::BindError;
use crate::limits::{
    FIRST_PORT, MAX_LOCALS, MAX_MESSAGE, MAX_RECEIVED, MAX_SOCKET_ERRORS, RX_BATCH, RX_PENDING, SEND_WAIT_MS,
    SEND_WAITS, TCP_SHARE, TX_BYTES,
};
use crate::poll::Poller;
use crate::ports::{self, Door, PortSocket, Ports};
use crate::send::{Sender, Sending};
use crate::socket;
use crate::tcp::{Handed, Tcp};
use crate::udp::UdpConfig;
use crate::udp::group::bind_group;
use crate::waker::Waker;

const WAKER: Token = Token(0);
const FIRST_UDP: usize = 1;
const FIRST_LISTENER: usize = FIRST_UDP + MAX_LOCALS;
const FIRST_CONNECTION: usize = FIRST_LISTENER + MAX_LOCALS;
const EVENTS: usize = 256;

/// Bytes of the slots that messages are received into; behind them lie the frames of TCP connections.
const UDP_BYTES: usize = BATCH_SIZE * MAX_MESSAGE;

struct Local {
    udp: UdpSocket,
    state: UdpSocketState,
    /// Something may wait in it: the poller reports changes only.
    ready: bool,
}

/// UDP on any system that quinn-udp knows, and TCP with RFC 4571 framing beside it.
pub struct Portable {
    poll: Poller,
    waker: Waker,
    locals: Vec<SocketAddr>,
    sockets: Vec<Local>,
    /// Which socket is asked first, so that none is always last.
    turn: usize,
    rx_memory: Box<[u8]>,
    rx_packets: Vec<RxPacket>,
    /// Of those, how many were handed out.
    rx_handed: usize,
    tx_memory: Box<[u8]>,
    tx_runs: Runs,
    /// Ports of single legs, and who sends for them.
    ports: Ports,
    sender: Sender,
    door: Door,
    tcp: Tcp,
    counters: Counters,
}

impl Portable {
    /// Binds all sockets, or none. Of the wishes, segments and joining are as the system has them.
    pub fn new(config: &UdpConfig) -> Result<Portable, BindError> {
        let mut group = Portable::group(config, 1)?;
        group.pop().ok_or(BindError::NoAddress)
    }

    /// The same addresses and ports for several shards, as [`crate::KernelUdp::group`].
    pub fn group(config: &UdpConfig, shards: usize) -> Result<Vec<Portable>, BindError> {
        let plain = UdpConfig { coalesce: false, ecn: false, arrival_time: false, ..config.clone() };
        bind_group(&plain, shards)?.into_iter().map(Portable::over).collect()
    }

    fn over(bound: Vec<socket::Bound>) -> Result<Portable, BindError> {
        let poll = Poller::new(EVENTS).map_err(BindError::Poll)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(BindError::Poll)?;
        let door = Door::new(poll.registry()).map_err(BindError::Poll)?;
        let mut io = Portable {
            poll,
            waker,
            locals: Vec::new(),
            sockets: Vec::new(),
            turn: 0,
            rx_memory: vec![0; UDP_BYTES + TCP_SHARE * MAX_RECEIVED].into_boxed_slice(),
            rx_packets: Vec::with_capacity(RX_PENDING),
            rx_handed: 0,
            tx_memory: vec![0; TX_BYTES].into_boxed_slice(),
            tx_runs: Runs::new(true),
            ports: Ports::new(),
            sender: Sender::new(),
            door,
            tcp: Tcp::new(FIRST_CONNECTION, Instant::now()),
            counters: Counters { receive_buffer_bytes: u64::MAX, ..Counters::default() },
        };
        bound.into_iter().try_for_each(|bound| io.add(bound))?;
        Ok(io)
    }

    fn add(&mut self, bound: socket::Bound) -> Result<(), BindError> {
        let index = self.sockets.len();
        let address = bound.address;
        let other = |source| BindError::Other { address, transport: "UDP", source };
        let state = UdpSocketState::new((&bound.udp).into()).map_err(other)?;
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&bound.udp.as_raw_fd()), Token(FIRST_UDP + index), Interest::READABLE)
            .map_err(BindError::Poll)?;
        if let Some(listener) = bound.tcp {
            self.tcp
                .listen(registry, Token(FIRST_LISTENER + index), index as u32, listener)
                .map_err(BindError::Poll)?;
        }
        self.counters.segments_on = u64::from(state.max_gso_segments() > 1);
        self.counters.joining_on = u64::from(state.gro_segments() > 1);
        self.counters.receive_buffer_bytes =
            self.counters.receive_buffer_bytes.min(bound.receive_buffer as u64);
        self.locals.push(address);
        self.sockets.push(Local { udp: bound.udp, state, ready: true });
        Ok(())
    }

    /// One turn of one socket, into all slots. Only one socket has a turn between two batches.
    fn receive_udp(&mut self) {
        for i in 0..self.sockets.len() {
            let index = (self.turn + i) % self.sockets.len();
            if self.sockets[index].ready && self.receive_from(index) {
                self.turn = index + 1;
                return;
            }
        }
    }

    /// False: nothing there.
    fn receive_from(&mut self, index: usize) -> bool {
        let Portable { sockets, rx_memory, counters, .. } = self;
        let socket = &mut sockets[index];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        for _ in 0..MAX_SOCKET_ERRORS {
            let mut slots = rx_memory[..UDP_BYTES].chunks_exact_mut(MAX_MESSAGE);
            let mut slots = std::array::from_fn::<_, BATCH_SIZE, _>(|_| {
                IoSliceMut::new(slots.next().unwrap_or_default())
            });
            match socket.state.recv((&socket.udp).into(), &mut slots, &mut metas) {
                Ok(count) => {
                    counters.receive_calls += 1;
                    for (slot, meta) in metas[..count].iter().enumerate() {
                        self.accept(index, slot, meta);
                    }
                    return count > 0;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.ready = false;
                    return false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error about something sent earlier: it says nothing about what waits.
                Err(_) => counters.receive_errors += 1,
            }
        }
        false
    }

    /// The datagrams of one message, in the order in which they came.
    fn accept(&mut self, index: usize, slot: usize, meta: &RecvMeta) {
        let stride = meta.stride.max(1);
        let count = meta.len.div_ceil(stride).max(1);
        if count > 1 {
            self.counters.messages_joined += 1;
            self.counters.packets_joined += count as u64;
        }
        if stride > MAX_RECEIVED {
            self.counters.received_too_long += count as u64;
            return;
        }
        self.counters.packets_received += count as u64;
        self.counters.bytes_received += meta.len as u64;
        let path = Path { carrier: Carrier::Udp, local: index as u32, remote: plain(meta.addr) };
        let ecn = meta.ecn.map_or(0, |ecn| ecn as u8);
        for at in 0..count {
            let (start, end) = (at * stride, ((at + 1) * stride).min(meta.len));
            let packet = RxPacket::new(path, (slot * MAX_MESSAGE + start) as u32, (end - start) as u32);
            self.rx_packets.push(RxPacket { ecn, ..packet });
        }
    }

    fn receive_tcp(&mut self) {
        let Portable { tcp, rx_memory, rx_packets, counters, poll, .. } = self;
        tcp.receive(TCP_SHARE, poll.registry(), counters, |path, frame| {
            let offset = UDP_BYTES + rx_packets.len() * MAX_RECEIVED;
            rx_memory[offset..offset + frame.len()].copy_from_slice(frame);
            rx_packets.push(RxPacket::new(path, offset as u32, frame.len() as u32));
        });
    }

    /// Sends a run; returns how many of its packets went.
    fn send_run(&mut self, at: usize) -> usize {
        let run = self.tx_runs.as_slice()[at];
        let bytes = &self.tx_memory[run.offset..run.offset + run.len];
        let Some(local) = self.sockets.get(run.path.local as usize) else {
            self.counters.send_no_local += run.packets as u64;
            return 0;
        };
        // What the system takes at once: it may have become less since the last time.
        let most = local.state.max_gso_segments().max(1) * run.segment.max(1);
        let mut sent = 0;
        let pieces = bytes.chunks(most).chain(bytes.is_empty().then_some(bytes));
        for piece in pieces {
            let count = piece.len().div_ceil(run.segment.max(1)).max(1);
            if send(local, piece, run.path.remote, run.segment, &mut self.counters) {
                sent += count;
                self.counters.bytes_sent += piece.len() as u64;
            } else if count > 1 && local.state.max_gso_segments() == 1 {
                // It has just learned that segments are refused here.
                for packet in piece.chunks(run.segment) {
                    if send(local, packet, run.path.remote, packet.len(), &mut self.counters) {
                        sent += 1;
                        self.counters.packets_resent += 1;
                        self.counters.bytes_sent += packet.len() as u64;
                    }
                }
            }
        }
        sent
    }

    fn take_events(&mut self) {
        let Portable { sockets, ports, tcp, waker, poll, counters, .. } = self;
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
                Token(token) if token < FIRST_CONNECTION => tcp.listener_ready(token - FIRST_LISTENER),
                _ => tcp.connection_event(event, poll.registry(), counters),
            }
        }
    }
}

/// One message; waits a little for a full buffer. False: it did not go, and why is counted.
fn send(local: &Local, bytes: &[u8], to: SocketAddr, segment: usize, counters: &mut Counters) -> bool {
    let segments = bytes.len().div_ceil(segment.max(1)).max(1);
    let segment_size = (segments > 1).then_some(segment);
    let transmit = Transmit { destination: to, ecn: None, contents: bytes, segment_size, src_ip: None };
    let mut waits = 0;
    loop {
        counters.send_calls += 1;
        match local.state.try_send((&local.udp).into(), &transmit) {
            Ok(()) => {
                if segments > 1 {
                    counters.runs_sent += 1;
                    counters.packets_in_runs += segments as u64;
                }
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && waits < SEND_WAITS => {
                waits += 1;
                counters.send_waits += 1;
                socket::wait_writable(std::os::fd::AsFd::as_fd(&local.udp), SEND_WAIT_MS);
            }
            Err(error) => {
                if segments == 1 || local.state.max_gso_segments() > 1 {
                    counters.send_failed(&error, segments as u64);
                }
                return false;
            }
        }
    }
}

/// The flow label is the sender's business and changes: it is no part of the address.
fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(mut v6) => {
            v6.set_flowinfo(0);
            v6.into()
        }
        v4 => v4,
    }
}

impl PacketIo for Portable {
    type Tx<'a> = Tx<'a>;

    fn recv(&mut self) -> io::Result<RxBatch<'_>> {
        if self.ports.take_turn() && self.ports.receive(&mut self.counters) {
            return Ok(self.ports.received());
        }
        if self.rx_handed == self.rx_packets.len() {
            self.rx_packets.clear();
            self.rx_handed = 0;
            self.receive_tcp();
            self.receive_udp();
        }
        if self.rx_packets.is_empty() && self.ports.receive(&mut self.counters) {
            return Ok(self.ports.received());
        }
        let from = self.rx_handed;
        self.rx_handed = self.rx_packets.len().min(from + RX_BATCH);
        Ok(RxBatch::new(&self.rx_memory, &self.rx_packets[from..self.rx_handed]))
    }

    fn tx(&mut self) -> Tx<'_> {
        Tx::new(&mut self.tx_memory, &mut self.tx_runs)
    }

    fn flush(&mut self) -> io::Result<FlushReport> {
        let mut sent = 0;
        for at in 0..self.tx_runs.as_slice().len() {
            let run = self.tx_runs.as_slice()[at];
            match run.path.carrier {
                Carrier::Udp if run.path.local >= FIRST_PORT => {
                    let Portable { ports, sender, tx_memory, tx_runs, counters, .. } = self;
                    let runs = &tx_runs.as_slice()[at..=at];
                    sent += ports.send(sender, tx_memory, runs, Sending::Segments, counters);
                }
                Carrier::Udp => sent += self.send_run(at),
                Carrier::Tcp(number) => {
                    let Portable { tcp, tx_memory, counters, poll, .. } = self;
                    let frame = &tx_memory[run.offset..run.offset + run.len];
                    if tcp.send(number, frame, poll.registry(), counters) {
                        sent += 1;
                        counters.bytes_sent += frame.len() as u64;
                    }
                }
            }
        }
        self.tcp.flush(self.poll.registry(), &mut self.counters);
        let dropped = self.tx_runs.packets() - sent;
        self.tx_runs.clear();
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
        "portable"
    }
}

impl fmt::Debug for Portable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portable").field("locals", &self.locals).finish_non_exhaustive()
    }
}
