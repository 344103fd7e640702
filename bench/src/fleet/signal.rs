//! Signalling of a fleet: WHIP and WHEP calls on a thread of their own, on connections that stay open.

use std::sync::Arc;
use std::sync::mpsc as back;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Uri, header};
use hyper_util::rt::TokioIo;
use mio::Waker;
use tokio::sync::{Mutex, mpsc};

use super::FleetError;
use super::foreign::{self, Foreign};
use super::target::NodeTarget;
use crate::client::{ClientError, web};
use crate::stamp::clock_ns;

/// What the fleet wants of the node.
pub(super) enum Call {
    /// An offer to `/whip/{room}` or `/whep/{room}`.
    Offer { client: u32, publish: bool, room: String, sdp: String },
    /// The end of a session.
    Leave { client: u32, resource: String, room: String },
    /// A client of the foreign stack, which does the rest by itself.
    Foreign(Box<Foreign>),
}

/// What came of a call.
pub(super) struct Reply {
    pub(super) client: u32,
    /// When the request was written, nanoseconds since 1970.
    pub(super) called_ns: u64,
    /// Answer and session URL; nothing for a session that ended.
    pub(super) result: Result<Option<(String, String)>, String>,
}

/// The thread.
pub(super) struct Signal {
    calls: Option<mpsc::UnboundedSender<Call>>,
    replies: back::Receiver<Reply>,
    thread: Option<JoinHandle<()>>,
}

type Lane = Arc<Mutex<mpsc::UnboundedReceiver<Call>>>;

impl Signal {
    /// Starts the thread with so many connections.
    pub(super) fn start(target: &NodeTarget, lanes: u32, waker: Arc<Waker>) -> Result<Signal, FleetError> {
        let (calls, waiting) = mpsc::unbounded_channel();
        let (answers, replies) = back::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let target = Arc::new(target.clone());
        let thread = std::thread::Builder::new().name("signalling".into()).spawn(move || {
            let waiting: Lane = Arc::new(Mutex::new(waiting));
            runtime.block_on(async move {
                let lanes: Vec<_> = (0..lanes)
                    .map(|_| {
                        let desk = Desk { answers: answers.clone(), waker: Arc::clone(&waker) };
                        tokio::spawn(lane(Arc::clone(&target), Arc::clone(&waiting), desk))
                    })
                    .collect();
                for lane in lanes {
                    // A lane that panicked has been reported by the panic itself; the others go on.
                    let _ = lane.await;
                }
            });
        })?;
        Ok(Signal { calls: Some(calls), replies, thread: Some(thread) })
    }

    pub(super) fn call(&self, call: Call) {
        if let Some(calls) = &self.calls {
            // The thread ends only when we do.
            let _ = calls.send(call);
        }
    }

    pub(super) fn reply(&self) -> Option<Reply> {
        self.replies.try_recv().ok()
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.calls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where replies go.
struct Desk {
    answers: back::Sender<Reply>,
    waker: Arc<Waker>,
}

impl Desk {
    fn put(&self, reply: Reply) {
        let _ = self.answers.send(reply);
        let _ = self.waker.wake();
    }
}

/// One connection: takes the next call that waits, one at a time.
async fn lane(target: Arc<NodeTarget>, waiting: Lane, desk: Desk) {
    let mut connection = None;
    loop {
        let Some(call) = waiting.lock().await.recv().await else { return };
        match call {
            Call::Offer { client, publish, room, sdp } => {
                let called_ns = clock_ns();
                let path = format!("/{}/{room}", if publish { "whip" } else { "whep" });
                let result = ask(&target, &mut connection, Method::POST, &path, &room, sdp).await;
                let result = result.and_then(|(status, location, body)| match (status, location) {
                    (201, Some(location)) => Ok(Some((body, location))),
                    (201, None) => Err("201 without a Location".to_owned()),
                    (status, _) => Err(format!("{status}: {body}")),
                });
                desk.put(Reply { client, called_ns, result });
            }
            Call::Leave { client, resource, room } => {
                let called_ns = clock_ns();
                let path = resource.parse::<Uri>().map_or(resource.clone(), |uri| uri.path().to_owned());
                let result = ask(&target, &mut connection, Method::DELETE, &path, &room, String::new()).await;
                desk.put(Reply { client, called_ns, result: result.map(|_| None) });
            }
            Call::Foreign(foreign) => {
                tokio::spawn(foreign::run(*foreign, Arc::clone(&target)));
            }
        }
    }
}

type Connection = SendRequest<Full<Bytes>>;

/// One request: status, `Location`, body. A connection that the node closed meanwhile is opened anew, once.
async fn ask(
    target: &NodeTarget,
    connection: &mut Option<Connection>,
    method: Method,
    path: &str,
    room: &str,
    body: String,
) -> Result<(u16, Option<String>, String), String> {
    let body = Bytes::from(body);
    for attempt in 0..2 {
        let open = match connection.take().filter(|c| !c.is_closed()) {
            Some(open) => open,
            None => open(target).await.map_err(|e| e.to_string())?,
        };
        match send(target, open, &method, path, room, body.clone()).await {
            Ok((open, answer)) => {
                *connection = Some(open);
                return Ok(answer);
            }
            Err(error) if attempt == 1 => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    Err("unreachable".into())
}

async fn open(target: &NodeTarget) -> Result<Connection, ClientError> {
    let stream = web::connect(&target.url, &target.trust).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    target: &NodeTarget,
    mut open: Connection,
    method: &Method,
    path: &str,
    room: &str,
    body: Bytes,
) -> Result<(Connection, (u16, Option<String>, String)), ClientError> {
    let uri: Uri = target.url.parse()?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, uri.authority().map_or("", |a| a.as_str()))
        .header(header::AUTHORIZATION, format!("Bearer {}", (target.token)(room)))
        .header(header::CONTENT_TYPE, "application/sdp")
        .body(Full::new(body))
        .map_err(|e| ClientError::Web(e.to_string()))?;
    open.ready().await?;
    let answer = open.send_request(request).await?;
    let status = answer.status().as_u16();
    let location = answer.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((open, (status, location, String::from_utf8_lossy(&body).into_owned())))
}
