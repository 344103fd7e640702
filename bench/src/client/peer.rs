//! A client that joins a room over the node's WebSocket, publishes, and subscribes to whatever there is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use str0m::change::SdpPendingOffer;
use str0m::media::{Direction, Mid};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;

use super::ClientError;
use super::media::{CHAT, Media, add_sources, media_kind};
use super::session::{Impair, SessionOptions};
use super::signal::{FromNode, PeerInfo, Publish, ToNode, TrackInfo};
use super::state::{self, Heard, Kind, PeerState};
use super::web::{self, Trust, WebSocket};
use crate::stamp::Ledger;

/// How often the WebSocket is kept alive. Well under any proxy's idle limit.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Commands waiting for a busy client.
const COMMANDS: usize = 64;

/// How a peer behaves.
#[derive(Clone)]
pub struct PeerOptions {
    /// The node's WebSocket.
    pub ws_url: String,
    /// Certificates to accept.
    pub trust: Trust,
    /// Join token.
    pub token: String,
    /// Name, without the number: the peer joins as `name-number`.
    pub name: String,
    /// Number, unique in the room: its pictures and sounds carry it.
    pub number: u16,
    /// What to publish.
    pub publish: Vec<Kind>,
    /// Whether to receive every track of the others.
    pub subscribe: bool,
    /// Whether to open the chat channel.
    pub chat: bool,
    /// Labels of further channels to open.
    pub channels: Vec<String>,
    /// How to speak WebRTC.
    pub session: SessionOptions,
    /// Where packets are entered.
    pub ledger: Arc<Ledger>,
    /// Changes each offer before it is sent, to see what the node makes of it.
    pub munge: Option<Munge>,
}

/// Changes an offer.
pub type Munge = Arc<dyn Fn(String) -> String + Send + Sync>;

impl PeerOptions {
    /// A peer that joins and does nothing else.
    pub fn new(ws_url: &str, token: &str, name: &str, number: u16) -> PeerOptions {
        PeerOptions {
            ws_url: ws_url.to_owned(),
            trust: Trust::Plain,
            token: token.to_owned(),
            name: name.to_owned(),
            number,
            publish: Vec::new(),
            subscribe: false,
            chat: false,
            channels: Vec::new(),
            session: SessionOptions::default(),
            ledger: Arc::new(Ledger::new()),
            munge: None,
        }
    }
}

enum Command {
    Sending(bool),
    Pause(Kind, bool),
    Mute(String, bool),
    Text { label: String, text: String },
    Impair(Option<Impair>),
    Mischief(bool),
    IceRestart,
    Leave,
}

/// A running peer. Dropping it ends its task without a goodbye.
pub struct Peer {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<PeerState>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Connects the WebSocket and joins; media follows on its own. Watch [`Peer::state`].
    pub async fn join(options: PeerOptions) -> Result<Peer, ClientError> {
        let mut socket = web::websocket(&options.ws_url, &options.trust).await?;
        let name = format!("{}-{}", options.name, options.number);
        send(&mut socket, &ToNode::Join { token: options.token.clone(), name }).await?;
        let media = Media::new(&options.session, options.number, Arc::clone(&options.ledger)).await?;
        let state = media.state.subscribe();
        let (commands, queue) = mpsc::channel(COMMANDS);
        let actor = Actor {
            options,
            socket,
            media,
            tracks: BTreeMap::new(),
            lines: HashMap::new(),
            spare: Vec::new(),
            sources: Vec::new(),
            pending: None,
            offers: 0,
            restart: false,
            opened: false,
        };
        let task = tokio::spawn(actor.run(queue));
        Ok(Peer { commands, state, task })
    }

    /// What it has seen so far.
    pub fn state(&self) -> PeerState {
        self.state.borrow().clone()
    }

    /// Waits until what it has seen satisfies a condition; fails when the session ends first, or nothing comes of it.
    pub async fn until(&mut self, condition: impl Fn(&PeerState) -> bool) -> Result<PeerState, ClientError> {
        state::until(&mut self.state, condition).await
    }

    /// Lets all sources run, or holds them.
    pub async fn set_sending(&self, sending: bool) {
        self.tell(Command::Sending(sending)).await;
    }

    /// Holds the sources of one kind, or lets them go on. The node is not told.
    pub async fn pause(&self, kind: Kind, paused: bool) {
        self.tell(Command::Pause(kind, paused)).await;
    }

    /// Tells the node that a track is muted or not.
    pub async fn mute(&self, track: &str, muted: bool) {
        self.tell(Command::Mute(track.to_owned(), muted)).await;
    }

    /// Sends text over a data channel.
    pub async fn send_text(&self, label: &str, text: &str) {
        self.tell(Command::Text { label: label.to_owned(), text: text.to_owned() }).await;
    }

    /// Puts a bad network in the way of media, or takes it away.
    pub async fn impair(&self, impair: Option<Impair>) {
        self.tell(Command::Impair(impair)).await;
    }

    /// Follows each RTP packet with copies that the node must refuse.
    pub async fn set_mischief(&self, mischief: bool) {
        self.tell(Command::Mischief(mischief)).await;
    }

    /// Renegotiates with new ICE credentials.
    pub async fn ice_restart(&self) {
        self.tell(Command::IceRestart).await;
    }

    /// Says goodbye and waits for the end.
    pub async fn leave(mut self) {
        self.tell(Command::Leave).await;
        let _ = (&mut self.task).await;
    }

    async fn tell(&self, command: Command) {
        // A peer that has ended takes no commands; its state says why.
        let _ = self.commands.send(command).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Actor {
    options: PeerOptions,
    socket: WebSocket,
    media: Media,
    /// Tracks to receive: by id, what they should bring.
    tracks: BTreeMap<String, Heard>,
    /// The m-line of each subscribed track.
    lines: HashMap<String, Mid>,
    /// m-lines that lost their track and can take another of the same kind.
    spare: Vec<(Mid, Kind)>,
    /// Own m-lines.
    sources: Vec<(Mid, Kind)>,
    pending: Option<(u64, SdpPendingOffer)>,
    offers: u64,
    restart: bool,
    opened: bool,
}

impl Actor {
    async fn run(mut self, queue: mpsc::Receiver<Command>) {
        let ended = match self.serve(queue).await {
            Ok(()) => "left".to_owned(),
            Err(error) => error.to_string(),
        };
        self.media.state.send_modify(|s| s.ended = Some(ended));
    }

    async fn serve(&mut self, mut queue: mpsc::Receiver<Command>) -> Result<(), ClientError> {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.media.due();
            let far = Instant::now() + PING_EVERY;
            tokio::select! {
                done = self.media.wait() => done?,
                () = tokio::time::sleep_until(due.map_or(far, Into::into)), if due.is_some() => {
                    self.media.send_due()?;
                }
                frame = self.socket.next() => match frame {
                    Some(frame) => self.take_frame(frame?).await?,
                    None => return Err(ClientError::Closed("the WebSocket ended".into())),
                },
                command = queue.recv() => match command {
                    Some(Command::Leave) | None => return self.leave().await,
                    Some(command) => self.obey(command).await?,
                },
                _ = ping.tick() => send(&mut self.socket, &ToNode::Ping).await?,
            }
        }
    }

    async fn leave(&mut self) -> Result<(), ClientError> {
        send(&mut self.socket, &ToNode::Leave).await?;
        self.socket.close(None).await?;
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), ClientError> {
        match command {
            Command::Sending(sending) => self.media.set_sending(sending),
            Command::Pause(kind, paused) => self.media.pause(kind, paused),
            Command::Mute(track, muted) => send(&mut self.socket, &ToNode::Mute { track, muted }).await?,
            Command::Text { label, text } => {
                self.media.send_text(&label, &text)?;
            }
            Command::Mischief(mischief) => self.media.session.set_mischief(mischief),
            Command::Impair(impair) => self.media.session.impair(impair),
            Command::IceRestart => {
                self.restart = true;
                self.negotiate().await?;
            }
            Command::Leave => {}
        }
        Ok(())
    }

    async fn take_frame(&mut self, frame: Message) -> Result<(), ClientError> {
        let Message::Text(text) = frame else { return Ok(()) };
        let message: FromNode =
            serde_json::from_str(&text).map_err(|e| ClientError::Protocol(format!("{e} in {text}")))?;
        match message {
            FromNode::Joined { peer, peers } => {
                self.media.state.send_modify(|s| s.id = Some(peer.id));
                for other in peers {
                    self.meet(other);
                }
                self.negotiate().await
            }
            FromNode::Answer { id, sdp, publish, subscribe } => {
                self.take_answer(id, &sdp, &publish, &subscribe).await
            }
            FromNode::Error { id: Some(_), code, message } => Err(ClientError::Refused { code, message }),
            FromNode::Error { id: None, code, message } => {
                self.media.state.send_modify(|s| s.refusals.push((code, message)));
                Ok(())
            }
            FromNode::PeerJoined { peer } => {
                self.meet(peer);
                self.negotiate().await
            }
            FromNode::PeerLeft { peer } => {
                self.media.state.send_modify(|s| {
                    s.peers.remove(&peer);
                });
                let gone: Vec<String> =
                    self.tracks.iter().filter(|(_, h)| h.peer == peer).map(|(t, _)| t.clone()).collect();
                for track in gone {
                    self.forget(&track);
                }
                self.negotiate().await
            }
            FromNode::TrackPublished { peer, track } => {
                self.learn(&peer, track);
                self.negotiate().await
            }
            FromNode::TrackUnpublished { track } => {
                self.forget(&track);
                self.negotiate().await
            }
            FromNode::TrackMuted { track, muted } => {
                self.media.state.send_modify(|s| {
                    if let Some(heard) = s.heard.get_mut(&track) {
                        heard.muted = muted;
                    }
                });
                Ok(())
            }
            FromNode::Speakers { peers } => {
                self.media.state.send_modify(|s| s.speakers = peers);
                Ok(())
            }
            FromNode::Closed { reason } => Err(ClientError::Closed(reason)),
            FromNode::Other => Ok(()),
        }
    }

    fn meet(&mut self, peer: PeerInfo) {
        self.media.state.send_modify(|s| {
            s.peers.insert(peer.id.clone(), peer.name.clone());
        });
        for track in peer.tracks {
            self.learn(&peer.id, track);
        }
    }

    fn learn(&mut self, peer: &str, track: TrackInfo) {
        if !self.options.subscribe {
            return;
        }
        let name = self.media.state.borrow().peers.get(peer).cloned().unwrap_or_default();
        let kind = if track.kind == "audio" { Kind::Audio } else { Kind::Video };
        let sender = name.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let heard = Heard { muted: track.muted, ..Heard::new(peer, sender, kind) };
        self.tracks.insert(track.id, heard);
    }

    fn forget(&mut self, track: &str) {
        let kind = self.tracks.remove(track).map(|h| h.kind);
        self.media.unsubscribe(track);
        if let (Some(mid), Some(kind)) = (self.lines.remove(track), kind) {
            self.spare.push((mid, kind));
        }
    }

    /// Offers what is wished and not yet agreed on, one offer at a time.
    async fn negotiate(&mut self) -> Result<(), ClientError> {
        if self.pending.is_some() || self.media.state.borrow().id.is_none() {
            return Ok(());
        }
        let fresh: Vec<(String, Kind)> = self
            .tracks
            .iter()
            .filter(|(track, _)| !self.lines.contains_key(*track))
            .map(|(track, heard)| (track.clone(), heard.kind))
            .collect();
        let mut spare = std::mem::take(&mut self.spare);
        let mut api = self.media.session.rtc.sdp_api();
        if !self.opened {
            self.opened = true;
            let chat = self.options.chat.then(|| CHAT.to_owned());
            for label in self.options.channels.iter().cloned().chain(chat) {
                api.add_channel(label);
            }
            self.sources = add_sources(&mut api, &self.options.publish);
        }
        for (track, kind) in fresh {
            let mid = match spare.iter().position(|(_, k)| *k == kind) {
                Some(at) => spare.remove(at).0,
                None => api.add_media(media_kind(kind), Direction::RecvOnly, None, None, None),
            };
            api.set_direction(mid, Direction::RecvOnly);
            self.lines.insert(track, mid);
        }
        for (mid, _) in &spare {
            api.set_direction(*mid, Direction::Inactive);
        }
        self.spare = spare;
        if std::mem::take(&mut self.restart) {
            api.ice_restart(true);
        }
        let Some((offer, pending)) = api.apply() else { return self.media.session.pump() };
        self.media.session.pump()?;
        self.offers += 1;
        self.pending = Some((self.offers, pending));
        let sdp = offer.to_sdp_string();
        let offer = ToNode::Offer {
            id: self.offers,
            sdp: self.options.munge.as_ref().map_or(sdp.clone(), |munge| munge(sdp)),
            publish: self.sources.iter().map(|(mid, kind)| (mid.to_string(), source_of(*kind))).collect(),
            subscribe: self.lines.iter().map(|(track, mid)| (mid.to_string(), track.clone())).collect(),
        };
        send(&mut self.socket, &offer).await
    }

    async fn take_answer(
        &mut self,
        id: u64,
        sdp: &str,
        publish: &BTreeMap<String, String>,
        subscribe: &BTreeMap<String, String>,
    ) -> Result<(), ClientError> {
        let Some((_, pending)) = self.pending.take_if(|(sent, _)| *sent == id) else {
            return Err(ClientError::Protocol(format!("an answer to offer {id}, which is not open")));
        };
        self.media.session.accept(pending, sdp)?;
        for (mid, kind) in self.sources.clone() {
            let track = publish
                .get(&mid.to_string())
                .ok_or_else(|| ClientError::Protocol(format!("no track for own m-line {mid}")))?;
            self.media.publish(mid, track, kind)?;
        }
        let agreed: Vec<(String, Mid)> = self
            .lines
            .iter()
            .filter(|(track, mid)| subscribe.get(&mid.to_string()).is_some_and(|t| t == *track))
            .map(|(track, mid)| (track.clone(), *mid))
            .collect();
        for (track, mid) in agreed {
            if let Some(heard) = self.tracks.get(&track) {
                self.media.subscribe(mid, &track, heard.clone())?;
            }
        }
        let own = self.media.session.rtc.direct_api().local_ice_credentials().ufrag;
        let theirs = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        let user = theirs.map(|theirs| format!("{}:{own}", theirs.trim()));
        self.media.state.send_modify(|s| {
            s.ice_user = user;
            s.negotiations += 1;
        });
        self.media.take_events()?;
        self.negotiate().await
    }
}

fn source_of(kind: Kind) -> Publish {
    Publish { source: if kind == Kind::Audio { "microphone" } else { "camera" } }
}

async fn send(socket: &mut WebSocket, message: &ToNode) -> Result<(), ClientError> {
    let text = serde_json::to_string(message).map_err(|e| ClientError::Protocol(e.to_string()))?;
    Ok(socket.send(Message::text(text)).await?)
}
