//! An engine that writes down what it is told, offers in the form of a browser, and randomness from a seed.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use kaname_engine::audio::{AudioCommand, Output};
use kaname_engine::core::Command;
use kaname_engine::core::command::{LegId, LinkId, PayloadMap, SenderConfig, StreamConfig, Transport};
use kaname_engine::{CountersSnapshot, DataKind, DtlsParams, EngineBusy, ShardId};

use super::super::engine::{MediaEngine, Refused};
use super::super::names::Random;

/// Bytes of a counter, spread: the same in every run.
pub(super) fn random() -> Random {
    let mut state = 0x243f_6a88_85a3_08d3_u64;
    Random(Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 33) as u8;
        }
    }))
}

pub(super) struct FakeEngine {
    shards: usize,
    told: Mutex<Vec<String>>,
    /// Its queues take no commands.
    pub(super) full: AtomicBool,
    /// Its workers take no handshakes.
    pub(super) busy: AtomicBool,
    pub(super) audio_workers: AtomicUsize,
    /// By shard.
    pub(super) busy_permille: Vec<AtomicU32>,
}

impl FakeEngine {
    pub(super) fn new(shards: usize) -> FakeEngine {
        let busy_permille = (0..shards).map(|_| AtomicU32::new(0)).collect();
        FakeEngine {
            shards,
            told: Mutex::default(),
            full: false.into(),
            busy: false.into(),
            audio_workers: 1.into(),
            busy_permille,
        }
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().expect("not poisoned"))
    }

    fn note(&self, shard: ShardId, line: String) {
        let line = if self.shards > 1 { format!("shard {}: {line}", shard.0) } else { line };
        self.told.lock().expect("not poisoned").push(line);
    }
}

impl MediaEngine for FakeEngine {
    fn shards(&self) -> usize {
        self.shards
    }

    fn addresses(&self, shard: ShardId) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([192, 0, 2, 1], 7_000 + shard.0 as u16))]
    }

    fn fingerprint(&self) -> String {
        "sha-256 0A:0B".into()
    }

    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Refused::Full(command));
        }
        self.note(shard, describe(&command));
        Ok(())
    }

    fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        if self.busy.load(Ordering::Relaxed) {
            return Err(EngineBusy::Full);
        }
        let data = if dtls.data_channels { "with data" } else { "without data" };
        self.note(shard, format!("secure leg {} {data} {}", leg.0, dtls.max_message_size));
        Ok(())
    }

    fn close(&self, shard: ShardId, leg: LegId) -> Result<(), EngineBusy> {
        self.note(shard, format!("close leg {}", leg.0));
        Ok(())
    }

    fn send_data(
        &self,
        shard: ShardId,
        leg: LegId,
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) -> Result<(), EngineBusy> {
        let data = String::from_utf8_lossy(&data).into_owned();
        self.note(shard, format!("data leg {} channel {channel} {kind:?} {data}", leg.0));
        Ok(())
    }

    fn audio_workers(&self) -> usize {
        self.audio_workers.load(Ordering::Relaxed)
    }

    fn audio_index(&self, worker: usize) -> usize {
        self.shards + worker
    }

    fn audio_counters(&self, _: usize) -> CountersSnapshot {
        CountersSnapshot::default()
    }

    fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), AudioCommand> {
        if self.full.load(Ordering::Relaxed) {
            return Err(command);
        }
        self.told.lock().expect("not poisoned").push(format!("audio {worker}: {}", describe_audio(&command)));
        Ok(())
    }

    fn busy_permille(&self, shard: ShardId) -> u32 {
        self.busy_permille[shard.0].load(Ordering::Relaxed)
    }

    fn counters(&self, shard: ShardId) -> CountersSnapshot {
        CountersSnapshot { values: vec![("packets", 7 + shard.0 as u64)], drops: vec![("bad_tag", 2)] }
    }
}

/// A command in a few words.
fn describe(command: &Command) -> String {
    match command {
        Command::AddLeg(config) => match &config.transport {
            Transport::Ice(ice) => format!("add leg {} for {}", config.leg.0, ice.remote_ufrag),
            Transport::Ports(ports) => format!("add leg {} on port {}", config.leg.0, ports.rtp),
        },
        Command::RestartIce { leg, ice } => format!("restart leg {} for {}", leg.0, ice.remote_ufrag),
        Command::SetExtensions { leg, extensions } => {
            format!("extensions leg {} mid {:?} rid {:?}", leg.0, extensions.mid, extensions.rid)
        }
        Command::RemoveLeg { leg } => format!("remove leg {}", leg.0),
        Command::AddStream { leg, stream, config } => {
            format!("add stream {} leg {} {}", stream.0, leg.0, stream_words(config))
        }
        Command::RemoveStream { stream } => format!("remove stream {}", stream.0),
        Command::AddSender { leg, sender, config } => {
            format!("add sender {} leg {} {}", sender.0, leg.0, sender_words(config))
        }
        Command::RemoveSender { sender } => format!("remove sender {}", sender.0),
        Command::Route { sender, stream, payload_types } => {
            format!("route {} to {} {}", stream.0, sender.0, map_words(payload_types))
        }
        Command::MuteStream { stream, muted } => format!("mute stream {} {muted}", stream.0),
        Command::RequestKeyFrame { stream } => format!("key frame {}", stream.0),
        Command::QueryStats { leg, token } => format!("stats leg {} token {token}", leg.0),
        Command::ExportStream { stream, link, to } => {
            format!("export stream {} to {to} link {}", stream.0, link.0)
        }
        Command::EndExport { link } => format!("end link {}", link.0),
        Command::ImportStream { stream, link, from, config } => {
            format!("import stream {} from {from} link {} {:?}", stream.0, link.0, config.kind)
        }
        other => format!("{other:?}"),
    }
}

/// The same of an audio worker's.
fn describe_audio(command: &AudioCommand) -> String {
    let to = |outputs: &[Output]| {
        let words: Vec<String> = outputs.iter().map(|o| format!("{}/{}", o.shard.0, o.link.0)).collect();
        words.join(",")
    };
    let from = |link: Option<LinkId>| link.map_or("-".to_owned(), |link| link.0.to_string());
    match command {
        AudioCommand::AddTranscoder { id, input, outputs, config } => {
            format!("transcoder {} from {} to {} {:?}", id.0, from(*input), to(outputs), config.sends.codec)
        }
        AudioCommand::AddPlayer { id, outputs, sends, .. } => {
            format!("player {} to {} {:?}", id.0, to(outputs), sends.codec)
        }
        AudioCommand::SetOutputs { id, outputs } => format!("outputs {} to {}", id.0, to(outputs)),
        AudioCommand::AddRoom { id, .. } => format!("room {}", id.0),
        AudioCommand::Join { room, id, input, outputs, .. } => {
            format!("join {} room {} from {} to {}", id.0, room.0, from(*input), to(outputs))
        }
        AudioCommand::Remove { id } => format!("remove {}", id.0),
        other => format!("{other:?}"),
    }
}

fn stream_words(config: &StreamConfig) -> String {
    let mut words = format!("{:?} mid {}", config.kind, config.mid.as_deref().unwrap_or("-"));
    if let Some(rid) = &config.rid {
        let _ = write!(words, " rid {rid}");
    }
    if let Some(ssrc) = config.ssrc {
        let _ = write!(words, " ssrc {ssrc}");
    }
    for payload in &config.payload_types {
        let _ = write!(words, " {:?} {}", payload.codec, payload.number);
        if let Some(rtx) = payload.rtx {
            let _ = write!(words, "/{rtx}");
        }
    }
    words
}

fn sender_words(config: &SenderConfig) -> String {
    let rtx = if config.rtx_ssrc.is_some() { "rtx" } else { "plain" };
    format!("{:?} mid {} {rtx}", config.kind, config.mid.as_deref().unwrap_or("-"))
}

fn map_words(map: &[PayloadMap]) -> String {
    let word = |m: &PayloadMap| format!("{}>{}", m.from, m.to);
    map.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// An offer in the making.
#[derive(Clone)]
pub(super) struct OfferText {
    pub(super) ufrag: String,
    pub(super) fingerprint: String,
    sections: Vec<(String, String)>,
    /// First payload type of video: what a subscriber calls VP8 need not be what the publisher does.
    first_pt: u8,
    video: &'static str,
}

impl OfferText {
    /// Of the client with this name: credentials, certificate and SSRCs are its own.
    pub(super) fn new(client: &str) -> OfferText {
        let hash: Vec<String> = (0..32).map(|i| format!("{:02X}", client.len() * 7 + i)).collect();
        OfferText {
            ufrag: format!("{client}ufrag"),
            fingerprint: format!("sha-256 {}", hash.join(":")),
            sections: Vec::new(),
            first_pt: 96,
            video: "VP8/90000",
        }
    }

    /// What video is called from here on.
    pub(super) fn codec(mut self, first_pt: u8, video: &'static str) -> OfferText {
        (self.first_pt, self.video) = (first_pt, video);
        self
    }

    fn ssrc(&self) -> u32 {
        1_000 + 10 * self.sections.len() as u32
    }

    pub(super) fn audio(mut self, mid: &str, direction: &str) -> OfferText {
        let ssrc = self.ssrc();
        let lines = format!(
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
             a={direction}\na=rtcp-mux\na=rtpmap:111 opus/48000/2\na=rtpmap:63 red/48000/2\na=fmtp:63 111/111\n\
             a=ssrc:{ssrc} cname:x\n"
        );
        self.sections.push((mid.into(), format!("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\n{lines}")));
        self
    }

    pub(super) fn video(self, mid: &str, direction: &str) -> OfferText {
        let ssrc = self.ssrc();
        let group = format!("a=ssrc-group:FID {ssrc} {}\na=ssrc:{ssrc} cname:x\n", ssrc + 1);
        self.video_with(mid, direction, &group)
    }

    pub(super) fn simulcast(self, mid: &str, rids: &[&str]) -> OfferText {
        let mut lines = String::from(
            "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\n\
             a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\n",
        );
        for rid in rids {
            let _ = writeln!(lines, "a=rid:{rid} send");
        }
        let _ = writeln!(lines, "a=simulcast:send {}", rids.join(";"));
        self.video_with(mid, "sendonly", &lines)
    }

    fn video_with(mut self, mid: &str, direction: &str, more: &str) -> OfferText {
        let (pt, rtx, codec) = (self.first_pt, self.first_pt + 1, self.video);
        let lines = format!(
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\na={direction}\na=rtcp-mux\na=rtpmap:{pt} {codec}\n\
             a=rtcp-fb:{pt} nack\na=rtcp-fb:{pt} nack pli\na=rtpmap:{rtx} rtx/90000\na=fmtp:{rtx} apt={pt}\n{more}"
        );
        self.sections.push((mid.into(), format!("m=video 9 UDP/TLS/RTP/SAVPF {pt} {rtx}\n{lines}")));
        self
    }

    pub(super) fn data(mut self, mid: &str) -> OfferText {
        let lines =
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000\na=max-message-size:262144\n";
        self.sections.push((mid.into(), lines.into()));
        self
    }

    pub(super) fn text(&self) -> String {
        let mids: Vec<&str> = self.sections.iter().map(|(mid, _)| mid.as_str()).collect();
        let mut text =
            format!("v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE {}\n", mids.join(" "));
        for (mid, lines) in &self.sections {
            let _ = write!(
                text,
                "{lines}a=mid:{mid}\na=ice-ufrag:{}\na=ice-pwd:0123456789abcdefghijklmn\na=fingerprint:{}\na=setup:actpass\n",
                self.ufrag, self.fingerprint
            );
        }
        text.replace('\n', "\r\n")
    }
}
