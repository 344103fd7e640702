//! Where a client's datagrams go in and out: UDP with the kernel's time of arrival, or TCP in the frames of RFC 4571.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendto, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::sync::mpsc;

use crate::stamp::clock_ns;

/// The largest datagram: what an Ethernet frame carries, with room.
pub const DATAGRAM_MAX: usize = 2048;
/// Asked for so that a busy client host is not mistaken for a lossy node: the default holds 92 packets of 1200 B.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Frames waiting for a slow TCP connection before the newest is dropped, as a UDP socket would.
const TCP_QUEUE: usize = 512;

/// A datagram that came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Bytes in the buffer.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// When the kernel received it (UDP) or the client read it (TCP), nanoseconds since 1970.
    pub at_ns: u64,
}

/// One local address of a client.
pub enum Transport {
    /// Unconnected UDP.
    Udp(UdpSocket),
    /// One active TCP connection, opened at the first datagram out.
    Tcp(TcpLink),
}

/// An ICE-TCP connection (RFC 6544, active side).
pub struct TcpLink {
    local: SocketAddr,
    state: TcpState,
}

enum TcpState {
    /// Bound, so that the candidate has its port.
    Bound(TcpSocket),
    /// Connecting or connected: a task writes, another reads.
    Open {
        out: mpsc::Sender<Vec<u8>>,
        inbound: mpsc::Receiver<Vec<u8>>,
        remote: SocketAddr,
    },
    Broken,
}

impl Transport {
    /// A UDP socket on any free port of an address.
    pub async fn udp(ip: IpAddr) -> io::Result<Transport> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Root may have as much as it asks for; others get what the system allows.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        Ok(Transport::Udp(socket))
    }

    /// A TCP socket bound to any free port of an address, not yet connected.
    pub fn tcp(ip: IpAddr) -> io::Result<Transport> {
        let socket = if ip.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        socket.bind((ip, 0).into())?;
        Ok(Transport::Tcp(TcpLink { local: socket.local_addr()?, state: TcpState::Bound(socket) }))
    }

    /// The local address, for the candidate.
    pub fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Transport::Udp(socket) => socket.local_addr(),
            Transport::Tcp(link) => Ok(link.local),
        }
    }

    /// Whether datagrams travel over TCP.
    pub fn is_tcp(&self) -> bool {
        matches!(self, Transport::Tcp(_))
    }

    /// Waits for the next datagram. Cancel safe.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        match self {
            Transport::Udp(socket) => loop {
                socket.readable().await?;
                match socket.try_io(Interest::READABLE, || receive_stamped(socket, buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // The node's port was closed a moment ago: that is not the end of this socket.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    done => return done,
                }
            },
            Transport::Tcp(link) => link.receive(buffer).await,
        }
    }

    /// A datagram that is there already.
    pub fn try_receive(&mut self, buffer: &mut [u8]) -> Option<Arrival> {
        match self {
            Transport::Udp(socket) => {
                socket.try_io(Interest::READABLE, || receive_stamped(socket, buffer)).ok()
            }
            Transport::Tcp(link) => {
                let TcpState::Open { inbound, remote, .. } = &mut link.state else { return None };
                let frame = inbound.try_recv().ok()?;
                Some(copy_frame(&frame, buffer, *remote))
            }
        }
    }

    /// Sends a datagram at once, or drops it when there is no room, as networks do.
    pub fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        match self {
            Transport::Udp(socket) => {
                // Straight to the kernel: the runtime would refuse until it has seen the socket writable once.
                let to = SockaddrStorage::from(to);
                let _ = sendto(socket.as_raw_fd(), datagram, &to, MsgFlags::MSG_DONTWAIT);
            }
            Transport::Tcp(link) => link.send(to, datagram),
        }
    }
}

/// One datagram with the kernel's stamp. The socket does not block.
pub(crate) fn receive_stamped(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let from = message.address.as_ref().and_then(socket_address).ok_or(io::ErrorKind::InvalidData)?;
    let stamp = message.cmsgs()?.find_map(|c| match c {
        ControlMessageOwned::ScmTimestampns(t) => {
            Some(t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
        }
        _ => None,
    });
    Ok(Arrival { len: message.bytes, from, at_ns: stamp.unwrap_or_else(clock_ns) })
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
}

impl TcpLink {
    fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        if matches!(self.state, TcpState::Bound(_)) {
            let TcpState::Bound(socket) = std::mem::replace(&mut self.state, TcpState::Broken) else {
                return;
            };
            self.state = open(socket, to);
        }
        if let TcpState::Open { out, remote, .. } = &self.state
            && *remote == to
        {
            let mut frame = (datagram.len() as u16).to_be_bytes().to_vec();
            frame.extend_from_slice(datagram);
            let _ = out.try_send(frame);
        }
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Arrival> {
        let TcpState::Open { inbound, remote, .. } = &mut self.state else {
            return std::future::pending().await;
        };
        match inbound.recv().await {
            Some(frame) => Ok(copy_frame(&frame, buffer, *remote)),
            None => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

fn copy_frame(frame: &[u8], buffer: &mut [u8], from: SocketAddr) -> Arrival {
    let len = frame.len().min(buffer.len());
    buffer[..len].copy_from_slice(&frame[..len]);
    Arrival { len, from, at_ns: clock_ns() }
}

fn open(socket: TcpSocket, to: SocketAddr) -> TcpState {
    let (out, queue) = mpsc::channel(TCP_QUEUE);
    let (deliver, inbound) = mpsc::channel(TCP_QUEUE);
    tokio::spawn(async move {
        let Ok(stream) = socket.connect(to).await else { return };
        let (reader, writer) = stream.into_split();
        tokio::spawn(write_frames(writer, queue));
        read_frames(reader, deliver).await;
    });
    TcpState::Open { out, inbound, remote: to }
}

async fn write_frames(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = queue.recv().await {
        if writer.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read_frames(mut reader: OwnedReadHalf, deliver: mpsc::Sender<Vec<u8>>) {
    // RFC 4571 section 2: a 16-bit length, then so many bytes.
    while let Ok(len) = reader.read_u16().await {
        let mut frame = vec![0; usize::from(len)];
        if reader.read_exact(&mut frame).await.is_err() || deliver.send(frame).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_stamps_what_comes_in() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let mut a = Transport::udp(loopback).await.unwrap();
        let mut b = Transport::udp(loopback).await.unwrap();
        let before = clock_ns();
        a.send(b.local().unwrap(), b"hello");
        let mut buffer = [0; DATAGRAM_MAX];
        let arrival = b.receive(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..arrival.len], b"hello");
        assert_eq!(arrival.from, a.local().unwrap());
        assert!((before..=clock_ns()).contains(&arrival.at_ns));
    }

    #[tokio::test]
    async fn tcp_frames_arrive_whole() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let mut link = Transport::tcp([127, 0, 0, 1].into()).unwrap();
        link.send(to, b"one");
        link.send(to, b"twotwo");
        let (mut stream, from) = listener.accept().await.unwrap();
        assert_eq!(from, link.local().unwrap());
        let mut bytes = [0; 2 + 3 + 2 + 6];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"\x00\x03one\x00\x06twotwo");
        stream.write_all(b"\x00\x04back").await.unwrap();
        let mut buffer = [0; DATAGRAM_MAX];
        let arrival = link.receive(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..arrival.len], arrival.from), (&b"back"[..], to));
    }
}
