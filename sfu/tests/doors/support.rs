//! A node with a pretended engine behind real listeners.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kaname_engine::audio::AudioCommand;
use kaname_engine::core::command::LegId;
use kaname_engine::core::{Command, Event};
use kaname_engine::{CountersSnapshot, DataKind, DtlsParams, EngineBusy, EngineEvent, ShardId};
use kaname_sfu::http::{App, Facts, Listener, RequestLimits, Server};
use kaname_sfu::node::{EventSink, MediaEngine, Node, NodeConfig, NodeHandle, Refused};

pub(crate) use crate::http::*;

pub(crate) const MAX_BODY: usize = 32 * 1024;
/// Long enough that only a test of time-outs meets it.
pub(crate) const PATIENT: Duration = Duration::from_secs(60);

/// Takes every command and does nothing, but answers when it is asked for figures.
pub(crate) struct PretendEngine {
    sink: EventSink,
}

impl MediaEngine for PretendEngine {
    fn shards(&self) -> usize {
        1
    }
    fn addresses(&self, _: ShardId) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], 7801))]
    }
    fn fingerprint(&self) -> String {
        format!("sha-256 {}", ["AB"; 32].join(":"))
    }
    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused> {
        if let Command::QueryStats { token, .. } = command {
            self.sink.push(shard, EngineEvent::Core(Event::Stats { token, stats: Box::default() }));
        }
        Ok(())
    }
    fn secure(&self, _: ShardId, _: LegId, _: DtlsParams) -> Result<(), EngineBusy> {
        Ok(())
    }
    fn close(&self, _: ShardId, _: LegId) -> Result<(), EngineBusy> {
        Ok(())
    }
    fn send_data(&self, _: ShardId, _: LegId, _: u16, _: DataKind, _: Vec<u8>) -> Result<(), EngineBusy> {
        Ok(())
    }
    fn counters(&self, _: ShardId) -> CountersSnapshot {
        CountersSnapshot::default()
    }
    fn audio_workers(&self) -> usize {
        0
    }

    fn audio_index(&self, worker: usize) -> usize {
        worker
    }

    fn audio_counters(&self, _: usize) -> CountersSnapshot {
        CountersSnapshot::default()
    }

    fn audio(&self, _: usize, command: AudioCommand) -> Result<(), AudioCommand> {
        Err(command)
    }

    fn busy_permille(&self, _: ShardId) -> u32 {
        0
    }
}

pub(crate) struct Doors {
    pub(crate) address: SocketAddr,
    pub(crate) node: NodeHandle,
    pub(crate) server: Server,
}

/// What differs between tests.
pub(crate) struct Setup {
    pub(crate) development: bool,
    pub(crate) read_timeout: Duration,
    pub(crate) max_connections: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { development: false, read_timeout: PATIENT, max_connections: 64 }
    }
}

pub(crate) fn app(setup: &Setup) -> (App, NodeHandle) {
    let (node, sink) = Node::new(NodeConfig::default());
    let node = node.start(Arc::new(PretendEngine { sink })).unwrap();
    let facts = Facts { development: setup.development, srtp_backend: "portable", io_backend: "pretended" };
    let limits = RequestLimits { max_body_bytes: MAX_BODY, read_timeout: setup.read_timeout };
    (App::new(node.clone(), tokens(), facts, limits), node)
}

pub(crate) fn open(setup: Setup) -> Doors {
    let (app, node) = app(&setup);
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), false, "http.listen").unwrap();
    let address = listener.address().unwrap();
    let server = Server::start(app, vec![listener], None, setup.max_connections);
    Doors { address, node, server }
}

/// A browser's offer to send one Opus stream, as small as it can be.
pub(crate) fn audio_offer(direction: &str) -> String {
    let fingerprint = ["AB"; 32].join(":");
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        "a=ice-options:trickle",
        &format!("a=fingerprint:sha-256 {fingerprint}"),
        "a=setup:actpass",
        "a=mid:0",
        &format!("a={direction}"),
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=ssrc:12345 cname:test",
        "",
    ]
    .join("\r\n")
}
