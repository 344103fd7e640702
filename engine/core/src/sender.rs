//! One SSRC that a leg sends.

mod mapping;
mod repairs;

use arrayvec::ArrayVec;
use kaname_wire::extension::Text;

pub(crate) use mapping::Mapping;
pub(crate) use repairs::Repairs;

use crate::command::{MediaKind, PayloadMap, SenderConfig, SenderId};
use crate::event::SenderStats;
use crate::{Time, limits};

/// What a sender forwards.
pub(crate) struct Route {
    /// Index of the stream.
    pub(crate) stream: u32,
    /// The one asked for last: nearly always the next one too, and found without another look elsewhere.
    recent: Option<PayloadMap>,
    payload_types: Vec<PayloadMap>,
}

impl Route {
    pub(crate) fn new(stream: u32, payload_types: Vec<PayloadMap>) -> Route {
        Route { stream, recent: None, payload_types }
    }

    pub(crate) fn payload_type(&mut self, from: u8) -> Option<PayloadMap> {
        if self.recent.is_none_or(|recent| recent.from != from) {
            self.recent = self.payload_types.iter().find(|map| map.from == from).copied();
        }
        self.recent
    }
}

/// A sender and all that is known of it. What every copy reads or counts stands first, in three cache lines: of a thousand
/// destinations each is looked for in memory once a packet.
#[repr(C, align(64))]
pub(crate) struct Sender {
    pub(crate) leg: u32,
    pub(crate) ssrc: u32,
    pub(crate) mid: Option<Text>,
    pub(crate) kind: MediaKind,
    pub(crate) route: Option<Route>,
    pub(crate) mapping: Mapping,
    /// Takes the route's place at its stream's next key frame.
    pub(crate) pending: Option<Route>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) repairs: Repairs,
    pub(crate) id: SenderId,
    pub(crate) rtx_sequence: u16,
    pub(crate) cname: String,
    pub(crate) retransmitted: u64,
    pub(crate) lost: i64,
    pub(crate) jitter: u32,
    pub(crate) key_frame_requests: u64,
    pub(crate) last_fir: Option<u8>,
    /// Middle of the NTP time of our latest reports, and when they left.
    reports: ArrayVec<(u32, Time), { limits::REPORTS_REMEMBERED }>,
}

/// `None` if a field is out of its range.
pub(crate) fn check(config: &SenderConfig) -> Option<Option<Text>> {
    let same = config.rtx_ssrc == Some(config.ssrc);
    if same || config.cname.is_empty() || config.cname.len() > limits::CNAME_LEN {
        return None;
    }
    match &config.mid {
        None => Some(None),
        Some(mid) => Text::new(mid).map(Some),
    }
}

impl Sender {
    pub(crate) fn new(
        id: SenderId,
        leg: u32,
        config: SenderConfig,
        mid: Option<Text>,
        mapping: Mapping,
        rtx_sequence: u16,
    ) -> Sender {
        Sender {
            id,
            leg,
            kind: config.kind,
            ssrc: config.ssrc,
            rtx_ssrc: config.rtx_ssrc,
            cname: config.cname,
            mid,
            route: None,
            pending: None,
            mapping,
            rtx_sequence,
            repairs: Repairs::new(),
            packets: 0,
            bytes: 0,
            retransmitted: 0,
            lost: 0,
            jitter: 0,
            key_frame_requests: 0,
            last_fir: None,
            reports: ArrayVec::new(),
        }
    }

    /// The streams that it is in the list of.
    pub(crate) fn streams(&self) -> impl Iterator<Item = u32> {
        let current = self.route.as_ref().map(|route| route.stream);
        let pending = self.pending.as_ref().map(|route| route.stream);
        current.into_iter().chain(pending.filter(|stream| current != Some(*stream)))
    }

    pub(crate) fn reported(&mut self, ntp_middle: u32, now: Time) {
        if self.reports.is_full() {
            self.reports.remove(0);
        }
        self.reports.push((ntp_middle, now));
    }

    /// When the report with this NTP time left.
    pub(crate) fn report_time(&self, ntp_middle: u32) -> Option<Time> {
        self.reports.iter().rev().find(|(ntp, _)| *ntp == ntp_middle).map(|(_, sent)| *sent)
    }

    pub(crate) fn stats(&self) -> SenderStats {
        SenderStats {
            sender: self.id,
            packets: self.packets,
            bytes: self.bytes,
            retransmitted: self.retransmitted,
            lost: self.lost,
            jitter: self.jitter,
            key_frame_requests: self.key_frame_requests,
        }
    }
}
