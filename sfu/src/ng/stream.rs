//! Messages one after the other over TCP, each as long as its brackets say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::doors::closed;
use super::frame::{Frame, Scanner};
use super::inbox::{Asked, Inbox, ReplyTo};
use super::limits::{MESSAGE_BYTES, UNSENT_REPLIES};

/// After an accept that failed (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

pub(super) async fn run(
    listener: TcpListener,
    inbox: Inbox,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
) {
    while let Some((stream, from)) = accept(&listener, &inbox, &mut stop.clone()).await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            inbox.counters().count_crowded();
            continue;
        };
        let (inbox, mut stop) = (inbox.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = converse(stream, from.ip(), inbox) => {}
                () = closed(&mut stop) => {}
            }
            drop(place);
        });
    }
}

/// The next connection from someone who may ask. `None`: the doors close.
pub(super) async fn accept(
    listener: &TcpListener,
    inbox: &Inbox,
    stop: &mut watch::Receiver<bool>,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closed(stop) => return None,
        };
        match accepted {
            Ok((stream, from)) if inbox.allows(from.ip()) => {
                // An improvement only: without it the connection works as well.
                let _at_once = stream.set_nodelay(true);
                return Some((stream, from));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "ng: cannot accept a connection; if this repeats, raise the limit of open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, from: IpAddr, inbox: Inbox) {
    let (reader, writer) = stream.into_split();
    let (replies, waiting) = mpsc::channel(UNSENT_REPLIES);
    let writing = tokio::spawn(write(writer, waiting));
    read(reader, from, &inbox, &ReplyTo::Stream(replies)).await;
    // The writer ends once all replies are out, or when it cannot write.
    let _ended = writing.await;
}

async fn read(mut reader: OwnedReadHalf, from: IpAddr, inbox: &Inbox, reply: &ReplyTo) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    let mut scanner = Scanner::default();
    while let Ok(1..) = reader.read_buf(&mut buffer).await {
        loop {
            match scanner.look(&buffer) {
                Frame::Incomplete => break,
                Frame::Broken => {
                    inbox.counters().count_malformed();
                    return;
                }
                Frame::Complete(length) => {
                    if let Some(request) = inbox.read(&buffer[..length], reply)
                        && !inbox.send(Asked { from, request, reply: reply.clone() }).await
                    {
                        return;
                    }
                    // Programs that write lines end messages with a newline.
                    let behind = &buffer[length..];
                    let blank = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    buffer.drain(..length + blank);
                    scanner = Scanner::default();
                }
            }
        }
        debug_assert!(buffer.len() <= MESSAGE_BYTES + READ_BYTES, "the scanner bounds what waits");
    }
}

async fn write(mut writer: OwnedWriteHalf, mut replies: mpsc::Receiver<Arc<[u8]>>) {
    while let Some(reply) = replies.recv().await {
        if writer.write_all(&reply).await.is_err() {
            return;
        }
    }
}
