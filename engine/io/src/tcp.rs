//! ICE-TCP (RFC 6544): connections that carry datagrams in RFC 4571 frames, the way out for peers whose UDP is
//! blocked. All of it is bounded: connections in all and a source, bytes a buffer, silence.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use kaname_wire::path::{Carrier, Path};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};

use crate::counters::Counters;
use crate::limits::{
    ACCEPT_TURN, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SOURCE, TCP_ANSWER_TIME, TCP_IDLE_TIME, TCP_SWEEP,
    TCP_TURN,
};
use crate::poll::Ready;

mod connection;
mod handing;

use connection::{Connection, End, Turn};
pub use handing::Handed;

/// Who is counted as one source: an IPv4 address, or an IPv6 /64, which is what one host is given at least.
type Source = u128;

fn source(ip: IpAddr) -> Source {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) << 64,
    }
}

struct Listener {
    socket: TcpListener,
    local: u32,
    ready: bool,
}

/// All listeners and connections of a shard.
pub(crate) struct Tcp {
    listeners: Vec<Listener>,
    connections: HashMap<u32, Connection>,
    sources: HashMap<Source, usize>,
    /// The number of the next connection; none is used twice. `None`: all are used up.
    next_number: Option<u32>,
    /// Connections that may have something to read, each once.
    readable: VecDeque<u32>,
    /// Connections with bytes of this flush.
    dirty: Vec<u32>,
    /// Token of connection 0.
    first_token: usize,
    /// Accepting failed: try again at the next sweep.
    starved: bool,
    sweep_at: Instant,
}

impl Tcp {
    pub(crate) fn new(first_token: usize, now: Instant) -> Tcp {
        Tcp {
            listeners: Vec::new(),
            connections: HashMap::new(),
            sources: HashMap::new(),
            next_number: Some(0),
            readable: VecDeque::with_capacity(MAX_CONNECTIONS),
            dirty: Vec::with_capacity(MAX_CONNECTIONS),
            first_token,
            starved: false,
            sweep_at: now + TCP_SWEEP,
        }
    }

    /// Listeners must be added in the order of the local addresses.
    pub(crate) fn listen(
        &mut self,
        registry: &Registry,
        token: Token,
        local: u32,
        listener: std::net::TcpListener,
    ) -> io::Result<()> {
        let mut socket = TcpListener::from_std(listener);
        registry.register(&mut socket, token, Interest::READABLE)?;
        self.listeners.push(Listener { socket, local, ready: true });
        Ok(())
    }

    /// Something waits to be accepted or read.
    pub(crate) fn has_work(&self) -> bool {
        !self.readable.is_empty() || self.listeners.iter().any(|listener| listener.ready)
    }

    /// When [`Tcp::work`] must be called at the latest.
    pub(crate) fn next_sweep(&self) -> Option<Instant> {
        (self.starved || !self.connections.is_empty()).then_some(self.sweep_at)
    }

    pub(crate) fn listener_ready(&mut self, local: usize) {
        if let Some(listener) = self.listeners.iter_mut().find(|l| l.local as usize == local) {
            listener.ready = true;
        }
    }

    pub(crate) fn connection_event(&mut self, event: Ready, registry: &Registry, counters: &mut Counters) {
        let Ok(number) = u32::try_from(event.token.0 - self.first_token) else { return };
        // An event of a connection that is gone finds nothing: its number is not used again.
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if event.readable && !connection.queued {
            connection.queued = true;
            self.readable.push_back(number);
        }
        if event.writable
            && let Err(end) = connection.write(Instant::now())
        {
            self.close(number, end, registry, counters);
        }
    }

    /// Accepts what waits, and once a [`TCP_SWEEP`] ends silent connections.
    pub(crate) fn work(&mut self, registry: &Registry, counters: &mut Counters, now: Instant) {
        if now >= self.sweep_at {
            self.sweep_at = now + TCP_SWEEP;
            if std::mem::take(&mut self.starved) {
                self.listeners.iter_mut().for_each(|listener| listener.ready = true);
            }
            self.sweep(registry, counters, now);
        }
        for index in 0..self.listeners.len() {
            if self.listeners[index].ready {
                self.accept(index, registry, counters, now);
            }
        }
    }

    fn accept(&mut self, index: usize, registry: &Registry, counters: &mut Counters, now: Instant) {
        for _ in 0..ACCEPT_TURN {
            match self.listeners[index].socket.accept() {
                Ok((stream, remote)) => self.admit(index, stream, remote, registry, counters, now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.listeners[index].ready = false;
                    if error.kind() != io::ErrorKind::WouldBlock {
                        counters.tcp_accept_errors += 1;
                        self.starved = true;
                    }
                    return;
                }
            }
        }
    }

    /// Dropping the stream refuses it.
    fn admit(
        &mut self,
        index: usize,
        mut stream: TcpStream,
        remote: SocketAddr,
        registry: &Registry,
        counters: &mut Counters,
        now: Instant,
    ) {
        let (Some(number), true) = (self.next_number, self.connections.len() < MAX_CONNECTIONS) else {
            counters.tcp_refused_full += 1;
            return;
        };
        let count = self.sources.get(&source(remote.ip())).copied().unwrap_or(0);
        if count >= MAX_CONNECTIONS_PER_SOURCE {
            counters.tcp_refused_source += 1;
            return;
        }
        let token = Token(self.first_token + number as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Datagrams wait for nothing: neither for an acknowledgement (Nagle) nor for more data.
        if stream.set_nodelay(true).and_then(|()| registry.register(&mut stream, token, interest)).is_err() {
            counters.tcp_errors += 1;
            return;
        }
        self.next_number = number.checked_add(1);
        self.sources.insert(source(remote.ip()), count + 1);
        let path = Path { carrier: Carrier::Tcp(number), local: self.listeners[index].local, remote };
        let mut connection = Connection::new(stream, path, now);
        connection.queued = true;
        self.connections.insert(number, connection);
        self.readable.push_back(number);
        counters.tcp_accepted += 1;
    }

    /// Hands at most `max` whole frames to `deliver`, turn by turn of the connections.
    pub(crate) fn receive(
        &mut self,
        max: usize,
        registry: &Registry,
        counters: &mut Counters,
        mut deliver: impl FnMut(Path, &[u8]),
    ) {
        if self.readable.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut left = max;
        for _ in 0..self.readable.len() {
            let Some(number) = self.readable.pop_front() else { break };
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let mut delivered = 0;
            let turn = connection.read(left.min(TCP_TURN), now, |path, frame| {
                delivered += 1;
                counters.packets_received += 1;
                counters.bytes_received += frame.len() as u64;
                deliver(path, frame);
            });
            left -= delivered;
            match turn {
                Turn::More => self.readable.push_back(number),
                Turn::Drained => connection.queued = false,
                Turn::End(end) => self.close(number, end, registry, counters),
            }
            if left == 0 {
                break;
            }
        }
    }

    /// Puts a frame into the connection's buffer; `false`: it is dropped, with its reason counted.
    pub(crate) fn send(
        &mut self,
        number: u32,
        frame: &[u8],
        registry: &Registry,
        counters: &mut Counters,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else {
            counters.send_no_connection += 1;
            return false;
        };
        match connection.push(frame) {
            Ok(first) => {
                if first {
                    self.dirty.push(number);
                }
                true
            }
            Err(end) => {
                counters.send_no_connection += 1;
                self.close(number, end, registry, counters);
                false
            }
        }
    }

    /// Writes what [`Tcp::send`] buffered, as far as the connections take it.
    pub(crate) fn flush(&mut self, registry: &Registry, counters: &mut Counters) {
        let now = Instant::now();
        while let Some(number) = self.dirty.pop() {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            counters.send_calls += 1;
            if let Err(end) = connection.write(now) {
                self.close(number, end, registry, counters);
            }
        }
    }

    fn forget_source(&mut self, ip: IpAddr) {
        let source = source(ip);
        if let Some(count) = self.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    fn sweep(&mut self, registry: &Registry, counters: &mut Counters, now: Instant) {
        let silent = |c: &Connection| {
            now.saturating_duration_since(c.heard_at()) > TCP_IDLE_TIME
                || (!c.answered() && now.saturating_duration_since(c.opened_at()) > TCP_ANSWER_TIME)
        };
        let ended: Vec<(u32, End)> = self
            .connections
            .iter()
            .filter_map(|(number, connection)| {
                let end = if connection.stalled(now) {
                    End::Slow
                } else if silent(connection) {
                    End::Idle
                } else {
                    return None;
                };
                Some((*number, end))
            })
            .collect();
        for (number, end) in ended {
            self.close(number, end, registry, counters);
        }
    }

    fn close(&mut self, number: u32, end: End, registry: &Registry, counters: &mut Counters) {
        let Some(mut connection) = self.connections.remove(&number) else { return };
        // Closing the descriptor ends its registration too; an error here changes nothing.
        let _ = registry.deregister(connection.stream_mut());
        self.forget_source(connection.path().remote.ip());
        let counter = match end {
            End::ByPeer => &mut counters.tcp_closed_by_peer,
            End::Error => &mut counters.tcp_errors,
            End::Garbage => &mut counters.tcp_garbage,
            End::Slow => &mut counters.tcp_slow,
            End::Idle => &mut counters.tcp_idle,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests;
