//! A world of an engine and of clients that use a foreign WebRTC stack (str0m), on loopback.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use kaname_engine::core::Command;
use kaname_engine::core::command::{
    Codec, ExtensionIds, IceCredentials, ImportConfig, LegConfig, LegId, LinkId, MediaKind, PayloadMap,
    PayloadType, SenderConfig, SenderId, StreamConfig, StreamId, Transport,
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
    /// The shard of each client's leg.
    homes: Vec<ShardId>,
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
        World {
            engine: engine.expect("loopback"),
            events,
            seen: Vec::new(),
            clients: Vec::new(),
            homes: Vec::new(),
            poll,
        }
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
        let server = self.engine.addresses(shard)[0];
        self.join_at(shard, server, wire, fingerprint)
    }

    /// As [`World::join_as`], by way of this address of the shard.
    pub(crate) fn join_at(
        &mut self,
        shard: ShardId,
        server: SocketAddr,
        wire: Wire,
        fingerprint: impl FnOnce(&Client) -> String,
    ) -> LegId {
        let leg = LegId(self.clients.len() as u32);
        let mut client = Client::new(server, wire);
        let (remote_ufrag, _) = client.credentials();
        let ice = IceCredentials {
            local_ufrag: format!("{}frag{}", steer::letter(shard.0), leg.0),
            local_pwd: format!("aPasswordOf22OrMore+{:04}", leg.0),
            remote_ufrag,
        };
        let remote: Fingerprint = fingerprint(&client).parse().expect("a fingerprint");
        let config = LegConfig { leg, transport: Transport::Ice(ice.clone()), extensions: EXTENSIONS };
        self.engine.secure(shard, leg, DtlsParams::new(remote)).expect("room");
        self.command(shard, Command::AddLeg(Box::new(config)));
        client.begin(&ice, self.engine.fingerprint());
        client.register(self.poll.registry());
        self.clients.push(client);
        self.homes.push(shard);
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
        self.command(self.home(leg), Command::AddStream { leg, stream, config: Box::new(config) });
    }

    pub(crate) fn home(&self, leg: LegId) -> ShardId {
        self.homes[leg.0 as usize]
    }

    /// A stream of one shard goes to another as well, under the same name.
    pub(crate) fn span(&self, stream: StreamId, kind: MediaKind, link: u64, from: ShardId, to: ShardId) {
        let link = LinkId(link);
        self.command(from, Command::ExportStream { stream, link, to: to.0 });
        let config = Box::new(ImportConfig { kind, payload_types: vec![described(kind).1] });
        self.command(to, Command::ImportStream { stream, link, from: from.0, config });
    }

    /// The leg will receive the stream with this SSRC, video with repairs under the next.
    pub(crate) fn subscribe(
        &mut self,
        leg: LegId,
        sender: SenderId,
        stream: StreamId,
        kind: MediaKind,
        ssrc: u32,
    ) {
        let (mid, payload) = described(kind);
        let rtx_ssrc = payload.rtx.map(|_| ssrc + 0x1000_0000);
        self.clients[leg.0 as usize].subscribe(kind, mid, ssrc, rtx_ssrc);
        let config = SenderConfig { kind, ssrc, rtx_ssrc, cname: "publisher".into(), mid: Some(mid.into()) };
        let home = self.home(leg);
        self.command(home, Command::AddSender { leg, sender, config: Box::new(config) });
        let map = PayloadMap { from: payload.number, to: payload.number, rtx: payload.rtx };
        self.command(home, Command::Route { sender, stream, payload_types: vec![map] });
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
        let of = |shard| {
            let counters = self.engine.counters(ShardId(shard));
            let all = counters.values.into_iter().chain(counters.drops).filter(|(_, value)| *value > 0);
            all.map(|(name, value)| format!("{name}={value} ")).collect::<String>()
        };
        (0..self.engine.shards()).map(|shard| format!("shard {shard}: {}\n", of(shard))).collect()
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

    /// A client's address changes behind its back.
    pub(crate) fn rebind(&mut self, client: usize) {
        self.clients[client].rebind(self.poll.registry());
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
            ("vid", PayloadType { number: 96, rtx: Some(97), codec: Codec::Vp8, clock_rate: 90_000 })
        }
    }
}
