//! A node of one's own for a run: started as a child on cores of its own, with limits that leave room for a fleet.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::Deserialize;

use super::FleetError;
use super::limits::MAX_CLIENTS;
use super::target::{NodeTarget, TokenFor};
use crate::client::{Trust, web};

/// A started node. Dropping it ends it: its standard input closes.
pub struct Launched {
    child: Child,
    /// How to run a fleet against it.
    pub target: NodeTarget,
    /// Its backends, for reports.
    pub backends: String,
}

/// What a node says when it is ready.
#[derive(Deserialize)]
struct Ready {
    pid: u32,
    pages: Vec<String>,
    srtp_backend: String,
    io_backend: String,
}

/// How to start a node.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Shards; `None` leaves it to the node.
    pub shards: Option<u32>,
    /// The cores it may use; empty: any.
    pub cores: Vec<usize>,
    /// Further arguments of `kaname serve`.
    pub arguments: Vec<String>,
}

impl Launch {
    /// Starts a node and waits until it is ready.
    ///
    /// # Errors
    /// [`FleetError::Target`] if it does not start, [`FleetError::Io`] if the program cannot be run.
    pub fn start(&self, program: &Path) -> Result<Launched, FleetError> {
        let peers = MAX_CLIENTS.to_string();
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--json",
            "--until-stdin-closes",
            "--mode",
            "development",
            "--log-level",
            "warn",
        ]);
        command.args(["--http-listen", "127.0.0.1:0", "--media-bind", "127.0.0.1", "--media-port", "0"]);
        command.args(["--limits-peers", &peers, "--limits-peers-per-room", &peers, "--limits-rooms", &peers]);
        command.args(["--http-max-connections", "4096"]);
        if let Some(shards) = self.shards {
            command.args(["--media-shards", &shards.to_string()]);
        }
        command.args(&self.arguments);
        // Settings of another node on this machine are not meant for this one.
        for (name, _) in std::env::vars_os() {
            let kept = ["KANAME_CPU_DISABLE"];
            if name.to_str().is_some_and(|name| name.starts_with("KANAME_") && !kept.contains(&name)) {
                command.env_remove(&name);
            }
        }
        let own = sched_getaffinity(Pid::from_raw(0)).map_err(std::io::Error::from)?;
        if !self.cores.is_empty() {
            // The child inherits it, with all its threads.
            pin(&self.cores)?;
        }
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        sched_setaffinity(Pid::from_raw(0), &own).map_err(std::io::Error::from)?;
        let mut child = spawned?;
        let dead = || FleetError::Target("it did not start; see its message above".into());
        let output = child.stdout.take().ok_or_else(dead)?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready: Ready = serde_json::from_str(&line).map_err(|_| dead())?;
        let url = ready.pages.first().ok_or_else(dead)?.trim_end_matches('/').to_owned();
        let target = NodeTarget {
            token: development_token(&url, &Trust::Plain)?,
            url,
            trust: Trust::Plain,
            pid: Some(ready.pid),
            system: "kaname".into(),
            allow_remote: false,
        };
        let backends = format!("srtp {}, io {}", ready.srtp_backend, ready.io_backend);
        Ok(Launched { child, target, backends })
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself then. One that hangs is worth noticing, so it is waited for.
        let _ = self.child.wait();
    }
}

/// Lets the calling thread, and threads it starts, run on these cores only.
///
/// # Errors
/// [`FleetError::Scenario`] for a core that there is not.
pub fn pin(cores: &[usize]) -> Result<(), FleetError> {
    let mut set = CpuSet::new();
    let added = cores.iter().try_for_each(|core| set.set(*core));
    added
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|_| FleetError::Scenario(format!("this machine has no cores {cores:?}")))
}

/// What a development node gives to everyone: a token for every room.
///
/// # Errors
/// [`FleetError::Target`] if the node gives none.
pub fn development_token(url: &str, trust: &Trust) -> Result<TokenFor, FleetError> {
    #[derive(Deserialize)]
    struct Reply {
        token: String,
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let url = format!("{}/dev/token", url.trim_end_matches('/'));
    let ask = web::request(
        "POST",
        &url,
        &[("content-type", "application/json")],
        r#"{"room":"*","name":"fleet"}"#,
        trust,
    );
    let answer = runtime.block_on(ask).map_err(|e| FleetError::Target(e.to_string()))?;
    let reply: Reply = serde_json::from_str(&answer.body).map_err(|_| {
        FleetError::Target(format!(
            "it gives no development token ({}); pass one for all rooms with --token (kaname token --room '*' --publish \
             --subscribe)",
            answer.status
        ))
    })?;
    Ok(Arc::new(move |_: &str| reply.token.clone()))
}
