//! Rooms that are larger than a shard: a stream whose publisher is on one shard and whose subscribers are on others.
//!
//! The publisher's shard *exports* the stream: each packet crosses once per shard, as plaintext, in a [`Parcel`]. The
//! subscribers' shard *imports* it: there it is a stream like any other but without a leg, with its own repair cache,
//! and each copy is encrypted there. What subscribers ask for goes back as a [`Note`]. A link has a name of its own
//! that is never used again, so that nothing which is still on its way can end in another room.
//!
//! An audio worker is to a shard as another shard: it reads the parcels of what is exported to it ([`Parcel::packet`]),
//! and writes those of what is imported from it ([`Parcel::write`]).
//!
//! The core only fills and empties parcels; what carries them between threads is the caller's [`Links`].

mod note;
mod parcel;

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use crate::{Time, limits};

pub(crate) use note::Body;
pub use note::{Clocks, Note, Told};
pub use parcel::{Parcel, ParcelPacket};

/// One stream's way from one shard to another. Chosen by the control plane; never used twice while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What carries parcels and notes to other shards; they are told apart by number, as the control plane names them.
pub trait Links {
    /// Room for a packet to this shard. `None`: it is behind, and the packet is dropped.
    fn room(&mut self, to: usize) -> Option<Parcel>;

    /// Sends a parcel that [`Links::room`] gave for this shard.
    fn send(&mut self, to: usize, parcel: Parcel);

    /// Sends a note. False: there is no room; it is kept and offered again.
    fn note(&mut self, to: usize, note: Note) -> bool;
}

/// Where a stream's packets go besides the senders of its own shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Export {
    pub(crate) link: LinkId,
    pub(crate) to: usize,
    /// Someone watches there, as far as we were told.
    pub(crate) wanted: bool,
}

/// Where an imported stream comes from.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) link: LinkId,
    pub(crate) from: usize,
    began: Time,
    /// What the publisher's shard was last told.
    pub(crate) wanted: bool,
    /// Wishes for a key frame that wait to be told: of a subscriber, of a new route.
    pub(crate) wished: [bool; 2],
    /// The latest packets that were asked for again, the oldest first.
    pub(crate) again: VecDeque<u64>,
}

impl Import {
    pub(crate) fn new(link: LinkId, from: usize, now: Time) -> Import {
        let again = VecDeque::with_capacity(limits::CROSSING_AGAIN);
        Import { link, from, began: now, wanted: false, wished: [false; 2], again }
    }

    /// Its clocks should have been told by now, had it any.
    pub(crate) fn is_without_clocks(&self, now: Time) -> bool {
        now.since(self.began) >= limits::REPORT_PATIENCE
    }

    /// Whether to ask for the packet: once.
    pub(crate) fn ask_again(&mut self, sequence: u64) -> bool {
        if self.again.contains(&sequence) {
            return false;
        }
        if self.again.len() == limits::CROSSING_AGAIN {
            self.again.pop_front();
        }
        self.again.push_back(sequence);
        true
    }
}

/// What waits to cross, and the links by name.
pub(crate) struct Crossings {
    /// Packets, each holding its slot.
    pub(crate) packets: VecDeque<(LinkId, usize, u32)>,
    pub(crate) notes: VecDeque<(usize, Note)>,
    /// Indices of streams.
    pub(crate) exports: HashMap<LinkId, u32, FixedState>,
    pub(crate) imports: HashMap<LinkId, u32, FixedState>,
}

impl Crossings {
    pub(crate) fn new(seed: u64) -> Crossings {
        Crossings {
            packets: VecDeque::with_capacity(limits::CROSSING_PACKETS),
            notes: VecDeque::new(),
            exports: HashMap::with_hasher(FixedState::with_seed(seed)),
            imports: HashMap::with_hasher(FixedState::with_seed(seed)),
        }
    }

    /// False: too many wait; the slot is still the caller's.
    pub(crate) fn push(&mut self, export: &Export, slot: u32) -> bool {
        let fits = self.packets.len() < limits::CROSSING_PACKETS;
        if fits {
            self.packets.push_back((export.link, export.to, slot));
        }
        fits
    }

    pub(crate) fn tell(&mut self, to: usize, link: LinkId, body: Body) {
        self.notes.push_back((to, Note { link, body }));
    }
}
