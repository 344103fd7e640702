//! The doors: UDP, TCP, and HTTP with WebSockets.

use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, watch};

use super::inbox::Inbox;
use super::limits::{BACKLOG, CONNECTIONS, RECEIVE_BUFFER};
use super::{stream, udp, web};

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A message a datagram.
    Udp,
    /// Messages one after the other.
    Tcp,
    /// `POST /ng`, and WebSockets.
    Http,
}

/// A door that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDoor {
    /// What it takes.
    pub carrier: Carrier,
    /// The address really listened on.
    pub address: SocketAddr,
}

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "{setting}: cannot listen on {address}: {reason}; choose another address or port, or stop what uses it"
)]
pub struct DoorError {
    setting: &'static str,
    address: SocketAddr,
    reason: std::io::Error,
}

/// All doors; they close when this is dropped.
#[derive(Debug)]
pub struct Doors {
    open: Vec<OpenDoor>,
    _stop: watch::Sender<bool>,
}

/// Where to listen.
#[derive(Clone, Debug, Default)]
pub struct DoorAddresses {
    /// For datagrams.
    pub udp: Vec<SocketAddr>,
    /// For streams.
    pub tcp: Vec<SocketAddr>,
    /// For HTTP and WebSockets.
    pub http: Vec<SocketAddr>,
}

impl Doors {
    /// Opens all doors. Needs a tokio runtime.
    pub fn open(addresses: &DoorAddresses, inbox: &Inbox) -> Result<Doors, DoorError> {
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = Vec::new();
        for address in &addresses.udp {
            let (socket, bound) = bind_udp(*address).map_err(fault("ng.listen_udp", *address))?;
            open.push(OpenDoor { carrier: Carrier::Udp, address: bound });
            tokio::spawn(udp::run(Arc::new(socket), inbox.clone(), stopped.clone()));
        }
        for address in &addresses.tcp {
            let (listener, bound) = bind_tcp(*address).map_err(fault("ng.listen_tcp", *address))?;
            open.push(OpenDoor { carrier: Carrier::Tcp, address: bound });
            tokio::spawn(stream::run(listener, inbox.clone(), places.clone(), stopped.clone()));
        }
        for address in &addresses.http {
            let (listener, bound) = bind_tcp(*address).map_err(fault("ng.listen_http", *address))?;
            open.push(OpenDoor { carrier: Carrier::Http, address: bound });
            tokio::spawn(web::run(listener, inbox.clone(), places.clone(), stopped.clone()));
        }
        Ok(Doors { open, _stop: stop })
    }

    /// Where they are.
    pub fn open_doors(&self) -> &[OpenDoor] {
        &self.open
    }
}

fn fault(setting: &'static str, address: SocketAddr) -> impl FnOnce(std::io::Error) -> DoorError {
    move |reason| DoorError { setting, address, reason }
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_udp(address: SocketAddr) -> std::io::Result<(UdpSocket, SocketAddr)> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // The kernel grants what it may; with less a burst is lost and asked for again.
    let _granted = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

fn bind_tcp(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Waits until the doors close.
pub(super) async fn closed(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}
