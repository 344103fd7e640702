//! The shard: state machine of all legs of one core.

use std::time::Duration;

use kaname_srtp::Backend;
use kaname_wire::path::Path;

use crate::batch::{Departing, Incoming};
use crate::counters::Counters;
use crate::stage::cross;
use crate::state::State;
use crate::{Command, Event, Links, Note, Parcel, Time, TxSlots, way};

/// How a shard begins.
#[derive(Clone)]
pub struct ShardConfig {
    /// What encrypts and decrypts.
    pub backend: Backend,
    /// Root of all randomness of the shard (SSRCs, first sequence numbers, intervals): secret and fresh for each
    /// shard in production, fixed in a simulation.
    pub seed: [u8; 32],
}

/// One datagram as received. The bytes stay in the io backend's buffer; the core never keeps them.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Where it came from.
    pub path: Path,
    /// Its payload.
    pub bytes: &'a [u8],
    /// How long it had waited for being taken in: jitter and reports count from its arrival.
    pub waited: Duration,
}

impl<'a> Datagram<'a> {
    /// One that was taken in as it came.
    pub fn new(path: Path, bytes: &'a [u8]) -> Datagram<'a> {
        Datagram { path, bytes, waited: Duration::ZERO }
    }
}

/// Takes a datagram that is no leg's of the shard, or leaves it to be dropped.
pub type Stray<'a> = dyn FnMut(&Datagram<'_>) -> bool + 'a;

/// Where a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// The transmit slots are full: flush them and drain again.
    Full,
    /// Nothing is left. Call [`Shard::tick`] at this time; `None`: there is nothing to wait for.
    Done(Option<Time>),
}

/// All legs of one core. After any call to [`Shard::ingest`], [`Shard::command`] or [`Shard::tick`], call
/// [`Shard::drain`] until it returns [`Drained::Done`].
pub struct Shard {
    state: State,
    incoming: Box<Incoming>,
    departing: Departing,
}

impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Shard {
        Shard {
            state: State::new(config.backend, config.seed),
            incoming: Incoming::new(),
            departing: Departing::new(),
        }
    }

    /// Takes in datagrams: at most [`crate::limits::BATCH`]; those beyond are dropped and counted.
    pub fn ingest(&mut self, now: Time, batch: &[Datagram<'_>]) {
        self.ingest_or(now, batch, &mut |_| false);
    }

    /// The same where several shards share a port: what is no leg's of this shard is offered to `stray`, which says
    /// whether it was handed over to the shard that has the leg; else it is dropped and counted.
    pub fn ingest_or(&mut self, now: Time, batch: &[Datagram<'_>], stray: &mut Stray<'_>) {
        way::arrive(&mut self.state, &mut self.incoming, now, batch, stray);
    }

    /// Places of the mesh from this number on take packets at turns of their own, as audio workers do; until this is called,
    /// none does. To be said ahead of the first leg.
    pub fn set_turns_from(&mut self, place: usize) {
        self.state.patience.turns_from = place;
    }

    /// The next change of the ports of single legs that may wait: the number of one that RTP comes to, and whether all that
    /// comes there goes to places with turns of their own, so that nothing is lost by taking it in only ahead of those. Ask
    /// after commands until there is none.
    pub fn next_patience(&mut self) -> Option<(u32, bool)> {
        self.state.patience.changed.pop_front()
    }

    /// Whether a leg of this shard has validated the path.
    pub fn has_path(&self, path: &Path) -> bool {
        self.state.paths.contains_key(path)
    }

    /// Takes in a packet of another shard; the parcel then is room for another.
    pub fn ingest_remote(&mut self, parcel: &mut Parcel) {
        if let Err(reason) = cross::arrive(&mut self.state, parcel) {
            self.state.counters.drop(reason);
        }
    }

    /// Does what another shard asks.
    pub fn heed(&mut self, now: Time, note: Note) {
        cross::heed(&mut self.state, note, now);
    }

    /// Hands over what is for other shards. Call it after each drain, where there are others.
    pub fn hand_over(&mut self, now: Time, links: &mut impl Links) {
        cross::leave(&mut self.state, links, now);
    }

    /// Carries out a command. A failure is answered by [`Event::CommandFailed`].
    pub fn command(&mut self, now: Time, command: Command) {
        self.state.carry_out(now, command);
        // What waits for a transmit slot may be for those that have gone, or under keys that have.
        for sender in self.state.gone_senders.drain(..) {
            self.departing.sender_left(sender);
        }
        for leg in self.state.rekeyed.drain(..) {
            self.departing.rekeyed(leg);
        }
    }

    /// Does what is due by `now`: reports, repeats, expiry.
    pub fn tick(&mut self, now: Time) {
        self.state.pass(now);
    }

    /// Encrypts what is to leave straight into the backend's slots, and hands out events.
    pub fn drain<'a>(
        &mut self,
        now: Time,
        tx: &mut impl TxSlots<'a>,
        events: &mut impl FnMut(Event),
    ) -> Drained {
        while let Some(event) = self.state.events.pop_front() {
            events(event);
        }
        if !way::leave(&mut self.state, &mut self.departing, now, tx) {
            return Drained::Full;
        }
        // Sending may have exhausted a key.
        while let Some(event) = self.state.events.pop_front() {
            events(event);
        }
        self.state.counters.arena_used = self.state.arena.used() as u64;
        self.state.counters.legs = self.state.legs.len() as u64;
        let next = if self.state.arena.is_short() { Some(now) } else { None };
        Drained::Done(next.or(self.state.agenda.next()))
    }

    /// Packets, bytes and drops since the shard began.
    pub fn counters(&self) -> &Counters {
        &self.state.counters
    }
}
