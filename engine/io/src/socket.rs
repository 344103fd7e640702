//! Makes the sockets: UDP with large buffers, TCP listeners on the same ports.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::BindError;
use crate::limits::PORT_BUFFER;

/// How often a free port is looked for that UDP and TCP both have, when any port will do.
const PORT_TRIES: usize = 16;

/// One bound address.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: Option<TcpListener>,
    pub(crate) address: SocketAddr,
    /// Granted, in bytes.
    pub(crate) receive_buffer: usize,
    /// Messages may hold several datagrams.
    pub(crate) joins: bool,
}

/// What the sockets of an address are to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    /// A TCP listener beside UDP.
    pub(crate) tcp: bool,
    /// Bytes.
    pub(crate) receive_buffer: usize,
    pub(crate) send_buffer: usize,
    /// Datagrams of one sender joined into one message, where the kernel can.
    pub(crate) joining: bool,
    /// Every message tells the ECN bits, and when it arrived.
    pub(crate) ecn: bool,
    pub(crate) arrival_time: bool,
}

/// Binds UDP, and TCP on the same port if asked for. Port 0: any that is free for both.
pub(crate) fn bind(ip: IpAddr, port: u16, wishes: Wishes) -> Result<Bound, BindError> {
    let mut tries = if port == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let udp = bind_udp(SocketAddr::new(ip, port), false)?;
        let address = udp.local_addr().map_err(|e| explain(SocketAddr::new(ip, port), "UDP", e))?;
        let tcp = match wishes.tcp.then(|| bind_tcp(address, false)).transpose() {
            Err(BindError::InUse { .. }) if tries > 0 => continue,
            other => other?,
        };
        return equip(udp, tcp, address, wishes);
    }
}

/// Lets [`join`] bind more sockets to the same address (SO_REUSEPORT). The first is bound without, so that another
/// process's socket there is noticed rather than joined.
pub(crate) fn share(bound: &Bound) -> Result<(), BindError> {
    let udp = socket2::SockRef::from(&bound.udp).set_reuse_port(true);
    udp.map_err(|e| explain(bound.address, "UDP", e))?;
    let tcp = bound.tcp.as_ref().map(|tcp| socket2::SockRef::from(tcp).set_reuse_port(true)).transpose();
    tcp.map(drop).map_err(|e| explain(bound.address, "TCP", e))
}

/// Binds beside a socket that was shared.
pub(crate) fn join(address: SocketAddr, wishes: Wishes) -> Result<Bound, BindError> {
    let udp = bind_udp(address, true)?;
    let tcp = wishes.tcp.then(|| bind_tcp(address, true)).transpose()?;
    equip(udp, tcp, address, wishes)
}

fn equip(
    udp: UdpSocket,
    tcp: Option<TcpListener>,
    address: SocketAddr,
    wishes: Wishes,
) -> Result<Bound, BindError> {
    let receive_buffer = size_buffers(&udp, wishes);
    let joins = wishes.joining && set_int(&udp, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
    tell_marks(&udp, wishes).map_err(|e| explain(address, "UDP", e))?;
    Ok(Bound { udp, tcp, address, receive_buffer, joins })
}

fn bind_udp(address: SocketAddr, shared: bool) -> Result<UdpSocket, BindError> {
    let make = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    let socket = make().map_err(|e| explain(address, "UDP", e))?;
    if address.is_ipv4() {
        // No more than a saving: where it cannot be had, packets go all the same.
        let _ = allow_fragments(&socket, false);
    }
    Ok(socket)
}

/// A socket of a single leg. Bound without sharing, so that a port in use is noticed.
pub(crate) fn bind_port(address: SocketAddr) -> Result<UdpSocket, BindError> {
    let udp = bind_udp(address, false)?;
    let socket = socket2::SockRef::from(&udp);
    let other = |source| explain(address, "UDP", source);
    socket.set_recv_buffer_size(PORT_BUFFER).map_err(other)?;
    socket.set_send_buffer_size(PORT_BUFFER).map_err(other)?;
    set_int(&udp, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1).map_err(other)?;
    Ok(udp)
}

/// Whether each message tells when it came.
pub(crate) fn tell_arrival(udp: &UdpSocket, tell: bool) -> io::Result<()> {
    set_int(udp, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, tell.into())
}

/// Sets the byte of the IP header that holds DSCP and ECN.
pub(crate) fn set_tos(udp: &UdpSocket, tos: u8) -> io::Result<()> {
    match udp.local_addr()? {
        SocketAddr::V4(_) => set_int(udp, libc::IPPROTO_IP, libc::IP_TOS, tos.into()),
        SocketAddr::V6(_) => set_int(udp, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, tos.into()),
    }
}

fn bind_tcp(address: SocketAddr, shared: bool) -> Result<TcpListener, BindError> {
    let make = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(128)?;
        Ok(socket.into())
    };
    make().map_err(|e| explain(address, "TCP", e))
}

fn explain(address: SocketAddr, transport: &'static str, source: io::Error) -> BindError {
    if matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
        return BindError::TooManyFiles { address, transport };
    }
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address, transport },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(address.ip()),
        io::ErrorKind::PermissionDenied => BindError::Forbidden { address, transport },
        _ => BindError::Other { address, transport, source },
    }
}

/// Asks for large buffers, beyond the system's limit where we may; returns the receive buffer granted, in bytes.
fn size_buffers(udp: &UdpSocket, wishes: Wishes) -> usize {
    let socket = socket2::SockRef::from(udp);
    if set_int(udp, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wishes.receive_buffer).is_err() {
        // What is granted is reported; less than asked for is no fault.
        let _ = socket.set_recv_buffer_size(wishes.receive_buffer);
    }
    if set_int(udp, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, wishes.send_buffer).is_err() {
        let _ = socket.set_send_buffer_size(wishes.send_buffer);
    }
    // Linux doubles what is set, for its own bookkeeping, and reports the double (socket(7)).
    socket.recv_buffer_size().unwrap_or(0) / 2
}

/// What every received message tells: how many the kernel dropped before it, and what is wished for.
fn tell_marks(udp: &UdpSocket, wishes: Wishes) -> io::Result<()> {
    set_int(udp, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)?;
    if wishes.arrival_time {
        tell_arrival(udp, true)?;
    }
    if wishes.ecn {
        match udp.local_addr()? {
            SocketAddr::V4(_) => set_int(udp, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?,
            SocketAddr::V6(_) => set_int(udp, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?,
        }
    }
    Ok(())
}

/// Whether this kernel cuts runs into packets (since 4.18).
pub(crate) fn cuts_runs(udp: &UdpSocket) -> bool {
    set_int(udp, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok()
}

/// Whether packets of IPv4 that are too long for the path may leave in fragments. Where they may not, the kernel need not
/// make up an identification for each packet (RFC 6864 section 4.1), which costs more than writing its header.
pub(crate) fn allow_fragments(socket: &impl AsRawFd, allow: bool) -> io::Result<()> {
    let wish = if allow { libc::IP_PMTUDISC_WANT } else { libc::IP_PMTUDISC_DO };
    set_int(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, wish as usize)
}

/// The kernel does not join datagrams any more (UDP_GRO); one that never did has nothing to stop.
pub(crate) fn stop_joining(udp: &UdpSocket) {
    let _ = set_int(udp, libc::SOL_UDP, libc::UDP_GRO, 0);
}

/// Sets an option of type int.
pub(crate) fn set_int(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: usize,
) -> io::Result<()> {
    let value = libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is open for the length of the borrow; the kernel reads one c_int from `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits until the socket takes more, for at most `timeout_ms`.
pub(crate) fn wait_writable(socket: BorrowedFd<'_>, timeout_ms: i32) {
    let mut wish = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, and the count says one. Whatever it returns, the caller just tries to send again.
    unsafe { libc::poll(&mut wish, 1, timeout_ms) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn wishes(tcp: bool) -> Wishes {
        Wishes {
            tcp,
            receive_buffer: 65_536,
            send_buffer: 65_536,
            joining: true,
            ecn: true,
            arrival_time: true,
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let first = bind(LOOPBACK, 0, wishes(true)).expect("any port");
        let error = bind(LOOPBACK, first.address.port(), wishes(true)).expect_err("taken");
        let text = error.to_string();
        assert!(text.contains(&first.address.to_string()) && text.contains("UDP"), "{text}");
        assert!(text.contains("choose another port"), "{text}");

        // Only TCP is taken: the text says so.
        let Bound { udp, tcp, address, .. } = first;
        drop(udp);
        let text = bind(LOOPBACK, address.port(), wishes(true)).expect_err("taken").to_string();
        assert!(text.contains("TCP"), "{text}");
        drop(tcp);
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = bind(IpAddr::from([192, 0, 2, 1]), 0, wishes(false)).expect_err("not ours");
        assert!(matches!(error, BindError::NoSuchAddress(_)), "{error}");
        assert!(error.to_string().contains("192.0.2.1"));
    }

    #[test]
    fn tcp_listens_on_the_port_of_udp() {
        let bound = bind(LOOPBACK, 0, wishes(true)).expect("any port");
        let tcp = bound.tcp.expect("asked for").local_addr().expect("bound");
        assert_eq!(tcp, bound.address);
        assert!(bound.receive_buffer >= 65_536 / 2, "granted {}", bound.receive_buffer);
    }
}
