//! What a fleet runs against.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use kaname_srtp::Keying;

use super::FleetError;
use crate::client::Trust;

/// What a fleet runs against.
#[derive(Clone, Debug)]
pub enum Target {
    /// A node that is spoken to by WHIP and WHEP.
    Node(NodeTarget),
    /// Anything else, made ready by the caller: senders and receivers with addresses and keys, no signalling.
    Legs(LegTarget),
}

/// Makes the bearer token for a room.
pub type TokenFor = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// A node with WHIP and WHEP.
#[derive(Clone)]
pub struct NodeTarget {
    /// Such as `http://127.0.0.1:7800`.
    pub url: String,
    /// Bearer tokens, by room.
    pub token: TokenFor,
    /// Certificates to accept.
    pub trust: Trust,
    /// Its process, for CPU, memory and context switches.
    pub pid: Option<u32>,
    /// For reports.
    pub system: String,
    /// Whether it may be on another machine.
    pub allow_remote: bool,
}

impl fmt::Debug for NodeTarget {
    // Tokens must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeTarget").field("url", &self.url).field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// A relay whose legs the caller has set up. Senders of the fleet publish to it, receivers are where it sends to.
#[derive(Clone, Debug, Default)]
pub struct LegTarget {
    /// Senders, in the order of the scenario's publishers.
    pub send: Vec<SendLeg>,
    /// Receivers, in the order of the scenario's subscribers.
    pub receive: Vec<ReceiveLeg>,
    /// Its process, for CPU, memory and context switches.
    pub pid: Option<u32>,
    /// For reports, such as `janus` or `rtpengine`.
    pub system: String,
    /// Whether it may be on another machine.
    pub allow_remote: bool,
}

/// Where a publisher of the fleet sends.
#[derive(Clone, Debug)]
pub struct SendLeg {
    /// Local address to send from; port 0 is any.
    pub from: SocketAddr,
    /// The relay's port.
    pub to: SocketAddr,
    /// Keys of this direction; `None` sends plain RTP.
    pub keys: Option<Keying>,
    /// Payload type and SSRC.
    pub payload_type: u8,
    /// See `payload_type`.
    pub ssrc: u32,
}

/// Where a subscriber of the fleet receives.
#[derive(Clone, Debug)]
pub struct ReceiveLeg {
    /// Local address to bind, as the relay was told.
    pub at: SocketAddr,
    /// Keys of this direction; `None` receives plain RTP.
    pub keys: Option<Keying>,
    /// Which sender's media comes here.
    pub sender: u32,
}

impl Target {
    /// Refuses other machines unless allowed.
    pub(super) fn check(&self) -> Result<(), FleetError> {
        let (addresses, allowed) = match self {
            Target::Node(node) => (vec![node.address()?.ip()], node.allow_remote),
            Target::Legs(legs) => (legs.send.iter().map(|leg| leg.to.ip()).collect(), legs.allow_remote),
        };
        match addresses.iter().find(|ip| !allowed && !is_local(**ip)) {
            Some(ip) => Err(FleetError::Remote(ip.to_string())),
            None => Ok(()),
        }
    }
}

/// Whether an address is one of this machine: only those can be bound.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || (!ip.is_unspecified() && UdpSocket::bind((ip, 0)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(url: &str, allow_remote: bool) -> Target {
        Target::Node(NodeTarget {
            url: url.into(),
            token: Arc::new(|_| String::new()),
            trust: Trust::Plain,
            pid: None,
            system: "x".into(),
            allow_remote,
        })
    }

    #[test]
    fn other_machines_are_refused_unless_allowed() {
        for local in ["http://127.0.0.1:1", "http://127.9.9.9:1", "http://[::1]:1", "http://localhost:1"] {
            assert!(node(local, false).check().is_ok(), "{local}");
        }
        for remote in ["http://192.0.2.7:7800", "https://[2001:db8::1]", "http://0.0.0.0:1"] {
            assert!(matches!(node(remote, false).check(), Err(FleetError::Remote(_))), "{remote}");
            assert!(node(remote, true).check().is_ok(), "{remote}");
        }
        assert!(matches!(node("nothing", true).check(), Err(FleetError::Scenario(_))));
        let mut legs = LegTarget::default();
        let (from, to) = ("127.0.0.1:0".parse().unwrap(), "198.51.100.1:9".parse().unwrap());
        legs.send.push(SendLeg { from, to, keys: None, payload_type: 0, ssrc: 1 });
        assert!(matches!(Target::Legs(legs).check(), Err(FleetError::Remote(_))));
    }
}
