//! The media relay behind the proxy: ours, or Debian's rtpengine as the reference that the tests themselves must pass.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::lab::{Lab, address};
use super::ng::Ng;
use super::program::Program;
use super::until;
use crate::node::Launch;
use crate::{Error, Node};

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Debian's package `rtpengine-daemon`.
    Rtpengine,
    /// The node of this repository.
    Kaname,
}

impl Relay {
    /// The first port that calls may take.
    pub fn first_port() -> u16 {
        PORTS.0
    }
}

/// The first and the last port for calls.
pub(super) const PORTS: (u16, u16) = (30_000, 34_999);

/// The port of a node's rooms. The system would choose one among those of calls now and then, and it stays open.
const MEDIA_PORT: u16 = 29_000;

/// How long a node that drains waits for its calls: longer than any test.
const DRAIN_SECONDS: &str = "300";

/// A running relay.
pub struct RelayNode {
    /// Its control port.
    pub control: SocketAddr,
    /// The tests' own connection to it.
    pub ng: Ng,
    process: Process,
}

enum Process {
    Rtpengine(Box<Program>),
    Kaname(Box<Node>),
}

impl RelayNode {
    /// Starts a relay at a party's address (`relay`, `spare`) and waits until it answers pings.
    pub async fn start(lab: &Lab, relay: Relay, party: &str, control: u16) -> Result<RelayNode, Error> {
        let media = address(party).to_string();
        let control = SocketAddr::from(([127, 0, 0, 1], control));
        let process = match relay {
            Relay::Rtpengine => Process::Rtpengine(Box::new(rtpengine(lab, party, &media, control)?)),
            Relay::Kaname => {
                let (listen, interface) = (control.to_string(), format!("default/{media}"));
                let (first, last) = (PORTS.0.to_string(), PORTS.1.to_string());
                let flags = [
                    ["--ng-listen-udp", &listen],
                    ["--ng-allow", "127.0.0.0/8"],
                    ["--calls-interfaces", &interface],
                    ["--calls-port-min", &first],
                    ["--calls-port-max", &last],
                    ["--calls-drain-seconds", DRAIN_SECONDS],
                ]
                .concat();
                let launch = Launch {
                    log: lab.folder.join(format!("{party}.log")),
                    media: media.clone(),
                    media_port: MEDIA_PORT,
                    flags: &flags,
                };
                Process::Kaname(Box::new(Node::launch(launch).await?))
            }
        };
        let mut ng = Ng::connect(control).await?;
        ng.ping().await?;
        Ok(RelayNode { control, ng, process })
    }

    /// The node, where it is ours.
    pub fn node(&self) -> Option<&Node> {
        match &self.process {
            Process::Kaname(node) => Some(node),
            Process::Rtpengine(_) => None,
        }
    }

    /// Takes no new calls from here on; those that run go on.
    pub async fn drain(&self) -> Result<(), Error> {
        match &self.process {
            Process::Rtpengine(_) => {
                let mut line = TcpStream::connect(console(self.control)).await?;
                line.write_all(b"set maxsessions 0\n").await?;
                let mut answer = String::new();
                line.read_to_string(&mut answer).await?;
                if answer.contains("Success") {
                    return Ok(());
                }
                Err(Error::Telephony(format!("rtpengine's console: {answer}")))
            }
            Process::Kaname(node) => node.terminate(),
        }
    }

    /// Kills it as a crash would.
    pub async fn kill(self) -> Result<(), Error> {
        match self.process {
            Process::Rtpengine(program) => program.kill().await,
            Process::Kaname(node) => node.kill().await,
        }
    }

    /// Waits until it knows no call any more.
    pub async fn empty(&mut self) -> Result<(), Error> {
        let ng = &mut self.ng;
        until("a relay without calls", async || ng.calls().await.ok().filter(Vec::is_empty)).await?;
        Ok(())
    }

    /// RTP packets that came from each side of a call.
    pub async fn sides(&mut self, call: &str) -> Result<Vec<u64>, Error> {
        let about = self.ng.query(call).await?;
        let unclear = || Error::Telephony(format!("ng: query: {about}"));
        let tags = about["tags"].as_object().ok_or_else(unclear)?;
        let packets = |side: &Value| side["medias"][0]["streams"][0]["stats"]["packets"].as_u64();
        tags.values().map(|side| packets(side).ok_or_else(unclear)).collect()
    }
}

fn console(control: SocketAddr) -> SocketAddr {
    SocketAddr::new(control.ip(), control.port() + 7000)
}

fn rtpengine(lab: &Lab, party: &str, media: &str, control: SocketAddr) -> Result<Program, Error> {
    let (control, console) = (control.to_string(), console(control).to_string());
    let (first, last) = (PORTS.0.to_string(), PORTS.1.to_string());
    // Userspace only (no kernel table); calls that are idle live longer than any test.
    let arguments = [
        "--config-file=none",
        "--foreground",
        "--log-stderr",
        "--log-level=6",
        "--table=-1",
        "--interface",
        media,
        "--listen-ng",
        &control,
        "--listen-cli",
        &console,
        "--port-min",
        &first,
        "--port-max",
        &last,
        "--num-threads=1",
        "--delete-delay=0",
        "--timeout=600",
        "--silent-timeout=600",
    ];
    Program::start(&lab.folder, party, "rtpengine-daemon", "rtpengine", &arguments)
}
