//! The sockets of a fleet. On loopback one socket serves thousands of clients: it is bound to no address, each client has
//! one of 127.0.0.0/8, and the kernel says with each datagram which it was for. So the harness takes in the packets of
//! all clients with few system calls, and a node still sees as many clients as there are. Elsewhere each client has a
//! socket of its own.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmsg, sendmmsg, sendmsg,
    setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::limits::{MESSAGE_LEN, RECEIVE_BUFFER, RECEIVE_MESSAGES};

/// A bound socket.
pub(super) struct Socket {
    udp: UdpSocket,
    /// Bound to all of 127.0.0.0/8.
    shared: bool,
    /// The kernel's drop counter as last seen.
    overflow: u32,
}

/// From where to where a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The client's own address; its port is the socket's.
    pub(super) local: SocketAddr,
    /// The other side.
    pub(super) remote: SocketAddr,
}

impl Socket {
    /// One for all of 127.0.0.0/8, on any free port.
    pub(super) fn shared() -> io::Result<Socket> {
        let socket = Socket::open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), true)?;
        setsockopt(&socket.udp, sockopt::Ipv4PacketInfo, &true)?;
        Ok(socket)
    }

    /// One for a single client.
    pub(super) fn own(at: SocketAddr) -> io::Result<Socket> {
        Socket::open(at, false)
    }

    fn open(at: SocketAddr, shared: bool) -> io::Result<Socket> {
        let udp = UdpSocket::bind(at)?;
        udp.set_nonblocking(true)?;
        setsockopt(&udp, sockopt::ReceiveTimestampns, &true)?;
        setsockopt(&udp, sockopt::RxqOvfl, &1)?;
        // Root may have as much as it asks for; others get what the system allows.
        if setsockopt(&udp, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&udp, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        // A kernel without it hands out single datagrams, which is no fault.
        let _ = setsockopt(&udp, sockopt::UdpGroSegment, &true);
        Ok(Socket { udp, shared, overflow: 0 })
    }

    pub(super) fn fd(&self) -> i32 {
        self.udp.as_raw_fd()
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Sends one datagram. `Ok(false)`: the kernel had no room or no route, and it is lost.
    pub(super) fn send(&self, route: Route, datagram: &[u8]) -> io::Result<bool> {
        let to = SockaddrStorage::from(route.remote);
        let info = packet_info(route.local);
        let from = self.shared.then_some(ControlMessage::Ipv4PacketInfo(&info));
        let sent =
            sendmsg(self.fd(), &[IoSlice::new(datagram)], from.as_slice(), MsgFlags::empty(), Some(&to));
        match sent {
            Ok(_) => Ok(true),
            Err(error) if is_loss(error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends datagrams of one client in order; how many went out.
    pub(super) fn send_all(
        &self,
        route: Route,
        datagrams: &[&[u8]],
        headers: &mut Headers,
    ) -> io::Result<usize> {
        if let [only] = datagrams {
            return Ok(usize::from(self.send(route, only)?));
        }
        let info = packet_info(route.local);
        let from = self.shared.then_some(ControlMessage::Ipv4PacketInfo(&info));
        let mut sent = 0;
        while sent < datagrams.len() {
            let rest = &datagrams[sent..datagrams.len().min(sent + RECEIVE_MESSAGES)];
            let slices: Vec<[IoSlice<'_>; 1]> = rest.iter().map(|d| [IoSlice::new(d)]).collect();
            let to = vec![Some(SockaddrStorage::from(route.remote)); rest.len()];
            let done =
                sendmmsg(self.fd(), &mut headers.out, &slices, &to, from.as_slice(), MsgFlags::empty());
            match done.map(Iterator::count) {
                Ok(0) => return Ok(sent),
                Ok(count) => sent += count,
                Err(error) if is_loss(error) => return Ok(sent),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }
}

fn packet_info(local: SocketAddr) -> nix::libc::in_pktinfo {
    let ip = match local {
        SocketAddr::V4(v4) => *v4.ip(),
        SocketAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    nix::libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: nix::libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
        ipi_addr: nix::libc::in_addr { s_addr: 0 },
    }
}

/// Whether the network lost the datagram, rather than the harness having made a mistake.
fn is_loss(error: Errno) -> bool {
    matches!(
        error,
        Errno::EAGAIN
            | Errno::ENOBUFS
            | Errno::ECONNREFUSED
            | Errno::EHOSTUNREACH
            | Errno::ENETUNREACH
            | Errno::EPERM
    )
}

/// What the kernel's calls need, made once.
pub(super) struct Headers {
    control: Vec<u8>,
    out: MultiHeaders<SockaddrStorage>,
}

impl Headers {
    pub(super) fn new() -> Headers {
        let space = nix::cmsg_space!(nix::libc::in_pktinfo, TimeSpec, u32, i32);
        let send = nix::cmsg_space!(nix::libc::in_pktinfo);
        Headers { control: space, out: MultiHeaders::preallocate(RECEIVE_MESSAGES, Some(send)) }
    }
}

/// What a receive call says besides the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Messages; each may hold many datagrams.
    pub(super) messages: usize,
    /// Datagrams that the kernel has dropped at this socket since the last call.
    pub(super) drops: u64,
}

/// Memory for one receive call.
pub(super) struct Buffers(Vec<Box<[u8]>>);

/// One datagram in the buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    /// The client's address; unspecified on a socket of its own.
    pub(super) to: Ipv4Addr,
    /// Nanoseconds since 1970, by the kernel.
    pub(super) at_ns: u64,
    message: u32,
    start: u32,
    end: u32,
}

impl Buffers {
    pub(super) fn new() -> Buffers {
        Buffers((0..RECEIVE_MESSAGES).map(|_| vec![0; MESSAGE_LEN].into_boxed_slice()).collect())
    }

    pub(super) fn bytes(&self, datagram: &Datagram) -> &[u8] {
        &self.0[datagram.message as usize][datagram.start as usize..datagram.end as usize]
    }

    /// Takes what waits at a socket, at most a call's worth, into `datagrams`;     /// `now_ns` is what a datagram without a time of arrival gets.
    pub(super) fn receive(
        &mut self,
        socket: &mut Socket,
        headers: &mut Headers,
        now_ns: u64,
        datagrams: &mut Vec<Datagram>,
    ) -> io::Result<Received> {
        datagrams.clear();
        let flags = MsgFlags::MSG_DONTWAIT;
        let (mut drops, mut messages) = (0, 0);
        for (message, buffer) in self.0.iter_mut().enumerate() {
            let mut slice = [IoSliceMut::new(buffer)];
            let received = match recvmsg::<SockaddrStorage>(
                socket.fd(),
                &mut slice,
                Some(&mut headers.control),
                flags,
            ) {
                Ok(received) => received,
                // An error about something sent earlier says nothing about what waits.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => break,
                Err(error) => return Err(error.into()),
            };
            messages += 1;
            let mut template = Datagram {
                to: Ipv4Addr::UNSPECIFIED,
                at_ns: now_ns,
                message: message as u32,
                start: 0,
                end: 0,
            };
            let mut segment = received.bytes;
            for control in received.cmsgs().into_iter().flatten() {
                match control {
                    ControlMessageOwned::ScmTimestampns(at) => {
                        template.at_ns = at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64;
                    }
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        template.to = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                    }
                    ControlMessageOwned::UdpGroSegments(size) => segment = size as usize,
                    ControlMessageOwned::RxqOvfl(overflow) => {
                        // The kernel's counter is 32 bits wide and wraps.
                        drops += u64::from(overflow.wrapping_sub(socket.overflow));
                        socket.overflow = overflow;
                    }
                    _ => {}
                }
            }
            for start in (0..received.bytes).step_by(segment.max(1)) {
                let end = received.bytes.min(start + segment) as u32;
                datagrams.push(Datagram { start: start as u32, end, ..template });
            }
        }
        Ok(Received { messages, drops })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_socket_is_many_addresses() {
        let mut shared = Socket::shared().unwrap();
        let port = shared.local().unwrap().port();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut headers, mut buffers, mut got) = (Headers::new(), Buffers::new(), Vec::new());
        for last in 1..=3u8 {
            other.send_to(&[last; 10], (Ipv4Addr::new(127, 1, 0, last), port)).unwrap();
        }
        while got.is_empty() {
            buffers.receive(&mut shared, &mut headers, 0, &mut got).unwrap();
        }
        assert_eq!(got.len(), 3);
        for (datagram, last) in got.iter().zip(1..) {
            assert_eq!(datagram.to, Ipv4Addr::new(127, 1, 0, last));
            assert!(datagram.at_ns > 0);
            assert_eq!(buffers.bytes(datagram), [last; 10]);
        }
        let local = SocketAddr::from((Ipv4Addr::new(127, 1, 2, 3), port));
        let route = Route { local, remote: other.local_addr().unwrap() };
        let sent = shared.send_all(route, &[b"one", b"two"], &mut headers).unwrap();
        assert_eq!(sent, 2);
        let mut buffer = [0; 10];
        assert_eq!(other.recv_from(&mut buffer).unwrap(), (3, local));
    }

    #[test]
    fn the_kernels_drops_are_counted_to_the_packet() {
        let mut deaf = Socket::own("127.0.0.1:0".parse().unwrap()).unwrap();
        setsockopt(&deaf.udp, sockopt::RcvBuf, &4096).unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (mut headers, mut buffers, mut got) = (Headers::new(), Buffers::new(), Vec::new());
        for _ in 0..500 {
            other.send_to(&[1; 500], deaf.local().unwrap()).unwrap();
        }
        let mut came = 0;
        let mut drops = 0;
        loop {
            let received = buffers.receive(&mut deaf, &mut headers, 0, &mut got).unwrap();
            (came, drops) = (came + got.len() as u64, drops + received.drops);
            if received.messages == 0 {
                break;
            }
        }
        // The counter comes with the next datagram that is received.
        other.send_to(&[1], deaf.local().unwrap()).unwrap();
        drops += buffers.receive(&mut deaf, &mut headers, 0, &mut got).unwrap().drops;
        assert!(came < 500);
        assert_eq!(came + drops, 500);
    }
}
