//! An engine that writes down what it is told, a clock that stands still, and a proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kaname_engine::audio::{AudioCommand, Codecs};
use kaname_engine::core::command::{LegId, Transport};
use kaname_engine::core::event::{Event, LegStats, StreamStats};
use kaname_engine::core::{Command, command::StreamId};
use kaname_engine::{Certificates, DtlsParams, DtlsPeer, EngineBusy, EngineEvent, PortError, ShardId};
use tokio::sync::mpsc;

use crate::calls::actor::Now;
use crate::calls::engine::{CallEngine, Refused};
use crate::calls::random::Random;
use crate::calls::state::State;
use crate::calls::{CallsConfig, Interface};
use crate::ng::{Asked, Dictionary, ReplyTo, Request, Writing};

/// Bytes of a counter, spread: the same in every run.
fn random() -> Random {
    let mut state = 0x243f_6a88_85a3_08d3_u64;
    Random(Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 33) as u8;
        }
    }))
}

pub(super) struct FakeEngine {
    told: Mutex<Vec<String>>,
    questions: Mutex<Vec<u64>>,
    next_port: AtomicU32,
    /// Its queues take no commands.
    pub(super) full: AtomicBool,
    codecs: Codecs,
}

impl FakeEngine {
    fn note(&self, line: String) {
        self.told.lock().expect("not poisoned").push(line);
    }
}

impl CallEngine for FakeEngine {
    fn shards(&self) -> usize {
        1
    }
    fn busy_permille(&self, _: ShardId) -> u32 {
        0
    }
    fn fingerprint(&self) -> String {
        format!("sha-256 {}", ["AB"; 32].join(":"))
    }
    fn open_port(&self, _: ShardId, address: SocketAddr) -> Result<u32, PortError> {
        let local = 256 + self.next_port.fetch_add(1, Ordering::Relaxed);
        self.note(format!("open {address}"));
        Ok(local)
    }
    fn close_port(&self, _: ShardId, local: u32) -> Result<(), EngineBusy> {
        self.note(format!("close {}", local - 256));
        Ok(())
    }
    fn set_port_tos(&self, _: ShardId, _: u32, _: u8) {}
    fn command(&self, _: ShardId, command: Command) -> Result<(), Refused<Command>> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Refused::Full(Box::new(command)));
        }
        if let Command::QueryStats { token, .. } = command {
            self.questions.lock().expect("not poisoned").push(token);
            return Ok(());
        }
        self.note(words(&command));
        Ok(())
    }
    fn secure(&self, _: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        assert_eq!(dtls.certificates, Certificates::Any, "telephones have RSA");
        let rtcp = matches!(dtls.peer, DtlsPeer::Signalled { rtcp: Some(_), .. });
        let apart = if rtcp { ", RTCP apart" } else { "" };
        self.note(format!("secure leg {} {:?}{apart}", short(leg.0), dtls.role));
        Ok(())
    }
    fn audio_workers(&self) -> usize {
        1
    }
    fn audio_index(&self, worker: usize) -> usize {
        1 + worker
    }
    fn codecs(&self) -> &Codecs {
        &self.codecs
    }
    fn audio(&self, _: usize, command: AudioCommand) -> Result<(), Refused<AudioCommand>> {
        self.note(audio_words(&command));
        Ok(())
    }
}

fn short(number: u32) -> u32 {
    number & !(1 << 31)
}

/// A command in a few words.
fn words(command: &Command) -> String {
    match command {
        Command::AddLeg(config) => match &config.transport {
            Transport::Ports(ports) => {
                let remote = ports.remote.rtp.map_or("nowhere".to_owned(), |address| address.to_string());
                let mux = if ports.rtcp.is_some() { "" } else { " mux" };
                let ice = if ports.ice.is_some() { " ice" } else { "" };
                format!("add leg {} to {remote}{mux}{ice}", short(config.leg.0))
            }
            Transport::Ice(_) => "add leg on the shared port".to_owned(),
        },
        Command::RemoveLeg { leg } => format!("remove leg {}", short(leg.0)),
        Command::SetPlain { leg } => format!("plain leg {}", short(leg.0)),
        Command::SetKeys { leg, inbound, outbound } => {
            format!("keys leg {} {:?} {:?}", short(leg.0), inbound.profile(), outbound.profile())
        }
        Command::SetRemote { leg, remote } => {
            let address = remote.rtp.map_or("nowhere".to_owned(), |address| address.to_string());
            format!("remote leg {} {address} {:?}", short(leg.0), remote.learn)
        }
        Command::AddStream { stream, config, .. } => {
            let numbers: Vec<String> =
                config.payload_types.iter().map(|kind| kind.number.to_string()).collect();
            format!("stream {} {}", short(stream.0), numbers.join(" "))
        }
        Command::AddSender { sender, .. } => format!("sender {}", short(sender.0)),
        Command::Route { sender, stream, payload_types } => {
            let map: Vec<String> =
                payload_types.iter().map(|each| format!("{}>{}", each.from, each.to)).collect();
            format!("route {} to {} {}", short(stream.0), short(sender.0), map.join(" "))
        }
        Command::Unroute { sender } => format!("unroute {}", short(sender.0)),
        Command::RemoveStream { stream } => format!("remove stream {}", short(stream.0)),
        Command::Bridge { leg, to } => {
            let to = to.map_or("nobody".to_owned(), |to| short(to.0).to_string());
            format!("bridge {} to {to}", short(leg.0))
        }
        Command::ExportStream { stream, .. } => format!("export {}", short(stream.0)),
        Command::EndExport { .. } => "end export".to_owned(),
        Command::ImportStream { stream, .. } => format!("import {}", short(stream.0)),
        other => format!("{other:?}"),
    }
}

fn audio_words(command: &AudioCommand) -> String {
    match command {
        AudioCommand::AddTranscoder { config, .. } => format!("transcode to {:?}", config.sends.codec),
        AudioCommand::ChangeTranscoder { config, .. } => format!("transcode on to {:?}", config.sends.codec),
        AudioCommand::Set { setting, .. } => format!("set {setting:?}"),
        AudioCommand::Remove { .. } => "remove worker's".to_owned(),
        AudioCommand::AddTap { .. } => "tap".to_owned(),
        AudioCommand::Listen { rate, .. } => format!("listen at {}", rate.hz()),
        AudioCommand::Record { of, .. } => format!("record {}", of.len()),
        AudioCommand::RecordFrom { of, .. } => {
            format!("record from {} of {}", of.iter().flatten().count(), of.len())
        }
        AudioCommand::Press { key, .. } => format!("press {}", key.name()),
        AudioCommand::SetInput { .. } => "set input".to_owned(),
        AudioCommand::SetOutputs { .. } => "set outputs".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Calls, their engine, and what time it is.
pub(super) struct Bench {
    pub(super) engine: Arc<FakeEngine>,
    pub(super) state: State,
    pub(super) now: Now,
    cookies: u32,
}

pub(super) fn config() -> CallsConfig {
    let interface = |text: &str| text.parse::<Interface>().expect("an interface");
    CallsConfig {
        interfaces: vec![
            interface("in/192.0.2.1"),
            interface("out/10.0.0.1!198.51.100.1"),
            interface("in/2001:db8::1"),
        ],
        ports: (30_000, 30_999),
        port_rest: Duration::from_secs(5),
        max_calls: 100,
        max_calls_per_second: None,
        silence: Duration::from_secs(60),
        hold: Duration::from_secs(600),
        unanswered: Duration::from_secs(30),
        delete_delay: Duration::ZERO,
        recordings: Some("/srv/recordings".into()),
        prompts: None,
        records_file: None,
        forward: None,
        tos: 0,
    }
}

impl Bench {
    pub(super) fn new(config: CallsConfig) -> Bench {
        let engine = Arc::new(FakeEngine {
            told: Mutex::default(),
            questions: Mutex::default(),
            next_port: AtomicU32::new(0),
            full: AtomicBool::new(false),
            codecs: Codecs::built_in(),
        });
        let (loaded, _) = mpsc::unbounded_channel();
        let state = State::new(Arc::clone(&engine) as _, config, random(), loaded);
        let now = Now { at: Instant::now(), unix: 1_800_000_000 };
        Bench { engine, state, now, cookies: 0 }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.unix += time.as_secs();
        self.state.tick(self.now);
    }

    /// What the engine was told since the last time.
    pub(super) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.engine.told.lock().expect("not poisoned"))
    }

    /// Asks; figures that are asked for come at once, with so many packets on each leg.
    pub(super) fn ask_with(&mut self, dictionary: Dictionary, packets: u64) -> Dictionary {
        self.cookies += 1;
        let request = Request { cookie: format!("c{}", self.cookies), writing: Writing::Json, dictionary };
        let (replies, mut waiting) = mpsc::channel(4);
        let asked = Asked { from: IpAddr::from([127, 0, 0, 1]), request, reply: ReplyTo::Stream(replies) };
        self.state.request(self.now, asked);
        self.tell_figures(packets);
        let text = waiting.try_recv().expect("a reply");
        Request::parse(&text).expect("a dictionary").dictionary
    }

    pub(super) fn ask(&mut self, dictionary: Dictionary) -> Dictionary {
        self.ask_with(dictionary, 0)
    }

    /// Answers what shards were asked.
    pub(super) fn tell_figures(&mut self, packets: u64) -> usize {
        let questions = std::mem::take(&mut *self.engine.questions.lock().expect("not poisoned"));
        for token in &questions {
            let stream = StreamStats {
                stream: StreamId(0),
                packets,
                bytes: packets * 160,
                lost: 0,
                jitter: 8,
                nacks: 0,
                recovered: 0,
                key_frames: 0,
                key_frame_requests: 0,
            };
            let stats = LegStats { streams: vec![stream], packets_in: packets, ..LegStats::default() };
            let event = EngineEvent::Core(Event::Stats { token: *token, stats: Box::new(stats) });
            self.state.event(self.now, ShardId(0), event);
        }
        questions.len()
    }

    pub(super) fn describe(&mut self, dictionary: Dictionary) -> String {
        let reply = self.ask(dictionary);
        assert_eq!(reply.text("result"), Some("ok"), "{reply:?}");
        reply.text("sdp").unwrap_or_default().to_owned()
    }

    /// An answered call between `a` and `b`.
    pub(super) fn call(&mut self, id: &str) {
        self.describe(
            about("offer", id, "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "")),
        );
        self.describe(
            about("answer", id, "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", "")),
        );
    }
}

pub(super) fn about(command: &str, call: &str, from: &str, to: &str) -> Dictionary {
    let all = Dictionary::new().with("command", command).with("call-id", call).with("from-tag", from);
    if to.is_empty() { all } else { all.with("to-tag", to) }
}

/// A description with one m-line of audio; payload type 101 is for keys, if it is there.
pub(super) fn sdp(ip: &str, port: u16, protocol_and_formats: &str, lines: &str) -> String {
    let family = if ip.contains(':') { "IP6" } else { "IP4" };
    let keys =
        if protocol_and_formats.ends_with(" 101") { "a=rtpmap:101 telephone-event/8000\r\n" } else { "" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} {protocol_and_formats}\r\n{keys}{lines}"
    )
}
