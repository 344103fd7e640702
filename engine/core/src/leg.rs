//! A transport and all that runs on it.

mod agent;
mod arrivals;
mod sources;

use std::time::Duration;

use kaname_srtp::{Inbound, Outbound};

pub(crate) use agent::{Agent, Credentials, are_valid as ice_is_valid};
pub(crate) use arrivals::Arrivals;
pub(crate) use sources::{Owner, Sources};

use crate::bucket::Bucket;
use crate::command::{ExtensionIds, LegId};
use crate::{Time, limits};

/// A leg and all that is known of it.
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) began: Time,
    pub(crate) agent: Agent,
    pub(crate) extensions: ExtensionIds,
    pub(crate) inbound: Option<Inbound>,
    pub(crate) outbound: Option<Outbound>,
    /// Of every outbound keying that the leg had.
    pub(crate) outbound_prints: Vec<u64>,
    /// A key reached its limit: nothing is sent until new ones come.
    pub(crate) exhausted: bool,
    pub(crate) streams: Vec<u32>,
    pub(crate) senders: Vec<u32>,
    /// SSRCs that it receives, and that it sends.
    pub(crate) sources: Sources,
    pub(crate) sinks: Sources,
    /// SSRCs that it sent and may never send again under these keys.
    pub(crate) retired: Vec<u32>,
    pub(crate) media: Bucket,
    pub(crate) rtcp: Bucket,
    pub(crate) datagrams: Bucket,
    /// Names us in reports where no sender does.
    pub(crate) own_ssrc: u32,
    pub(crate) cname: String,
    pub(crate) arrivals: Option<Arrivals>,
    pub(crate) report_due: Time,
    pub(crate) round_trip: Option<Duration>,
    /// When something believed came in last.
    pub(crate) heard: Option<Time>,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
}

impl Leg {
    pub(crate) fn new(
        id: LegId,
        agent: Agent,
        extensions: ExtensionIds,
        own_ssrc: u32,
        cname: String,
        now: Time,
    ) -> Leg {
        Leg {
            id,
            began: now,
            agent,
            extensions,
            inbound: None,
            outbound: None,
            outbound_prints: Vec::new(),
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
        }
    }

    /// Whether anything can be sent to it under its keys.
    pub(crate) fn can_send(&self) -> bool {
        self.outbound.is_some() && !self.exhausted && self.agent.path().is_some()
    }

    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(limits::ROUND_TRIP_DEFAULT)
    }
}
