//! Two shards, and what carries between them.

use super::*;

/// One shard's way to the other.
pub(crate) struct Ring {
    pub(crate) free: Vec<Parcel>,
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) notes: Vec<Note>,
    /// Notes find no room.
    pub(crate) deaf: bool,
}

impl Ring {
    pub(crate) fn new(parcels: usize) -> Ring {
        let free = (0..parcels).map(|_| Parcel::new()).collect();
        let (parcels, notes) = (Vec::with_capacity(parcels), Vec::with_capacity(64));
        Ring { free, parcels, notes, deaf: false }
    }
}

impl Links for Ring {
    fn room(&mut self, _to: usize) -> Option<Parcel> {
        self.free.pop()
    }

    fn send(&mut self, _to: usize, parcel: Parcel) {
        self.parcels.push(parcel);
    }

    fn note(&mut self, _to: usize, note: Note) -> bool {
        if !self.deaf {
            self.notes.push(note);
        }
        !self.deaf
    }
}

/// What waits in `from` goes over the ring into `to`; gives how many packets crossed.
pub(crate) fn cross(from: &mut World, ring: &mut Ring, to: &mut World) -> usize {
    from.shard.hand_over(from.now, ring);
    let crossed = ring.parcels.len();
    deliver(ring, to);
    crossed
}

/// What is in the ring arrives.
pub(crate) fn deliver(ring: &mut Ring, to: &mut World) {
    for mut parcel in ring.parcels.drain(..) {
        to.shard.ingest_remote(&mut parcel);
        ring.free.push(parcel);
    }
    for note in ring.notes.drain(..) {
        to.shard.heed(to.now, note);
    }
    to.drain();
}

/// Exports a stream of the first and imports it into the second under the same name.
pub(crate) fn link(from: &mut World, to: &mut World, stream: u32, link: u64, config: &StreamConfig) {
    let (stream, link) = (StreamId(stream), LinkId(link));
    from.must(Command::ExportStream { stream, link, to: 1 });
    let config = ImportConfig { kind: config.kind, payload_types: config.payload_types.clone() };
    to.must(Command::ImportStream { stream, link, from: 0, config: Box::new(config) });
}
