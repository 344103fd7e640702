//! Debian's rtpengine in userspace, driven over its `ng` protocol: calls whose caller speaks RTP and whose callee
//! speaks SRTP, keyed in the SDP (RFC 4568).

mod ng;
mod sdp;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use self::ng::Ng;
use super::process::{free_udp_port, installed, package_version};
use super::{Feed, Placement, Process, RivalError, Stage, Suite, System, Tap, ends};
use crate::compare::scenario::{Scenario, Shape};

const PACKAGE: &str = "rtpengine-daemon";
/// How long it may take to answer its first ping.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Each call takes two ports for RTP and two for RTCP; this range holds 7,500 calls.
const PORTS: (&str, &str) = ("30000", "59999");
/// PCMU: its packets pass unchanged, as no codec is asked for.
const PAYLOAD_TYPE: u8 = 0;

/// The system.
pub(super) struct Rtpengine;

impl System for Rtpengine {
    fn name(&self) -> &'static str {
        "rtpengine"
    }

    fn version(&self) -> Result<String, RivalError> {
        installed("rtpengine", PACKAGE)?;
        Ok(package_version(PACKAGE)?)
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
        let program = installed("rtpengine", PACKAGE)?;
        let control = format!("127.0.0.1:{}", free_udp_port()?);
        // Userspace only (no kernel table); idle calls live longer than any run: the default reads as total loss.
        let arguments = [
            "--foreground",
            "--log-stderr",
            "--log-level=3",
            "--table=-1",
            "--interface=127.0.0.1",
            "--listen-ng",
            &control,
            "--port-min",
            PORTS.0,
            "--port-max",
            PORTS.1,
            "--num-threads=1",
            "--timeout=600",
            "--silent-timeout=600",
        ];
        let folder = Process::folder(self.name())?;
        let process = Process::start(self.name(), folder, place, &program, &arguments)?;
        let relay = control.parse().map_err(|e| RivalError::Setup(format!("{control}: {e}")))?;
        let (calls, _) = ends(scenario.shape);
        Stage::filled(process, |stage| {
            let mut ng = Ng::connect(relay)?;
            stage.process.until("an answer to a ping", READY_WITHIN, || ng.ping().ok())?;
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

/// One call from plain RTP to SRTP.
fn call(ng: &mut Ng, number: usize, suite: Suite) -> Result<(Feed, Tap), RivalError> {
    let (caller, callee) = (bind()?, bind()?);
    let ssrc = 0x0100_0000 + number as u32;
    let offered = sdp::plain(caller.local_addr()?, PAYLOAD_TYPE);
    let offer = ng.offer(number, &offered, suite)?;
    let keys = sdp::keys(&offer, suite)?;
    let towards_callee = sdp::address(&offer)?;
    let answered = sdp::protected(callee.local_addr()?, PAYLOAD_TYPE, suite);
    let answer = ng.answer(number, &answered)?;
    let to = sdp::address(&answer)?;
    let feed =
        Feed { socket: caller, to, keys: None, ssrc, payload_type: PAYLOAD_TYPE, keepalive: Vec::new() };
    let tap = Tap { socket: callee, keys, feed: number, keepalive: Vec::new(), remote: towards_callee };
    Ok((feed, tap))
}

fn bind() -> Result<UdpSocket, RivalError> {
    Ok(UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?)
}

#[cfg(test)]
mod tests;
