//! Packet input and output: the only sockets of the data path, behind one trait.
//!
//! A [`PacketIo`] belongs to one shard's thread. It owns the memory that packets arrive in and leave from:
//! [`PacketIo::recv`] lends a view of what arrived, [`PacketIo::tx`] lends slots to write outgoing packets into,
//! [`PacketIo::flush`] sends them. Nothing is allocated and nothing is locked per packet.
//!
//! A batch refers to packets by offset, so several may share one receive buffer (UDP_GRO); a slot is handed out for a
//! destination, so the backend may place it in a run for that destination (UDP_SEGMENT) or behind a frame's head room.
#![warn(missing_docs)]

mod affinity;
mod batch;
#[cfg(target_os = "linux")]
pub mod bpf;
mod capability;
mod clock;
mod coalesce;
mod control;
mod counters;
mod error;
mod limits;
mod locals;
mod names;
mod poll;
mod portable;
mod ports;
mod receive;
mod refusals;
mod send;
mod socket;
pub mod steer;
mod table;
mod tcp;
mod udp;
mod waker;
#[cfg(target_os = "linux")]
pub mod xdp;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use affinity::pin_current_thread;
pub use batch::{FlushReport, RxBatch, RxPacket, Slots, Tx};
pub use capability::Capability;
pub use clock::{pause, thread_cpu_time, wait_precisely};
pub use counters::Counters;
pub use error::BindError;
pub use limits::{FIRST_PORT, MAX_LOCALS, MAX_PORTS, MAX_RECEIVED, MAX_SLOT, RX_BATCH, TX_BATCH};
pub use portable::Portable;
pub use ports::{Door, PortSocket};
pub use send::Sending;
pub use tcp::Handed;
pub use udp::{KernelUdp, UdpConfig};
pub use waker::Waker;

/// What a shard receives from and sends to.
pub trait PacketIo {
    /// Hands out the transmit slots.
    type Tx<'a>: Slots<'a>
    where
        Self: 'a;

    /// Takes what has arrived, at most [`RX_BATCH`] datagrams, without waiting. Empty: nothing is there, go to
    /// [`PacketIo::wait`]. Errors of one peer or one socket are counted, not returned; what is returned is the end
    /// of this backend.
    fn recv(&mut self) -> io::Result<RxBatch<'_>>;

    /// Slots for packets to send, after those already taken since the last flush.
    fn tx(&mut self) -> Self::Tx<'_>;

    /// Sends what was taken, for each destination in the order of taking. What one destination refuses is counted
    /// by reason and never stops the others.
    fn flush(&mut self) -> io::Result<FlushReport>;

    /// Forgets what was taken since the last flush, unsent: the way out when filling the slots failed halfway.
    fn discard(&mut self);

    /// Whether something is known to wait already, without asking the system.
    fn has_more(&self) -> bool {
        false
    }

    /// Waits until something can be received, a [`Waker`] calls, or the time is over (`None`: no limit; zero: just
    /// looks). Says whether something happened; may return early.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool>;

    /// Gives away a TCP connection whose frame, just received, turned out to be another shard's. `None`: it is not
    /// there, or has been spoken to.
    fn hand_over(&mut self, connection: u32, frame: &[u8]) -> Option<Handed> {
        let _ = (connection, frame);
        None
    }

    /// Takes a connection that another shard gave away. A backend without TCP closes it.
    fn adopt(&mut self, connection: Handed) {
        drop(connection);
    }

    /// Where ports of single legs are opened, on any thread.
    fn door(&self) -> Door;

    /// Takes a port over: from now on `local` names it in paths, for receiving and sending.
    fn open_port(&mut self, local: u32, socket: PortSocket);

    /// Closes a port. What still waits there, and what is sent through it later, is dropped and counted. False: there is
    /// no such port.
    fn close_port(&mut self, local: u32) -> bool;

    /// The byte of the IP header that holds DSCP and ECN, for what leaves through a port of a single leg. False: there is
    /// no such port, or the system refused.
    fn set_port_tos(&mut self, local: u32, tos: u8) -> bool;

    /// From now on what comes to a port of a single leg ends no wait, and is received only behind
    /// [`PacketIo::look_at_patient_ports`], which tells how long it had waited; or as all others again. False: there is no such
    /// port, or the system refused.
    fn set_port_patient(&mut self, local: u32, patient: bool) -> bool {
        let _ = (local, patient);
        false
    }

    /// Looks for what waits in patient ports: the next receive calls bring it.
    fn look_at_patient_ports(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends a wait from another thread.
    fn waker(&self) -> Waker;

    /// The shared local addresses; a path's `local` is an index into them, or the number of a port.
    fn locals(&self) -> &[SocketAddr];

    /// Figures since the start.
    fn counters(&self) -> &Counters;

    /// News for who runs the node, once: a way of sending or receiving was lost, and what to do about it.
    fn notice(&mut self) -> Option<String> {
        None
    }

    /// `sendto`, `sendmmsg`, `gso`, ...
    fn name(&self) -> &'static str;
}
