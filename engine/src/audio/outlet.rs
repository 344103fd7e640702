//! Where an item's packets go: to shards, as parcels.

use std::time::Duration;

use kaname_core::command::LinkId;
use kaname_core::limits::PARCEL_PAYLOAD;
use kaname_core::{Clocks, Links, Note, ParcelPacket};
use kaname_media::OutPacket;
use kaname_wire::ntp::NtpTime;

use super::Output;
use super::figures::bump;
use super::item::Around;
use crate::limits::AUDIO_REPORT_TIME;

/// The ways of one stream.
#[derive(Debug, Default)]
pub(super) struct Outlets {
    ways: Vec<Way>,
    /// Of the last packet, without wraps.
    sequence: u64,
}

#[derive(Debug)]
struct Way {
    to: Output,
    /// Somebody is routed to it there, as far as we were told.
    wanted: bool,
    /// When the stream's clocks are told again.
    report_at: Duration,
}

impl Outlets {
    pub(super) fn new(outputs: &[Output]) -> Outlets {
        let mut outlets = Outlets { ways: Vec::new(), sequence: 0 };
        outlets.set(outputs);
        outlets
    }

    /// From now on it goes here; ways that stay keep what they know.
    pub(super) fn set(&mut self, outputs: &[Output]) {
        self.ways.retain(|way| outputs.contains(&way.to));
        for to in outputs {
            if !self.ways.iter().any(|way| way.to == *to) {
                self.ways.push(Way { to: *to, wanted: true, report_at: Duration::ZERO });
            }
        }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.ways.iter().map(|way| way.to.link)
    }

    /// What the importing end of a link tells.
    pub(super) fn set_wanted(&mut self, link: LinkId, wanted: bool) {
        self.ways.iter_mut().filter(|way| way.to.link == link).for_each(|way| way.wanted = wanted);
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.ways.iter().any(|way| way.wanted)
    }

    /// The stream's timestamps changed their pace: its clocks are to be told with the next packet.
    pub(super) fn tell_clocks(&mut self) {
        self.ways.iter_mut().for_each(|way| way.report_at = Duration::ZERO);
    }

    /// Sends a packet all ways. `live`: its timestamp is now, not when a key went down.
    pub(super) fn send(&mut self, packet: &OutPacket<'_>, live: bool, around: &mut Around<'_, '_>) {
        let ahead = packet.sequence.wrapping_sub(self.sequence as u16);
        self.sequence += u64::from(ahead);
        let now = Duration::from_nanos(around.now.as_nanos());
        let out = ParcelPacket {
            sequence: self.sequence,
            timestamp: packet.timestamp,
            payload_type: packet.payload_type,
            marker: packet.marker,
            level: packet.level.map(|level| (level.level, level.voice)),
            arrival: around.now,
            payload: packet.payload,
        };
        if packet.payload.len() > PARCEL_PAYLOAD {
            return bump(&around.figures.too_long, 1);
        }
        for way in self.ways.iter_mut().filter(|way| way.wanted) {
            let shard = way.to.shard.0;
            if live && way.report_at <= now {
                let ntp = NtpTime::from_nanos(around.now.as_nanos(), 0);
                let clocks = Clocks { ntp, timestamp: packet.timestamp, arrival: around.now };
                // Without room it is told with the next packet.
                if around.links.note(shard, Note::report(way.to.link, clocks)) {
                    way.report_at = now + AUDIO_REPORT_TIME;
                }
            }
            match around.links.room(shard) {
                Some(mut parcel) => {
                    let fits = parcel.write(way.to.link, &out);
                    debug_assert!(fits, "its length was looked at");
                    around.links.send(shard, parcel);
                    bump(&around.figures.packets_out, 1);
                }
                None => bump(&around.figures.no_room, 1),
            }
        }
    }
}
