//! Ports of single legs: thousands of small sockets beside the few that all legs share.
//!
//! A port is bound and made known to the poller on the thread that asks for it ([`Door`]), so that what is wrong is known
//! at once; the shard's thread only takes it over. Its number is never used again, so a path of a closed port reaches
//! no stranger.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use kaname_wire::path::Path;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::batch::{RxBatch, RxPacket};
use crate::clock::calendar_ns;
use crate::coalesce::Run;
use crate::counters::Counters;
use crate::error::BindError;
use crate::limits::{FIRST_PORT, MAX_SOCKET_ERRORS, MAX_WAITED, PATIENT_EVENTS, PORT_TURN, RX_BATCH};
use crate::poll::Poller;
use crate::receive::Receiver;
use crate::send::{Outlet, Sender, Sending};
use crate::socket;

/// Tokens of ports have this bit, and the number of the port below it.
const PORT: usize = 1 << 32;

/// The port that a token stands for.
pub(crate) fn number_of(token: Token) -> Option<u32> {
    (token.0 & PORT != 0).then_some(token.0 as u32)
}

fn token_of(local: u32) -> Token {
    Token(PORT | local as usize)
}

/// A bound socket on its way to its shard.
#[derive(Debug)]
pub struct PortSocket(UdpSocket);

/// Where ports of a shard are opened, on any thread.
#[derive(Clone, Debug)]
pub struct Door(Arc<Registry>);

impl Door {
    pub(crate) fn new(registry: &Registry) -> io::Result<Door> {
        Ok(Door(Arc::new(registry.try_clone()?)))
    }

    /// Binds a port under a number that was never used before, from [`crate::FIRST_PORT`] on. What arrives waits until
    /// the shard takes it over ([`crate::PacketIo::open_port`]).
    pub fn open(&self, local: u32, address: SocketAddr) -> Result<PortSocket, BindError> {
        debug_assert!(local >= FIRST_PORT, "{local} is a shared socket's number");
        let udp = socket::bind_port(address)?;
        self.0
            .register(&mut SourceFd(&udp.as_raw_fd()), token_of(local), Interest::READABLE)
            .map_err(BindError::Poll)?;
        Ok(PortSocket(udp))
    }
}

struct Port {
    udp: UdpSocket,
    /// It stands in the row of those that may have something.
    queued: bool,
    /// The kernel's drop counter as last seen.
    overflow: u32,
    fragments: Option<Instant>,
    /// What comes waits until somebody looks, and tells when it came.
    patient: bool,
}

/// All ports of a shard.
pub(crate) struct Ports {
    open: HashMap<u32, Port, FixedState>,
    /// Those that may have something, in the order of their turns.
    ready: VecDeque<u32>,
    /// Made with the first port.
    receiver: Option<Box<Receiver>>,
    packets: Vec<RxPacket>,
    /// What came on ports is asked for first this time, so that neither side starves the other.
    first: bool,
    /// What watches patient ports: nobody waits for it. Made with the first of them.
    patient: Option<Poller>,
}

impl Ports {
    pub(crate) fn new() -> Ports {
        Ports {
            // The numbers are ours: nobody can make them collide.
            open: HashMap::with_hasher(FixedState::with_seed(0)),
            ready: VecDeque::new(),
            receiver: None,
            packets: Vec::new(),
            first: false,
            patient: None,
        }
    }

    pub(crate) fn open(&mut self, local: u32, socket: PortSocket, counters: &mut Counters) {
        if self.receiver.is_none() {
            self.receiver = Some(Box::new(Receiver::new(false)));
            self.packets.reserve(RX_BATCH);
        }
        // The poller may have spoken of it before it was here.
        let port = Port { udp: socket.0, queued: true, overflow: 0, fragments: None, patient: false };
        if self.open.insert(local, port).is_none() {
            self.ready.push_back(local);
        }
        self.ready.reserve(self.open.len());
        counters.ports_opened += 1;
        counters.ports_open = self.open.len() as u64;
    }

    /// False: there is no such port.
    pub(crate) fn close(&mut self, local: u32, counters: &mut Counters) -> bool {
        let Some(port) = self.open.remove(&local) else { return false };
        counters.ports_patient -= u64::from(port.patient);
        if port.queued {
            self.ready.retain(|ready| *ready != local);
        }
        // No more than fit its buffer; without a wait, since the socket never blocks.
        for _ in 0..RX_BATCH {
            if port.udp.recv(&mut [0; 1]).is_err() {
                break;
            }
            counters.ports_dropped_closed += 1;
        }
        counters.ports_closed += 1;
        counters.ports_open = self.open.len() as u64;
        true
    }

    /// The byte of the IP header that holds DSCP and ECN, from now on.
    pub(crate) fn set_tos(&self, local: u32, tos: u8) -> bool {
        self.open.get(&local).is_some_and(|port| socket::set_tos(&port.udp, tos).is_ok())
    }

    /// From now on what comes to the port waits for [`Ports::look_at_patient`], or ends the shard's sleep again. False: there is
    /// no such port, or the system refused, and all is as it was.
    pub(crate) fn set_patient(
        &mut self,
        local: u32,
        patient: bool,
        usual: &Registry,
        counters: &mut Counters,
    ) -> bool {
        let Some(port) = self.open.get_mut(&local) else { return false };
        if port.patient == patient {
            return true;
        }
        if self.patient.is_none() {
            self.patient = Poller::new(PATIENT_EVENTS).ok();
        }
        let Some(patiently) = &self.patient else { return false };
        let (from, to) = match patient {
            true => (usual, patiently.registry()),
            false => (patiently.registry(), usual),
        };
        let descriptor = port.udp.as_raw_fd();
        // What waits already is reported by the new one.
        if to.register(&mut SourceFd(&descriptor), token_of(local), Interest::READABLE).is_err() {
            return false;
        }
        // It is watched there, or was: nothing to be done if it is not.
        let _ = from.deregister(&mut SourceFd(&descriptor));
        // Where the system does not tell when packets came, or not yet, they count as come when they were looked for.
        let _ = socket::tell_arrival(&port.udp, patient);
        port.patient = patient;
        counters.ports_patient =
            if patient { counters.ports_patient + 1 } else { counters.ports_patient - 1 };
        true
    }

    /// Looks which patient ports have something: what they have is received next.
    pub(crate) fn look_at_patient(&mut self) -> io::Result<()> {
        let Some(mut poller) = self.patient.take() else { return Ok(()) };
        let looked = loop {
            if let Err(error) = poller.wait(Some(Duration::ZERO)) {
                break Err(error);
            }
            let reported = (0..).map_while(|at| poller.ready(at)).filter_map(|ready| number_of(ready.token));
            reported.for_each(|local| self.report(local));
            if !poller.is_full() {
                break Ok(());
            }
        };
        self.patient = Some(poller);
        looked
    }

    /// The poller reported it. It may have been closed since.
    pub(crate) fn report(&mut self, local: u32) {
        if let Some(port) = self.open.get_mut(&local).filter(|port| !port.queued) {
            port.queued = true;
            self.ready.push_back(local);
        }
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether the ports are to be asked before the shared sockets: every other time.
    pub(crate) fn take_turn(&mut self) -> bool {
        self.first = !self.first;
        self.first && self.has_ready()
    }

    /// Takes what has arrived, each port within its share; false: nothing.
    pub(crate) fn receive(&mut self, counters: &mut Counters) -> bool {
        self.packets.clear();
        let Some(receiver) = &mut self.receiver else { return false };
        // Each at most once: one that has more waits for the next batch.
        for _ in 0..self.ready.len() {
            if self.packets.len() + PORT_TURN > RX_BATCH {
                break;
            }
            let Some(local) = self.ready.pop_front() else { break };
            let Some(port) = self.open.get_mut(&local) else { continue };
            port.queued = receive(port, local, receiver, &mut self.packets, counters);
            if port.queued {
                self.ready.push_back(local);
            }
        }
        !self.packets.is_empty()
    }

    /// What [`Ports::receive`] took.
    pub(crate) fn received(&self) -> RxBatch<'_> {
        let memory = self.receiver.as_ref().map_or(&[][..], |receiver| receiver.memory());
        RxBatch::new(memory, &self.packets)
    }

    /// Sends the runs among these that leave through ports; gives the packets that went. Those of closed ports are
    /// counted as such.
    pub(crate) fn send(
        &mut self,
        sender: &mut Sender,
        memory: &mut [u8],
        runs: &[Run],
        sending: Sending,
        counters: &mut Counters,
    ) -> usize {
        let mut sent = 0;
        for of_port in runs.chunk_by(|one, other| one.path.local == other.path.local) {
            let Some(local) = of_port.first().map(|run| run.path.local).filter(|l| *l >= FIRST_PORT) else {
                continue;
            };
            let Some(Port { udp, fragments, .. }) = self.open.get_mut(&local) else {
                counters.send_no_local += of_port.iter().map(|run| run.packets as u64).sum::<u64>();
                continue;
            };
            let outlet = Outlet { socket: udp.as_fd(), local, fragments };
            sent += sender.send(outlet, memory, of_port.iter(), sending, counters);
        }
        sent
    }
}

/// One turn of one port; says whether it may have more.
fn receive(
    port: &mut Port,
    local: u32,
    receiver: &mut Receiver,
    packets: &mut Vec<RxPacket>,
    counters: &mut Counters,
) -> bool {
    for _ in 0..MAX_SOCKET_ERRORS {
        match receiver.receive(port.udp.as_fd(), packets.len(), PORT_TURN) {
            Ok(count) => {
                counters.receive_calls += 1;
                let now_ns = if port.patient { calendar_ns() } else { 0 };
                (0..count).for_each(|i| accept((port, local), receiver, (i, now_ns), packets, counters));
                // Fewer than asked for: it was found empty, and the poller tells of what comes now.
                return count == PORT_TURN;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // An ICMP error about something sent earlier: it says nothing about what waits.
            Err(_) => counters.receive_errors += 1,
        }
    }
    true
}

fn accept(
    (port, local): (&mut Port, u32),
    receiver: &Receiver,
    (message, now_ns): (usize, u64),
    packets: &mut Vec<RxPacket>,
    counters: &mut Counters,
) {
    let message = receiver.message(message);
    if let Some(overflow) = message.marks.overflow {
        // The kernel's counter is 32 bits wide and wraps.
        let dropped = u64::from(overflow.wrapping_sub(port.overflow));
        counters.kernel_drops += dropped;
        counters.ports_kernel_drops += dropped;
        port.overflow = overflow;
    }
    match message.from {
        _ if message.truncated => counters.received_too_long += 1,
        None => counters.received_without_source += 1,
        Some(remote) => {
            counters.packets_received += 1;
            counters.ports_received += 1;
            counters.bytes_received += message.len as u64;
            let path = Path::udp(local, remote);
            let packet = RxPacket::new(path, message.offset as u32, message.len as u32);
            counters.ports_waited += u64::from(port.patient);
            let waited = message.marks.arrival_ns.filter(|_| port.patient);
            let waited = waited.map(|arrival| Duration::from_nanos(now_ns.saturating_sub(arrival)));
            // The calendar's clock may have stepped meanwhile.
            let waited = waited.filter(|waited| *waited <= MAX_WAITED).unwrap_or_default();
            packets.push(RxPacket { waited, ..packet });
        }
    }
}
