//! A shard's part of an interface: its queues, frames, and what it knows of routes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::device::{Device, Looker};
use super::error::XdpError;
use super::interface::{Interface, patiently};
use super::limits::{LOOKUPS_A_TURN, MAX_QUEUES, ROUTE_LIFE, RX_FRAMES, SWEEP, TX_FRAMES};
use super::netlink::{Netlink, News};
use super::receive::Receive;
use super::routes::Routes;
use super::socket::{Place, Refused, Socket};
use super::transmit::{Lender, Transmit};
use super::umem::Umem;
use crate::PacketIo;
use crate::batch::{FlushReport, RxBatch};
use crate::counters::Counters;
use crate::udp::KernelUdp;

/// Whether it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Here,
    /// The interface is another, or none.
    Gone,
}

/// See above.
#[derive(Debug)]
pub(super) struct Port {
    /// The first also sends. They go before the memory that they use.
    sockets: Vec<Socket>,
    umem: Umem,
    transmit: Transmit,
    receive: Receive,
    routes: Routes,
    netlink: Netlink,
    /// Neighbours whose address to ask for.
    unknown: Vec<IpAddr>,
    device: Device,
    looker: Looker,
    state: State,
    next_sweep: Instant,
    next_age: Instant,
    registered: Registered,
}

/// What the interface's tables hold of us; taken out again at the end.
#[derive(Debug)]
struct Registered {
    interface: Arc<Interface>,
    locals: Vec<SocketAddr>,
    sockets: Vec<u32>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The tables may be gone with the interface; nothing is left to do then.
        self.locals.iter().for_each(|local| drop(self.interface.filter.remove_local(*local)));
        self.sockets.iter().for_each(|number| drop(self.interface.filter.remove_socket(*number)));
    }
}

impl Port {
    pub(super) fn open(
        interface: &Arc<Interface>,
        shard: usize,
        locals: &[SocketAddr],
    ) -> Result<Port, XdpError> {
        let Interface { name, queues, shards, frame, .. } = &**interface;
        let mine = (0..*queues).filter(|queue| *queue as usize % shards == shard);
        let mine: Vec<u32> = mine.take(MAX_QUEUES).collect();
        if mine.is_empty() {
            return Err(XdpError::TooFewQueues { interface: name.clone(), queues: *queues, shards: *shards });
        }
        let each = (RX_FRAMES / mine.len() as u32).max(RX_FRAMES / 4);
        let umem = Umem::new(*frame, TX_FRAMES, each * mine.len() as u32)
            .map_err(|source| XdpError::System { what: "memory for packets", source })?;
        let mut sockets: Vec<Socket> = Vec::new();
        for queue in &mine {
            sockets.push(open_socket(interface, &umem, sockets.first(), *queue)?);
        }
        let receive = Receive::new(&umem, &mut sockets);
        let netlink = Netlink::open(interface.device.index)
            .map_err(|source| XdpError::System { what: "opening a netlink socket", source })?;
        let registered = register(interface, shard, locals, &mine, &sockets)?;
        let now = Instant::now();
        Ok(Port {
            transmit: Transmit::new(&umem),
            receive,
            sockets,
            umem,
            routes: Routes::new(),
            netlink,
            unknown: Vec::with_capacity(LOOKUPS_A_TURN),
            device: interface.device.clone(),
            looker: Looker::new(name)?,
            state: State::Here,
            next_sweep: now,
            next_age: now + ROUTE_LIFE,
            registered,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.registered.interface.name
    }

    pub(super) fn manner(&self) -> &'static str {
        match (self.registered.interface.is_generic(), self.sockets[0].is_zero_copy) {
            (true, _) => "above the driver (generic), with a copy",
            (false, false) => "in the driver, with a copy",
            (false, true) => "in the driver, without a copy",
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// What a wait should end for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd).chain([self.netlink.as_fd()])
    }

    pub(super) fn has_received(&self) -> bool {
        self.sockets.iter().any(|socket| socket.rx.waiting() > 0)
    }

    /// Gives back the frames that were lent; no batch may be in use.
    pub(super) fn give_back(&mut self) {
        self.receive.give_back(&self.umem, &mut self.sockets);
    }

    /// Takes what has arrived; false: nothing.
    pub(super) fn take(&mut self, kernel: &mut KernelUdp) -> bool {
        let Port { receive, umem, sockets, .. } = self;
        let (locals, counters) = kernel.parts();
        receive.take(umem, sockets, locals, counters);
        !receive.packets().is_empty()
    }

    /// What [`Port::take`] took.
    pub(super) fn received(&self) -> RxBatch<'_> {
        // SAFETY: the memory lives as long as `self`; the frames of the packets are ours until they are given back,
        // which needs `self` anew.
        unsafe { RxBatch::over(self.umem.base(), self.umem.len(), self.receive.packets()) }
    }

    pub(super) fn lend(&mut self) -> Lender<'_> {
        let Port { transmit, routes, umem, sockets, device, .. } = self;
        Lender { transmit, routes, umem, socket: &mut sockets[0], device }
    }

    pub(super) fn discard(&mut self) {
        self.transmit.discard();
    }

    /// Sends, and then asks the kernel what packets have wanted to know.
    pub(super) fn flush(&mut self, kernel: &mut KernelUdp) -> FlushReport {
        let Port { transmit, umem, sockets, device, .. } = self;
        let (locals, counters) = kernel.parts();
        let (report, gone) = transmit.flush(umem, &mut sockets[0], locals, device, counters);
        if gone {
            self.state = State::Gone;
        }
        self.ask(kernel.locals());
        report
    }

    fn ask(&mut self, locals: &[SocketAddr]) {
        let mut asked = false;
        for _ in 0..LOOKUPS_A_TURN {
            // A question that the kernel did not take is asked again when the routes are next doubted.
            if let Some(destination) = self.routes.next_question() {
                let Some(local) = locals.get(destination.local as usize) else { continue };
                asked |= self.netlink.ask_route(local.ip(), destination).is_ok();
            } else if let Some(neighbour) = self.routes.next_to_confirm() {
                asked |= self.netlink.resolve(neighbour).is_ok();
            } else {
                break;
            }
        }
        if asked {
            self.hear();
        }
    }

    /// Takes the kernel's word.
    fn hear(&mut self) {
        loop {
            let Port { netlink, routes, unknown, .. } = self;
            let mut links = false;
            netlink.read(|news| match news {
                News::Answer(destination, hop) => {
                    if let Some(new) = routes.answered(destination, hop) {
                        unknown.push(new);
                    }
                }
                News::Neighbour { address, mac, stale } => routes.neighbour(address, mac, stale),
                News::NoNeighbour(address) => routes.confirm(address),
                News::Routes => routes.doubt(),
                News::Links => links = true,
                News::Lost => {
                    routes.forget_all();
                    links = true;
                }
            });
            if links {
                self.look_at_device();
            }
            if self.unknown.is_empty() {
                return;
            }
            for neighbour in self.unknown.drain(..) {
                // It stays unresolved otherwise, and the kernel's sockets send.
                let _ = self.netlink.ask_neighbour(neighbour);
            }
        }
    }

    fn look_at_device(&mut self) {
        match self.looker.look() {
            Ok(device) if device.index == self.device.index => {
                if device != self.device {
                    self.routes.forget_all();
                    self.device = device;
                }
            }
            _ => self.state = State::Gone,
        }
    }

    /// How long a wait may last.
    pub(super) fn until_sweep(&self, timeout: Option<Duration>) -> Duration {
        let left = self.next_sweep.saturating_duration_since(Instant::now());
        timeout.map_or(left, |timeout| timeout.min(left))
    }

    /// What is not for each packet: `heard` says that a descriptor was ready.
    pub(super) fn work(&mut self, heard: bool, kernel: &mut KernelUdp) {
        if heard {
            self.hear();
            self.ask(kernel.locals());
        }
        let now = Instant::now();
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        self.transmit.reclaim(&self.umem, &mut self.sockets[0]);
        self.publish(kernel.counters_mut());
        if now >= self.next_age {
            self.next_age = now + ROUTE_LIFE;
            self.routes.age();
        }
    }

    /// The kernel's figures, and ours that are no sums.
    pub(super) fn publish(&self, counters: &mut Counters) {
        let mut sum = [0; 4];
        for figures in self.sockets.iter().filter_map(|socket| socket.statistics().ok()) {
            sum[0] += figures.rx_dropped;
            sum[1] += figures.rx_ring_full;
            sum[2] += figures.rx_fill_ring_empty_descs;
            sum[3] += figures.rx_invalid_descs + figures.tx_invalid_descs;
        }
        counters.xdp_receive_drops = sum[0];
        counters.xdp_receive_ring_full = sum[1];
        counters.xdp_fill_ring_empty = sum[2];
        counters.xdp_bad_descriptors = sum[3];
        counters.xdp_frames_free = self.transmit.free() as u64;
    }
}

/// In the best way that the interface has; the first of a shard decides for the others.
fn open_socket(
    interface: &Interface,
    umem: &Umem,
    other: Option<&Socket>,
    queue: u32,
) -> Result<Socket, XdpError> {
    let place = |zero_copy| Place { interface: interface.device.index, queue, zero_copy };
    let wish = other.map_or(interface.zero_copy, |other| other.is_zero_copy);
    let open = |zero_copy| patiently(|| Socket::open(umem, other, place(zero_copy)), is_taken);
    let mut result = open(wish);
    if let Err(Refused::Memory(error)) = &result
        && matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
        && raise_locked_memory(umem.len())
    {
        result = open(wish);
    }
    if wish && other.is_none() && !interface.zero_copy_only && matches!(result, Err(Refused::Bind(_))) {
        result = open(false);
    }
    result.map_err(|refused| explain(interface, umem, queue, refused))
}

fn is_taken(refused: &Refused) -> bool {
    matches!(refused, Refused::Bind(error) if error.raw_os_error() == Some(libc::EBUSY))
}

fn explain(interface: &Interface, umem: &Umem, queue: u32, refused: Refused) -> XdpError {
    let (step, source) = match refused {
        Refused::Socket(error) => ("making an AF_XDP socket", error),
        Refused::Memory(error) => ("registering memory with AF_XDP", error),
        Refused::Rings(error) => ("making the rings of AF_XDP", error),
        Refused::Bind(error) => ("binding to a queue", error),
    };
    let name = || interface.name.clone();
    match (step, source.raw_os_error()) {
        (_, Some(libc::EPERM | libc::EACCES)) => XdpError::Forbidden,
        (_, Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)) => XdpError::Unsupported,
        ("registering memory with AF_XDP", Some(libc::ENOBUFS | libc::ENOMEM)) => {
            XdpError::LockedMemory { needed: umem.len() / 1024, allowed: locked_memory() }
        }
        ("binding to a queue", Some(libc::EBUSY)) => XdpError::QueueInUse { interface: name(), queue },
        ("binding to a queue", Some(libc::ENODEV)) => XdpError::NoInterface(name()),
        ("binding to a queue", Some(libc::ENETDOWN)) => XdpError::Down(name()),
        ("binding to a queue", Some(libc::EOPNOTSUPP)) if interface.zero_copy_only => {
            XdpError::Mode { interface: name(), mode: "zero-copy", source }
        }
        _ => XdpError::System { what: step, source },
    }
}

/// Enters the shard's addresses and sockets into the program's tables.
fn register(
    interface: &Arc<Interface>,
    shard: usize,
    locals: &[SocketAddr],
    queues: &[u32],
    sockets: &[Socket],
) -> Result<Registered, XdpError> {
    let mut done = Registered { interface: interface.clone(), locals: Vec::new(), sockets: Vec::new() };
    // Shards that share an address share a row of sockets, that of the first of them.
    let held = locals.first().map(|local| interface.filter.holder(*local)).transpose()?.flatten();
    let first = held.unwrap_or(shard as u32 * interface.queues);
    // Sockets before addresses: no frame comes before there is one to take it.
    for (queue, socket) in queues.iter().zip(sockets) {
        interface.filter.set_socket(first + queue, socket.as_fd())?;
        done.sockets.push(first + queue);
    }
    for local in locals.iter().filter(|_| held.is_none()) {
        interface.filter.add_local(*local, first)?;
        done.locals.push(*local);
    }
    Ok(done)
}

/// Lets this process lock more memory, if it may; false: nothing changed.
fn raise_locked_memory(more: usize) -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) } != 0 {
        return false;
    }
    let wish = limit.rlim_cur.saturating_add(more as libc::rlim_t);
    for (cur, max) in [(wish, limit.rlim_max.max(wish)), (limit.rlim_max, limit.rlim_max)] {
        let raised = libc::rlimit { rlim_cur: cur, rlim_max: max };
        // SAFETY: the kernel reads one rlimit.
        if cur > limit.rlim_cur && unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raised) } == 0 {
            return true;
        }
    }
    false
}

/// The limit in words.
fn locked_memory() -> String {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    match unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) } {
        0 if limit.rlim_cur == libc::RLIM_INFINITY => "the machine has too little".into(),
        0 => format!("{} KiB in all may be locked", limit.rlim_cur / 1024),
        _ => format!("the limit is not known ({})", io::Error::last_os_error()),
    }
}
