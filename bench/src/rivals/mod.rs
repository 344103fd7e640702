//! Other systems that forward media, and our own node beside them: each is started as a process of its own, made ready
//! for one scenario, and stopped. What is sent to it and what comes out is [`compare`](crate::compare)'s business.

mod janus;
pub(crate) mod kaname;
pub(crate) mod link;
mod process;
pub(crate) mod rtpengine;

use std::net::{SocketAddr, UdpSocket};

pub use process::{Placement, Process};

use crate::compare::scenario::{Scenario, Shape};

/// Why a system could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum RivalError {
    /// It is not on this machine.
    #[error("{program} is not installed: apt-get install {package}, or run ./test --full, which does")]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// It has no way to carry out this scenario.
    #[error("{0}")]
    Cannot(String),
    /// It was asked and did not do its part.
    #[error("{0}")]
    Setup(String),
    /// It ended by itself.
    #[error("{system} ended while it was needed; its log: {log}")]
    Died {
        /// Which.
        system: &'static str,
        /// The end of what it wrote.
        log: String,
    },
    /// This machine failed.
    #[error("this machine: {0}")]
    Io(#[from] std::io::Error),
}

impl From<crate::calls::ng::NgError> for RivalError {
    fn from(error: crate::calls::ng::NgError) -> Self {
        RivalError::Setup(error.to_string())
    }
}

impl From<crate::client::ClientError> for RivalError {
    fn from(error: crate::client::ClientError) -> Self {
        RivalError::Setup(error.to_string())
    }
}

/// SRTP protection of what a system sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// RFC 3711's default transforms with a tag of 80 bits.
    Cm,
    /// RFC 7714.
    Gcm128,
}

impl Suite {
    /// The name of RFC 4568 and RFC 7714.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Cm => "AES_CM_128_HMAC_SHA1_80",
            Suite::Gcm128 => "AEAD_AES_128_GCM",
        }
    }

    /// Bytes of master key and master salt.
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Suite::Cm => (16, 14),
            Suite::Gcm128 => (16, 12),
        }
    }
}

/// Master key and salt of one direction.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// What they are for.
    pub suite: Suite,
    /// Master key.
    pub key: Vec<u8>,
    /// Master salt.
    pub salt: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    // Keys stay out of logs, even those of a benchmark.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Where a source sends to.
pub struct Feed {
    /// From here.
    pub socket: UdpSocket,
    /// To the system.
    pub to: SocketAddr,
    /// `None`: plain RTP.
    pub keys: Option<Keys>,
    /// SSRC to send with.
    pub ssrc: u32,
    /// Payload type to send with.
    pub payload_type: u8,
    /// Sent once before media, to renew consent; empty if there is nothing to renew.
    pub keepalive: Vec<u8>,
}

/// Where what a system sends comes out.
pub struct Tap {
    /// Here.
    pub socket: UdpSocket,
    /// What it is protected with.
    pub keys: Keys,
    /// Which feed's packets have to come out here.
    pub feed: usize,
    /// See [`Feed::keepalive`]; sent to `remote`.
    pub keepalive: Vec<u8>,
    /// The system's address.
    pub remote: SocketAddr,
}

/// A system that is ready for media.
pub struct Stage {
    /// It runs as long as this lives.
    pub process: Process,
    /// Where media goes in.
    pub feeds: Vec<Feed>,
    /// Where it has to come out.
    pub taps: Vec<Tap>,
    /// What a reader of the figures has to know.
    pub note: String,
}

impl Stage {
    /// A stage on which `fill` connects everybody; if that fails, the system's log tells why.
    fn filled(
        process: Process,
        fill: impl FnOnce(&mut Stage) -> Result<(), RivalError>,
    ) -> Result<Stage, RivalError> {
        let mut stage = Stage { process, feeds: Vec::new(), taps: Vec::new(), note: String::new() };
        match fill(&mut stage) {
            Ok(()) => Ok(stage),
            Err(error) => Err(stage.process.explain(error)),
        }
    }
}

/// Something that forwards media.
pub trait System {
    /// `kaname`, `janus`, `rtpengine`.
    fn name(&self) -> &'static str;

    /// Looks whether it is installed, and says which version.
    fn version(&self) -> Result<String, RivalError>;

    /// Whether it has a way to do this; [`RivalError::Cannot`] says why not.
    fn can(&self, scenario: &Scenario, suite: Suite) -> Result<(), RivalError>;

    /// Starts it and connects everybody.
    fn stage(&self, scenario: &Scenario, suite: Suite, place: &Placement) -> Result<Stage, RivalError>;
}

/// The system of this name; `node` is our own program, where `kaname` is asked for.
pub fn system(name: &str, node: &std::path::Path) -> Option<Box<dyn System>> {
    match name {
        "kaname" => Some(Box::new(kaname::Kaname::new(node))),
        "janus" => Some(Box::new(janus::Janus)),
        "rtpengine" => Some(Box::new(rtpengine::Rtpengine)),
        _ => None,
    }
}

/// Names that [`system`] knows.
pub const SYSTEMS: [&str; 3] = ["kaname", "janus", "rtpengine"];

/// How many feeds and taps a shape has.
fn ends(shape: Shape) -> (usize, usize) {
    match shape {
        Shape::OneToMany { receivers } => (1, receivers),
        Shape::Pairs { pairs } => (pairs, pairs),
    }
}
