//! Receiving: one packet a call, many messages a call, runs of segments.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use kaname_io::thread_cpu_time;

use super::{CONTROL, MESSAGES, Table};
use crate::fanout::net::{Link, Net};
use crate::fanout::node::Feed;
use crate::fanout::tap::set;
use crate::fanout::turns::{Contestant, Name, Spent};
use crate::room::Shape;

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiving {
    /// recvfrom(2).
    OneByOne,
    /// recvmmsg(2).
    Batches,
    /// The same, each message a run of segments (UDP_GRO).
    Segments,
}

impl Receiving {
    /// All of them.
    pub const ALL: [Receiving; 3] = [Receiving::OneByOne, Receiving::Batches, Receiving::Segments];

    /// The name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Receiving::OneByOne => "recvfrom",
            Receiving::Batches => "recvmmsg",
            Receiving::Segments => "gro",
        }
    }
}

/// Longest datagram, or run of segments.
const LONGEST: usize = 1 << 16;
/// Bytes that wait in the socket at once, well below its buffer.
const WAITING: usize = 1 << 20;
const BUFFER: libc::c_int = 32 << 20;

/// A socket on the node's side, and one of the peers that fills it while nothing is timed.
pub struct Receive {
    socket: UdpSocket,
    receiving: Receiving,
    feed: Feed,
    shape: Shape,
    frame: Vec<u8>,
    table: Table,
}

impl Receive {
    /// Frames arrive as runs of segments, as a network card that coalesces hands them up.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(receiving: Receiving, net: &Net, link: &Link, shape: &Shape) -> io::Result<Receive> {
        let socket = UdpSocket::bind((link.node(), 0))?;
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER)?;
        socket.set_nonblocking(true)?;
        if receiving == Receiving::Segments {
            set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1)?;
        }
        let feed = Feed::new(net, link, socket.local_addr()?)?;
        let messages: Vec<_> = (0..MESSAGES).map(|i| (None, i * LONGEST, LONGEST, None)).collect();
        let table = Table::new(vec![0; MESSAGES * LONGEST], &messages);
        let frame = vec![0x80; shape.frame * shape.payload];
        Ok(Receive { socket, receiving, feed, shape: *shape, frame, table })
    }

    /// Takes all that waits; packets, segments one by one.
    fn drain(&mut self) -> io::Result<usize> {
        let mut packets = 0;
        loop {
            let some = match self.receiving {
                Receiving::OneByOne => self.one()?,
                _ => self.many()?,
            };
            if some == 0 {
                return Ok(packets);
            }
            packets += some;
        }
    }

    fn one(&mut self) -> io::Result<usize> {
        // SAFETY: an all-zero sockaddr_in is valid; the kernel writes at most LONGEST bytes and one address.
        let len = unsafe {
            let mut from: libc::sockaddr_in = std::mem::zeroed();
            let mut from_len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            let memory = self.table.memory.as_mut_ptr().cast();
            libc::recvfrom(self.socket.as_raw_fd(), memory, LONGEST, 0, (&raw mut from).cast(), &mut from_len)
        };
        if len < 0 { nothing_waits().map(|()| 0) } else { Ok(1) }
    }

    fn many(&mut self) -> io::Result<usize> {
        let Table { headers, names, controls, .. } = &mut self.table;
        for (i, header) in headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[i]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_control = controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL;
        }
        // SAFETY: the headers point to names, controls and memory of the table, with their true lengths.
        let count = unsafe {
            let (first, count) = (headers.as_mut_ptr(), headers.len() as libc::c_uint);
            libc::recvmmsg(self.socket.as_raw_fd(), first, count, libc::MSG_DONTWAIT, ptr::null_mut())
        };
        let Ok(count) = usize::try_from(count) else { return nothing_waits().map(|()| 0) };
        Ok(headers[..count].iter().map(segments).sum())
    }
}

/// Packets of a received message.
fn segments(header: &libc::mmsghdr) -> usize {
    let len = header.msg_len as usize;
    // SAFETY: the kernel wrote the control's length and its chain of headers; the macros keep inside of it.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(&header.msg_hdr);
        if control.is_null() || (*control).cmsg_type != libc::UDP_GRO {
            return 1;
        }
        len.div_ceil(libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned() as usize)
    }
}

fn nothing_waits() -> io::Result<()> {
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        error => Err(error),
    }
}

impl Contestant for Receive {
    fn name(&self) -> Name {
        Name { path: "raw", io: self.receiving.name(), suite: "none", shards: 1, offload: true }
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        let at_once = (WAITING / self.frame.len()).clamp(1, frames);
        let mut spent = Spent::default();
        for turn in 0..=frames / at_once {
            for _ in 0..at_once {
                self.feed.send(&self.frame, self.shape.payload)?;
            }
            let start = thread_cpu_time();
            let packets = self.drain()?;
            let cpu = thread_cpu_time() - start;
            spent.missing += (at_once * self.shape.frame).saturating_sub(packets) as u64;
            // The first one finds cold caches.
            let (packets, cpu) = if turn == 0 { (0, Duration::ZERO) } else { (packets as u64, cpu) };
            spent.packets += packets;
            spent.cpu += cpu;
        }
        Ok(spent)
    }
}
