//! What calls go through: a node that is started here, or one that runs somewhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::CallError;
use super::ng::Client;
use crate::rivals::{Placement, Process, kaname, rtpengine};

/// Systems that can be started here.
pub(super) const SYSTEMS: [&str; 2] = ["kaname", "rtpengine"];

/// A system, not yet running.
#[derive(Clone, Debug)]
pub(super) enum System {
    /// Debian's, in userspace.
    Rtpengine,
    /// Our own program.
    Kaname(PathBuf),
    /// One that runs already, and its process if it is on this machine.
    Running { control: SocketAddr, pid: Option<u32> },
}

impl System {
    /// The system of a name; `node` is our program.
    pub(super) fn named(name: &str, node: &Path) -> Result<System, CallError> {
        match name {
            "rtpengine" => Ok(System::Rtpengine),
            "kaname" => Ok(System::Kaname(node.to_owned())),
            _ => Err(CallError::Asked(format!("no system `{name}`: there are {}", SYSTEMS.join(", ")))),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            System::Rtpengine => "rtpengine",
            System::Kaname(_) => "kaname",
            System::Running { .. } => "running",
        }
    }

    /// Looks whether it can be started, and says which version.
    pub(super) fn version(&self) -> Result<String, CallError> {
        Ok(match self {
            System::Rtpengine => rtpengine::version()?,
            System::Kaname(program) => kaname::version(program)?,
            System::Running { control, .. } => control.to_string(),
        })
    }

    /// Starts it where it has to be started, and waits until it answers.
    pub(super) fn start(&self, place: &Placement) -> Result<Running, CallError> {
        Ok(match self {
            System::Rtpengine => Running::own(rtpengine::start(place)?),
            System::Kaname(program) => Running::own(kaname::start_relay(program, place)?),
            System::Running { control, pid } => {
                let mut client = Client::connect(*control)?;
                client.ping()?;
                Running { process: None, pid: *pid, control: *control }
            }
        })
    }
}

/// A node that answers.
pub(super) struct Running {
    /// Ends with this.
    process: Option<Process>,
    pub(super) pid: Option<u32>,
    pub(super) control: SocketAddr,
}

impl Running {
    fn own((process, client): (Process, Client)) -> Running {
        Running { pid: Some(process.pid()), process: Some(process), control: client.relay() }
    }

    /// A fresh client of it.
    pub(super) fn client(&self) -> Result<Client, CallError> {
        Ok(Client::connect(self.control)?)
    }

    /// An error with what the node wrote, if it was started here.
    pub(super) fn explain(&mut self, error: CallError) -> CallError {
        match (&mut self.process, error) {
            (Some(process), CallError::Setup(why)) => {
                CallError::Node(process.explain(crate::rivals::RivalError::Setup(why)))
            }
            (_, error) => error,
        }
    }

    /// Whether it still runs, as far as that can be known.
    pub(super) fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_none_or(Process::is_alive)
    }
}
