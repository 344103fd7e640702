//! Redundant audio (RFC 2198): what was lost comes with a later packet.

use kaname_wire::payload::red::Red;
use kaname_wire::sequence::{distance, timestamp_distance};

use super::{Kind, Playout};
use crate::jitter::{Inserted, Packet};
use crate::limits::JITTER_PACKETS;

impl Playout {
    /// Takes a packet's blocks: the newest as a packet of its own, earlier ones where they are missing.
    pub(super) fn unfold(&mut self, packet: &Packet<'_>, event: &mut dyn FnMut(&Packet<'_>)) -> Inserted {
        let blocks = Red::parse(packet.payload).ok();
        let Some((red, primary)) = blocks.and_then(|red| Some((red, red.primary()?))) else {
            self.counters.malformed += 1;
            return Inserted::UnknownType;
        };
        let earlier = red.blocks().count() - 1;
        // The newest first: it says where the stream stands. Blocks hold no blocks.
        let newest = Packet { payload_type: primary.payload_type, payload: primary.data, ..*packet };
        let inserted = self.insert(&newest);
        if inserted == Inserted::Event {
            event(&newest);
        }
        for (place, block) in red.blocks().take(earlier).enumerate() {
            let folded = Packet {
                payload_type: block.payload_type,
                // Section 4: each packet's newest block comes again in those right behind it.
                sequence: packet.sequence.wrapping_sub((earlier - place) as u16),
                timestamp: packet.timestamp.wrapping_sub(u32::from(block.timestamp_offset)),
                marker: false,
                payload: block.data,
                ..*packet
            };
            match self.kind(block.payload_type) {
                // Whoever reads events knows one again by its timestamp.
                Some(Kind::Event) => event(&folded),
                Some(kind @ (Kind::Audio(_) | Kind::Noise)) if !block.data.is_empty() => {
                    self.mend(kind, &folded);
                }
                _ => {}
            }
        }
        inserted
    }

    /// Puts an earlier packet where it is missing and still wanted.
    fn mend(&mut self, kind: Kind, packet: &Packet<'_>) {
        let Some(position) = &self.position else { return };
        let sequence = position.sequence + i64::from(distance(packet.sequence, position.sequence as u16));
        let timestamp =
            position.timestamp + i64::from(timestamp_distance(packet.timestamp, position.timestamp as u32));
        self.folded = true;
        let wanted = sequence >= position.next_sequence && timestamp >= position.next_timestamp;
        let near = (0..JITTER_PACKETS as i64).contains(&(position.sequence - sequence));
        if wanted && near && !self.store.has(sequence) {
            self.store.put(sequence, timestamp, kind, None, packet.payload);
            self.counters.recovered += 1;
            self.note_lost(1);
        }
    }
}
