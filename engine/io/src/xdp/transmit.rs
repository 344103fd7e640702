//! Sending: frames are handed out as slots, completed with their headers, and given to the kernel.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use kaname_wire::path::{Carrier, Path};

use super::device::Device;
use super::frame::{self, HEAD_ROOM, Link, Mac};
use super::limits::KICK;
use super::routes::{Destination, Reached, Routes};
use super::socket::Socket;
use super::umem::Umem;
use crate::batch::{self, FlushReport, Slots};
use crate::counters::Counters;
use crate::limits::{FIRST_PORT, SEND_WAIT_MS, SEND_WAITS, TX_BATCH};
use crate::socket::wait_writable;

/// A frame that a packet was written into.
#[derive(Clone, Copy, Debug)]
struct Pending {
    frame: u32,
    len: u32,
    mac: Mac,
    local: u32,
    remote: SocketAddr,
}

/// The frames for sending.
#[derive(Debug)]
pub(super) struct Transmit {
    /// The latest that came back is taken first: it is the one that the cache still has.
    free: Vec<u32>,
    pending: Vec<Pending>,
}

impl Transmit {
    pub(super) fn new(umem: &Umem) -> Transmit {
        Transmit { free: umem.tx_frames().collect(), pending: Vec::with_capacity(TX_BATCH) }
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes back what was sent.
    pub(super) fn reclaim(&mut self, umem: &Umem, socket: &mut Socket) {
        let free = &mut self.free;
        // The kernel returns each frame once; more than there are cannot come back.
        socket.completion.take(u32::MAX, |address| free.extend(umem.frame_of(address)));
    }

    /// Forgets what was not sent yet.
    pub(super) fn discard(&mut self) {
        self.free.extend(self.pending.drain(..).map(|pending| pending.frame));
    }

    /// Completes and sends what was taken, in its order. Also says whether the interface is gone.
    pub(super) fn flush(
        &mut self,
        umem: &Umem,
        socket: &mut Socket,
        from: &[SocketAddr],
        device: &Device,
        counters: &mut Counters,
    ) -> (FlushReport, bool) {
        let (mut pushed, mut dropped, mut gone) = (0, 0, false);
        for at in (0..self.pending.len()).step_by(KICK as usize) {
            let end = self.pending.len().min(at + KICK as usize);
            if socket.tx.room((end - at) as u32) < (end - at) as u32 {
                kick(socket, counters);
            }
            for pending in &self.pending[at..end] {
                let written = write(umem, pending, from, device);
                if written.is_some_and(|desc| socket.tx.push(desc)) {
                    pushed += 1;
                    counters.bytes_sent += u64::from(pending.len);
                } else {
                    self.free.push(pending.frame);
                    dropped += 1;
                    counters.xdp_ring_full += 1;
                }
            }
            socket.tx.publish();
            let kicked = kick(socket, counters);
            dropped += kicked.refused.min(pushed);
            gone |= kicked.gone;
        }
        if gone {
            let lost = (socket.tx.waiting() as usize).min(pushed);
            dropped += lost;
            counters.xdp_interface_gone += lost as u64;
        }
        let sent = self.pending.len() - dropped;
        self.pending.clear();
        self.reclaim(umem, socket);
        counters.xdp_sent += sent as u64;
        counters.packets_sent += sent as u64;
        (FlushReport { sent, dropped }, gone)
    }
}

/// The frame's headers; what the kernel is told of it.
fn write(umem: &Umem, pending: &Pending, from: &[SocketAddr], device: &Device) -> Option<libc::xdp_desc> {
    let address = umem.address(pending.frame);
    let len = HEAD_ROOM + pending.len as usize;
    let base = umem.bytes(address, len as u32)?;
    // SAFETY: the bytes lie in one frame, which is ours alone from its taking until the kernel is told of it; the slot
    // that was lent over it is gone, since the backend is borrowed anew.
    let frame = unsafe { std::slice::from_raw_parts_mut(base, len) };
    let link = Link { from: device.mac, to: pending.mac };
    let from = *from.get(pending.local as usize)?;
    let start = frame::complete(frame, link, from, pending.remote)?;
    Some(libc::xdp_desc { addr: address + start as u64, len: (len - start) as u32, options: 0 })
}

/// What became of a call to the kernel.
struct Kicked {
    /// Packets that the device dropped.
    refused: usize,
    /// The socket has no interface any more.
    gone: bool,
}

/// Lets the kernel send what was published; waits a little for a device that is full.
fn kick(socket: &mut Socket, counters: &mut Counters) -> Kicked {
    let mut kicked = Kicked { refused: 0, gone: false };
    let (mut waits, mut waiting) = (0, socket.tx.waiting());
    // A driver that is awake takes them by itself.
    while waiting > 0 && socket.tx.needs_wakeup() && !kicked.gone {
        counters.send_calls += 1;
        match socket.kick().map_err(|error| error.raw_os_error()) {
            // Copy mode: the device's queue dropped one, which has left the ring.
            Err(Some(libc::EBUSY)) if !socket.is_zero_copy => kicked.refused += 1,
            Err(Some(libc::ENXIO)) => kicked.gone = true,
            // Anything else is seen in the ring.
            _ => {}
        }
        if socket.is_zero_copy {
            break;
        }
        let left = socket.tx.waiting();
        if left == waiting && !kicked.gone {
            if waits == SEND_WAITS {
                break;
            }
            waits += 1;
            wait_writable(socket.as_fd(), SEND_WAIT_MS);
        }
        waiting = left;
    }
    counters.xdp_device_drops += kicked.refused as u64;
    kicked
}

/// What the slots need of a shard on AF_XDP.
#[derive(Debug)]
pub(super) struct Lender<'a> {
    pub(super) transmit: &'a mut Transmit,
    pub(super) routes: &'a mut Routes,
    pub(super) umem: &'a Umem,
    pub(super) socket: &'a mut Socket,
    pub(super) device: &'a Device,
}

/// Slots behind the head room of frames; of the kernel's socket for what AF_XDP cannot take.
#[derive(Debug)]
pub struct XdpTx<'a> {
    lender: Option<Lender<'a>>,
    kernel: batch::Tx<'a>,
    /// The way of the latest packet: most come in runs.
    latest: Option<(Destination, Reached)>,
    counts: &'a mut Detours,
}

/// Packets that went through the kernel, until they are counted with the rest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Detours {
    pub(super) by_kernel: u64,
    pub(super) no_frame: u64,
}

/// What came of asking for a frame.
enum Slot<'a> {
    Frame(&'a mut [u8]),
    /// Flush first.
    Full,
    Kernel,
}

impl<'a> XdpTx<'a> {
    pub(super) fn new(lender: Option<Lender<'a>>, kernel: batch::Tx<'a>, counts: &'a mut Detours) -> Self {
        XdpTx { lender, kernel, latest: None, counts }
    }

    fn frame(&mut self, to: &Path, len: usize) -> Slot<'a> {
        let Some(lender) = &mut self.lender else { return Slot::Kernel };
        let is_shared = to.carrier == Carrier::Udp && to.local < FIRST_PORT;
        if !is_shared || HEAD_ROOM + len > lender.umem.frame_size() || !routable(to.remote) {
            return Slot::Kernel;
        }
        let destination = Destination { local: to.local, to: to.remote.ip() };
        let reached = match self.latest {
            Some((latest, reached)) if latest == destination => Some(reached),
            _ => lender.routes.find(destination),
        };
        let Some(reached) = reached.filter(|_| lender.device.running) else {
            self.counts.by_kernel += 1;
            return Slot::Kernel;
        };
        self.latest = Some((destination, reached));
        if frame::overhead(destination.to) + len > reached.mtu.min(lender.device.mtu) as usize {
            // Too long for the link: the kernel knows whether to cut it or to refuse it.
            self.counts.by_kernel += 1;
            return Slot::Kernel;
        }
        let Transmit { free, pending } = &mut *lender.transmit;
        if pending.len() == TX_BATCH {
            return Slot::Full;
        }
        if free.is_empty() {
            lender.transmit.reclaim(lender.umem, lender.socket);
        }
        let Transmit { free, pending } = &mut *lender.transmit;
        let Some(frame) = free.pop() else {
            if !pending.is_empty() {
                return Slot::Full;
            }
            self.counts.no_frame += 1;
            return Slot::Kernel;
        };
        let Some(base) = lender.umem.bytes(lender.umem.address(frame), (HEAD_ROOM + len) as u32) else {
            unreachable!("a frame of ours, and the length was checked");
        };
        let (mac, local, remote) = (reached.mac, to.local, to.remote);
        pending.push(Pending { frame, len: len as u32, mac, local, remote });
        // SAFETY: the bytes lie in one frame. It was free, so neither the kernel nor another slot has it, and it stays
        // among the pending until the next flush or discard, which cannot come before the slot's loan ends.
        Slot::Frame(unsafe { std::slice::from_raw_parts_mut(base.add(HEAD_ROOM), len) })
    }
}

impl<'a> Slots<'a> for XdpTx<'a> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        match self.frame(to, len) {
            Slot::Frame(slot) => Some(slot),
            Slot::Full => None,
            Slot::Kernel => self.kernel.take(to, len),
        }
    }
}

/// A link-local address says nothing without its interface: the kernel's.
fn routable(to: SocketAddr) -> bool {
    match to.ip() {
        IpAddr::V4(v4) => !v4.is_broadcast() && !v4.is_multicast() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_multicast() && !v6.is_unspecified(),
    }
}
