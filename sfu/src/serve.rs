//! `kaname serve`: brings settings, engine, node and front doors together, and takes them down again.
#![allow(
    clippy::print_stdout,
    reason = "the ready message is for the terminal or the program that started us"
)]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kaname_engine::io::xdp;
use kaname_engine::{Engine, EngineConfig, ExtraCodecs, IoChoice, ShardId, SteeringChoice, SteeringMode};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::calls::{Calls, CallsConfig, CallsHandle, DEFAULT_INTERFACE, Interface, Receiver};
use crate::config::{Config, Loaded, MediaIo, Mode, Steering, XdpMode};
use crate::http::{App, Facts, Listener, RequestLimits, Server};
use crate::ng::{self, DoorAddresses, Doors};
use crate::node::{Node, NodeConfig, NodeHandle};
use crate::token::{Claims, GrantClaims, TokenKey, Tokens};
use crate::{banner, net, tls};

/// Telling everyone, and removing their legs.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
/// How often a node that is to stop looks whether calls are left.
const DRAIN_LOOK: Duration = Duration::from_millis(200);
/// Requests under way, and WebSockets that have been told.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(5);
/// The join link of a development node outlives a working day.
const LINK_TTL: Duration = Duration::from_secs(12 * 3600);

/// Signals so soon after the first are the same wish: `timeout` and terminals signal the process and then its whole group.
const SAME_WISH: Duration = Duration::from_secs(1);
/// As shells have it for a program that SIGINT ended.
const EXIT_INTERRUPTED: i32 = 130;

/// How the node says that it is ready, and when it stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The ready message as one JSON object.
    pub json: bool,
    /// Stop when standard input ends: whoever started us is gone.
    pub until_stdin_closes: bool,
}

/// Runs a node until it is told to stop. The error is for the operator.
pub fn run(loaded: Loaded, options: Options) -> Result<ExitCode, String> {
    let started = Instant::now();
    crate::log::start(&loaded.config.log);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("kaname-control").build();
    let runtime = runtime
        .map_err(|error| format!("cannot start threads: {error}; raise the process limit (ulimit -u)"))?;
    runtime.block_on(async {
        // Ahead of the ready message: whoever reads it may send a signal at once.
        let signals = Signals::listen()?;
        let running = start(&loaded.config)?;
        let ready = running.ready(&loaded.config, started.elapsed());
        if options.json {
            println!("{}", ready.json());
        } else {
            print!("{}", ready.text());
        }
        tracing::info!(mode = ?loaded.config.mode, "ready");
        let reason = signals.wait(options.until_stdin_closes).await;
        running.drain_calls(Duration::from_secs(loaded.config.calls.drain_seconds)).await;
        tracing::info!(reason, "stopping: telling everyone and closing");
        running.stop().await;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// Where the page and everything beside it is served.
#[derive(Debug, Clone, Copy)]
pub struct PageAddress {
    /// Over TLS.
    pub tls: bool,
    /// The address really listened on.
    pub address: SocketAddr,
}

/// A node with everything it needs.
pub struct Running {
    /// The node.
    pub node: NodeHandle,
    /// Where it listens, plain ones first.
    pub pages: Vec<PageAddress>,
    /// The calls, of SIP proxies and of the API.
    pub calls: CallsHandle,
    doors: Option<Doors>,
    engine: Arc<Engine>,
    server: Server,
    tokens: Tokens,
}

/// Starts everything. Needs a tokio runtime. The error is for the operator.
pub fn start(config: &Config) -> Result<Running, String> {
    let tokens = Tokens::new(
        TokenKey::from_settings(config.mode, &config.auth).map_err(|e| e.to_string())?,
        config.auth.leeway_seconds,
    );
    let acceptor = if config.https.listen.is_empty() {
        None
    } else {
        Some(tls::acceptor(config).map_err(|e| e.to_string())?)
    };
    let (listeners, pages) = listeners(config)?;
    let (node, sink) = Node::new(NodeConfig {
        limits: config.limits.clone(),
        advertise: config.media.advertise.clone(),
        tcp: config.media.tcp,
    });
    let (calls, calls_sink) = Calls::new(calls_config(config).map_err(|e| e.to_string())?);
    let engine = Engine::start(engine_config(config), move |shard, event| {
        if let Some(event) = calls_sink.push(shard, event) {
            sink.push(shard, event);
        }
    })
    .map_err(engine_error)?;
    if let SteeringMode::HandOver(Some(why)) = engine.steering() {
        tracing::warn!(
            "no steering in the kernel: {why}; packet threads hand over what is not their own, which costs some of their time \
             (set media.steering to hand-over if that is meant)"
        );
    }
    if let Some(why) = engine.io_notice() {
        tracing::warn!("no AF_XDP: {why}; media goes through the kernel's UDP");
    }
    let engine = Arc::new(engine);
    let node = node
        .start(Arc::clone(&engine) as _)
        .map_err(|error| format!("{error}; set media.bind or media.advertise"))?;
    let facts = Facts {
        development: config.mode == Mode::Development,
        srtp_backend: engine.srtp_backend(),
        io_backend: engine.io_backend(),
    };
    let limits = RequestLimits {
        max_body_bytes: config.http.max_body_bytes,
        read_timeout: Duration::from_secs(config.http.read_timeout_seconds),
    };
    let (calls, doors) = open_doors(config, calls.with_rooms(node.clone()), &engine)?;
    let app = App::new(node.clone(), tokens.clone(), facts, limits).with_calls(calls.clone());
    let server = Server::start(app, listeners, acceptor, config.http.max_connections);
    Ok(Running { node, pages, calls, doors, engine, server, tokens })
}

/// Starts the calls. The API may always ask for some, SIP proxies where there are doors for them.
fn open_doors(
    config: &Config,
    calls: Calls,
    engine: &Arc<Engine>,
) -> Result<(CallsHandle, Option<Doors>), String> {
    let (inbox, requests) = ng::inbox(config.ng.allow.clone());
    let doors = if config.ng.is_open() { Some(proxy_doors(config, &inbox)?) } else { None };
    let calls = calls.start(Arc::clone(engine) as _, requests, Arc::clone(inbox.counters()));
    Ok((calls, doors))
}

fn proxy_doors(config: &Config, inbox: &ng::Inbox) -> Result<Doors, String> {
    let addresses = DoorAddresses {
        udp: config.ng.listen_udp.clone(),
        tcp: config.ng.listen_tcp.clone(),
        http: config.ng.listen_http.clone(),
    };
    let doors = Doors::open(&addresses, inbox).map_err(|error| error.to_string())?;
    for door in doors.open_doors() {
        tracing::info!(carrier = ?door.carrier, address = %door.address, "ng: SIP proxies may ask here");
    }
    Ok(doors)
}

/// The settings of calls.
fn calls_config(config: &Config) -> Result<CallsConfig, tls::TlsError> {
    let calls = &config.calls;
    Ok(CallsConfig {
        interfaces: call_interfaces(config),
        ports: (calls.port_min, calls.port_max),
        port_rest: Duration::from_secs(calls.port_rest_seconds),
        max_calls: calls.max_calls,
        max_calls_per_second: Some(calls.max_calls_per_second).filter(|most| *most > 0),
        silence: Duration::from_secs(calls.silence_seconds),
        hold: Duration::from_secs(calls.hold_seconds),
        unanswered: Duration::from_secs(calls.unanswered_seconds),
        delete_delay: Duration::from_secs(calls.delete_delay_seconds),
        recordings: calls.recordings.clone(),
        prompts: calls.prompts.clone(),
        records_file: calls.records_file.clone(),
        forward: receiver(config)?,
        tos: calls.tos,
    })
}

/// Who gets forwarded sound.
pub(crate) fn receiver(config: &Config) -> Result<Option<Receiver>, tls::TlsError> {
    let calls = &config.calls;
    let Some(to) = calls.forward_to.clone() else { return Ok(None) };
    Receiver::new(to, calls.forward_rate, calls.forward_ca_file.as_deref()).map(Some)
}

/// Where calls' media ports are: as set, or the first address of each family that media comes in on, a real one if
/// there is any.
pub(crate) fn call_interfaces(config: &Config) -> Vec<Interface> {
    if !config.calls.interfaces.is_empty() {
        return config.calls.interfaces.clone();
    }
    let addresses = net::media_addresses(config);
    let first = |v4: bool| {
        let mut all: Vec<_> = addresses.iter().filter(|a| a.is_ipv4() == v4 && !a.is_unspecified()).collect();
        all.sort_by_key(|address| address.is_loopback());
        all.first().copied().copied()
    };
    let advertised = |local: std::net::IpAddr| {
        let same_family = |a: &&std::net::IpAddr| a.is_ipv4() == local.is_ipv4();
        config.media.advertise.iter().find(same_family).copied().unwrap_or(local)
    };
    let interface =
        |local| Interface { name: DEFAULT_INTERFACE.to_owned(), local, advertised: advertised(local) };
    [first(true), first(false)].into_iter().flatten().map(interface).collect()
}

fn listeners(config: &Config) -> Result<(Vec<Listener>, Vec<PageAddress>), String> {
    let plain = config.http.listen.iter().map(|address| (false, *address, "http.listen"));
    let secure = config.https.listen.iter().map(|address| (true, *address, "https.listen"));
    let (mut listeners, mut pages) = (Vec::new(), Vec::new());
    for (tls, address, setting) in plain.chain(secure) {
        let listener = Listener::bind(address, tls, setting).map_err(|error| error.to_string())?;
        pages.push(PageAddress { tls, address: listener.address().map_err(|error| error.to_string())? });
        listeners.push(listener);
    }
    Ok((listeners, pages))
}

/// The engine's settings. Handshake workers and the control plane share the cores with the packet threads.
pub fn engine_config(config: &Config) -> EngineConfig {
    EngineConfig {
        shards: shards(config),
        bind: net::media_addresses(config),
        port: config.media.port,
        tcp: config.media.tcp,
        receive_buffer: config.media.receive_buffer_bytes,
        workers: config.media.workers,
        audio_workers: config.calls.audio_workers,
        codecs: ExtraCodecs { amr: config.calls.amr, g729: config.calls.g729 },
        steering: match config.media.steering {
            Steering::Auto => SteeringChoice::Auto,
            Steering::Ebpf => SteeringChoice::Ebpf,
            Steering::HandOver => SteeringChoice::HandOver,
        },
        io: io_choice(config),
        coalesce: Duration::from_micros(config.media.coalesce_us),
        pin: config.media.pin,
    }
}

fn io_choice(config: &Config) -> IoChoice {
    match (config.media.io, &config.media.interface) {
        (MediaIo::AfXdp, Some(interface)) => {
            IoChoice::AfXdp { interface: interface.clone(), mode: xdp_mode(config.media.xdp_mode) }
        }
        (MediaIo::Kernel, _) => IoChoice::KernelUdp,
        (MediaIo::Portable, _) => IoChoice::Portable,
        // AF_XDP without an interface is refused with the other settings.
        (MediaIo::Auto | MediaIo::AfXdp, _) => IoChoice::Auto,
    }
}

/// The setting in the engine's words.
pub(crate) fn xdp_mode(mode: XdpMode) -> xdp::XdpMode {
    match mode {
        XdpMode::Auto => xdp::XdpMode::Auto,
        XdpMode::ZeroCopy => xdp::XdpMode::ZeroCopy,
        XdpMode::Driver => xdp::XdpMode::Driver,
        XdpMode::Generic => xdp::XdpMode::Generic,
    }
}

/// Packet threads: as set, or one a core.
pub fn shards(config: &Config) -> usize {
    /// What the engine takes at most.
    const MOST: usize = 64;
    match config.media.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(MOST),
        shards => shards,
    }
}

fn engine_error(error: kaname_engine::StartError) -> String {
    match error {
        kaname_engine::StartError::Bind(error) => {
            format!(
                "media: {error}; `kaname doctor` names every port that is taken; choose others with --media-port (0 finds free ones)"
            )
        }
        other => format!("media: {other}"),
    }
}

impl Running {
    fn ready(&self, config: &Config, took: Duration) -> banner::Ready {
        let shards = 0..self.engine.shards();
        let media = shards.flat_map(|shard| self.engine.addresses(ShardId(shard)).to_vec()).collect();
        let development = config.mode == Mode::Development;
        let pages: Vec<String> = self.pages.iter().map(PageAddress::url).collect();
        let token = development
            .then(|| self.tokens.sign(&Claims::new("lobby", GrantClaims::PARTICIPANT, LINK_TTL)))
            .flatten();
        let join =
            token.and_then(|token| pages.first().map(|page| format!("{page}#room=lobby&token={token}")));
        banner::Ready {
            development,
            development_key: self.tokens.is_development(),
            pages,
            join,
            media,
            tcp: config.media.tcp,
            srtp_backend: self.engine.srtp_backend(),
            io_backend: self.engine.io_backend(),
            took,
        }
    }

    /// Calls go on until they end by themselves, at most for so long; SIP proxies are told to take new ones elsewhere.
    async fn drain_calls(&self, patience: Duration) {
        let calls = &self.calls;
        calls.drain(true).await;
        let empty = async {
            while calls.counters().await.calls > 0 {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
        };
        let _late = tokio::time::timeout(patience, empty).await;
    }

    /// A clean stop: everyone is told, media ends, connections close.
    pub async fn stop(self) {
        if tokio::time::timeout(DRAIN_PATIENCE, self.node.drain()).await.is_err() {
            tracing::warn!("not everyone could be told in time");
        }
        // New calls went elsewhere since the doors closed; those that are left end.
        drop(self.doors);
        if tokio::time::timeout(DRAIN_PATIENCE, self.calls.stop()).await.is_err() {
            tracing::warn!("not all calls could be ended in time");
        }
        if !self.server.stop(CONNECTION_PATIENCE).await {
            tracing::warn!("some connections did not end in time and are cut");
        }
        // The node's task holds the engine too; the last of us that lets go stops it.
        drop(self.engine);
    }
}

impl PageAddress {
    /// As it is typed into a browser on this machine.
    fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        // A listener on all addresses is reached by name; the machine's own knows itself as localhost.
        match self.address.ip().is_unspecified() {
            true => format!("{scheme}://localhost:{}/", self.address.port()),
            false => format!("{scheme}://{}/", self.address),
        }
    }
}

/// What ends a node.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// The next signal's name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Waits until someone wants the node to stop; says who. From then on, whoever signals again means it.
    async fn wait(mut self, until_stdin_closes: bool) -> &'static str {
        let reason = tokio::select! {
            signal = self.next() => signal,
            () = stdin_closes(), if until_stdin_closes => "standard input closed",
        };
        let asked = Instant::now();
        tokio::spawn(async move {
            loop {
                self.next().await;
                if asked.elapsed() >= SAME_WISH {
                    std::process::exit(EXIT_INTERRUPTED);
                }
            }
        });
        reason
    }
}

/// A thread of its own: a read of standard input cannot be given up, and would keep the runtime from ending.
async fn stdin_closes() {
    let (closed, wait) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error ends it just as well. The sender goes with the thread.
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(closed);
    });
    let _closed = wait.await;
}
