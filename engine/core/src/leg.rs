//! A transport and all that runs on it.

mod agent;
mod arrivals;
mod ports;
mod security;
mod sources;

use std::time::Duration;

use kaname_srtp::{Inbound, Profile};
use kaname_wire::path::Path;

pub(crate) use agent::{Agent, Credentials, are_valid as ice_is_valid};
pub(crate) use arrivals::Arrivals;
pub(crate) use ports::{Claim, Ports};
pub(crate) use security::{Receiving, RtcpKeys, Sending};
pub(crate) use sources::{Owner, Sources};

use crate::bucket::Bucket;
use crate::command::{ExtensionIds, LegId};
use crate::extensions::{self, Shape};
use crate::{Time, limits};

/// Tells keyings of a leg apart, without the key.
pub(crate) type Print = (u64, Profile);

/// Whose peer gets what comes to a leg that carries no RTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bridge(pub(crate) Option<LegId>);

/// A leg and all that is known of it. What every copy that leaves needs stands first and together, then what every packet
/// needs that comes in: of a thousand legs each is looked for in memory once a packet.
#[repr(C, align(64))]
pub(crate) struct Leg {
    pub(crate) outbound: Sending,
    /// Where media goes to: what ICE or the ports say, looked up once.
    path: Option<Path>,
    /// A key reached its limit: nothing is sent until new ones come.
    pub(crate) exhausted: bool,
    /// Tells legs with the same extension identifiers from others.
    shape: Shape,
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) media: Bucket,
    /// When something believed came in last.
    pub(crate) heard: Option<Time>,
    pub(crate) inbound: Receiving,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    /// SSRCs that it receives, and that it sends.
    pub(crate) sources: Sources,
    pub(crate) sinks: Sources,
    /// Where it reaches its peer: at least one of them. With both, ICE says where the peer is.
    pub(crate) ports: Option<Box<Ports>>,
    pub(crate) agent: Option<Agent>,
    /// It carries no RTP.
    pub(crate) bridge: Option<Bridge>,
    /// Where RTCP goes to.
    rtcp_path: Option<Path>,
    extensions: ExtensionIds,
    pub(crate) id: LegId,
    pub(crate) began: Time,
    /// Of the keyings in use.
    pub(crate) inbound_print: Option<Print>,
    pub(crate) outbound_print: Option<Print>,
    /// Of every outbound keying that the leg had.
    pub(crate) outbound_prints: Vec<u64>,
    /// Inbound sessions of a leg on ports of its own that a renegotiation put aside: their keys may come back.
    pub(crate) put_aside: Vec<(Print, Inbound)>,
    /// Of reports, where those are not under the keys of media.
    pub(crate) rtcp_keys: Option<Box<RtcpKeys>>,
    pub(crate) streams: Vec<u32>,
    pub(crate) senders: Vec<u32>,
    /// SSRCs that it sent and may never send again under these keys.
    pub(crate) retired: Vec<u32>,
    pub(crate) rtcp: Bucket,
    pub(crate) datagrams: Bucket,
    /// Names us in reports where no sender does.
    pub(crate) own_ssrc: u32,
    pub(crate) cname: String,
    pub(crate) arrivals: Option<Arrivals>,
    pub(crate) report_due: Time,
    pub(crate) round_trip: Option<Duration>,
}

impl Leg {
    pub(crate) fn new(
        id: LegId,
        agent: Option<Agent>,
        ports: Option<Ports>,
        extensions: ExtensionIds,
        (own_ssrc, cname): (u32, String),
        now: Time,
    ) -> Leg {
        let mut leg = Leg {
            id,
            began: now,
            agent,
            ports: ports.map(Box::new),
            bridge: None,
            path: None,
            rtcp_path: None,
            shape: extensions::shape(&extensions),
            extensions,
            inbound: Receiving::Closed,
            outbound: Sending::Closed,
            inbound_print: None,
            outbound_print: None,
            outbound_prints: Vec::new(),
            put_aside: Vec::new(),
            rtcp_keys: None,
            exhausted: false,
            streams: Vec::new(),
            senders: Vec::new(),
            sources: Sources::default(),
            sinks: Sources::default(),
            retired: Vec::new(),
            media: Bucket::full(limits::MEDIA_BURST),
            rtcp: Bucket::full(limits::RTCP_PER_SECOND),
            datagrams: Bucket::full(limits::DATAGRAMS_PER_SECOND),
            own_ssrc,
            cname,
            arrivals: None,
            report_due: now,
            round_trip: None,
            heard: None,
            packets_in: 0,
            bytes_in: 0,
            packets_out: 0,
            bytes_out: 0,
        };
        leg.settle();
        leg
    }

    /// After any change to where the peer is.
    pub(crate) fn settle(&mut self) {
        (self.path, self.rtcp_path) = match (&self.agent, &self.ports) {
            (Some(agent), _) => (agent.path(), agent.rtcp_path()),
            (None, Some(ports)) => (ports.path(), ports.rtcp_path()),
            (None, None) => (None, None),
        };
    }

    pub(crate) fn extensions(&self) -> &ExtensionIds {
        &self.extensions
    }

    pub(crate) fn set_extensions(&mut self, ids: ExtensionIds) {
        (self.shape, self.extensions) = (extensions::shape(&ids), ids);
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Where media goes to.
    pub(crate) fn path(&self) -> Option<Path> {
        self.path
    }

    /// Where RTCP goes to.
    pub(crate) fn rtcp_path(&self) -> Option<Path> {
        self.rtcp_path
    }

    /// What protects reports that leave.
    pub(crate) fn rtcp_outbound(&mut self) -> &mut Sending {
        self.rtcp_keys.as_mut().map_or(&mut self.outbound, |keys| &mut keys.outbound)
    }

    /// Whether anything can be sent to it under its keys.
    pub(crate) fn can_send(&self) -> bool {
        self.path.is_some() && !self.exhausted && !self.outbound.is_closed()
    }

    /// The local sockets that are its own.
    pub(crate) fn locals(&self) -> impl Iterator<Item = u32> {
        let ports = self.ports.as_ref();
        ports.into_iter().flat_map(|ports| std::iter::once(ports.rtp).chain(ports.rtcp))
    }

    /// When its consent is to be looked at (RFC 7675); legs without ICE have none.
    pub(crate) fn consent_due(&self) -> Option<Time> {
        self.agent.as_ref().and_then(|agent| agent.due(self.began, self.ports.is_some()))
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(limits::ROUND_TRIP_DEFAULT)
    }

    /// Something believed came in.
    pub(crate) fn count_in(&mut self, bytes: usize, now: Time) {
        self.heard = Some(now);
        self.packets_in += 1;
        self.bytes_in += bytes as u64;
    }
}
