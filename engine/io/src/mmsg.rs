//! recvmmsg(2) and sendmmsg(2): many messages a system call. All memory that the kernel is pointed to is allocated
//! once; the pointers are written anew before each call, so none outlives what it points to.

use std::ffi::c_int;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::batch::TxPacket;
use crate::limits::{MAX_RECEIVED, RX_BATCH, RX_TURN, TX_BATCH};

/// Room for a message's control data: the overflow counter now, segment size, ECN and time later.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 96]);

/// The kernel's view of a row of messages.
struct Table {
    headers: Box<[libc::mmsghdr]>,
    iovecs: Box<[libc::iovec]>,
    names: Box<[libc::sockaddr_storage]>,
}

// SAFETY: the raw pointers inside are only ever dereferenced by the kernel during a system call that follows their
// writing in the same `&mut self` method; between calls they are plain numbers.
unsafe impl Send for Table {}

impl Table {
    fn new(len: usize) -> Table {
        // SAFETY: all three are C structs of integers and pointers, for which all-zero is a valid value.
        let (header, name) = unsafe { (mem::zeroed::<libc::mmsghdr>(), mem::zeroed()) };
        let iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Table {
            headers: vec![header; len].into_boxed_slice(),
            iovecs: vec![iovec; len].into_boxed_slice(),
            names: vec![name; len].into_boxed_slice(),
        }
    }

    /// Points message `i` at its name and at `len` bytes from `base`.
    fn point(&mut self, i: usize, name_len: libc::socklen_t, base: *mut u8, len: usize) {
        self.iovecs[i] = libc::iovec { iov_base: base.cast(), iov_len: len };
        let header = &mut self.headers[i].msg_hdr;
        header.msg_name = (&raw mut self.names[i]).cast();
        header.msg_namelen = name_len;
        header.msg_iov = &raw mut self.iovecs[i];
        header.msg_iovlen = 1;
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        self.headers[i].msg_len = 0;
    }
}

/// What is known of a received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// `None`: of a family that we did not ask for.
    pub(crate) from: Option<SocketAddr>,
    pub(crate) len: usize,
    /// It was longer than its slot.
    pub(crate) truncated: bool,
    /// How many this socket has dropped so far, when the kernel says.
    pub(crate) overflow: Option<u32>,
}

/// Receives into its own memory of [`RX_BATCH`] slots.
pub(crate) struct Receiver {
    memory: Box<[u8]>,
    table: Table,
    controls: Box<[Control]>,
}

impl Receiver {
    pub(crate) fn new() -> Receiver {
        Receiver {
            memory: vec![0; RX_BATCH * MAX_RECEIVED].into_boxed_slice(),
            table: Table::new(RX_TURN),
            controls: vec![Control([0; 96]); RX_TURN].into_boxed_slice(),
        }
    }

    /// All slots; slot `i` begins at `i * MAX_RECEIVED`.
    pub(crate) fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// One slot.
    pub(crate) fn slot_mut(&mut self, slot: usize) -> &mut [u8] {
        &mut self.memory[slot * MAX_RECEIVED..(slot + 1) * MAX_RECEIVED]
    }

    /// Takes what waits in the socket into the slots from `first`, at most [`RX_TURN`] and at most `max`
    /// messages; returns how many. Ask [`Receiver::message`] for each.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, first: usize, max: usize) -> io::Result<usize> {
        let max = max.min(RX_TURN).min(RX_BATCH - first);
        for i in 0..max {
            let base = self.slot_mut(first + i).as_mut_ptr();
            self.table.point(i, size_of::<libc::sockaddr_storage>() as libc::socklen_t, base, MAX_RECEIVED);
            let header = &mut self.table.headers[i].msg_hdr;
            header.msg_control = self.controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: the first `max` headers point to names, iovecs, slots and controls that all live in `self`,
        // with their true lengths, and `self` is borrowed mutably for the length of the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.table.headers.as_mut_ptr(),
                max as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Message `i` of the latest [`Receiver::receive`].
    pub(crate) fn message(&self, i: usize) -> Received {
        let header = &self.table.headers[i];
        Received {
            from: read_name(&self.table.names[i], header.msg_hdr.msg_namelen),
            len: (header.msg_len as usize).min(MAX_RECEIVED),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            overflow: self.overflow(i),
        }
    }

    fn overflow(&self, i: usize) -> Option<u32> {
        let mut header = self.table.headers[i].msg_hdr;
        if header.msg_controllen == 0 {
            return None;
        }
        // Reading only: the copy of the header is pointed at our control memory afresh.
        header.msg_control = self.controls[i].0.as_ptr().cast_mut().cast();
        // SAFETY: `msg_control` points to a Control of ours whose first `msg_controllen` bytes the kernel wrote as
        // a chain of cmsghdr; the macros keep inside that length; a u32 follows a header of this type.
        unsafe {
            let mut next = libc::CMSG_FIRSTHDR(&header);
            while !next.is_null() {
                if (*next).cmsg_level == libc::SOL_SOCKET && (*next).cmsg_type == libc::SO_RXQ_OVFL {
                    return Some(ptr::read_unaligned(libc::CMSG_DATA(next).cast::<u32>()));
                }
                next = libc::CMSG_NXTHDR(&header, next);
            }
        }
        None
    }
}

/// What to do about a message that the kernel refused.
pub(crate) enum Refused {
    /// Try it again.
    Retry,
    /// Go on with the next.
    Skip,
}

/// What went out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: usize,
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
}

/// Sends packets that lie in one piece of memory.
pub(crate) struct Sender {
    table: Table,
}

impl Sender {
    pub(crate) fn new() -> Sender {
        Sender { table: Table::new(TX_BATCH) }
    }

    /// Sends those of `packets` that belong to `local`, in order. `refused` decides about each that does not go
    /// out; one that is skipped holds up no other.
    pub(crate) fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        local: u8,
        memory: &mut [u8],
        packets: &[TxPacket],
        mut refused: impl FnMut(io::Error) -> Refused,
    ) -> Sent {
        let count = self.load(local, memory, packets);
        let (mut next, mut sent) = (0, Sent::default());
        while next < count {
            sent.calls += 1;
            // SAFETY: headers `next..count` point to names and iovecs of `self` and to bytes of `memory`, with
            // their true lengths; both are borrowed mutably for the length of the call.
            let result = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.table.headers[next..count].as_mut_ptr(),
                    (count - next) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            // An error is reported only when the first message meets it: after a partial send, the next call
            // begins with the one at fault.
            match usize::try_from(result) {
                Ok(some) if some > 0 => {
                    let gone = &self.table.headers[next..next + some];
                    sent.bytes += gone.iter().map(|header| u64::from(header.msg_len)).sum::<u64>();
                    sent.packets += some;
                    next += some;
                }
                _ => {
                    if let Refused::Skip = refused(io::Error::last_os_error()) {
                        next += 1;
                    }
                }
            }
        }
        sent
    }

    fn load(&mut self, local: u8, memory: &mut [u8], packets: &[TxPacket]) -> usize {
        let mut count = 0;
        for packet in packets.iter().filter(|p| is_udp_of(p, local)).take(TX_BATCH) {
            let bytes = &mut memory[packet.offset..packet.offset + packet.len];
            let name_len = write_name(&mut self.table.names[count], packet.path.remote);
            self.table.point(count, name_len, bytes.as_mut_ptr(), packet.len);
            count += 1;
        }
        count
    }
}

fn is_udp_of(packet: &TxPacket, local: u8) -> bool {
    packet.path.carrier == kaname_wire::path::Carrier::Udp && packet.path.local == local
}

fn read_name(name: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<SocketAddr> {
    let len = len as usize;
    match c_int::from(name.ss_family) {
        libc::AF_INET if len >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: a sockaddr_storage is large enough and aligned for every sockaddr; the kernel wrote this one.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 if len >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let v6 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            // The flow label is the sender's business and changes: it is no part of the address.
            Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage is large enough and aligned for every sockaddr.
            unsafe { (&raw mut *name).cast::<libc::sockaddr_in>().write(raw) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: as above.
            unsafe { (&raw mut *name).cast::<libc::sockaddr_in6>().write(raw) };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_in_and_out() {
        let mut table = Table::new(1);
        for text in ["192.0.2.7:65535", "[2001:db8::7]:1", "127.0.0.1:9"] {
            let address: SocketAddr = text.parse().expect("an address");
            let len = write_name(&mut table.names[0], address);
            assert_eq!(read_name(&table.names[0], len), Some(address));
            assert_eq!(read_name(&table.names[0], 4), None, "too short for its family");
        }
        table.names[0].ss_family = libc::AF_UNIX as libc::sa_family_t;
        assert_eq!(read_name(&table.names[0], 128), None);
    }
}
