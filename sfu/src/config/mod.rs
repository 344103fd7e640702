//! The node's settings: defaults, then a TOML file, then the environment, then flags; the later one wins.
//!
//! One table, [`KEYS`], names every setting with its kind, its range and what it is for. The file reader, the environment
//! reader, the command line and the reference page are all made from it, so none of them can forget a setting.

mod check;
mod error;
mod file;
mod load;
mod reference;
mod table;
mod value;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use kaname_engine::audio::Rate;
use zeroize::Zeroizing;

use crate::calls::{ForwardTo, Interface};
use crate::ng::Network;
use crate::node::NodeLimits;

pub(crate) use check::MIN_SECRET_BYTES;
pub use error::{ConfigError, Origin, Problem};
pub use load::{Loaded, load};
pub use reference::reference;
pub use table::{KEYS, Key};
pub use value::Kind;

/// What the node may assume about who can reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For one's own machine: the well-known development key signs tokens and `/dev/token` hands them out.
    Development,
    /// For everyone else: an own key is needed, and nothing hands out tokens.
    Production,
}

/// Every setting, with its value.
#[derive(Debug, Clone)]
pub struct Config {
    /// See [`Mode`].
    pub mode: Mode,
    /// Where the node keeps what it makes itself (the generated certificate); `None`: a directory of the user's.
    pub state_directory: Option<PathBuf>,
    /// Plain HTTP, and the limits of both listeners.
    pub http: Http,
    /// HTTP over TLS.
    pub https: Https,
    /// Where media comes in and goes out.
    pub media: Media,
    /// Who may do what.
    pub auth: Auth,
    /// How much the node takes on.
    pub limits: NodeLimits,
    /// Where SIP proxies ask for calls.
    pub ng: Ng,
    /// Telephone calls.
    pub calls: Calls,
    /// What is written to standard error.
    pub log: Log,
}

/// Plain HTTP, and the limits of both listeners.
#[derive(Debug, Clone)]
pub struct Http {
    /// Plain listeners; loopback addresses only.
    pub listen: Vec<SocketAddr>,
    /// Connections at once, over all listeners.
    pub max_connections: usize,
    /// Time a client has for a request's head, and again for its body, in seconds.
    pub read_timeout_seconds: u64,
    /// Largest request body, in bytes.
    pub max_body_bytes: usize,
}

/// HTTP over TLS.
#[derive(Debug, Clone)]
pub struct Https {
    /// TLS listeners.
    pub listen: Vec<SocketAddr>,
    /// PEM file of the certificate chain; `None`: one is generated.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    pub key_file: Option<PathBuf>,
    /// Further names and addresses for the generated certificate.
    pub names: Vec<String>,
}

/// Where media comes in and goes out.
#[derive(Debug, Clone)]
pub struct Media {
    /// Addresses to receive media on; empty: every address of the machine, or loopback alone when there is no other.
    pub bind: Vec<IpAddr>,
    /// Addresses that browsers are told of instead; empty: the bound ones.
    pub advertise: Vec<IpAddr>,
    /// Media port of all shards. 0: any free port, for each address its own.
    pub port: u16,
    /// Whether media may also come over TCP (RFC 4571 framing), on the same port numbers.
    pub tcp: bool,
    /// Packet threads; 0: one for each core.
    pub shards: usize,
    /// How datagrams find their packet thread.
    pub steering: Steering,
    /// What carries media.
    pub io: MediaIo,
    /// The interface for AF_XDP.
    pub interface: Option<String>,
    /// How that interface gives and takes frames.
    pub xdp_mode: XdpMode,
    /// Longest rest between two looks of a packet thread that is busy with calls, in microseconds; 0: it wakes up for each packet.
    pub coalesce_us: u64,
    /// Handshake threads.
    pub workers: usize,
    /// Whether each packet thread is pinned to its core.
    pub pin: bool,
    /// Receive buffer to ask of the kernel for each media socket, in bytes.
    pub receive_buffer_bytes: usize,
}

/// Who may do what.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Key of HS256 tokens.
    pub secret: Option<Secret>,
    /// File that holds the key of HS256 tokens.
    pub secret_file: Option<PathBuf>,
    /// PEM file of the public key of ES256 or EdDSA tokens.
    pub public_key_file: Option<PathBuf>,
    /// Clock difference between who signs tokens and this node that is forgiven, in seconds.
    pub leeway_seconds: u64,
}

/// Where SIP proxies ask for calls; all empty: nowhere.
#[derive(Debug, Clone)]
pub struct Ng {
    /// A message a datagram.
    pub listen_udp: Vec<SocketAddr>,
    /// Messages one after the other.
    pub listen_tcp: Vec<SocketAddr>,
    /// `POST /ng` and WebSockets.
    pub listen_http: Vec<SocketAddr>,
    /// Who may ask.
    pub allow: Vec<Network>,
}

/// Telephone calls.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Addresses for media ports, by name; empty: one that the machine has.
    pub interfaces: Vec<Interface>,
    /// The first media port.
    pub port_min: u16,
    /// The last media port.
    pub port_max: u16,
    /// How long a port rests after a call, in seconds.
    pub port_rest_seconds: u64,
    /// Calls at once.
    pub max_calls: usize,
    /// New calls a second; 0: any number.
    pub max_calls_per_second: usize,
    /// A call without media for so long ends, in seconds.
    pub silence_seconds: u64,
    /// The same for one that is on hold.
    pub hold_seconds: u64,
    /// A call that nobody answers for so long ends, in seconds.
    pub unanswered_seconds: u64,
    /// How long a deleted call lives on, in seconds.
    pub delete_delay_seconds: u64,
    /// How long a node that is told to stop lets calls go on, in seconds.
    pub drain_seconds: u64,
    /// Threads that transcode, mix, play and record.
    pub audio_workers: usize,
    /// AMR and AMR-WB, where the machine has their libraries.
    pub amr: bool,
    /// G.729, where the machine has its library.
    pub g729: bool,
    /// Where recordings go; `None`: there are none.
    pub recordings: Option<PathBuf>,
    /// Where sounds to play come from; `None`: from nowhere.
    pub prompts: Option<PathBuf>,
    /// File of call records; `None`: they are logged only.
    pub records_file: Option<PathBuf>,
    /// Who gets sound as it is spoken; `None`: nobody.
    pub forward_to: Option<ForwardTo>,
    /// CAs of its certificate; `None`: those of the system.
    pub forward_ca_file: Option<PathBuf>,
    /// The rate that it wants.
    pub forward_rate: Rate,
    /// Type of service of media packets.
    pub tos: u8,
}

impl Ng {
    /// Whether anybody can ask.
    pub fn is_open(&self) -> bool {
        !(self.listen_udp.is_empty() && self.listen_tcp.is_empty() && self.listen_http.is_empty())
    }
}

/// What is written to standard error.
#[derive(Debug, Clone)]
pub struct Log {
    /// Text for people or JSON for machines.
    pub format: LogFormat,
    /// What is important enough.
    pub level: LogLevel,
}

/// How datagrams find their packet thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    /// In the kernel where it lets us, else from thread to thread.
    Auto,
    /// In the kernel, or the node does not start.
    Ebpf,
    /// From thread to thread.
    HandOver,
}

/// What carries media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaIo {
    /// The best that changes nothing for others on the machine.
    Auto,
    /// The kernel's UDP.
    Kernel,
    /// AF_XDP, and the kernel's UDP for what it does not take.
    AfXdp,
    /// quinn-udp.
    Portable,
}

/// How an interface gives and takes frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpMode {
    /// The best that works.
    Auto,
    /// The driver reads and writes our memory.
    ZeroCopy,
    /// In the driver, with a copy.
    Driver,
    /// Above the driver, with a copy.
    Generic,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what is broken.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what a person running the node wants to know.
    Info,
    /// And what helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// A text that is never shown: `Debug` redacts it, there is no `Display`, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` as a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself. Every call is a place to look at.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// This machine alone.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1"];
/// Browsers send offers of some ten kilobytes; a conference of fifty tracks stays under this.
const DEFAULT_BODY_BYTES: usize = 256 * 1024;
/// One second of a 130 Mb/s burst: the kernel's own default holds less than one key frame.
const DEFAULT_RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

impl Default for Config {
    fn default() -> Self {
        Config {
            mode: Mode::Development,
            state_directory: None,
            http: Http {
                listen: vec![SocketAddr::from(([127, 0, 0, 1], 7800))],
                max_connections: 4096,
                read_timeout_seconds: 10,
                max_body_bytes: DEFAULT_BODY_BYTES,
            },
            https: Https { listen: Vec::new(), certificate_file: None, key_file: None, names: Vec::new() },
            media: Media {
                bind: Vec::new(),
                advertise: Vec::new(),
                port: 7801,
                tcp: true,
                shards: 0,
                steering: Steering::Auto,
                io: MediaIo::Auto,
                interface: None,
                xdp_mode: XdpMode::Auto,
                coalesce_us: 2_000,
                workers: 1,
                pin: true,
                receive_buffer_bytes: DEFAULT_RECEIVE_BUFFER,
            },
            auth: Auth { secret: None, secret_file: None, public_key_file: None, leeway_seconds: 5 },
            limits: NodeLimits::default(),
            ng: Ng {
                listen_udp: Vec::new(),
                listen_tcp: Vec::new(),
                listen_http: Vec::new(),
                allow: LOOPBACK.iter().filter_map(|network| network.parse().ok()).collect(),
            },
            calls: Calls {
                interfaces: Vec::new(),
                port_min: 30_000,
                port_max: 40_000,
                port_rest_seconds: 5,
                max_calls: 10_000,
                max_calls_per_second: 0,
                silence_seconds: 60,
                hold_seconds: 3_600,
                unanswered_seconds: 300,
                delete_delay_seconds: 0,
                drain_seconds: 0,
                audio_workers: 1,
                amr: false,
                g729: false,
                recordings: None,
                prompts: None,
                records_file: None,
                forward_to: None,
                forward_ca_file: None,
                forward_rate: Rate::K8,
                // Expedited forwarding (RFC 3246), as voice is marked.
                tos: 184,
            },
            log: Log { format: LogFormat::Text, level: LogLevel::Info },
        }
    }
}

impl Auth {
    /// Whether the operator gave a key of any kind.
    pub fn has_key(&self) -> bool {
        self.secret.is_some() || self.secret_file.is_some() || self.public_key_file.is_some()
    }
}
