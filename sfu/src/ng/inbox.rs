//! What all doors share: who may ask, where requests go, and how replies find their way back.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::limits::REQUESTS;
use super::message::{self, Malformed, Request};
use super::{Dictionary, Network};

/// A request on its way to whoever does it.
#[derive(Debug)]
pub struct Asked {
    /// Who asks.
    pub from: IpAddr,
    /// What.
    pub request: Request,
    /// Where the reply goes.
    pub reply: ReplyTo,
}

/// The way back to whoever asked.
#[derive(Clone, Debug)]
pub enum ReplyTo {
    /// A datagram from the socket that was asked.
    Datagram(Arc<UdpSocket>, SocketAddr),
    /// A message of a TCP connection or WebSocket.
    Stream(mpsc::Sender<Arc<[u8]>>),
    /// The body of an HTTP response.
    Response(Arc<Mutex<Waiting>>),
}

/// Whoever waits for the body of a response, until it has one.
pub type Waiting = Option<oneshot::Sender<Arc<[u8]>>>;

/// Counts of the doors.
#[derive(Debug, Default)]
pub struct DoorCounters {
    received: AtomicU64,
    foreign: AtomicU64,
    malformed: AtomicU64,
    crowded: AtomicU64,
    unsent: AtomicU64,
}

impl DoorCounters {
    /// Names with values, for the metrics.
    pub fn values(&self) -> [(&'static str, u64); 5] {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("received", value(&self.received)),
            ("refused_source", value(&self.foreign)),
            ("malformed", value(&self.malformed)),
            ("queue_full", value(&self.crowded)),
            ("replies_lost", value(&self.unsent)),
        ]
    }

    pub(super) fn count_foreign(&self) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_crowded(&self) {
        self.crowded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where requests go in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: mpsc::Sender<Asked>,
    allow: Arc<[Network]>,
    counters: Arc<DoorCounters>,
}

/// An inbox for requests from these networks, and where they come out.
pub fn inbox(allow: Vec<Network>) -> (Inbox, mpsc::Receiver<Asked>) {
    let (queue, requests) = mpsc::channel(REQUESTS);
    (Inbox { queue, allow: allow.into(), counters: Arc::default() }, requests)
}

impl Inbox {
    /// The counts of all doors.
    pub fn counters(&self) -> &Arc<DoorCounters> {
        &self.counters
    }

    /// Whether this source may ask. One that may not is counted and hears nothing.
    pub(super) fn allows(&self, from: IpAddr) -> bool {
        let allowed = self.allow.iter().any(|network| network.contains(from));
        if !allowed {
            self.counters.count_foreign();
        }
        allowed
    }

    /// Reads a message. One that is no request is answered here where that is possible.
    pub(super) fn read(&self, message: &[u8], reply: &ReplyTo) -> Option<Request> {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        match Request::parse(message) {
            Ok(request) => Some(request),
            Err(malformed) => {
                self.counters.count_malformed();
                if let Some(text) = refusal(&malformed) {
                    self.answer(reply, text);
                }
                None
            }
        }
    }

    /// Hands a datagram's request on. When too many wait it is dropped: whoever asked asks again.
    pub(super) fn push(&self, asked: Asked) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(asked) {
            self.counters.count_crowded();
        }
    }

    /// Hands a connection's request on, waiting while too many wait. False: there is nobody to do it.
    pub(super) async fn send(&self, asked: Asked) -> bool {
        self.queue.send(asked).await.is_ok()
    }

    /// Sends a reply, and never waits: what cannot go now is counted and lost, and is asked for again.
    fn answer(&self, reply: &ReplyTo, text: Arc<[u8]>) {
        if !reply.send(text) {
            self.counters.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl ReplyTo {
    /// Sends a reply, and never waits. False: it could not go.
    #[must_use]
    pub fn send(&self, text: Arc<[u8]>) -> bool {
        match self {
            ReplyTo::Datagram(socket, to) => socket.try_send_to(&text, *to).is_ok(),
            ReplyTo::Stream(messages) => messages.try_send(text).is_ok(),
            ReplyTo::Response(waiting) => {
                let waiting = waiting.lock().map(|mut waiting| waiting.take()).unwrap_or_default();
                waiting.is_some_and(|waiting| waiting.send(text).is_ok())
            }
        }
    }
}

/// The reply to what is no request, if its cookie and writing are known.
fn refusal(malformed: &Malformed) -> Option<Arc<[u8]>> {
    let (cookie, writing) = malformed.reply_to.as_ref()?;
    Some(message::reply(cookie, *writing, &error(&malformed.reason)).into())
}

/// The dictionary of a refusal.
pub fn error(reason: &str) -> Dictionary {
    Dictionary::new().with("result", "error").with("error-reason", reason)
}
