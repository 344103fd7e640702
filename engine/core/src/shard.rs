//! The shard: state machine of all legs of one core.

use kaname_wire::path::Path;

use crate::counters::Counters;
use crate::{Command, Event, Time, TxSlots};

/// How a shard begins.
#[derive(Clone)]
pub struct ShardConfig {
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
}

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
    counters: Counters,
}

impl Shard {
    /// An empty shard.
    pub fn new(config: ShardConfig) -> Shard {
        let _ = config;
        Shard { counters: Counters::default() }
    }

    /// Takes in datagrams: at most [`crate::limits::BATCH`]; those beyond are dropped and counted.
    pub fn ingest(&mut self, now: Time, batch: &[Datagram<'_>]) {
        let _ = (now, batch);
    }

    /// Carries out a command. A failure is answered by [`Event::CommandFailed`].
    pub fn command(&mut self, now: Time, command: Command) {
        let _ = (now, command);
    }

    /// Does what is due by `now`: reports, repeats, expiry.
    pub fn tick(&mut self, now: Time) {
        let _ = now;
    }

    /// Encrypts what is to leave straight into the backend's slots, and hands out events.
    pub fn drain<'a>(
        &mut self,
        now: Time,
        tx: &mut impl TxSlots<'a>,
        events: &mut impl FnMut(Event),
    ) -> Drained {
        let _ = (now, tx, events);
        Drained::Done(None)
    }

    /// Packets, bytes and drops since the shard began.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
