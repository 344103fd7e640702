//! The real node as a child process on free ports of loopback.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command as Build, Stdio};
use std::sync::OnceLock;

use kaname_bench::client::web::{self, Response, Trust};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Error;

/// What the node says when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// Process.
    pub pid: u32,
    /// Addresses of the page, plain ones first, with a `/` at the end.
    pub pages: Vec<String>,
    /// Addresses of the media sockets.
    pub media: Vec<std::net::SocketAddr>,
    /// Name of the SRTP backend.
    pub srtp_backend: String,
    /// Name of the io backend.
    pub io_backend: String,
}

/// How to start a node.
pub struct Launch<'a> {
    /// Where its log goes.
    pub log: PathBuf,
    /// The address of its media sockets.
    pub media: String,
    /// Their port; 0: any.
    pub media_port: u16,
    /// Further flags.
    pub flags: &'a [&'a str],
}

/// A running node. It ends when this is dropped.
pub struct Node {
    /// What it said when it was ready.
    pub ready: Ready,
    child: Child,
}

impl Node {
    /// Starts a development node. What it logs goes into the artefacts, under the name of the test.
    pub async fn start(test: &str) -> Result<Node, Error> {
        Node::start_with(test, &[]).await
    }

    /// Starts a development node with further flags.
    pub async fn start_with(test: &str, flags: &[&str]) -> Result<Node, Error> {
        let log = artefacts(test)?.join("node.log");
        Node::launch(Launch { log, media: "127.0.0.1".to_owned(), media_port: 0, flags }).await
    }

    /// Starts a development node.
    pub async fn launch(launch: Launch<'_>) -> Result<Node, Error> {
        let mut command = Command::new(binary()?);
        command
            .args(["serve", "--json", "--until-stdin-closes", "--mode", "development"])
            .args(["--http-listen", "127.0.0.1:0", "--media-bind", &launch.media])
            .args(["--media-port", &launch.media_port.to_string()])
            .args(["--log-level", "debug"])
            .args(launch.flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&launch.log)?)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or_else(|| Error::Node("no output".into()))?;
        let mut lines = BufReader::new(out).lines();
        let Some(line) = lines.next_line().await? else {
            return Err(Error::Node(format!("it did not start; see {}", launch.log.display())));
        };
        let ready = serde_json::from_str(&line).map_err(|e| Error::Node(format!("{e} in {line}")))?;
        Ok(Node { ready, child })
    }

    /// The address of a path, such as `healthz`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ready.pages[0])
    }

    /// The WebSocket's address.
    pub fn ws_url(&self) -> String {
        self.url("ws").replacen("http", "ws", 1)
    }

    /// A token from the development door. It carries no name, so that each bearer may choose one.
    pub async fn token(&self, room: &str) -> Result<String, Error> {
        let body = json!({ "room": room }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = web::request("POST", &self.url("dev/token"), &headers, body, &Trust::Plain).await?;
        let token = serde_json::from_str::<serde_json::Value>(&answer.body).ok();
        let token = token.as_ref().and_then(|v| v["token"].as_str()).map(str::to_owned);
        token.ok_or_else(|| Error::Node(format!("no token: {} {}", answer.status, answer.body)))
    }

    /// An administrator's token for a room, as people make one.
    pub async fn admin_token(&self, room: &str) -> Result<String, Error> {
        let mut command = Command::new(binary()?);
        let made =
            command.args(["token", "--mode", "development", "--room", room, "--admin"]).output().await?;
        let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        if made.status.success() { Ok(token) } else { Err(Error::Node("it makes no token".into())) }
    }

    /// A page address that joins a room.
    pub async fn join_url(&self, room: &str, name: &str, query: &str) -> Result<String, Error> {
        let token = self.token(room).await?;
        Ok(format!("{}{query}#room={room}&name={name}&token={token}", self.ready.pages[0]))
    }

    /// One request without credentials.
    pub async fn get(&self, path: &str) -> Result<Response, Error> {
        Ok(web::request("GET", &self.url(path), &[], "", &Trust::Plain).await?)
    }

    /// The metrics: name with labels, as written, to value.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>, Error> {
        let answer = self.get("metrics").await?;
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        Ok(lines
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect())
    }

    /// Packets that went no further for a reason, over all packet threads.
    pub async fn dropped(&self, reason: &str) -> Result<u64, Error> {
        let wanted = format!("reason=\"{reason}\"");
        let metrics = self.metrics().await?;
        let counts = metrics
            .iter()
            .filter(|(n, _)| n.starts_with("kaname_packets_dropped_total") && n.contains(&wanted));
        let counts: Vec<f64> = counts.map(|(_, count)| *count).collect();
        if counts.is_empty() {
            return Err(Error::Node(format!("it does not count {reason}")));
        }
        Ok(counts.iter().sum::<f64>() as u64)
    }

    /// Whether the process still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end when its work is done, as a service manager does, and does not wait.
    pub fn terminate(&self) -> Result<(), Error> {
        let pid = i32::try_from(self.ready.pid).map_err(|e| Error::Node(e.to_string()))?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
            .map_err(|e| Error::Node(e.to_string()))
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(mut self) -> Result<(), Error> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end and waits for that; whether it ended well.
    pub async fn stop(mut self) -> Result<bool, Error> {
        drop(self.child.stdin.take());
        Ok(self.child.wait().await?.success())
    }
}

/// A folder for what a test leaves behind: screenshots and logs.
pub fn artefacts(test: &str) -> Result<PathBuf, Error> {
    let folder = target().join("artefacts").join(test);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Cargo's target folder: a test binary lies in `target/PROFILE/deps`.
pub fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).map_or_else(|| Path::new("target").to_owned(), Path::to_owned)
}

/// The node's program, built once a test binary in the profile of the tests.
fn binary() -> Result<PathBuf, Error> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(build).clone().map_err(Error::Node)
}

fn build() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let profile = program.ancestors().nth(2).ok_or("no profile folder")?;
    let mut build = Build::new(env!("CARGO"));
    build.args(["build", "-p", "kaname-sfu", "--bin", "kaname"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    build.env("CARGO_TARGET_DIR", target());
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(name) => {
            build.args(["--profile", name]);
        }
    }
    let output = build.output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("the node does not build:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(profile.join("kaname"))
}
