//! A short call between many foreign clients through a running node, with a verdict at the end.
//!
//! The caller starts the node (best as a child process, so that its CPU time can be told from that of the clients),
//! then calls [`run`], shows the [`DemoReport`], and exits by [`DemoReport::ok`].

pub(crate) mod cpu;
mod report;
mod run;
mod table;

use std::fmt;
use std::sync::Arc;

pub use report::{DelayUs, DemoReport, Progress};
pub use run::run;
pub use table::Table;

/// Makes a join token for the peer of the given name. The room and the grants are the caller's choice; every peer
/// needs publish, subscribe and data.
pub type TokenFor = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What to run, and against which node.
#[derive(Clone)]
pub struct DemoOptions {
    /// The node's WebSocket, `ws://127.0.0.1:8080/ws` or `wss://…`.
    pub ws_url: String,
    /// Trust any certificate of the node. For a node the caller itself has just started.
    pub accept_any_certificate: bool,
    /// Join tokens, by peer name.
    pub token: TokenFor,
    /// How long media is sent after everybody hears and sees everybody.
    pub seconds: u32,
    /// Peers that send sound and pictures.
    pub publishers: u32,
    /// Peers that receive every publisher.
    pub subscribers: u32,
    /// The node's process, to read its CPU time from. `None` leaves `cpu_us_per_packet` out.
    pub node_pid: Option<u32>,
    /// Name of the node's SRTP backend, for the report.
    pub srtp_backend: String,
    /// Name of the node's io backend, for the report.
    pub io_backend: String,
}

impl fmt::Debug for DemoOptions {
    // The token maker has no form worth printing, and tokens must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoOptions")
            .field("ws_url", &self.ws_url)
            .field("seconds", &self.seconds)
            .field("publishers", &self.publishers)
            .field("subscribers", &self.subscribers)
            .field("node_pid", &self.node_pid)
            .finish_non_exhaustive()
    }
}

/// Why a demo could not be carried out. A demo that ran and lost something is a [`DemoReport`] instead.
#[derive(Debug)]
pub enum DemoError {
    /// The options make no sense together.
    Options(String),
    /// A client could not connect, join or negotiate.
    Connect(String),
    /// Not every subscriber received every publisher in time.
    NotAllConnected(String),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DemoError::Options(why) => write!(f, "these options cannot be run: {why}"),
            DemoError::Connect(why) => write!(f, "a client could not connect: {why}"),
            DemoError::NotAllConnected(why) => write!(f, "not everybody received everybody: {why}"),
        }
    }
}

impl std::error::Error for DemoError {}
