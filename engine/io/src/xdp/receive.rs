//! Receiving: frames are lent out in place, and go back to the kernel with the next call.

use std::net::SocketAddr;

use kaname_wire::path::Path;

use super::frame;
use super::socket::Socket;
use super::umem::Umem;
use crate::batch::RxPacket;
use crate::counters::Counters;
use crate::limits::RX_BATCH;

/// What was received and not given back yet.
#[derive(Debug)]
pub(super) struct Receive {
    /// Socket and frame.
    held: Vec<(u8, u32)>,
    packets: Vec<RxPacket>,
    /// Which socket is asked first, so that none is always last.
    turn: usize,
}

impl Receive {
    /// Gives the kernel frames to receive into, each socket its share.
    pub(super) fn new(umem: &Umem, sockets: &mut [Socket]) -> Receive {
        let frames: Vec<u32> = umem.rx_frames().collect();
        let share = frames.len() / sockets.len();
        for (socket, frames) in sockets.iter_mut().zip(frames.chunks(share)) {
            for frame in frames {
                socket.fill.push(umem.address(*frame));
            }
            socket.fill.publish();
        }
        Receive { held: Vec::with_capacity(RX_BATCH), packets: Vec::with_capacity(RX_BATCH), turn: 0 }
    }

    pub(super) fn packets(&self) -> &[RxPacket] {
        &self.packets
    }

    /// Gives back what was lent.
    pub(super) fn give_back(&mut self, umem: &Umem, sockets: &mut [Socket]) {
        self.packets.clear();
        if self.held.is_empty() {
            return;
        }
        for (socket, frame) in self.held.drain(..) {
            // There are as many places as frames.
            sockets[usize::from(socket)].fill.push(umem.address(frame));
        }
        for socket in sockets {
            socket.fill.publish();
            if socket.fill.needs_wakeup() {
                socket.wake_receive();
            }
        }
    }

    /// Takes what has arrived, each socket within its share.
    pub(super) fn take(
        &mut self,
        umem: &Umem,
        sockets: &mut [Socket],
        locals: &[SocketAddr],
        counters: &mut Counters,
    ) {
        let share = (RX_BATCH / sockets.len()) as u32;
        let before = self.packets.len();
        for i in 0..sockets.len() {
            let at = (self.turn + i) % sockets.len();
            let Receive { held, packets, .. } = self;
            sockets[at].rx.take(share, |desc| {
                let Some(number) = umem.frame_of(desc.addr) else {
                    counters.xdp_malformed += 1;
                    return;
                };
                held.push((at as u8, number));
                match datagram(umem, desc, locals) {
                    Ok(packet) => {
                        counters.bytes_received += u64::from(packet.len);
                        packets.push(packet);
                    }
                    Err(Stray::Malformed) => counters.xdp_malformed += 1,
                    Err(Stray::NoLocal) => counters.xdp_no_local += 1,
                }
            });
        }
        self.turn = (self.turn + 1) % sockets.len();
        let count = (self.packets.len() - before) as u64;
        counters.receive_calls += u64::from(count > 0);
        counters.packets_received += count;
        counters.xdp_received += count;
    }
}

/// Why a frame holds no datagram for us.
enum Stray {
    Malformed,
    NoLocal,
}

fn datagram(umem: &Umem, desc: libc::xdp_desc, locals: &[SocketAddr]) -> Result<RxPacket, Stray> {
    let base = umem.bytes(desc.addr, desc.len).ok_or(Stray::Malformed)?;
    // SAFETY: the bytes lie in one frame, which the kernel has handed over and does not write until it is given back.
    let bytes = unsafe { std::slice::from_raw_parts(base, desc.len as usize) };
    let found = frame::read(bytes).ok_or(Stray::Malformed)?;
    let local = locals.iter().position(|local| *local == found.to).ok_or(Stray::NoLocal)?;
    let path = Path::udp(local as u32, found.from);
    let packet = RxPacket::new(path, (desc.addr + found.offset as u64) as u32, found.len as u32);
    Ok(RxPacket { ecn: found.ecn, ..packet })
}
