//! Debian's Janus: a publisher over WebRTC in a room of the VideoRoom plugin, whose packets its RTP forwarders send on,
//! each protected with a key of its own destination.

mod api;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use self::api::Api;
use super::link::{Direction, Identity, Media, Offered};
use super::process::{free_tcp_port, installed, package_version};
use super::{Feed, Keys, Placement, Process, RivalError, Stage, Suite, System, Tap};
use crate::compare::scenario::{Scenario, Shape};

const PACKAGE: &str = "janus";
/// Where the package puts its modules, below the library folder of its architecture.
const MODULES: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/janus", "/usr/lib/aarch64-linux-gnu/janus"];
/// How long it may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);
const ROOM: u32 = 1;
const PUBLISHER: u32 = 1;
const SSRC: u32 = 0x0300_0000;

/// The system.
pub(super) struct Janus;

impl System for Janus {
    fn name(&self) -> &'static str {
        "janus"
    }

    fn version(&self) -> Result<String, RivalError> {
        installed("janus", PACKAGE)?;
        Ok(package_version(PACKAGE)?)
    }

    fn can(&self, scenario: &Scenario, suite: Suite) -> Result<(), RivalError> {
        match (scenario.shape, suite) {
            (Shape::Pairs { .. }, _) => {
                Err(RivalError::Cannot("Janus forwards rooms; it has no calls from RTP to SRTP".into()))
            }
            (_, Suite::Gcm128) => {
                Err(RivalError::Cannot("Janus's RTP forwarders have no AEAD_AES_128_GCM".into()))
            }
            (_, Suite::Cm) => Ok(()),
        }
    }

    fn stage(&self, scenario: &Scenario, suite: Suite, place: &Placement) -> Result<Stage, RivalError> {
        let program = installed("janus", PACKAGE)?;
        let Shape::OneToMany { receivers } = scenario.shape else {
            return Err(RivalError::Cannot("one to many only".into()));
        };
        let folder = Process::folder(self.name())?;
        let port = free_tcp_port()?;
        configure(folder.path(), port)?;
        let configuration = folder.path().to_string_lossy().into_owned();
        let arguments = ["--configs-folder", &configuration, "--interface", "127.0.0.1", "--disable-colors"];
        let process = Process::start(self.name(), folder, place, &program, &arguments)?;
        Stage::filled(process, |stage| {
            let mut api = Api::new(port)?;
            stage.process.until("an answer to a ping", READY_WITHIN, || api.ping().ok())?;
            api.begin("janus.plugin.videoroom")?;
            stage.feeds.push(publish(&mut api, scenario)?);
            stage.taps = forward(&mut api, receivers, scenario.is_video(), suite)?;
            stage.note = format!(
                "VideoRoom, publisher over WebRTC, {receivers} RTP forwarders with SRTP of their own"
            );
            Ok(())
        })
    }
}

/// Only what the scenario needs is loaded.
fn configure(folder: &Path, port: u16) -> Result<(), RivalError> {
    let modules = MODULES.iter().map(Path::new).find(|path| path.is_dir());
    let modules = modules.ok_or(RivalError::Missing { program: "janus's modules", package: PACKAGE })?;
    for (kind, name) in [("plugins", "videoroom"), ("transports", "http")] {
        std::fs::create_dir(folder.join(kind))?;
        let file = format!("libjanus_{name}.so");
        std::os::unix::fs::symlink(modules.join(kind).join(&file), folder.join(kind).join(&file))?;
    }
    std::fs::create_dir(folder.join("none"))?;
    let at = folder.display();
    let files = [
        (
            "janus.jcfg",
            format!(
                "general: {{ configs_folder = \"{at}\" plugins_folder = \"{at}/plugins\" transports_folder = \"{at}/transports\" \
                 events_folder = \"{at}/none\" loggers_folder = \"{at}/none\" debug_level = 3 }}\n\
                 nat: {{ ice_lite = true ignore_mdns = true }}\n"
            ),
        ),
        (
            "janus.transport.http.jcfg",
            format!(
                "general: {{ json = \"compact\" base_path = \"/janus\" http = true port = {port} ip = \"127.0.0.1\" https = false }}\n\
                 admin: {{ admin_http = false }}\n"
            ),
        ),
        ("janus.plugin.videoroom.jcfg", "general: { }\n".to_owned()),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// The room and its publisher.
fn publish(api: &mut Api, scenario: &Scenario) -> Result<Feed, RivalError> {
    let media = Media { video: scenario.is_video(), direction: Direction::Send, ssrc: SSRC };
    api.message(
        json!({"request": "create", "room": ROOM, "audiocodec": "opus", "videocodec": "vp8", "bitrate": 0}),
        None,
    )?;
    let identity = Identity::new()?;
    let offered = Offered::new(&identity, &media, own_address()?)?;
    let join = json!({"request": "joinandconfigure", "room": ROOM, "ptype": "publisher", "id": PUBLISHER});
    let answer = api.message(join, Some(&offered.sdp))?;
    let answer = answer["jsep"]["sdp"].as_str().map(str::to_owned).unwrap_or_default();
    let link = offered.connect(&identity, &answer, Suite::Cm)?;
    Ok(Feed {
        socket: link.socket,
        to: link.remote,
        keys: Some(link.send),
        ssrc: media.ssrc,
        payload_type: media.payload_type(),
        keepalive: link.keepalive,
    })
}

/// An address of this machine besides loopback, which Janus's agent never takes. What it forwards goes over loopback
/// all the same; only the publisher's few packets come from here, and do not leave the machine.
fn own_address() -> Result<Ipv4Addr, RivalError> {
    let addresses = nix::ifaddrs::getifaddrs().map_err(std::io::Error::from)?;
    let v4 = addresses.filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()));
    let why = "Janus needs an IPv4 address besides loopback: give this machine one (ip addr add 192.0.2.1/32 dev lo)";
    v4.into_iter().find(|ip| !ip.is_loopback()).ok_or_else(|| RivalError::Cannot(why.into()))
}

/// One forwarder a receiver, each with a key of its own, hence a request of its own: the key is the request's.
fn forward(api: &mut Api, receivers: usize, video: bool, suite: Suite) -> Result<Vec<Tap>, RivalError> {
    let mut taps = Vec::with_capacity(receivers);
    for number in 0..receivers {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let at = socket.local_addr()?;
        let keys = receiver_keys(suite, number);
        let stream = json!({
            "mid": "0", "port": at.port(), "ssrc": SSRC + 1 + number as u32, "pt": if video { 96 } else { 111 },
        });
        let request = json!({
            "request": "rtp_forward", "room": ROOM, "publisher_id": PUBLISHER, "host": "127.0.0.1",
            "host_family": "ipv4", "streams": [stream],
            "srtp_suite": 80, "srtp_crypto": STANDARD.encode([&keys.key[..], &keys.salt].concat()),
        });
        let answer = api.message(request, None)?;
        if answer["plugindata"]["data"]["forwarders"].as_array().map(Vec::len) != Some(1) {
            return Err(RivalError::Setup(format!("Janus made no forwarder: {answer}")));
        }
        taps.push(Tap { socket, keys, feed: 0, keepalive: Vec::new(), remote: at });
    }
    Ok(taps)
}

/// Different for each receiver, the same in every run.
fn receiver_keys(suite: Suite, number: usize) -> Keys {
    let (key, salt) = suite.lengths();
    let byte = |at: usize| (number.wrapping_mul(31) ^ (at * 7 + number / 256)) as u8;
    Keys { suite, key: (0..key).map(byte).collect(), salt: (key..key + salt).map(byte).collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::compare::command;

    #[test]
    fn no_two_receivers_share_a_key() {
        let keys: HashSet<_> =
            (0..1000).map(|n| receiver_keys(Suite::Cm, n)).map(|k| (k.key, k.salt)).collect();
        assert_eq!(keys.len(), 1000);
    }

    #[test]
    #[ignore = "full suite: janus, two processors, an address besides loopback"]
    fn a_room_is_forwarded_and_every_packet_is_equal() {
        let options = command::Options::of(&["janus"], &["voice-20", "video-3"]);
        let (_, rows) = command::compare(&options).expect("a comparison");
        assert_eq!(rows.len(), 2);
        for row in rows {
            assert_eq!((row.refused, row.lost), (None, 0), "{}", row.scenario);
        }
    }
}
