//! What an engine is started with, and why it could not start.

use std::net::IpAddr;
use std::time::Duration;

use crate::limits::COALESCE_MAX;
use crate::{IoChoice, SteeringChoice};

/// How an [`crate::Engine`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Threads that forward packets, 1 to 64.
    pub shards: usize,
    /// Addresses to listen on, one socket each. `0.0.0.0` and `::` stand for every address of that family that
    /// the machine has at start.
    pub bind: Vec<IpAddr>,
    /// All shards listen on this one; 0: any free port, for each address its own.
    pub port: u16,
    /// ICE-TCP (RFC 6544) on the same addresses and ports.
    pub tcp: bool,
    /// Receive buffer a socket, in bytes. What was granted is in the counters.
    pub receive_buffer: usize,
    /// Threads for handshakes and data channels, 1 to 64.
    pub workers: usize,
    /// Threads that decode, mix and encode audio, 0 to 64. One that has nothing to do costs about a megabyte.
    pub audio_workers: usize,
    /// Codecs besides those that are built in.
    pub codecs: ExtraCodecs,
    /// How datagrams find their shard, where there are several.
    pub steering: SteeringChoice,
    /// What carries the packets.
    pub io: IoChoice,
    /// The longest rest between two looks of a shard that is busy with calls on ports of their own, at most 2 ms; zero: it
    /// wakes up for each packet. A packet waits for no longer than this, and for no more than a few others.
    pub coalesce: Duration,
    /// Pin shard `i` to the `i`-th processor that this process may use.
    pub pin: bool,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            shards: 1,
            bind: vec![IpAddr::from([127, 0, 0, 1])],
            port: 0,
            tcp: true,
            receive_buffer: 16 * 1024 * 1024,
            workers: 1,
            audio_workers: 1,
            codecs: ExtraCodecs::default(),
            steering: SteeringChoice::Auto,
            io: IoChoice::Auto,
            coalesce: COALESCE_MAX,
            pin: true,
        }
    }
}

/// Codecs of system libraries, each used where the machine has its library and the operator asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtraCodecs {
    /// AMR and AMR-WB.
    pub amr: bool,
    /// G.729. Its library is under the GPL, version 3 or later: whoever runs the node decides whether to use it.
    pub g729: bool,
}

/// Why the engine did not start. The text names what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A number in the configuration is out of range.
    #[error("{field} is {value}: it must be {allowed}")]
    Config {
        /// Which.
        field: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A socket could not be made.
    #[error(transparent)]
    Bind(#[from] kaname_io::BindError),
    /// Steering in the kernel was asked for, and the kernel does not.
    #[error("cannot steer by eBPF: {0}; or choose the steering `auto` or `hand-over`")]
    Steering(String),
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {source}; raise the process limit (ulimit -u)")]
    Thread {
        /// Its name.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gave no random bytes: {0}")]
    Random(String),
    /// The certificate of this run could not be made.
    #[error("cannot make the DTLS certificate: {0}")]
    Certificate(String),
}
