//! A node for calls on loopback, and a proxy that asks it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kaname_engine::{Engine, EngineConfig};
use kaname_sfu::calls::{Calls, CallsConfig, CallsHandle, Interface};
use kaname_sfu::http::{App, Facts, Listener, RequestLimits, Server};
use kaname_sfu::ng::{self, Carrier, Dictionary, DoorAddresses, DoorCounters, Doors, Request, Value};
use kaname_sfu::node::{Node, NodeConfig, NodeHandle};
use tokio::net::UdpSocket;

use crate::http::tokens;

/// Long enough that only a fault meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) calls: CallsHandle,
    pub(crate) counters: Arc<DoorCounters>,
    doors: Doors,
    pub(crate) node: NodeHandle,
    engine: Arc<Engine>,
}

/// Settings that suit most tests: ports in a range of the test's own.
pub(crate) fn config(ports: (u16, u16)) -> CallsConfig {
    let interface = |name: &str, local: [u8; 4]| Interface {
        name: name.to_owned(),
        local: local.into(),
        advertised: local.into(),
    };
    CallsConfig {
        interfaces: vec![interface("internal", [127, 0, 0, 1]), interface("external", [127, 0, 0, 2])],
        ports,
        port_rest: Duration::ZERO,
        max_calls: 1_000,
        max_calls_per_second: None,
        silence: Duration::from_secs(60),
        hold: Duration::from_secs(3_600),
        unanswered: Duration::from_secs(300),
        delete_delay: Duration::ZERO,
        recordings: None,
        prompts: None,
        records_file: None,
        forward: None,
        tos: 0,
    }
}

impl World {
    pub(crate) fn start(config: CallsConfig) -> World {
        World::open(config, "127.0.0.0/8")
    }

    pub(crate) fn open(config: CallsConfig, allow: &str) -> World {
        let (calls, sink) = Calls::new(config);
        let (node, rooms) = Node::new(NodeConfig::default());
        let engine = EngineConfig { pin: false, ..EngineConfig::default() };
        let engine = Engine::start(engine, move |shard, event| {
            if let Some(event) = sink.push(shard, event) {
                rooms.push(shard, event);
            }
        });
        let engine = Arc::new(engine.unwrap());
        let node = node.start(Arc::clone(&engine) as _).unwrap();
        let calls = calls.with_rooms(node.clone());
        let (inbox, requests) = ng::inbox(vec![allow.parse().unwrap()]);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let addresses = DoorAddresses { udp: vec![any], tcp: vec![any], http: vec![any] };
        let doors = Doors::open(&addresses, &inbox).unwrap();
        let calls = calls.start(Arc::clone(&engine) as _, requests, Arc::clone(inbox.counters()));
        World { calls, counters: Arc::clone(inbox.counters()), doors, node, engine }
    }

    pub(crate) fn address(&self, carrier: Carrier) -> SocketAddr {
        self.doors.open_doors().iter().find(|door| door.carrier == carrier).unwrap().address
    }

    /// The API on a port of its own, as long as the server lives.
    pub(crate) fn serve(&self) -> (SocketAddr, Server) {
        let facts = Facts {
            development: false,
            srtp_backend: self.engine.srtp_backend(),
            io_backend: self.engine.io_backend(),
        };
        let limits = RequestLimits { max_body_bytes: 65_536, read_timeout: PATIENCE };
        let app = App::new(self.node.clone(), tokens(), facts, limits).with_calls(self.calls.clone());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(any, false, "http.listen").unwrap();
        let address = listener.address().unwrap();
        (address, Server::start(app, vec![listener], None, 64))
    }

    pub(crate) fn door_count(&self, name: &str) -> u64 {
        self.counters.values().iter().find(|(n, _)| *n == name).unwrap().1
    }

    pub(crate) async fn proxy(&self) -> Proxy {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.address(Carrier::Udp)).await.unwrap();
        Proxy { socket, cookies: 0 }
    }
}

/// Asks over UDP in bencode, one question at a time.
pub(crate) struct Proxy {
    pub(crate) socket: UdpSocket,
    cookies: u32,
}

impl Proxy {
    pub(crate) async fn send(&self, text: &[u8]) {
        self.socket.send(text).await.unwrap();
    }

    pub(crate) async fn receive(&self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let length = tokio::time::timeout(PATIENCE, self.socket.recv(&mut buffer)).await.unwrap().unwrap();
        buffer.truncate(length);
        buffer
    }

    /// Asks; after what changes routes, also for figures: those come from the shard, so all that it was told is done then.
    pub(crate) async fn ask(&mut self, request: Dictionary) -> Dictionary {
        let call = request.text("call-id").map(str::to_owned);
        let routes = matches!(request.text("command"), Some("answer" | "subscribe answer"));
        let reply = self.ask_once(request).await;
        if let (Some(call), true) = (call, routes) {
            self.ask_once(command("query").with("call-id", call)).await;
        }
        reply
    }

    async fn ask_once(&mut self, request: Dictionary) -> Dictionary {
        self.cookies += 1;
        let cookie = format!("c_{}", self.cookies);
        self.send(&ng::reply(&cookie, ng::Writing::Bencode, &request)).await;
        let reply = read(&self.receive().await);
        assert_eq!(reply.0, cookie);
        reply.1
    }
}

/// A reply's cookie and dictionary.
pub(crate) fn read(reply: &[u8]) -> (String, Dictionary) {
    let reply = Request::parse(reply).unwrap();
    (reply.cookie, reply.dictionary)
}

pub(crate) fn command(name: &str) -> Dictionary {
    Dictionary::new().with("command", name)
}

pub(crate) fn text<'a>(dictionary: &'a Dictionary, key: &str) -> &'a str {
    dictionary.get(key).and_then(Value::text).unwrap_or_default()
}
