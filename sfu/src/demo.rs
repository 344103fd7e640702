//! `kaname demo`: starts a node of its own as a child process, and lets the load harness call through it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its table and its verdict are for the terminal"
)]

use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use kaname_bench::demo::{self, DemoOptions, DemoReport, Table};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::token::{Claims, GrantClaims, TokenKey, Tokens};

const ROOM: &str = "demo";
/// A node is ready in well under a second; a loaded machine gets more.
const READY_WITHIN: Duration = Duration::from_secs(15);
/// Time to join, on top of the time that media is sent.
const TOKEN_MARGIN: Duration = Duration::from_secs(600);

/// Runs the demo that the command line describes. The error says why it could not be run.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, String> {
    let number = |name: &str| matches.get_one::<u32>(name).copied();
    let json = matches.get_flag("json");
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(async {
        let node = DemoNode::start(number("shards")).await?;
        let seconds = number("seconds").unwrap_or(10);
        let options = DemoOptions {
            ws_url: node.ready.websocket()?,
            accept_any_certificate: false,
            token: tokens(seconds),
            seconds,
            publishers: number("publishers").unwrap_or(2),
            subscribers: number("subscribers").unwrap_or(4),
            node_pid: Some(node.ready.pid),
            srtp_backend: node.ready.srtp_backend.clone(),
            io_backend: node.ready.io_backend.clone(),
        };
        let mut table = Table::stderr();
        let ran = demo::run(options, |progress| {
            if !json {
                table.show(progress);
            }
        });
        let outcome = ran.await.map_err(|error| error.to_string());
        node.stop().await;
        say(&outcome?, json)
    })
}

fn say(report: &DemoReport, json: bool) -> Result<ExitCode, String> {
    if json {
        println!(
            "{}",
            serde_json::to_string(report).map_err(|error| format!("cannot write the report: {error}"))?
        );
    } else {
        println!("{}", report.line());
    }
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The node is a development node, so its key is the one everybody knows.
fn tokens(seconds: u32) -> demo::TokenFor {
    let tokens = Tokens::new(TokenKey::development(), 0);
    let ttl = Duration::from_secs(seconds.into()) + TOKEN_MARGIN;
    Arc::new(move |name: &str| {
        let claims =
            Claims { name: Some(name.to_owned()), ..Claims::new(ROOM, GrantClaims::PARTICIPANT, ttl) };
        // An HS256 key always signs; a token that is empty would be refused by the node, with a reason.
        tokens.sign(&claims).unwrap_or_default()
    })
}

/// What the node says when it is ready; see [`crate::banner`].
#[derive(Deserialize)]
struct Ready {
    pid: u32,
    pages: Vec<String>,
    srtp_backend: String,
    io_backend: String,
}

impl Ready {
    fn websocket(&self) -> Result<String, String> {
        let page = self.pages.first().ok_or("the node has no page")?;
        Ok(format!("{}ws", page.replacen("http", "ws", 1)))
    }
}

struct DemoNode {
    child: Child,
    ready: Ready,
}

impl DemoNode {
    /// A child, so that its CPU time can be told from that of the clients. It ends when we do: its standard input closes.
    async fn start(shards: Option<u32>) -> Result<DemoNode, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find the node's program: {error}"))?;
        let mut command = Command::new(program);
        command.args([
            "serve",
            "--json",
            "--until-stdin-closes",
            "--http-listen",
            "127.0.0.1:0",
            "--media-bind",
            "127.0.0.1",
        ]);
        command.args(["--media-port", "0", "--log-level", "warn", "--mode", "development"]);
        if let Some(shards) = shards {
            command.args(["--media-shards", &shards.to_string()]);
        }
        // Settings of another node on this machine are not meant for this one.
        for (name, _) in std::env::vars_os() {
            let kept = ["KANAME_CPU_DISABLE"];
            if name.to_str().is_some_and(|name| name.starts_with("KANAME_") && !kept.contains(&name)) {
                command.env_remove(&name);
            }
        }
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = spawned.map_err(|error| format!("cannot start the node: {error}"))?;
        let output = child.stdout.take().ok_or("the node has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
        let line = line.map_err(|_| "the node was not ready in time; `kaname doctor` may know why")?;
        let line = line.ok().flatten().ok_or("the node did not start; see its message above")?;
        let ready = serde_json::from_str(&line)
            .map_err(|error| format!("the node's ready message is not understood: {error}"))?;
        Ok(DemoNode { child, ready })
    }

    async fn stop(mut self) {
        drop(self.child.stdin.take());
        // It drains by itself; if it does not, dropping the child ends it.
        let _ended = tokio::time::timeout(READY_WITHIN, self.child.wait()).await;
    }
}
