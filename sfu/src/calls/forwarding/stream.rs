//! Sound on its way to the receiver: each stream has a connection of its own, and another one when that breaks.
//!
//! What comes while there is none, or faster than the receiver takes it, is left out: a call never waits for its receiver.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kaname_engine::audio::{Listener, Rate};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::receiver::{ForwardTo, Receiver, Way};
use crate::calls::CallsCounters;
use crate::calls::limits::{FORWARD_PATIENCE, FORWARD_PIECES, FORWARD_RETRY};

/// The way to the receiver, which all streams share.
#[derive(Debug)]
pub(in crate::calls) struct Forwarder {
    receiver: Receiver,
    connected: AtomicU64,
    failures: AtomicU64,
    /// Bytes that the receiver was not sent.
    lost: AtomicU64,
    /// Something is lost now, and the log has it: once, however many streams there are.
    failing: AtomicBool,
}

impl Forwarder {
    pub(in crate::calls) fn new(receiver: Receiver) -> Arc<Forwarder> {
        let (connected, failures, lost) = Default::default();
        Arc::new(Forwarder { receiver, connected, failures, lost, failing: AtomicBool::new(false) })
    }

    pub(in crate::calls) fn to(&self) -> &ForwardTo {
        &self.receiver.to
    }

    pub(in crate::calls) fn rate(&self) -> Rate {
        self.receiver.rate
    }

    /// Begins a stream, which lasts as long as the listener. Needs a tokio runtime.
    pub(in crate::calls) fn begin(self: &Arc<Self>, metadata: &str) -> Box<dyn Listener> {
        let (pieces, sound) = mpsc::channel(FORWARD_PIECES);
        // A zero ends it.
        let mut head: Vec<u8> = metadata.bytes().take_while(|byte| *byte != 0).collect();
        head.push(0);
        tokio::spawn(Stream { forwarder: Arc::clone(self), head, sound }.run());
        Box::new(Ear { forwarder: Arc::clone(self), pieces })
    }

    pub(in crate::calls) fn count(&self, counters: &mut CallsCounters) {
        let bytes_per_ms = 2 * self.receiver.rate.per_ms() as u64;
        counters.forwarded = self.connected.load(Ordering::Relaxed);
        counters.forward_failures_total = self.failures.load(Ordering::Relaxed);
        counters.forward_lost_ms_total = self.lost.load(Ordering::Relaxed) / bytes_per_ms;
    }

    fn lose(&self, bytes: usize) {
        self.lost.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn complain(&self, why: &dyn fmt::Display) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(receiver = %self.to(), %why, "forwarded sound is being lost; see to the receiver");
        }
    }
}

/// Where a stream's sound comes in.
#[derive(Debug)]
struct Ear {
    forwarder: Arc<Forwarder>,
    pieces: mpsc::Sender<Vec<u8>>,
}

impl Listener for Ear {
    fn hear(&mut self, samples: &[i16]) {
        let piece: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        if let Err(refused) = self.pieces.try_send(piece) {
            self.forwarder.lose(refused.into_inner().len());
            self.forwarder.complain(&"it does not keep up");
        }
    }
}

/// One stream.
struct Stream {
    forwarder: Arc<Forwarder>,
    /// What each connection begins with.
    head: Vec<u8>,
    sound: mpsc::Receiver<Vec<u8>>,
}

impl Stream {
    async fn run(mut self) {
        let (shortest, longest) = FORWARD_RETRY;
        let mut pause = shortest;
        loop {
            let failed = match patiently(self.forwarder.receiver.connect()).await {
                Ok(way) => {
                    pause = shortest;
                    self.feed(way).await
                }
                Err(error) => Err(error),
            };
            let Err(why) = failed else { return };
            self.forwarder.failures.fetch_add(1, Ordering::Relaxed);
            self.forwarder.complain(&why);
            if !self.pass_over(pause).await {
                return;
            }
            pause = longest.min(pause * 2);
        }
    }

    /// Sends what comes, until the stream ends or the connection breaks.
    async fn feed(&mut self, way: Box<dyn Way>) -> io::Result<()> {
        if self.forwarder.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(receiver = %self.forwarder.to(), "the receiver of forwarded sound is there again");
        }
        self.forwarder.connected.fetch_add(1, Ordering::Relaxed);
        let fed = self.send_all(way).await;
        self.forwarder.connected.fetch_sub(1, Ordering::Relaxed);
        fed
    }

    async fn send_all(&mut self, way: Box<dyn Way>) -> io::Result<()> {
        let (mut from, mut to) = tokio::io::split(way);
        let (mut pieces, mut unread, mut speaks) = (Vec::with_capacity(FORWARD_PIECES), [0; 512], true);
        send(&mut to, &self.head).await?;
        loop {
            tokio::select! {
                count = self.sound.recv_many(&mut pieces, FORWARD_PIECES) => {
                    if count == 0 {
                        // Whether the receiver heard of the end is its own affair.
                        let _ended = patiently(to.shutdown()).await;
                        return Ok(());
                    }
                    let batch = pieces.concat();
                    pieces.clear();
                    send(&mut to, &batch).await.inspect_err(|_| self.forwarder.lose(batch.len()))?;
                }
                // Nothing is expected; but what a receiver says must not wait here when we close, as that resets the
                // connection and takes the last of the sound with it.
                read = from.read(&mut unread), if speaks => speaks = read? > 0,
            }
        }
    }

    /// Nobody is there to hear what comes for so long. Whether the stream goes on.
    async fn pass_over(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match timeout_at(until, self.sound.recv()).await {
                Ok(Some(piece)) => self.forwarder.lose(piece.len()),
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }
}

async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let sent = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    patiently(sent).await
}

async fn patiently<T>(act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(FORWARD_PATIENCE, act).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listen() -> (TcpListener, Arc<Forwarder>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        (listener, Forwarder::new(Receiver::new(to, Rate::K8, None).unwrap()))
    }

    fn counters(forwarder: &Forwarder) -> CallsCounters {
        let mut counters = CallsCounters::default();
        forwarder.count(&mut counters);
        counters
    }

    #[tokio::test]
    async fn what_was_heard_gets_there_even_if_the_stream_ends_at_once() {
        let (listener, forwarder) = listen().await;
        let mut ear = forwarder.begin("key:value\0hidden");
        ear.hear(&[1, -2]);
        drop(ear);
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        connection.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"key:value\0\x01\0\xfe\xff");
        assert_eq!(counters(&forwarder), CallsCounters::default());
    }

    #[tokio::test]
    async fn a_receiver_that_reads_nothing_makes_nobody_wait() {
        let (listener, forwarder) = listen().await;
        let mut ear = forwarder.begin("");
        let _connection = listener.accept().await.unwrap();
        // Far more than any socket keeps; the listener returns each time.
        while counters(&forwarder).forward_lost_ms_total < 60_000 {
            ear.hear(&[0; 4_800]);
            tokio::task::yield_now().await;
        }
        assert!(forwarder.failing.load(Ordering::Relaxed), "and the log has it");
    }
}
