//! A message a datagram. One task, which only reads: replies go out from whoever does the request.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::doors::closed;
use super::inbox::{Asked, Inbox, ReplyTo};
use super::limits::MESSAGE_BYTES;

pub(super) async fn run(socket: Arc<UdpSocket>, inbox: Inbox, mut stop: watch::Receiver<bool>) {
    let mut buffer = vec![0; MESSAGE_BYTES];
    // Replies never wait, so the socket has to be known as writable before the first of them.
    if socket.writable().await.is_err() {
        return;
    }
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = closed(&mut stop) => return,
        };
        match received {
            Ok((length, from)) => take(&socket, &inbox, &buffer[..length], from),
            // An ICMP message about an earlier reply: whoever asked is gone.
            Err(error) => tracing::debug!(%error, "ng over UDP"),
        }
    }
}

fn take(socket: &Arc<UdpSocket>, inbox: &Inbox, message: &[u8], from: std::net::SocketAddr) {
    if !inbox.allows(from.ip()) {
        return;
    }
    let reply = ReplyTo::Datagram(Arc::clone(socket), from);
    if let Some(request) = inbox.read(message, &reply) {
        inbox.push(Asked { from: from.ip(), request, reply });
    }
}
