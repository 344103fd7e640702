//! `POST /ng` with a message as its body, and WebSockets with a message a frame.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::doors::closed;
use super::inbox::{Asked, Inbox, ReplyTo};
use super::limits::{MESSAGE_BYTES, UNSENT_REPLIES};
use super::stream::accept;

/// The name of the protocol in WebSocket handshakes.
const SUBPROTOCOL: &str = "ng.rtpengine.com";
/// The media type of messages.
const MEDIA_TYPE: &str = "application/x-rtpengine-ng";
/// Time for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a request's body, and for the reply to it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Who is at the other end. The place among all connections is held by whoever holds a clone.
#[derive(Clone)]
struct Asker {
    from: IpAddr,
    _place: Arc<OwnedSemaphorePermit>,
}

pub(super) async fn run(
    listener: TcpListener,
    inbox: Inbox,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/ng", post(message).get(upgrade))
        .route("/", get(upgrade))
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES))
        .with_state(inbox.clone());
    while let Some((stream, from)) = accept(&listener, &inbox, &mut stop.clone()).await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            inbox.counters().count_crowded();
            continue;
        };
        tokio::spawn(serve(stream, from, place, router.clone(), stop.clone()));
    }
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    place: OwnedSemaphorePermit,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let asker = Asker { from: from.ip(), _place: Arc::new(place) };
    let service = TowerToHyperService::new(router.layer(Extension(asker)));
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        ended = conversation => if let Err(error) = ended {
            tracing::debug!(%from, %error, "ng over HTTP");
        },
        () = closed(&mut stop) => {}
    }
}

/// One message, one reply.
async fn message(
    State(inbox): State<Inbox>,
    Extension(asker): Extension<Asker>,
    request: axum::extract::Request,
) -> Response {
    let reading = axum::body::to_bytes(request.into_body(), MESSAGE_BYTES);
    let body = match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let (sender, answer) = oneshot::channel();
    let reply = ReplyTo::Response(Arc::new(Mutex::new(Some(sender))));
    if let Some(request) = inbox.read(&body, &reply)
        && !inbox.send(Asked { from: asker.from, request, reply: reply.clone() }).await
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    // Without a request there is a reply already, or there will be none.
    drop(reply);
    match tokio::time::timeout(BODY_TIMEOUT, answer).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], Bytes::from_owner(text)).into_response(),
        Ok(Err(_)) => (
            StatusCode::BAD_REQUEST,
            "the body must be a cookie, a blank and a dictionary in bencode or JSON\n",
        )
            .into_response(),
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

async fn upgrade(
    State(inbox): State<Inbox>,
    Extension(asker): Extension<Asker>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_upgrade(move |socket| converse(socket, asker, inbox))
}

async fn converse(mut socket: WebSocket, asker: Asker, inbox: Inbox) {
    let (replies, mut waiting) = mpsc::channel::<Arc<[u8]>>(UNSENT_REPLIES);
    let reply = ReplyTo::Stream(replies);
    loop {
        tokio::select! {
            received = socket.recv() => {
                let message = match received {
                    Some(Ok(Message::Text(text))) => Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    // Pings are answered below us.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                if let Some(request) = inbox.read(&message, &reply) {
                    let asked = Asked { from: asker.from, request, reply: reply.clone() };
                    if !inbox.send(asked).await {
                        return;
                    }
                }
            }
            Some(text) = waiting.recv() => {
                if socket.send(frame(&text)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Text where it is some: clients in browsers want that.
fn frame(text: &Arc<[u8]>) -> Message {
    match std::str::from_utf8(text) {
        Ok(text) => Message::Text(text.into()),
        Err(_) => Message::Binary(Bytes::from_owner(Arc::clone(text))),
    }
}
