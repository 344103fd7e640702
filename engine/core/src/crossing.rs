//! Rooms that are larger than a shard: a stream whose publisher is on one shard and whose subscribers are on others.
//!
//! The publisher's shard *exports* the stream: each packet crosses once per shard, as plaintext, in a [`Parcel`]. The
//! subscribers' shard *imports* it: there it is a stream like any other but without a leg, with its own repair cache,
//! and each copy is encrypted there. What subscribers ask for goes back as a [`Note`]. A link has a name of its own
//! that is never used again, so that nothing which is still on its way can end in another room.
//!
//! The core only fills and empties parcels; what carries them between threads is the caller's [`Links`].

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;

use crate::arena::{Buffer, Meta, buffer};
use crate::limits;
use crate::stream::RemoteReport;

/// One stream's way from one shard to another. Chosen by the control plane; never used twice while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// One packet on its way between shards, or room for one: its memory goes round and is allocated once.
pub struct Parcel {
    pub(crate) link: LinkId,
    pub(crate) meta: Meta,
    pub(crate) buffer: Buffer,
}

impl Parcel {
    /// An empty one.
    pub fn new() -> Parcel {
        Parcel { link: LinkId(0), meta: Meta::default(), buffer: buffer() }
    }

    pub(crate) fn fill(&mut self, link: LinkId, meta: &Meta, bytes: &[u8]) {
        let len = usize::from(meta.payload_end);
        self.buffer[..len].copy_from_slice(&bytes[..len]);
        (self.link, self.meta) = (link, *meta);
    }
}

impl Default for Parcel {
    fn default() -> Parcel {
        Parcel::new()
    }
}

impl std::fmt::Debug for Parcel {
    /// Without the plaintext.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parcel").field("link", &self.link).finish_non_exhaustive()
    }
}

/// What one shard tells another about a link. Few, small, and never lost: they wait until they are taken.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    pub(crate) link: LinkId,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// To the publisher's shard: someone waits for a key frame, perhaps because a route is new.
    KeyFrame { new_route: bool },
    /// To the publisher's shard: this packet never came; send it again if it is still there.
    Again { sequence: u64 },
    /// To the publisher's shard: whether anybody watches.
    Wanted(bool),
    /// To the subscribers' shard: the publisher's clocks.
    Report(RemoteReport),
}

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
    /// What the publisher's shard was last told.
    pub(crate) wanted: bool,
    /// Wishes for a key frame that wait to be told: of a subscriber, of a new route.
    pub(crate) wished: [bool; 2],
    /// The latest packets that were asked for again, the oldest first.
    pub(crate) again: VecDeque<u64>,
}

impl Import {
    pub(crate) fn new(link: LinkId, from: usize) -> Import {
        let again = VecDeque::with_capacity(limits::CROSSING_AGAIN);
        Import { link, from, wanted: false, wished: [false; 2], again }
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
