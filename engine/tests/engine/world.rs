//! A world of an engine and of clients that use a foreign WebRTC stack (str0m), on loopback.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use kaname_engine::core::Command;
use kaname_engine::core::command::{
    Codec, ExtensionIds, IceCredentials, LegConfig, LegId, MediaKind, PayloadMap, PayloadType, SenderConfig,
    SenderId, StreamConfig, StreamId,
};
use kaname_engine::io::steer;
use kaname_engine::{DtlsParams, Engine, EngineConfig, EngineEvent, Fingerprint, ShardId};

use mio::{Events, Poll};

use crate::client::{Client, Wire};

/// How long a test waits for loopback before it calls it a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one turn waits for a datagram.
const TURN: Duration = Duration::from_millis(1);

/// The one shard of most tests.
pub(crate) const SHARD: ShardId = ShardId(0);

/// Header extensions as str0m numbers them.
pub(crate) const EXTENSIONS: ExtensionIds = ExtensionIds {
    mid: Some(4),
    rid: Some(10),
    repaired_rid: Some(11),
    audio_level: Some(1),
    abs_send_time: Some(2),
    transport_cc: Some(3),
    video_orientation: Some(13),
    playout_delay: None,
    dependency_descriptor: None,
};

/// An engine, its news, and clients.
pub(crate) struct World {
    pub(crate) engine: Engine,
    events: Arc<ArrayQueue<(ShardId, EngineEvent)>>,
    /// All news so far.
    pub(crate) seen: Vec<(ShardId, EngineEvent)>,
    pub(crate) clients: Vec<Client>,
    poll: Poll,
}

impl World {
    pub(crate) fn new(config: EngineConfig) -> World {
        World::with_sink(config, |_| {})
    }

    pub(crate) fn on(ip: &str) -> World {
        let bind = vec![ip.parse::<IpAddr>().expect("an address")];
        World::new(EngineConfig { bind, pin: false, ..EngineConfig::default() })
    }

    /// `extra` sees each event first, on the engine's thread.
    pub(crate) fn with_sink(
        config: EngineConfig,
        extra: impl Fn(&EngineEvent) + Send + Sync + 'static,
    ) -> World {
        let events = Arc::new(ArrayQueue::new(65_536));
        let kept = events.clone();
        let engine = Engine::start(config, move |shard, event| {
            extra(&event);
            assert!(kept.push((shard, event)).is_ok(), "few events");
        });
        let poll = Poll::new().expect("a poller");
        World { engine: engine.expect("loopback"), events, seen: Vec::new(), clients: Vec::new(), poll }
    }

    /// A client of that number, with its leg of the same number: announced on both sides.
    pub(crate) fn join(&mut self, shard: ShardId, wire: Wire) -> LegId {
        let fingerprint = |client: &Client| client.fingerprint();
        self.join_as(shard, wire, fingerprint)
    }

    /// As [`World::join`], but the engine is told this fingerprint.
    pub(crate) fn join_as(
        &mut self,
        shard: ShardId,
        wire: Wire,
        fingerprint: impl FnOnce(&Client) -> String,
    ) -> LegId {
        let leg = LegId(self.clients.len() as u32);
        let server = self.engine.addresses(shard)[0];
        let mut client = Client::new(server, wire);
        let (remote_ufrag, _) = client.credentials();
        let ice = IceCredentials {
            local_ufrag: format!("{}frag{}", steer::letter(shard.0), leg.0),
            local_pwd: format!("aPasswordOf22OrMore+{:04}", leg.0),
            remote_ufrag,
        };
        let remote: Fingerprint = fingerprint(&client).parse().expect("a fingerprint");
        let config = LegConfig { leg, ice, extensions: EXTENSIONS };
        self.engine.secure(shard, leg, DtlsParams::new(remote)).expect("room");
        let ice = config.ice.clone();
        self.command(shard, Command::AddLeg(Box::new(config)));
        client.begin(&ice, self.engine.fingerprint());
        client.register(self.poll.registry());
        self.clients.push(client);
        leg
    }

    pub(crate) fn command(&self, shard: ShardId, command: Command) {
        self.engine.command(shard, command).expect("room");
    }

    /// The leg will send media of this kind with this SSRC.
    pub(crate) fn publish(&mut self, leg: LegId, stream: StreamId, kind: MediaKind, ssrc: u32) {
        let (mid, payload) = described(kind);
        self.clients[leg.0 as usize].publish(kind, mid, ssrc);
        let config = StreamConfig {
            kind,
            mid: Some(mid.into()),
            rid: None,
            ssrc: Some(ssrc),
            rtx_ssrc: None,
            payload_types: vec![payload],
            nack: kind == MediaKind::Video,
            pli: kind == MediaKind::Video,
            fir: false,
            transport_cc: false,
        };
        self.command(SHARD, Command::AddStream { leg, stream, config: Box::new(config) });
    }

    /// The leg will receive the stream with this SSRC.
    pub(crate) fn subscribe(
        &mut self,
        leg: LegId,
        sender: SenderId,
        stream: StreamId,
        kind: MediaKind,
        ssrc: u32,
    ) {
        let (mid, payload) = described(kind);
        self.clients[leg.0 as usize].subscribe(kind, mid, ssrc);
        let config =
            SenderConfig { kind, ssrc, rtx_ssrc: None, cname: "publisher".into(), mid: Some(mid.into()) };
        self.command(SHARD, Command::AddSender { leg, sender, config: Box::new(config) });
        let map = PayloadMap { from: payload.number, to: payload.number, rtx: None };
        self.command(SHARD, Command::Route { sender, stream, payload_types: vec![map] });
    }

    /// Lets everything run until `done`; fails, saying `what`, when that takes too long.
    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut World) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < PATIENCE, "{what}: {:?}\n{}", self.seen, self.figures());
            self.drive();
        }
    }

    /// All figures that are not zero.
    fn figures(&self) -> String {
        let counters = self.engine.counters(SHARD);
        let figures = counters.values.iter().chain(&counters.drops).filter(|(_, value)| *value > 0);
        figures.map(|(name, value)| format!("{name}={value} ")).collect()
    }

    /// One turn of all clients, after a moment's wait for something to read.
    pub(crate) fn drive(&mut self) {
        self.poll.poll(&mut Events::with_capacity(16), Some(TURN)).expect("polls");
        self.clients.iter_mut().for_each(Client::drive);
        while let Some(event) = self.events.pop() {
            self.seen.push(event);
        }
    }

    /// How many events of this kind were seen.
    pub(crate) fn count(&self, which: impl Fn(&EngineEvent) -> bool) -> usize {
        self.seen.iter().filter(|(_, event)| which(event)).count()
    }

    /// Waits until so many legs are secured.
    pub(crate) fn until_secured(&mut self, legs: usize) {
        self.until("handshakes", |world| {
            world.count(|event| matches!(event, EngineEvent::Secured { .. })) >= legs
                && world.clients.iter().filter(|client| client.connected).count() >= legs
        });
    }
}

/// `a=mid` and payload type of the tests' media, as str0m numbers them.
pub(crate) fn described(kind: MediaKind) -> (&'static str, PayloadType) {
    match kind {
        MediaKind::Audio => {
            ("aud", PayloadType { number: 111, rtx: None, codec: Codec::Opus, clock_rate: 48_000 })
        }
        MediaKind::Video => {
            ("vid", PayloadType { number: 96, rtx: None, codec: Codec::Vp8, clock_rate: 90_000 })
        }
    }
}
