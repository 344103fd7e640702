//! One WebSocket connection, from its first message to its end.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, interval_at, timeout, timeout_at};

use super::message::{ClientMessage, ServerMessage, negotiation, parse};
use crate::http::state::App;
use crate::http::whip::grants_of;
use crate::node::{CloseReason, JoinRequest, Joined, LeaveReason, Notice, PeerId};
use crate::token::TokenError;

/// A client that says nothing must go away soon; one that types a name has not opened its socket yet.
const JOIN_WITHIN: Duration = Duration::from_secs(10);
/// Keeps proxies from closing a quiet connection (most wait a minute), and finds out whether anyone is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Three pings without a sign of life.
const IDLE: Duration = Duration::from_secs(45);
/// A reader that takes none of this for so long is gone or hostile.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// RFC 6455 section 7.4.1.
const POLICY_VIOLATION: u16 = 1008;
const NORMAL: u16 = 1000;

/// Why a connection ended.
enum End {
    /// The client left or hung up.
    Left,
    /// It was silent, or did not read.
    Silent,
    /// The node ended the stay; the client has been told.
    Closed,
}

/// Serves one connection.
pub(super) async fn run(app: App, socket: WebSocket) {
    let mut line = Line { socket };
    let Some((joined, peer)) = join(&app, &mut line).await else { return };
    let end = Session { app: &app, line: &mut line, peer: peer.clone(), notices: joined }.serve().await;
    let reason = match end {
        End::Left => LeaveReason::Left,
        End::Silent => LeaveReason::Timeout,
        End::Closed => return,
    };
    tracing::debug!(%peer, ?reason, "websocket ended");
    // The peer may be gone already, which is what we want.
    let _gone = app.node().leave(peer, reason).await;
}

/// The socket with its manners.
struct Line {
    socket: WebSocket,
}

impl Line {
    async fn send(&mut self, message: &impl Serialize) -> Result<(), End> {
        // Our own types always serialise; a failure would be ours, and ends this connection alone.
        let text = serde_json::to_string(message).map_err(|_| End::Silent)?;
        self.send_raw(Message::text(text)).await
    }

    async fn send_raw(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Left),
            Err(_) => Err(End::Silent),
        }
    }

    /// Says goodbye; whether it is heard makes no difference any more.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let _heard = self.send_raw(Message::Close(Some(frame))).await;
    }

    /// The next text; pings and pongs are handled below us and give `None` inside.
    async fn receive(&mut self) -> Result<Option<String>, End> {
        match self.socket.recv().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
            Some(Ok(Message::Binary(_))) => Ok(Some(String::new())),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Left),
        }
    }
}

/// The first message; anything but a good `join` ends the connection, with the reason told.
async fn join(app: &App, line: &mut Line) -> Option<(mpsc::Receiver<Notice>, PeerId)> {
    let deadline = Instant::now() + JOIN_WITHIN;
    let text = loop {
        match timeout_at(deadline, line.receive()).await {
            Ok(Ok(Some(text))) => break text,
            Ok(Ok(None)) => {}
            Ok(Err(_)) => return None,
            Err(_) => {
                refuse(
                    line,
                    ServerMessage::error(
                        None,
                        "join_timeout",
                        "the first message, `join`, has to come within 10 seconds",
                    ),
                )
                .await;
                return None;
            }
        }
    };
    let (token, name) = match parse(&text) {
        Ok(ClientMessage::Join { token, name }) => (token, name),
        Ok(_) => {
            refuse(line, ServerMessage::error(None, "join_first", "the first message has to be `join`"))
                .await;
            return None;
        }
        Err(bad) => {
            refuse(line, ServerMessage::error(bad.id, "bad_message", bad.message)).await;
            return None;
        }
    };
    match enter(app, token, name).await {
        Ok((joined, message)) => {
            let peer = joined.peer.id.clone();
            if line.send(&message).await.is_err() {
                let _gone = app.node().leave(peer, LeaveReason::Left).await;
                return None;
            }
            Some((joined.notices, peer))
        }
        Err(message) => {
            refuse(line, message).await;
            None
        }
    }
}

async fn refuse(line: &mut Line, message: ServerMessage) {
    if line.send(&message).await.is_ok() {
        line.close(POLICY_VIOLATION, "see the error message").await;
    }
}

async fn enter(
    app: &App,
    token: String,
    name: Option<String>,
) -> Result<(Joined, ServerMessage), ServerMessage> {
    let claims = app.tokens().verify(&token).map_err(|error| ServerMessage::token_error(&error))?;
    if claims.room == "*" {
        // The message names no room; the token has to.
        return Err(ServerMessage::token_error(&TokenError::Room));
    }
    // A name in the token is the issuer's word; the client's own counts only without one.
    let name =
        claims.name.clone().or(name).or_else(|| claims.sub.clone()).unwrap_or_else(|| "Guest".to_owned());
    let request = JoinRequest {
        room: claims.room.clone(),
        identity: claims.sub.clone(),
        name,
        grants: grants_of(&claims),
        news: true,
    };
    let joined = app.node().join(request).await.map_err(|error| ServerMessage::node_error(None, &error))?;
    let message = ServerMessage::joined(&joined, claims.grants);
    Ok((joined, message))
}

struct Session<'a> {
    app: &'a App,
    line: &'a mut Line,
    peer: PeerId,
    notices: mpsc::Receiver<Notice>,
}

impl Session<'_> {
    async fn serve(mut self) -> End {
        let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        let mut heard = Instant::now();
        loop {
            if let Err(end) = self.turn(&mut ping, &mut heard).await {
                return end;
            }
        }
    }

    /// Waits for whatever comes next, and deals with it.
    async fn turn(&mut self, ping: &mut Interval, heard: &mut Instant) -> Result<(), End> {
        tokio::select! {
            notice = self.notices.recv() => self.notice(notice).await,
            received = self.line.receive() => {
                *heard = Instant::now();
                match received? {
                    Some(text) => self.request(&text).await,
                    None => Ok(()),
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > IDLE {
                    self.line.close(POLICY_VIOLATION, "idle").await;
                    return Err(End::Silent);
                }
                self.line.send_raw(Message::Ping(Default::default())).await
            }
        }
    }

    async fn notice(&mut self, notice: Option<Notice>) -> Result<(), End> {
        let Some(notice) = notice else {
            // The node cut us off: this reader was too slow.
            let closed = Notice::Closed { reason: CloseReason::Timeout };
            self.line.send(&closed).await?;
            self.line.close(POLICY_VIOLATION, "too slow").await;
            return Err(End::Silent);
        };
        self.line.send(&notice).await?;
        if matches!(notice, Notice::Closed { .. }) {
            self.line.close(NORMAL, "closed").await;
            return Err(End::Closed);
        }
        Ok(())
    }

    async fn request(&mut self, text: &str) -> Result<(), End> {
        let message = match parse(text) {
            Ok(message) => message,
            Err(bad) => {
                return self.line.send(&ServerMessage::error(bad.id, "bad_message", bad.message)).await;
            }
        };
        let node = self.app.node();
        let reply = match message {
            ClientMessage::Join { .. } => Some(ServerMessage::error(
                None,
                "already_joined",
                "this connection has joined already; open another one",
            )),
            ClientMessage::Offer { id, sdp, publish, subscribe } => {
                let answer = node.negotiate(self.peer.clone(), negotiation(sdp, publish, subscribe)).await;
                Some(answer.map_or_else(
                    |error| ServerMessage::node_error(Some(id), &error),
                    |answer| ServerMessage::Answer { id, answer },
                ))
            }
            ClientMessage::Mute { track, muted } => node
                .mute(self.peer.clone(), track, muted)
                .await
                .err()
                .map(|error| ServerMessage::node_error(None, &error)),
            ClientMessage::Stats {} => Some(match node.stats(self.peer.clone()).await {
                Ok(stats) => ServerMessage::Stats { stats: Box::new(stats) },
                Err(error) => ServerMessage::node_error(None, &error),
            }),
            ClientMessage::Ping {} => Some(ServerMessage::Pong {}),
            ClientMessage::Leave {} => {
                self.line.close(NORMAL, "left").await;
                return Err(End::Left);
            }
        };
        match reply {
            Some(reply) => self.line.send(&reply).await,
            None => Ok(()),
        }
    }
}
