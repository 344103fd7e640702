//! AF_XDP: packets pass between the device and our memory without the kernel's network stack.
//!
//! An XDP program ([`Interface`]) takes the frames that are UDP for the node's media ports off one interface and puts
//! them into the rings of the shards; all others stay with the kernel. What leaves is encrypted straight into a frame,
//! behind room for its headers. Routes and neighbours are the kernel's, asked for once and kept current by its word.
//!
//! Beside it stands a [`KernelUdp`] on the same addresses: for other interfaces (loopback is one), TCP, next hops that
//! are not resolved yet, packets beyond the link's MTU, and for everything once the interface is gone.

mod checksum;
mod config;
mod device;
mod error;
mod filter;
mod frame;
mod interface;
mod limits;
mod message;
mod netlink;
mod port;
mod receive;
mod ring;
mod routes;
mod socket;
mod transmit;
mod umem;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use config::{XdpConfig, XdpMode};
pub use error::XdpError;
pub use interface::Interface;
pub use transmit::XdpTx;

use crate::PacketIo;
use crate::batch::{FlushReport, RxBatch};
use crate::counters::Counters;
use crate::ports::{Door, PortSocket};
use crate::tcp::Handed;
use crate::udp::KernelUdp;
use crate::waker::Waker;
use port::{Port, State};
use transmit::Detours;

/// A shard on AF_XDP, with the kernel's sockets beside it.
pub struct AfXdp {
    /// `None`: it is gone, and the kernel's sockets do everything.
    port: Option<Port>,
    kernel: KernelUdp,
    /// The kernel's sockets are asked first this time, so that neither side starves the other.
    kernel_first: bool,
    /// Waits that looked at the rings only.
    short_waits: u32,
    detours: Detours,
    notice: Option<String>,
}

/// A shard could not be put on AF_XDP: the kernel's sockets come back, to go on with.
pub struct Refusal {
    /// As it was given.
    pub kernel: KernelUdp,
    /// Why, and what to change.
    pub error: XdpError,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// After so many waits that looked at the rings only, the kernel's sockets are looked at too.
const SHORT_WAITS: u32 = 16;

impl AfXdp {
    /// One shard with all queues of an interface.
    pub fn open(config: &XdpConfig) -> Result<AfXdp, XdpError> {
        let interface = Interface::attach(&config.interface, config.mode, 1)?;
        let kernel = KernelUdp::new(&config.udp)?;
        AfXdp::wrap(kernel, &interface, 0).map_err(|refusal| refusal.error)
    }

    /// Shard `shard` of those that the interface was attached for, with its part of the queues.
    pub fn wrap(
        mut kernel: KernelUdp,
        interface: &Arc<Interface>,
        shard: usize,
    ) -> Result<AfXdp, Box<Refusal>> {
        let port = match Port::open(interface, shard, kernel.locals()) {
            Ok(port) => port,
            Err(error) => return Err(Box::new(Refusal { kernel, error })),
        };
        let watched = port.descriptors().try_for_each(|fd| kernel.watch(fd));
        if let Err(source) = watched {
            let error = XdpError::System { what: "watching the sockets", source };
            return Err(Box::new(Refusal { kernel, error }));
        }
        if interface.is_generic() {
            // What is joined for the sake of the sockets would reach us joined.
            kernel.stop_joining();
        }
        port.publish(kernel.counters_mut());
        Ok(AfXdp {
            port: Some(port),
            kernel,
            kernel_first: false,
            short_waits: 0,
            detours: Detours::default(),
            notice: None,
        })
    }

    /// How the interface gives and takes frames, in words.
    pub fn manner(&self) -> &'static str {
        self.port.as_ref().map_or("not at all", Port::manner)
    }

    /// Goes on without AF_XDP if the interface is gone.
    fn look_after(&mut self) {
        let Some(port) = &mut self.port else { return };
        if port.state() == State::Gone {
            self.notice = Some(format!(
                "the interface {} is gone or has changed hands: packets go through the kernel's sockets; start the node anew when it is back",
                port.name()
            ));
            self.port = None;
            self.kernel.counters_mut().xdp_frames_free = 0;
        }
    }
}

impl PacketIo for AfXdp {
    type Tx<'a> = XdpTx<'a>;

    fn recv(&mut self) -> io::Result<RxBatch<'_>> {
        self.kernel_first = !self.kernel_first;
        if let Some(port) = &mut self.port {
            port.give_back();
            let kernel_waits = self.kernel_first && self.kernel.has_received();
            if !kernel_waits && port.take(&mut self.kernel) {
                // Borrowed anew: a loan that is returned on one branch only is not seen to end on the other.
                let Some(port) = &self.port else { unreachable!("it was there a line ago") };
                return Ok(port.received());
            }
        }
        self.kernel.recv()
    }

    fn tx(&mut self) -> XdpTx<'_> {
        let lender = self.port.as_mut().map(Port::lend);
        XdpTx::new(lender, self.kernel.tx(), &mut self.detours)
    }

    fn flush(&mut self) -> io::Result<FlushReport> {
        // What the kernel's sockets send to a destination was taken before its way was known: it goes first.
        let mut report = self.kernel.flush()?;
        if let Some(port) = &mut self.port {
            let sent = port.flush(&mut self.kernel);
            report.sent += sent.sent;
            report.dropped += sent.dropped;
            let counters = self.kernel.counters_mut();
            let Detours { by_kernel, no_frame } = std::mem::take(&mut self.detours);
            counters.xdp_by_kernel += by_kernel;
            counters.xdp_no_frame += no_frame;
            self.look_after();
        }
        Ok(report)
    }

    fn discard(&mut self) {
        self.kernel.discard();
        if let Some(port) = &mut self.port {
            port.discard();
        }
    }

    fn has_more(&self) -> bool {
        self.port.as_ref().is_some_and(Port::has_received) || self.kernel.has_more()
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let Some(port) = &mut self.port else { return self.kernel.wait(timeout) };
        port.give_back();
        let ready = port.has_received();
        if ready && self.short_waits < SHORT_WAITS {
            self.short_waits += 1;
            return Ok(true);
        }
        self.short_waits = 0;
        let timeout = if ready { Some(Duration::ZERO) } else { Some(port.until_sweep(timeout)) };
        let woken = self.kernel.wait(timeout)?;
        let watched = self.kernel.take_watched();
        port.work(watched, &mut self.kernel);
        self.look_after();
        Ok(ready || woken)
    }

    fn hand_over(&mut self, connection: u32, frame: &[u8]) -> Option<Handed> {
        self.kernel.hand_over(connection, frame)
    }

    fn adopt(&mut self, connection: Handed) {
        self.kernel.adopt(connection);
    }

    fn door(&self) -> Door {
        self.kernel.door()
    }

    fn open_port(&mut self, local: u32, socket: PortSocket) {
        self.kernel.open_port(local, socket);
    }

    fn close_port(&mut self, local: u32) -> bool {
        self.kernel.close_port(local)
    }

    fn set_port_tos(&mut self, local: u32, tos: u8) -> bool {
        self.kernel.set_port_tos(local, tos)
    }

    fn set_port_patient(&mut self, local: u32, patient: bool) -> bool {
        self.kernel.set_port_patient(local, patient)
    }

    fn look_at_patient_ports(&mut self) -> io::Result<()> {
        self.kernel.look_at_patient_ports()
    }

    fn waker(&self) -> Waker {
        self.kernel.waker()
    }

    fn locals(&self) -> &[SocketAddr] {
        self.kernel.locals()
    }

    fn counters(&self) -> &Counters {
        self.kernel.counters()
    }

    fn notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    fn name(&self) -> &'static str {
        if self.port.is_some() { "af_xdp" } else { self.kernel.name() }
    }
}

impl fmt::Debug for AfXdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfXdp").field("port", &self.port).finish_non_exhaustive()
    }
}
