//! All that a shard knows.

use std::collections::{HashMap, VecDeque};

use foldhash::quality::FixedState;
use kaname_srtp::Backend;
use kaname_wire::path::{Carrier, Path};

use crate::agenda::Agenda;
use crate::arena::Arena;
use crate::command::{LegId, SenderId, StreamId};
use crate::counters::{Counters, DropReason};
use crate::crossing::Crossings;
use crate::forwards::Forwards;
use crate::ice::CheckLimits;
use crate::leg::Leg;
use crate::outbox::{Outbox, Way};
use crate::patience::Patience;
use crate::random::Random;
use crate::sender::Sender;
use crate::slab::Table;
use crate::stream::Stream;
use crate::{Datagram, Event, Stray, Time, limits};

/// A packet to be sent again; holds its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repair {
    /// Index of the sender.
    pub(crate) sender: u32,
    pub(crate) slot: u32,
    /// What the packet was called when it was sent first.
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    /// Of the repair.
    pub(crate) payload_type: u8,
}

/// The tables, queues and counters that the stages work on.
pub(crate) struct State {
    pub(crate) backend: Backend,
    pub(crate) legs: Table<LegId, Leg>,
    pub(crate) streams: Table<StreamId, Stream>,
    pub(crate) senders: Table<SenderId, Sender>,
    /// Validated paths, and the index of the leg that each belongs to.
    pub(crate) paths: HashMap<Path, u32, FixedState>,
    /// Ports that belong to one leg.
    pub(crate) locals: HashMap<u32, u32, FixedState>,
    /// How many legs carry no RTP.
    pub(crate) bridges: usize,
    /// Our user name fragments.
    pub(crate) fragments: HashMap<String, u32, FixedState>,
    pub(crate) check_limits: CheckLimits,
    pub(crate) arena: Arena,
    pub(crate) forwards: Forwards,
    pub(crate) repairs: VecDeque<Repair>,
    pub(crate) crossings: Crossings,
    pub(crate) outbox: Outbox,
    pub(crate) events: VecDeque<Event>,
    pub(crate) agenda: Agenda,
    pub(crate) patience: Patience,
    pub(crate) counters: Counters,
    pub(crate) random: Random,
    /// Indices of senders that went, and of legs with new keys, since the departing packets were told.
    pub(crate) gone_senders: Vec<u32>,
    pub(crate) rekeyed: Vec<u32>,
    /// For feedback under construction.
    pub(crate) arrivals: Vec<Option<u64>>,
}

impl State {
    pub(crate) fn new(backend: Backend, seed: [u8; 32]) -> State {
        let mut random = Random::new(seed);
        State {
            backend,
            legs: Table::new(limits::LEGS, random.u64()),
            streams: Table::new(limits::STREAMS, random.u64()),
            senders: Table::new(limits::SENDERS, random.u64()),
            paths: HashMap::with_hasher(FixedState::with_seed(random.u64())),
            locals: HashMap::with_hasher(FixedState::with_seed(random.u64())),
            bridges: 0,
            fragments: HashMap::with_hasher(FixedState::with_seed(random.u64())),
            check_limits: CheckLimits::new(random.u64()),
            arena: Arena::new(),
            forwards: Forwards::default(),
            repairs: VecDeque::new(),
            crossings: Crossings::new(random.u64()),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            agenda: Agenda::default(),
            patience: Patience::default(),
            counters: Counters::default(),
            random,
            gone_senders: Vec::new(),
            rekeyed: Vec::new(),
            arrivals: Vec::with_capacity(limits::TRANSPORT_CC_SPAN as usize),
        }
    }

    /// The leg that a datagram is for. True: it came to the leg's own port over no validated path, so where it came from
    /// is to be looked at.
    pub(crate) fn leg_at(&self, path: &Path) -> Option<(u32, bool)> {
        match self.paths.get(path) {
            Some(index) => Some((*index, false)),
            None => self.owner(path).map(|index| (index, true)),
        }
    }

    /// Whose port it is, if it is one leg's own.
    pub(crate) fn owner(&self, path: &Path) -> Option<u32> {
        let is_udp = path.carrier == Carrier::Udp;
        self.locals.get(&path.local).filter(|_| is_udp).copied()
    }

    /// Whether a datagram came to a leg that carries no RTP: its first bytes then mean nothing to us.
    pub(crate) fn is_bridged(&self, path: &Path) -> bool {
        let leg = || self.legs.get(self.owner(path)?);
        self.bridges > 0 && leg().is_some_and(|leg| leg.bridge.is_some())
    }

    /// Queues a message; one that finds no room is counted.
    pub(crate) fn post(&mut self, leg: u32, way: Way, bytes: &[u8]) {
        if !self.outbox.push(leg, way, bytes) {
            self.counters.drop(DropReason::OutboxFull);
        }
    }

    /// A datagram goes no further here: it is dropped and counted, but for one that another shard's leg awaits.
    pub(crate) fn give_up(&mut self, datagram: &Datagram<'_>, reason: DropReason, stray: &mut Stray<'_>) {
        use DropReason::{DtlsUnknownPath, StunUnknownUser, UnknownPath};
        let is_unknown = matches!(reason, DtlsUnknownPath | StunUnknownUser | UnknownPath);
        // A port of one leg is one shard's.
        if is_unknown && self.owner(&datagram.path).is_none() && stray(datagram) {
            self.counters.handed_over += 1;
        } else {
            self.counters.drop(reason);
        }
    }

    /// The leg has something to do at `at`.
    pub(crate) fn wake(&mut self, leg: u32, at: Option<Time>) {
        if let Some(at) = at {
            self.agenda.wake(leg, at);
        }
    }
}
