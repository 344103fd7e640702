//! Sending: one packet a call, many messages a call, runs of segments.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use kaname_io::thread_cpu_time;

use super::{MESSAGES, Table, last_error};
use crate::fanout::net::{Kind, Link};
use crate::fanout::tap::set;
use crate::fanout::turns::{Contestant, Name, Spent};
use crate::room::Shape;

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// sendto(2).
    OneByOne,
    /// sendmmsg(2).
    Batches,
    /// The same, each message a run of segments (UDP_SEGMENT).
    Segments,
}

impl Sending {
    /// The name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Sending::OneByOne => "sendto",
            Sending::Batches => "sendmmsg",
            Sending::Segments => "gso",
        }
    }
}

/// A socket, and a frame for every destination that is written once and sent again and again.
pub struct Send {
    socket: UdpSocket,
    sending: Sending,
    offload: bool,
    table: Table,
    shape: Shape,
}

impl Send {
    /// All packets have the same bytes: what is measured is the kernel.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(sending: Sending, link: &Link, shape: &Shape) -> io::Result<Send> {
        let socket = UdpSocket::bind((link.node(), 0))?;
        // As the node's sockets: without it the kernel looks for an identification of each message.
        set(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
        let mut messages = Vec::new();
        for to in link.destinations(shape.destinations) {
            for (count, len) in shape.runs() {
                match sending {
                    Sending::Segments => messages.push((Some(to), 0, count * len, Some(len))),
                    _ => messages.extend((0..count).map(|_| (Some(to), 0, len, None))),
                }
            }
        }
        let memory = vec![0x80; shape.frame * shape.payload];
        let table = Table::new(memory, &messages);
        Ok(Send { socket, sending, offload: link.kind != Kind::Software, table, shape: *shape })
    }

    fn frame(&mut self) -> io::Result<()> {
        let socket = self.socket.as_raw_fd();
        if self.sending == Sending::OneByOne {
            return self.table.headers.iter().try_for_each(|header| {
                let header = &header.msg_hdr;
                // SAFETY: name and memory are the table's, and live as long as it.
                let sent = unsafe {
                    let iovec = &*header.msg_iov;
                    libc::sendto(
                        socket,
                        iovec.iov_base,
                        iovec.iov_len,
                        0,
                        header.msg_name.cast(),
                        header.msg_namelen,
                    )
                };
                if sent < 0 { last_error() } else { Ok(()) }
            });
        }
        for some in self.table.headers.chunks_mut(MESSAGES) {
            // SAFETY: the headers point to names, controls and memory of the table, which lives as long as they.
            let sent = unsafe { libc::sendmmsg(socket, some.as_mut_ptr(), some.len() as libc::c_uint, 0) };
            if usize::try_from(sent) != Ok(some.len()) {
                return last_error();
            }
        }
        Ok(())
    }
}

impl Contestant for Send {
    fn name(&self) -> Name {
        let offload = self.offload;
        Name { path: "raw", io: self.sending.name(), suite: "none", shards: 1, offload }
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        self.frame()?;
        let start = thread_cpu_time();
        for _ in 0..frames {
            self.frame()?;
        }
        let cpu = thread_cpu_time() - start;
        let copies = self.shape.copies() as u64;
        let packets = frames as u64 * copies;
        Ok(Spent { cpu, packets, sent: packets + copies, ..Spent::default() })
    }
}
