//! The media half of a client, whatever its signalling: one session, what it sends and what it receives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use str0m::channel::ChannelId;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::{Event, IceConnectionState};
use tokio::sync::watch;

use super::ClientError;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::session::{Happened, Session, SessionOptions};
use super::state::{Heard, Kind, PeerState};
use crate::stamp::{Content, Ledger};

/// The label of the channel that carries text between people.
pub const CHAT: &str = "chat";

/// Session, sources, checks.
pub struct Media {
    /// The WebRTC session.
    pub session: Session,
    /// What has been seen.
    pub state: watch::Sender<PeerState>,
    ledger: Arc<Ledger>,
    /// Number of this client, in the ledger as a subscriber and in its pictures as a sender.
    number: u16,
    outgoing: Vec<Outgoing>,
    incoming: HashMap<Mid, (String, Incoming)>,
    channels: HashMap<ChannelId, String>,
    sending: bool,
}

impl Media {
    /// A client of this number, not connected yet.
    pub async fn new(
        options: &SessionOptions,
        number: u16,
        ledger: Arc<Ledger>,
    ) -> Result<Media, ClientError> {
        Ok(Media {
            session: Session::new(options).await?,
            state: watch::Sender::new(PeerState::default()),
            ledger,
            number,
            outgoing: Vec::new(),
            incoming: HashMap::new(),
            channels: HashMap::new(),
            sending: false,
        })
    }

    /// Lets the sources run, or holds them.
    pub fn set_sending(&mut self, sending: bool) {
        self.sending = sending;
        for outgoing in &mut self.outgoing {
            outgoing.pause(!sending);
        }
    }

    /// Pauses one source, or lets it go on.
    pub fn pause(&mut self, kind: Kind, paused: bool) {
        for outgoing in self.outgoing.iter_mut().filter(|o| o.kind == kind) {
            outgoing.pause(paused);
        }
    }

    /// Begins a source on an m-line that the node accepted as this track.
    pub fn publish(&mut self, mid: Mid, track: &str, kind: Kind) -> Result<(), ClientError> {
        if self.outgoing.iter().any(|o| o.mid == mid) {
            return Ok(());
        }
        let mut outgoing = Outgoing::new(mid, track.to_owned(), kind, self.number)?;
        outgoing.pause(!self.sending);
        self.outgoing.push(outgoing);
        self.state.send_modify(|s| {
            s.published.insert(track.to_owned(), kind);
        });
        Ok(())
    }

    /// Expects a track on an m-line.
    pub fn subscribe(&mut self, mid: Mid, track: &str, heard: Heard) -> Result<(), ClientError> {
        if self.incoming.get(&mid).is_some_and(|(t, _)| t == track) {
            return Ok(());
        }
        self.ledger.watch(track, u32::from(self.number));
        let incoming = Incoming::new(heard.kind, heard.sender)?;
        self.incoming.insert(mid, (track.to_owned(), incoming));
        self.state.send_modify(|s| {
            s.heard.insert(track.to_owned(), heard);
        });
        Ok(())
    }

    /// Expects a track no more; the m-line it came on.
    pub fn unsubscribe(&mut self, track: &str) -> Option<Mid> {
        let mid = self.incoming.iter().find(|(_, (t, _))| t == track).map(|(mid, _)| *mid)?;
        self.incoming.remove(&mid);
        self.ledger.unwatch(track, u32::from(self.number));
        self.state.send_modify(|s| {
            s.heard.remove(track);
        });
        Some(mid)
    }

    /// Sends text over an open channel; whether there was one of this label.
    pub fn send_text(&mut self, label: &str, text: &str) -> Result<bool, ClientError> {
        let id = self.channels.iter().find(|(_, l)| *l == label).map(|(id, _)| *id);
        let Some(mut channel) = id.and_then(|id| self.session.rtc.channel(id)) else { return Ok(false) };
        let written = channel.write(false, text.as_bytes())?;
        self.session.pump()?;
        Ok(written)
    }

    /// When the next sound or picture is due, if any is to be sent.
    pub fn due(&self) -> Option<Instant> {
        if !self.session.rtc.is_connected() || !self.sending {
            return None;
        }
        self.outgoing.iter().map(Outgoing::due).min()
    }

    /// Makes and sends what is due.
    pub fn send_due(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        for outgoing in &mut self.outgoing {
            outgoing.send_due(&mut self.session, &self.ledger, now)?;
        }
        self.take_events()
    }

    /// Waits for the network or the stack's timer, and takes in what came. Cancel safe.
    pub async fn wait(&mut self) -> Result<(), ClientError> {
        self.session.wait().await?;
        self.take_events()
    }

    /// Takes in what the stack has to say.
    pub fn take_events(&mut self) -> Result<(), ClientError> {
        while let Some(happened) = self.session.next_event() {
            self.take_event(happened)?;
        }
        let repairs = self.session.repairs();
        self.state.send_if_modified(|s| std::mem::replace(&mut s.repairs, repairs) != repairs);
        Ok(())
    }

    fn take_event(&mut self, happened: Happened) -> Result<(), ClientError> {
        match happened.event {
            Event::Connected => {
                let dtls = self.session.rtc.direct_api().dtls_protocol_version().map(|v| format!("{v:?}"));
                self.state.send_modify(|s| {
                    s.connected = true;
                    s.disconnected = false;
                    s.dtls = dtls;
                });
            }
            Event::IceConnectionStateChange(ice) => self.state.send_modify(|s| {
                s.disconnected = ice == IceConnectionState::Disconnected;
            }),
            Event::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let mid = self.session.rtc.direct_api().stream_rx(&ssrc).map(|s| s.mid());
                let Some((track, incoming)) = mid.and_then(|mid| self.incoming.get_mut(&mid)) else {
                    return Ok(());
                };
                let content = Content::of(&packet.payload);
                self.ledger.received(track, u32::from(self.number), content, happened.at_ns);
                self.state.send_modify(|s| {
                    if let Some(heard) = s.heard.get_mut(track) {
                        incoming.take(&packet, heard);
                    }
                });
            }
            Event::KeyframeRequest(request) => {
                for outgoing in self.outgoing.iter_mut().filter(|o| o.mid == request.mid) {
                    outgoing.want_key_frame();
                }
                self.state.send_modify(|s| s.key_frame_requests += 1);
            }
            Event::ChannelOpen(id, label) => {
                self.channels.insert(id, label.clone());
                self.state.send_modify(|s| s.channels.push(label));
            }
            Event::ChannelData(data) => {
                let label = self.channels.get(&data.id).cloned().unwrap_or_default();
                let text = String::from_utf8_lossy(&data.data).into_owned();
                self.state.send_modify(|s| s.messages.push((label, text)));
            }
            Event::ChannelClose(id) => {
                if let Some(label) = self.channels.remove(&id) {
                    self.state.send_modify(|s| s.channels.retain(|l| *l != label));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// str0m's word for a kind.
pub fn media_kind(kind: Kind) -> MediaKind {
    match kind {
        Kind::Audio => MediaKind::Audio,
        Kind::Video => MediaKind::Video,
    }
}

/// Adds the m-lines of a publisher to an offer: mid and kind of each.
pub fn add_sources(api: &mut str0m::change::SdpApi<'_>, kinds: &[Kind]) -> Vec<(Mid, Kind)> {
    kinds
        .iter()
        .map(|&kind| (api.add_media(media_kind(kind), Direction::SendOnly, None, None, None), kind))
        .collect()
}
