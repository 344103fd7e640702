//! One peer connection of webrtc-rs on one UDP socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use kaname_bench::client::{ClientError, Kind, Way};
use rtc::crypto::providers::AwsLcRsProvider;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{
    RTCRtpReceiverId, RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverInit,
};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout_at;

use super::feedback::Listen;
use super::{Options, Packet, Seen, Video};

const PT_OPUS: u8 = 111;
const PT_VIDEO: u8 = 96;
const PT_RTX: u8 = 97;
/// SSRCs of what is sent.
const SSRC_AUDIO: u32 = 0x0a0a_0a0a;
const SSRC_VIDEO: u32 = 0x0b0b_0b0b;
/// Next to the application, behind all that the stack itself does with feedback.
const LISTENER: usize = 14_000;
/// No datagram of the node is larger.
const DATAGRAM_MAX: usize = 2_000;
/// A stack without a timer is asked again after this.
const IDLE: Duration = Duration::from_secs(1);

/// What a client is told to do.
pub(super) enum Command {
    Send(Packet),
    Lose(Way, Kind),
    AskForKeyFrame,
}

/// The session.
pub(super) struct Session {
    pub(super) seen: watch::Sender<Seen>,
    connection: RTCPeerConnection,
    socket: UdpSocket,
    local: SocketAddr,
    senders: Vec<(Kind, RTCRtpSenderId)>,
    /// The m-line that takes pictures, and under which SSRC they come.
    picture: Option<(RTCRtpReceiverId, Option<u32>)>,
    /// Packets that the network is to lose.
    losses: Vec<(Way, Kind)>,
}

fn stack(error: impl std::fmt::Display) -> ClientError {
    ClientError::Rtc(error.to_string())
}

impl Session {
    pub(super) async fn publisher(options: Options) -> Result<Session, ClientError> {
        let mut session = Session::new(options).await?;
        for (kind, ssrc, codec) in
            [(Kind::Audio, SSRC_AUDIO, opus()), (Kind::Video, SSRC_VIDEO, video(options.video))]
        {
            let encoding = RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
                active: true,
                codec: codec.rtp_codec,
                ..Default::default()
            };
            let name = format!("{kind:?}");
            let track =
                MediaStreamTrack::new("stream".into(), name.clone(), name, codec_kind(kind), vec![encoding]);
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Sendonly,
                ..Default::default()
            };
            let connection = &mut session.connection;
            let line = connection.add_transceiver_from_track(track, Some(init)).map_err(stack)?;
            let sender = connection.rtp_transceiver(line).and_then(|line| line.sender());
            session.senders.push((kind, sender.ok_or_else(|| stack("no sender"))?));
        }
        Ok(session)
    }

    pub(super) async fn player(options: Options) -> Result<Session, ClientError> {
        let mut session = Session::new(options).await?;
        for kind in [Kind::Audio, Kind::Video] {
            let connection = &mut session.connection;
            let line = connection.add_transceiver_from_kind(codec_kind(kind), None).map_err(stack)?;
            let receiver = connection.rtp_transceiver(line).and_then(|line| line.receiver());
            if kind == Kind::Video {
                session.picture = receiver.map(|receiver| (receiver, None));
            }
        }
        Ok(session)
    }

    async fn new(options: Options) -> Result<Session, ClientError> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let local = socket.local_addr()?;
        let mut engine = MediaEngine::default();
        for (codec, kind) in [
            (opus(), RtpCodecKind::Audio),
            (video(options.video), RtpCodecKind::Video),
            (repair(), RtpCodecKind::Video),
        ] {
            engine.register_codec(codec, kind).map_err(stack)?;
        }
        let registry = register_default_interceptors(Registry::new(), &mut engine).map_err(stack)?;
        let seen = watch::Sender::new(Seen::default());
        let registry = registry.with(Slot::from(LISTENER), Listen::new(seen.clone()));
        let settings = SettingEngineBuilder::new()
            .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
            .with_srtp_protection_profiles(vec![options.profile])
            .build();
        let connection = RTCPeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .build(Instant::now())
            .map_err(stack)?;
        Ok(Session {
            seen,
            connection,
            socket,
            local,
            senders: Vec::new(),
            picture: None,
            losses: Vec::new(),
        })
    }

    /// The offer, with the socket's address as its only candidate.
    pub(super) fn offer(&mut self) -> Result<String, ClientError> {
        let base_config = CandidateConfig {
            network: "udp".to_owned(),
            address: self.local.ip().to_string(),
            port: self.local.port(),
            component: 1,
            ..Default::default()
        };
        let candidate = CandidateHostConfig { base_config, ..Default::default() };
        let candidate = candidate.new_candidate_host().map_err(stack)?;
        let candidate = RTCIceCandidate::from(&candidate).to_json().map_err(stack)?;
        self.connection.add_local_candidate(candidate).map_err(stack)?;
        let offer = self.connection.create_offer(None).map_err(stack)?;
        self.connection.set_local_description(Instant::now(), offer).map_err(stack)?;
        Ok(self.connection.local_description().ok_or_else(|| stack("no offer"))?.sdp)
    }

    pub(super) fn accept(&mut self, answer: String) -> Result<(), ClientError> {
        let answer = RTCSessionDescription::answer(answer).map_err(stack)?;
        self.connection.set_remote_description(Instant::now(), answer).map_err(stack)
    }

    /// Serves the session until its owner drops the queue.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        heard: mpsc::UnboundedSender<Packet>,
    ) {
        let ended = match self.serve(&mut commands, &heard).await {
            Ok(()) => "left".to_owned(),
            Err(error) => error.to_string(),
        };
        self.seen.send_modify(|s| s.ended = Some(ended));
    }

    async fn serve(
        &mut self,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        heard: &mpsc::UnboundedSender<Packet>,
    ) -> Result<(), ClientError> {
        let mut buffer = vec![0; DATAGRAM_MAX];
        loop {
            self.pump(heard).await?;
            let due = self.connection.poll_timeout().unwrap_or_else(|| Instant::now() + IDLE);
            let socket = &self.socket;
            let next = async {
                // A loss that was ordered comes ahead of the packets that it is meant for.
                tokio::select! {
                    biased;
                    command = commands.recv() => Next::Command(command),
                    datagram = socket.recv_from(&mut buffer) => Next::Datagram(datagram),
                }
            };
            match timeout_at(due.into(), next).await {
                Ok(Next::Command(Some(command))) => self.obey(command)?,
                Ok(Next::Command(None)) => {
                    self.connection.close().map_err(stack)?;
                    return self.pump(heard).await;
                }
                Ok(Next::Datagram(datagram)) => {
                    let (length, from) = datagram?;
                    self.take(&buffer[..length], from)?;
                }
                Err(_due) => self.connection.handle_timeout(Instant::now()).map_err(stack)?,
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), ClientError> {
        match command {
            Command::Send(packet) => self.send(packet),
            Command::Lose(way, kind) => {
                self.losses.push((way, kind));
                Ok(())
            }
            Command::AskForKeyFrame => {
                let Some((receiver, Some(media_ssrc))) = self.picture else { return Ok(()) };
                let wish = PictureLossIndication { sender_ssrc: 0, media_ssrc };
                let receiver = self.connection.rtp_receiver(receiver);
                let mut receiver = receiver.ok_or_else(|| stack("no receiver"))?;
                receiver.write_rtcp(Instant::now(), vec![Box::new(wish)]).map_err(stack)
            }
        }
    }

    fn send(&mut self, packet: Packet) -> Result<(), ClientError> {
        let sender = self.senders.iter().find(|(kind, _)| *kind == packet.kind).map(|(_, id)| *id);
        let sender = sender.and_then(|id| self.connection.rtp_sender(id));
        let mut sender = sender.ok_or_else(|| stack("no sender"))?;
        let (payload_type, ssrc) = match packet.kind {
            Kind::Audio => (PT_OPUS, SSRC_AUDIO),
            Kind::Video => (PT_VIDEO, SSRC_VIDEO),
        };
        let header = rtc::rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type,
            sequence_number: packet.number,
            timestamp: packet.timestamp,
            ssrc,
            ..Default::default()
        };
        let packet = rtc::rtp::Packet { header, payload: packet.payload };
        sender.write_rtp(Instant::now(), packet).map_err(stack)
    }

    fn take(&mut self, datagram: &[u8], from: SocketAddr) -> Result<(), ClientError> {
        if self.loses(Way::In, datagram) {
            return Ok(());
        }
        let transport = TransportContext {
            local_addr: self.local,
            peer_addr: from,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let message = TaggedBytesMut { now: Instant::now(), transport, message: BytesMut::from(datagram) };
        self.connection.handle_read(message).map_err(stack)?;
        if payload_type(datagram) == Some(PT_RTX) {
            self.seen.send_modify(|s| s.repairs.1 += 1);
        }
        Ok(())
    }

    /// Sends what the stack wants sent, and hands out what it says.
    async fn pump(&mut self, heard: &mpsc::UnboundedSender<Packet>) -> Result<(), ClientError> {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.seen.send_modify(|s| s.connected = state == RTCPeerConnectionState::Connected);
                if state == RTCPeerConnectionState::Failed {
                    return Err(stack("the connection failed"));
                }
            }
        }
        while let Some(message) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message.message {
                // Its owner may look no longer.
                let _ = heard.send(self.hear(packet));
            }
        }
        while let Some(datagram) = self.connection.poll_write() {
            if payload_type(&datagram.message) == Some(PT_RTX) {
                self.seen.send_modify(|s| s.repairs.0 += 1);
            }
            if !self.loses(Way::Out, &datagram.message) {
                self.socket.send_to(&datagram.message, datagram.transport.peer_addr).await?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, packet: rtc::rtp::Packet) -> Packet {
        let header = packet.header;
        let kind = if header.payload_type == PT_OPUS { Kind::Audio } else { Kind::Video };
        if let (Kind::Video, Some((_, ssrc))) = (kind, &mut self.picture) {
            *ssrc = Some(header.ssrc);
        }
        Packet {
            kind,
            number: header.sequence_number,
            timestamp: header.timestamp,
            marker: header.marker,
            payload: packet.payload,
        }
    }

    fn loses(&mut self, way: Way, datagram: &[u8]) -> bool {
        let kind = match payload_type(datagram) {
            Some(PT_OPUS) => Kind::Audio,
            Some(PT_VIDEO) => Kind::Video,
            _ => return false,
        };
        let due = self.losses.iter().position(|loss| *loss == (way, kind));
        due.map(|at| self.losses.remove(at)).is_some()
    }
}

/// What woke a session.
enum Next {
    Command(Option<Command>),
    Datagram(std::io::Result<(usize, SocketAddr)>),
}

/// RFC 7983 section 7: media begins with 128 to 191; RFC 5761 section 4: 192 to 223 behind it is RTCP.
fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

/// The payload type of an RTP packet: SRTP leaves it legible.
fn payload_type(datagram: &[u8]) -> Option<u8> {
    match datagram {
        [128..=191, second, ..] if !is_rtcp(datagram) => Some(second & 0x7f),
        _ => None,
    }
}

fn codec_kind(kind: Kind) -> RtpCodecKind {
    match kind {
        Kind::Audio => RtpCodecKind::Audio,
        Kind::Video => RtpCodecKind::Video,
    }
}

fn codec(
    name: &str,
    clock_rate: u32,
    channels: u16,
    format: &str,
    payload_type: u8,
) -> RTCRtpCodecParameters {
    let rtp_codec = RTCRtpCodec {
        mime_type: name.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: format.to_owned(),
        rtcp_feedback: Vec::new(),
    };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

fn opus() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1", PT_OPUS)
}

fn video(video: Video) -> RTCRtpCodecParameters {
    const H264: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    let mut made = match video {
        Video::Vp8 => codec(MIME_TYPE_VP8, 90_000, 0, "", PT_VIDEO),
        Video::H264 => codec(MIME_TYPE_H264, 90_000, 0, H264, PT_VIDEO),
    };
    let feedback =
        |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    made.rtp_codec.rtcp_feedback =
        vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")];
    made
}

fn repair() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_RTX, 90_000, 0, &format!("apt={PT_VIDEO}"), PT_RTX)
}
