//! Listeners and connections: bounded in number, and none can hold up another.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Waiting to be accepted; a burst of joins at the start of a meeting fits.
const BACKLOG: i32 = 1024;
/// Largest request head. Ours are a token (at most 4 KiB) and what browsers add.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// A client that acknowledges nothing for so long is gone; the kernel then ends the connection for us.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// After an accept that failed (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port is taken, or an address is not ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({reason}); {hint}")]
pub struct ListenError {
    address: SocketAddr,
    reason: String,
    hint: String,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: bool,
}

impl Listener {
    /// Binds `address`; `setting` is named in the error.
    pub fn bind(address: SocketAddr, tls: bool, setting: &str) -> Result<Listener, ListenError> {
        let socket = bind(address).map_err(|error| ListenError {
            address,
            reason: error.to_string(),
            hint: hint(&error, address, setting),
        })?;
        Ok(Listener { socket, tls })
    }

    /// Where it really listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to time out of the kernel's table.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn hint(error: &io::Error, address: SocketAddr, setting: &str) -> String {
    let flag = setting.replace('.', "-");
    let other = SocketAddr::new(address.ip(), 0);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} is in use: stop what uses it (`ss -ltnp 'sport = :{}'` names it), or choose another port: --{flag} {}:{} (port 0 finds a free one: --{flag} {other})",
            address.port(),
            address.port(),
            bracketed(address),
            address.port().checked_add(1).unwrap_or(7800),
        ),
        io::ErrorKind::PermissionDenied => {
            format!(
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE; give it, or choose a higher port with {setting}"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; `ip addr` lists those it has; change {setting}")
        }
        _ => format!("change {setting}"),
    }
}

fn bracketed(address: SocketAddr) -> String {
    if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() }
}

/// One client's connection, as handlers see it. While a clone lives the connection counts.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    tls: bool,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Connection {
    pub(super) fn is_tls(&self) -> bool {
        self.tls
    }
}

/// What all listeners share.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) places: Arc<Semaphore>,
    pub(super) read_timeout: Duration,
    pub(super) stop: watch::Receiver<bool>,
}

/// Waits until the server is to stop; that it is gone means the same.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Accepts until told to stop.
pub(super) async fn accept(listener: Listener, mut doors: Doors) {
    loop {
        // A place first: when none is free, clients wait in the kernel's queue and cost nothing.
        let Ok(permit) = Arc::clone(&doors.places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = stopped(&mut doors.stop) => return,
        };
        match accepted {
            Ok((stream, from)) => {
                let connection = Connection { tls: listener.tls, _permit: Arc::new(permit) };
                tokio::spawn(serve(stream, from, connection, doors.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; if this repeats, raise the limit of open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, connection: Connection, doors: Doors) {
    prepare(&stream);
    if !connection.tls {
        return converse(stream, connection, doors).await;
    }
    let Some(tls) = &doors.tls else { return };
    match tokio::time::timeout(doors.read_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, connection, doors).await,
        Ok(Err(error)) => tracing::debug!(%from, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%from, "TLS handshake took too long"),
    }
}

fn prepare(stream: &TcpStream) {
    // Both are improvements only: without them the connection still works.
    let _nagle = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _timeout = SockRef::from(stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    doors: Doors,
) {
    let router = doors.router.layer(axum::Extension(connection));
    let mut stop = doors.stop;
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(doors.read_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    let mut conversation = pin!(conversation);
    let ended = tokio::select! {
        ended = conversation.as_mut() => ended,
        () = stopped(&mut stop) => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
