//! One encoding that a leg receives.

mod cache;
mod key_frames;
mod level;
mod missing;
mod newcomer;
mod reception;

use kaname_wire::extension::Text;

pub(crate) use cache::Cache;
pub(crate) use key_frames::KeyFrames;
pub(crate) use level::Level;
pub(crate) use missing::Missing;
use newcomer::Newcomer;
pub(crate) use reception::{Place, Reception, RemoteReport};

use crate::command::{MediaKind, PayloadType, StreamConfig, StreamId};
use crate::crossing::{Export, Import};
use crate::event::StreamStats;
use crate::{Time, limits};

/// A stream and all that is known of it.
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) leg: u32,
    pub(crate) kind: MediaKind,
    pub(crate) mid: Option<Text>,
    pub(crate) rid: Option<Text>,
    pub(crate) payload_types: Vec<PayloadType>,
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
    pub(crate) transport_cc: bool,
    /// Bound SSRCs: signalled, or learned from the first authentic packet; then for good.
    pub(crate) ssrc: Option<u32>,
    pub(crate) repair_ssrc: Option<u32>,
    /// Added to what its publisher calls its packets: zero until another SSRC took over, as its numbers go on.
    pub(crate) sequence_offset: u16,
    pub(crate) timestamp_offset: u32,
    newcomer: Option<Newcomer>,
    changed: Option<Time>,
    pub(crate) started: bool,
    pub(crate) muted: bool,
    /// Senders routed to it, those included that wait for its key frame.
    pub(crate) senders: Vec<u32>,
    /// Other shards that it goes to, and the one it comes from.
    pub(crate) exports: Vec<Export>,
    pub(crate) import: Option<Import>,
    pub(crate) reception: Reception,
    pub(crate) missing: Missing,
    pub(crate) cache: Cache,
    pub(crate) key_frames: KeyFrames,
    pub(crate) level: Level,
    pub(crate) remote_report: Option<RemoteReport>,
    /// Of the payload type last seen.
    pub(crate) clock_rate: u32,
    pub(crate) nacks: u64,
    pub(crate) recovered: u64,
}

/// The parts of a config that must be right ahead of any change.
pub(crate) struct Names {
    pub(crate) mid: Option<Text>,
    pub(crate) rid: Option<Text>,
}

/// `None` if a field is out of its range.
pub(crate) fn check(config: &StreamConfig) -> Option<Names> {
    let types = &config.payload_types;
    let in_range = |payload: &PayloadType| {
        payload.number < 128 && payload.rtx.is_none_or(|rtx| rtx < 128) && payload.clock_rate > 0
    };
    if types.is_empty() || types.len() > limits::PAYLOAD_TYPES || !types.iter().all(in_range) {
        return None;
    }
    if config.ssrc.is_some() && config.ssrc == config.rtx_ssrc {
        return None;
    }
    let name = |name: &Option<String>| match name {
        None => Some(None),
        Some(name) => Text::new(name).map(Some),
    };
    Some(Names { mid: name(&config.mid)?, rid: name(&config.rid)? })
}

impl Stream {
    pub(crate) fn new(id: StreamId, leg: u32, config: StreamConfig, names: Names) -> Stream {
        Stream {
            id,
            leg,
            kind: config.kind,
            mid: names.mid,
            rid: names.rid,
            clock_rate: config.payload_types[0].clock_rate,
            payload_types: config.payload_types,
            nack: config.nack,
            pli: config.pli,
            fir: config.fir,
            transport_cc: config.transport_cc,
            ssrc: config.ssrc,
            repair_ssrc: config.rtx_ssrc,
            sequence_offset: 0,
            timestamp_offset: 0,
            newcomer: None,
            changed: None,
            started: false,
            muted: false,
            senders: Vec::new(),
            exports: Vec::new(),
            import: None,
            reception: Reception::new(),
            missing: Missing::default(),
            cache: Cache::default(),
            key_frames: KeyFrames::default(),
            level: Level::new(),
            remote_report: None,
            nacks: 0,
            recovered: 0,
        }
    }

    /// Someone is sent it, here or on another shard.
    pub(crate) fn is_watched(&self) -> bool {
        !self.senders.is_empty() || self.exports.iter().any(|export| export.wanted)
    }

    pub(crate) fn payload_type(&self, number: u8) -> Option<PayloadType> {
        self.payload_types.iter().find(|payload| payload.number == number).copied()
    }

    /// The payload type whose repairs have this number.
    pub(crate) fn repaired_by(&self, number: u8) -> Option<PayloadType> {
        self.payload_types.iter().find(|payload| payload.rtx == Some(number)).copied()
    }

    pub(crate) fn stats(&self) -> StreamStats {
        StreamStats {
            stream: self.id,
            packets: self.reception.packets,
            bytes: self.reception.bytes,
            lost: self.reception.lost(),
            jitter: self.reception.jitter(),
            nacks: self.nacks,
            recovered: self.recovered,
            key_frames: self.key_frames.seen,
            key_frame_requests: self.key_frames.requests,
        }
    }
}
