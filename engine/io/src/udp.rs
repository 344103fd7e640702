//! The kernel's UDP with recvmmsg and sendmmsg, and TCP with RFC 4571 framing beside it.

mod group;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use kaname_wire::path::{Carrier, Path};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::batch::{FlushReport, RxBatch, RxPacket, Tx, TxPacket};
use crate::counters::Counters;
use crate::error::BindError;
use crate::limits::{
    MAX_LOCALS, MAX_RECEIVED, MAX_SLOT, MAX_SOCKET_ERRORS, RX_BATCH, RX_TURN, SEND_WAIT_MS, SEND_WAITS,
    TX_BATCH, TX_BYTES,
};
use crate::mmsg::{Receiver, Refused, Sender};
use crate::tcp::{Handed, Tcp};
use crate::waker::Waker;
use crate::{PacketIo, locals, socket};

const _: () = assert!(TX_BYTES >= MAX_SLOT, "an empty batch takes any packet");

const WAKER: Token = Token(0);
const FIRST_UDP: usize = 1;
const FIRST_LISTENER: usize = FIRST_UDP + MAX_LOCALS;
const FIRST_CONNECTION: usize = FIRST_LISTENER + MAX_LOCALS;

/// Frames that all connections together may fill of a batch.
const TCP_SHARE: usize = RX_BATCH / 4;

/// Events taken from the poller at once.
const EVENTS: usize = 256;

/// What to bind.
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
}

struct LocalSocket {
    udp: UdpSocket,
    /// Something may wait in it: the poller reports changes only.
    ready: bool,
    /// The kernel's drop counter as last seen.
    overflow: u32,
}

/// The kernel's UDP: one socket an address, many messages a system call.
pub struct KernelUdp {
    poll: Poll,
    events: Events,
    waker: Waker,
    locals: Vec<SocketAddr>,
    sockets: Vec<LocalSocket>,
    /// Which socket is asked first, so that none is always last.
    turn: usize,
    receiver: Receiver,
    rx_packets: Vec<RxPacket>,
    tx_memory: Box<[u8]>,
    tx_packets: Vec<TxPacket>,
    sender: Sender,
    tcp: Tcp,
    counters: Counters,
}

impl KernelUdp {
    /// Binds all sockets, or none.
    pub fn new(config: &UdpConfig) -> Result<KernelUdp, BindError> {
        let mut io = KernelUdp::unbound()?;
        for ip in locals::expand(&config.bind)? {
            io.add(socket::bind(ip, config.port, config.tcp, config.receive_buffer)?)?;
        }
        Ok(io)
    }

    fn unbound() -> Result<KernelUdp, BindError> {
        let poll = Poll::new().map_err(BindError::Poll)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(BindError::Poll)?;
        Ok(KernelUdp {
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
            locals: Vec::new(),
            sockets: Vec::new(),
            turn: 0,
            receiver: Receiver::new(),
            rx_packets: Vec::with_capacity(RX_BATCH),
            tx_memory: vec![0; TX_BYTES].into_boxed_slice(),
            tx_packets: Vec::with_capacity(TX_BATCH),
            sender: Sender::new(),
            tcp: Tcp::new(FIRST_CONNECTION, Instant::now()),
            counters: Counters { receive_buffer_bytes: u64::MAX, ..Counters::default() },
        })
    }

    fn add(&mut self, bound: socket::Bound) -> Result<(), BindError> {
        let index = self.sockets.len();
        let registry = self.poll.registry();
        registry
            .register(&mut SourceFd(&bound.udp.as_raw_fd()), Token(FIRST_UDP + index), Interest::READABLE)
            .map_err(BindError::Poll)?;
        if let Some(listener) = bound.tcp {
            self.tcp
                .listen(registry, Token(FIRST_LISTENER + index), index as u8, listener)
                .map_err(BindError::Poll)?;
        }
        self.locals.push(bound.address);
        self.sockets.push(LocalSocket { udp: bound.udp, ready: true, overflow: 0 });
        let granted = bound.receive_buffer as u64;
        self.counters.receive_buffer_bytes = self.counters.receive_buffer_bytes.min(granted);
        Ok(())
    }

    /// One turn of one socket, into the slots from `used`; returns the slots used after it, and whether there may
    /// be more at once.
    fn receive_from(&mut self, index: usize, used: usize) -> (usize, bool) {
        let max = RX_TURN.min(RX_BATCH - used);
        for _ in 0..MAX_SOCKET_ERRORS {
            let socket = &mut self.sockets[index];
            match self.receiver.receive(socket.udp.as_fd(), used, max) {
                Ok(count) => {
                    self.accept_messages(index, used, count);
                    return (used + count, count == max);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.ready = false;
                    return (used, false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error about something sent earlier: it says nothing about what waits.
                Err(_) => self.counters.receive_errors += 1,
            }
        }
        (used, false)
    }

    fn accept_messages(&mut self, index: usize, first: usize, count: usize) {
        self.counters.receive_calls += 1;
        for i in 0..count {
            let message = self.receiver.message(i);
            if let Some(overflow) = message.overflow {
                // The kernel's counter is 32 bits wide and wraps.
                let socket = &mut self.sockets[index];
                self.counters.kernel_drops += u64::from(overflow.wrapping_sub(socket.overflow));
                socket.overflow = overflow;
            }
            match message.from {
                _ if message.truncated => self.counters.received_too_long += 1,
                None => self.counters.received_without_source += 1,
                Some(remote) => {
                    self.counters.packets_received += 1;
                    self.counters.bytes_received += message.len as u64;
                    self.rx_packets.push(RxPacket {
                        path: Path { carrier: Carrier::Udp, local: index as u8, remote },
                        offset: ((first + i) * MAX_RECEIVED) as u32,
                        len: message.len as u32,
                    });
                }
            }
        }
    }

    /// Whole frames of TCP connections into the first slots; returns how many.
    fn receive_tcp(&mut self) -> usize {
        let KernelUdp { tcp, receiver, rx_packets, counters, poll, .. } = self;
        tcp.receive(TCP_SHARE, poll.registry(), counters, |path, frame| {
            let slot = rx_packets.len();
            receiver.slot_mut(slot)[..frame.len()].copy_from_slice(frame);
            rx_packets.push(RxPacket { path, offset: (slot * MAX_RECEIVED) as u32, len: frame.len() as u32 });
        });
        self.rx_packets.len()
    }

    fn flush_udp(&mut self, local: usize) -> usize {
        let KernelUdp { sockets, sender, tx_memory, tx_packets, counters, .. } = self;
        let socket = sockets[local].udp.as_fd();
        let mut waits = 0;
        let sent = sender.send(socket, local as u8, tx_memory, tx_packets, |error| match error.kind() {
            io::ErrorKind::Interrupted => Refused::Retry,
            io::ErrorKind::WouldBlock if waits < SEND_WAITS => {
                waits += 1;
                socket::wait_writable(socket, SEND_WAIT_MS);
                Refused::Retry
            }
            _ => {
                counters.send_failed(&error);
                Refused::Skip
            }
        });
        self.counters.send_calls += sent.calls;
        self.counters.bytes_sent += sent.bytes;
        sent.packets
    }

    fn flush_tcp(&mut self) -> usize {
        let KernelUdp { tcp, tx_memory, tx_packets, counters, poll, .. } = self;
        let mut sent = 0;
        for packet in tx_packets.iter() {
            if let Carrier::Tcp(number) = packet.path.carrier {
                let frame = &tx_memory[packet.offset..packet.offset + packet.len];
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
        let KernelUdp { events, sockets, tcp, waker, poll, counters, .. } = self;
        for event in events.iter() {
            match event.token() {
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

impl PacketIo for KernelUdp {
    type Tx<'a> = Tx<'a>;

    fn recv(&mut self) -> io::Result<RxBatch<'_>> {
        self.rx_packets.clear();
        // TCP first, within its share: a flood over UDP must not starve it, nor the reverse.
        let mut used = self.receive_tcp();
        let mut more = true;
        while more && used < RX_BATCH {
            more = false;
            for i in 0..self.sockets.len() {
                let index = (self.turn + i) % self.sockets.len();
                if self.sockets[index].ready && used < RX_BATCH {
                    let (now_used, again) = self.receive_from(index, used);
                    used = now_used;
                    more |= again;
                }
            }
        }
        self.turn = (self.turn + 1) % self.sockets.len().max(1);
        Ok(RxBatch::new(self.receiver.memory(), &self.rx_packets))
    }

    fn tx(&mut self) -> Tx<'_> {
        Tx::new(&mut self.tx_memory, &mut self.tx_packets)
    }

    fn flush(&mut self) -> io::Result<FlushReport> {
        if self.tx_packets.is_empty() {
            return Ok(FlushReport::default());
        }
        let mut wanted = [0_usize; MAX_LOCALS];
        let (mut tcp, mut nowhere) = (0, 0);
        for packet in &self.tx_packets {
            match packet.path.carrier {
                Carrier::Tcp(_) => tcp += 1,
                Carrier::Udp => match wanted.get_mut(usize::from(packet.path.local)) {
                    Some(count) if usize::from(packet.path.local) < self.sockets.len() => *count += 1,
                    _ => nowhere += 1,
                },
            }
        }
        let mut sent = 0;
        for (local, _) in wanted.iter().enumerate().filter(|(_, count)| **count > 0) {
            sent += self.flush_udp(local);
        }
        if tcp > 0 {
            sent += self.flush_tcp();
        }
        let dropped = self.tx_packets.len() - sent;
        self.tx_packets.clear();
        self.counters.send_no_local += nowhere;
        self.counters.packets_sent += sent as u64;
        Ok(FlushReport { sent, dropped })
    }

    fn discard(&mut self) {
        self.tx_packets.clear();
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let busy = self.tcp.has_work() || self.sockets.iter().any(|socket| socket.ready);
        let mut timeout = if busy { Some(Duration::ZERO) } else { timeout };
        let now = Instant::now();
        if let Some(sweep) = self.tcp.next_sweep() {
            let left = sweep.saturating_duration_since(now);
            timeout = Some(timeout.map_or(left, |t| t.min(left)));
        }
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.take_events(),
        }
        self.tcp.work(self.poll.registry(), &mut self.counters, Instant::now());
        Ok(())
    }

    fn hand_over(&mut self, connection: u32, frame: &[u8]) -> Option<Handed> {
        self.take_connection(connection, frame)
    }

    fn adopt(&mut self, connection: Handed) {
        self.adopt_connection(connection);
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
        "sendmmsg"
    }
}
