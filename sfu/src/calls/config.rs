//! What calls are started with.

use std::path::PathBuf;
use std::time::Duration;

use super::{Interface, Receiver};

/// How calls run.
#[derive(Clone, Debug)]
pub struct CallsConfig {
    /// Addresses for media ports; never empty.
    pub interfaces: Vec<Interface>,
    /// Media ports, both ends included.
    pub ports: (u16, u16),
    /// How long a port rests between two calls.
    pub port_rest: Duration,
    /// Calls at once.
    pub max_calls: usize,
    /// New calls a second; `None`: any number.
    pub max_calls_per_second: Option<usize>,
    /// A call without media for so long ends.
    pub silence: Duration,
    /// The same for one that is on hold.
    pub hold: Duration,
    /// A call that nobody answers for so long ends.
    pub unanswered: Duration,
    /// How long a deleted call lives on.
    pub delete_delay: Duration,
    /// Where recordings go.
    pub recordings: Option<PathBuf>,
    /// Where sounds to play come from.
    pub prompts: Option<PathBuf>,
    /// Where a line for each call goes.
    pub records_file: Option<PathBuf>,
    /// Who gets sound as it is spoken.
    pub forward: Option<Receiver>,
    /// Type of service of media packets.
    pub tos: u8,
}
