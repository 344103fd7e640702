//! Debian's rtpengine in userspace, driven over its `ng` protocol: calls whose caller speaks RTP and whose callee
//! speaks SRTP, keyed in the SDP (RFC 4568).

mod sdp;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::process::{installed, own_address, package_version};
use super::{Feed, Placement, Process, RivalError, Stage, Suite, System, Tap, ends};
use crate::calls::ng::{Client, Request};
use crate::compare::scenario::{Scenario, Shape};

const NAME: &str = "rtpengine";
const PACKAGE: &str = "rtpengine-daemon";
/// How long it may take to answer its first ping.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Of its `ng` door.
const CONTROL: u16 = 2_223;
/// Each call takes two ports for RTP and two for RTCP; this range holds 7,500 calls.
const PORTS: (&str, &str) = ("30000", "59999");
/// PCMU: its packets pass unchanged, as no codec is asked for.
const PAYLOAD_TYPE: u8 = 0;

/// Every suite that it offers by itself.
const SUITES: [&str; 12] = [
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "F8_128_HMAC_SHA1_80",
    "F8_128_HMAC_SHA1_32",
    "NULL_HMAC_SHA1_80",
    "NULL_HMAC_SHA1_32",
];

/// The system.
pub(super) struct Rtpengine;

impl System for Rtpengine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String, RivalError> {
        version()
    }

    fn can(&self, scenario: &Scenario, _suite: Suite) -> Result<(), RivalError> {
        match scenario.shape {
            Shape::Pairs { .. } => Ok(()),
            Shape::OneToMany { .. } => Err(RivalError::Cannot(
                "rtpengine relays calls; one to many is rtp-srtp-500's business here".into(),
            )),
        }
    }

    fn stage(&self, scenario: &Scenario, suite: Suite, place: &Placement) -> Result<Stage, RivalError> {
        let (process, mut ng) = start(place)?;
        let (calls, _) = ends(scenario.shape);
        Stage::filled(process, |stage| {
            for number in 0..calls {
                let (feed, tap) = call(&mut ng, number, suite)?;
                stage.feeds.push(feed);
                stage.taps.push(tap);
            }
            stage.note = format!("{calls} calls, RTP in, SRTP out, userspace forwarding, one worker thread");
            Ok(())
        })
    }
}

/// Starts it, and waits until it answers.
pub(crate) fn start(place: &Placement) -> Result<(Process, Client), RivalError> {
    let program = installed("rtpengine", PACKAGE)?;
    // At an address of its own: it opens ports so that another of its kind may open the same, and then takes that one's packets.
    let at = own_address();
    let control = SocketAddr::from((at, CONTROL));
    // The package's configuration would open further doors, always the same. Userspace only (no kernel table); idle calls live longer than any run: the default reads as total loss.
    let arguments = [
        "--config-file=none",
        "--foreground",
        "--log-stderr",
        "--log-level=3",
        "--table=-1",
        &format!("--interface={at}"),
        "--listen-ng",
        &control.to_string(),
        "--port-min",
        PORTS.0,
        "--port-max",
        PORTS.1,
        "--num-threads=1",
        "--timeout=600",
        "--silent-timeout=600",
    ];
    let mut process = Process::start(NAME, Process::folder(NAME)?, place, &program, &arguments)?;
    let mut client = Client::connect(control)?;
    process.until("an answer to a ping", READY_WITHIN, || client.ping().ok())?;
    Ok((process, client))
}

/// Looks whether it is installed, and says which version.
pub(crate) fn version() -> Result<String, RivalError> {
    installed("rtpengine", PACKAGE)?;
    Ok(package_version(PACKAGE)?)
}

/// One call from plain RTP to SRTP.
fn call(ng: &mut Client, number: usize, suite: Suite) -> Result<(Feed, Tap), RivalError> {
    let (caller, callee) = (bind()?, bind()?);
    let ssrc = 0x0100_0000 + number as u32;
    let offered = sdp::plain(caller.local_addr()?, PAYLOAD_TYPE);
    // This version knows no way to ask for one suite in an offer, only ways to refuse each of the others.
    let others = SUITES.into_iter().filter(|name| *name != suite.name());
    let refused: Vec<String> = others.map(|name| format!("no-{name}")).collect();
    let request = of_call("offer", number, &offered)
        .text("transport-protocol", "RTP/SAVP")
        .text("ICE", "remove")
        .text("DTLS", "off")
        .list("SDES", refused.iter().map(String::as_str));
    let offer = ng.describe("offer", &request)?;
    let keys = sdp::keys(&offer, suite)?;
    let towards_callee = sdp::address(&offer)?;
    let answered = sdp::protected(callee.local_addr()?, PAYLOAD_TYPE, suite);
    let answer = ng.describe("answer", &of_call("answer", number, &answered).text("to-tag", "callee"))?;
    let to = sdp::address(&answer)?;
    let feed =
        Feed { socket: caller, to, keys: None, ssrc, payload_type: PAYLOAD_TYPE, keepalive: Vec::new() };
    let tap = Tap { socket: callee, keys, feed: number, keepalive: Vec::new(), remote: towards_callee };
    Ok((feed, tap))
}

fn of_call(command: &str, number: usize, sdp: &str) -> Request {
    let request = Request::new(command).text("call-id", &format!("call-{number}"));
    request.text("from-tag", "caller").text("sdp", sdp)
}

fn bind() -> Result<UdpSocket, RivalError> {
    Ok(UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?)
}

#[cfg(test)]
mod tests;
