//! Our own node: publishers by WHIP, receivers by WHEP, SRTP keyed by DTLS on both sides.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::link::{Direction, Identity, Link, Media, Offered};
use super::process::{free_tcp_port, free_udp_port};
use super::{Feed, Placement, Process, RivalError, Stage, Suite, System, Tap};
use crate::calls::ng::Client;
use crate::client::{Trust, web};
use crate::compare::scenario::{Scenario, Shape};

const NAME: &str = "kaname";
/// How long it may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Ports of calls, as many as rtpengine is given.
const PORTS: (&str, &str) = ("30000", "59999");
/// Where its other ports are while it relays calls: none may be one of those of calls.
const OTHER_PORTS: std::ops::Range<u16> = 29_000..30_000;
/// SSRC of the first publisher.
const SSRC: u32 = 0x0200_0000;

/// The system.
pub(super) struct Kaname {
    program: PathBuf,
}

impl Kaname {
    /// The program to start.
    pub(super) fn new(program: &Path) -> Kaname {
        Kaname { program: program.to_owned() }
    }
}

impl System for Kaname {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String, RivalError> {
        version(&self.program)
    }

    fn can(&self, _scenario: &Scenario, _suite: Suite) -> Result<(), RivalError> {
        Ok(())
    }

    fn stage(&self, scenario: &Scenario, suite: Suite, place: &Placement) -> Result<Stage, RivalError> {
        let folder = Process::folder(self.name())?;
        let state = folder.path().to_string_lossy().into_owned();
        let http = format!("127.0.0.1:{}", free_tcp_port()?);
        let media = free_udp_port()?.to_string();
        let arguments = [
            "--http-listen",
            &http,
            "--media-bind",
            "127.0.0.1",
            "--media-port",
            &media,
            "--media-shards",
            "1",
            "--state-directory",
            &state,
            "--limits-peers-per-room",
            "5000",
            "--limits-rooms",
            "5000",
            "--log-level",
            "warn",
        ];
        let process = Process::start(self.name(), folder, place, &self.program, &arguments)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let identity = Identity::new()?;
        let node =
            Node { http: format!("http://{http}"), runtime, identity, suite, video: scenario.is_video() };
        Stage::filled(process, |stage| {
            stage.process.until("an answer to HTTP", READY_WITHIN, || node.get("/healthz").ok())?;
            match scenario.shape {
                Shape::OneToMany { receivers } => {
                    node.fill(stage, "compare", receivers)?;
                    stage.note = format!("one room, SRTP in and out, one shard, {}", node.backend()?);
                }
                Shape::Pairs { pairs } => {
                    for pair in 0..pairs {
                        node.fill(stage, &format!("pair-{pair}"), 1)?;
                    }
                    stage.note = format!(
                        "nearest equivalent of a call: {pairs} rooms of one publisher and one subscriber, SRTP in and out, one shard, {}",
                        node.backend()?
                    );
                }
            }
            Ok(())
        })
    }
}

/// Looks whether the program can be started, and says which version.
pub(crate) fn version(program: &Path) -> Result<String, RivalError> {
    let output = Command::new(program).arg("--version").output().map_err(|error| {
        let node = program.display();
        RivalError::Setup(format!(
            "{node} cannot be started ({error}): build it with `cargo build --release -p kaname-sfu`, or name another with --node"
        ))
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("kaname ").to_owned())
}

/// Starts it as a media relay of SIP proxies, and waits until its `ng` door answers.
pub(crate) fn start_relay(program: &Path, place: &Placement) -> Result<(Process, Client), RivalError> {
    let folder = Process::folder(NAME)?;
    let state = folder.path().to_string_lossy().into_owned();
    let (media, control) = other_ports()?;
    let control = format!("127.0.0.1:{control}");
    let http = format!("127.0.0.1:{}", free_tcp_port()?);
    let arguments = [
        "--http-listen",
        &http,
        "--media-bind",
        "127.0.0.1",
        "--media-port",
        &media.to_string(),
        "--media-shards",
        "1",
        "--state-directory",
        &state,
        "--ng-listen-udp",
        &control,
        "--ng-allow",
        "127.0.0.0/8",
        "--calls-interfaces",
        "default/127.0.0.1",
        "--calls-port-min",
        PORTS.0,
        "--calls-port-max",
        PORTS.1,
        // Ports of ended calls are taken again at once: rapid set-ups would else wait for them, and rivals know no rest.
        "--calls-port-rest-seconds",
        "0",
        "--log-level",
        "warn",
    ];
    let mut process = Process::start(NAME, folder, place, program, &arguments)?;
    let relay = control.parse().map_err(|e| RivalError::Setup(format!("{control}: {e}")))?;
    let mut client = Client::connect(relay)?;
    process.until("an answer to a ping", READY_WITHIN, || client.ping().ok())?;
    Ok((process, client))
}

/// Two ports that are free now and none of those of calls.
fn other_ports() -> Result<(u16, u16), RivalError> {
    let free = |port: &u16| std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut found = OTHER_PORTS.filter(free);
    found
        .next()
        .zip(found.next())
        .ok_or_else(|| RivalError::Setup(format!("no two UDP ports are free in {OTHER_PORTS:?}")))
}

/// A running node as its clients see it.
struct Node {
    http: String,
    runtime: tokio::runtime::Runtime,
    identity: Identity,
    suite: Suite,
    video: bool,
}

impl Node {
    /// A publisher and its receivers.
    fn fill(&self, stage: &mut Stage, room: &str, receivers: usize) -> Result<(), RivalError> {
        let token = self.token(room)?;
        let feed = stage.feeds.len();
        let publish = Media { video: self.video, direction: Direction::Send, ssrc: SSRC + feed as u32 };
        let link = self.join("whip", room, &token, &publish)?;
        stage.feeds.push(Feed {
            socket: link.socket,
            to: link.remote,
            keys: Some(link.send),
            ssrc: publish.ssrc,
            payload_type: publish.payload_type(),
            keepalive: link.keepalive,
        });
        let watch = Media { direction: Direction::Receive, ..publish };
        for _ in 0..receivers {
            let link = self.join("whep", room, &token, &watch)?;
            stage.taps.push(Tap {
                socket: link.socket,
                keys: link.receive,
                feed,
                keepalive: link.keepalive,
                remote: link.remote,
            });
        }
        Ok(())
    }

    /// WHIP (RFC 9725), or WHEP, which mirrors it.
    fn join(&self, way: &str, room: &str, token: &str, media: &Media) -> Result<Link, RivalError> {
        let offered = Offered::new(&self.identity, media, Ipv4Addr::LOCALHOST)?;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/sdp")];
        let url = format!("{}/{way}/{room}", self.http);
        let answer = self.runtime.block_on(web::request(
            "POST",
            &url,
            &headers,
            offered.sdp.clone(),
            &Trust::Plain,
        ))?;
        if answer.status != 201 {
            return Err(RivalError::Setup(format!("{url}: {} {}", answer.status, answer.body)));
        }
        offered.connect(&self.identity, &answer.body, self.suite)
    }

    fn token(&self, room: &str) -> Result<String, RivalError> {
        let url = format!("{}/dev/token", self.http);
        let wish = serde_json::json!({"room": room}).to_string();
        let headers = [("content-type", "application/json")];
        let answer = self.runtime.block_on(web::request("POST", &url, &headers, wish, &Trust::Plain))?;
        let reply: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let token = reply["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| RivalError::Setup(format!("{url}: {} {}", answer.status, answer.body)))
    }

    /// How its packets reach the kernel and which SRTP kernels it chose, in its own words.
    fn backend(&self) -> Result<String, RivalError> {
        let info: serde_json::Value = serde_json::from_str(&self.get("/api/v1/info")?).unwrap_or_default();
        let word = |name: &str| info[name].as_str().unwrap_or("unknown").to_owned();
        Ok(format!("io {}, SRTP {}", word("io_backend"), word("srtp_backend")))
    }

    fn get(&self, path: &str) -> Result<String, RivalError> {
        let url = format!("{}{path}", self.http);
        Ok(self.runtime.block_on(web::request("GET", &url, &[], "", &Trust::Plain))?.body)
    }
}
