//! A client on webrtc-rs, by WHIP and WHEP. It sends and hands out RTP packets as they are: no codec is in the way.

mod feedback;
mod session;

use bytes::Bytes;
use kaname_bench::client::{ClientError, Kind, Way, web};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use tokio::sync::{mpsc, watch};

use session::{Command, Session};

/// The codec of the pictures that a client sends or takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Video {
    Vp8,
    H264,
}

/// How a client speaks WebRTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) video: Video,
    /// The only SRTP profile that it offers.
    pub(crate) profile: SrtpProtectionProfile,
}

/// An RTP packet, as far as the far side must get it back. The node renumbers sequence and timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) number: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Bytes,
}

/// What a client has seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// ICE and DTLS stand.
    pub(crate) connected: bool,
    /// Asked for by the node, as PLI or FIR.
    pub(crate) key_frame_requests: u32,
    /// Messages of the node that ask for lost packets.
    pub(crate) nacks: u32,
    /// RTX packets sent, and received.
    pub(crate) repairs: (u32, u32),
    /// Why the session ended, once it has.
    pub(crate) ended: Option<String>,
}

/// A running client. Dropping it says goodbye by DTLS.
pub(crate) struct Client {
    commands: mpsc::UnboundedSender<Command>,
    packets: mpsc::UnboundedReceiver<Packet>,
    seen: watch::Receiver<Seen>,
    resource: String,
    token: String,
}

impl Client {
    /// Publishes sound and pictures at a WHIP endpoint.
    pub(crate) async fn publish(url: &str, token: &str, options: Options) -> Result<Client, ClientError> {
        Client::start(Session::publisher(options).await?, url, token).await
    }

    /// Plays sound and pictures of a WHEP endpoint.
    pub(crate) async fn play(url: &str, token: &str, options: Options) -> Result<Client, ClientError> {
        Client::start(Session::player(options).await?, url, token).await
    }

    async fn start(mut session: Session, url: &str, token: &str) -> Result<Client, ClientError> {
        let offer = session.offer()?;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/sdp")];
        let made = web::request("POST", url, &headers, offer, &web::Trust::Plain).await?;
        if made.status != 201 {
            return Err(ClientError::Refused { code: made.status.to_string(), message: made.body });
        }
        let place = made.header("location").ok_or_else(|| ClientError::Protocol("no Location".into()))?;
        let origin = url.find("/wh").map_or(url, |at| &url[..at]);
        let resource = format!("{origin}{place}");
        session.accept(made.body)?;
        let (commands, queue) = mpsc::unbounded_channel();
        let (heard, packets) = mpsc::unbounded_channel();
        let seen = session.seen.subscribe();
        tokio::spawn(session.run(queue, heard));
        Ok(Client { commands, packets, seen, resource, token: token.to_owned() })
    }

    /// Waits until what it has seen satisfies a condition; fails when the session ends first.
    pub(crate) async fn until(&mut self, condition: impl Fn(&Seen) -> bool) -> Result<Seen, ClientError> {
        let seen = self.seen.wait_for(|s| condition(s) || s.ended.is_some()).await;
        let seen = seen.map_err(|_| ClientError::Closed("the client's task ended".into()))?.clone();
        if condition(&seen) {
            return Ok(seen);
        }
        Err(ClientError::Closed(seen.ended.unwrap_or_default()))
    }

    /// What it has seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// The next packet that came. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Packet, ClientError> {
        let ended = || ClientError::Closed(self.seen.borrow().ended.clone().unwrap_or_default());
        self.packets.recv().await.ok_or_else(ended)
    }

    /// Sends a packet.
    pub(crate) fn send(&self, packet: Packet) {
        self.tell(Command::Send(packet));
    }

    /// The network loses the next packet of a kind.
    pub(crate) fn lose(&self, way: Way, kind: Kind) {
        self.tell(Command::Lose(way, kind));
    }

    /// Sends a PLI for the picture that comes.
    pub(crate) fn ask_for_key_frame(&self) {
        self.tell(Command::AskForKeyFrame);
    }

    /// Ends the session by HTTP; the status of the answer.
    pub(crate) async fn leave(self) -> Result<u16, ClientError> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        let answer = web::request("DELETE", &self.resource, &headers, "", &web::Trust::Plain).await?;
        Ok(answer.status)
    }

    fn tell(&self, command: Command) {
        // A client that has ended takes no commands; what it has seen says why.
        let _ = self.commands.send(command);
    }
}
