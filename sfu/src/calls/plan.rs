//! From what a call is to be to what the engine is told. A picture says what is wanted; what was told before is kept
//! beside it, and the difference becomes commands. Nothing here touches the engine.

mod hearing;
mod picture;
mod side;

use std::collections::BTreeMap;

use kaname_engine::audio::{AudioCommand, AudioId};
use kaname_engine::core::Command;
use kaname_engine::core::command::{LegId, LinkId, SenderId, StreamId};
use kaname_engine::{DtlsParams, ShardId};

use super::ids::Numbers;
use hearing::{Export, Heard};
pub(super) use picture::{Hearing, Manner, Picture, Security, Side, SideKey, Sound};
use side::Applied;

/// Something to tell the engine, in order.
#[derive(Debug)]
pub(super) enum Step {
    /// The call's shard.
    Core(Command),
    /// The handshake workers.
    Secure(LegId, DtlsParams),
    /// The call's audio worker.
    Audio(AudioCommand),
}

/// Where a call lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// Its shard.
    pub(super) shard: ShardId,
    /// The place of its audio worker among those that streams go to.
    pub(super) audio: usize,
}

/// What the engine was told of a call.
#[derive(Debug)]
pub(super) struct Told {
    home: Home,
    sides: BTreeMap<SideKey, Applied>,
}

impl Told {
    /// Of a call that the engine knows nothing of.
    pub(super) fn new(home: Home) -> Told {
        Told { home, sides: BTreeMap::new() }
    }

    /// Where the call lives.
    pub(super) fn home(&self) -> Home {
        self.home
    }

    /// The legs, with whose they are.
    pub(super) fn legs(&self) -> impl Iterator<Item = (SideKey, LegId)> {
        self.sides.iter().map(|(key, side)| (*key, side.leg))
    }

    /// The worker's thing that makes what this side hears.
    pub(super) fn maker(&self, key: SideKey) -> Option<AudioId> {
        self.sides.get(&key)?.hears.as_ref()?.worker()
    }

    /// The worker's things that listen.
    pub(super) fn taps(&self) -> impl Iterator<Item = (SideKey, AudioId)> {
        self.sides.iter().filter_map(|(key, side)| Some((*key, side.tap.as_ref()?.id)))
    }

    /// Everything with a name of its own, with whose it is.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u32, SideKey)> {
        self.sides.iter().flat_map(|(key, side)| {
            let worked = side.hears.as_ref().and_then(Heard::worker).map(|id| id.0);
            let tapped = side.tap.as_ref().map(|tap| tap.id.0);
            [Some(side.leg.0), Some(side.stream.0), worked, tapped]
                .into_iter()
                .flatten()
                .map(|number| (number, *key))
        })
    }

    /// What comes from a side, and what goes to it.
    pub(super) fn line(&self, key: SideKey) -> Option<(StreamId, SenderId)> {
        self.sides.get(&key).map(|side| (side.stream, side.sender))
    }

    /// Directions that are transcoded.
    pub(super) fn transcoded(&self) -> usize {
        self.sides.values().filter(|side| matches!(side.hears, Some(Heard::Transcoded { .. }))).count()
    }

    /// Finds what to tell, and takes it as told. With `fresh`, addresses are told again though they are the same: from
    /// then on phones behind address translation may be learned anew.
    pub(super) fn change(&mut self, wanted: &Picture, fresh: bool, ids: &mut Numbers) -> Vec<Step> {
        let mut steps = Vec::new();
        self.end_sides(wanted, ids, &mut steps);
        for (key, side) in wanted {
            match self.sides.get_mut(key) {
                Some(applied) => applied.change(side, fresh, ids, &mut steps),
                None => {
                    let applied = Applied::begin(side, ids, &mut steps);
                    self.sides.insert(*key, applied);
                }
            }
        }
        self.change_exports(wanted, ids, &mut steps);
        self.change_taps(wanted, ids, &mut steps);
        for (key, side) in wanted {
            self.change_hearing(*key, side.hears.as_ref(), ids, &mut steps);
        }
        self.end_exports(wanted, &mut steps);
        steps
    }

    /// Ends what is not wanted any more, or not on these ports.
    fn end_sides(&mut self, wanted: &Picture, ids: &mut Numbers, steps: &mut Vec<Step>) {
        let lives = |key: &SideKey, applied: &Applied| {
            wanted.get(key).is_some_and(|side| applied.is_on_ports_of(side))
        };
        let gone: Vec<SideKey> =
            self.sides.iter().filter(|(key, applied)| !lives(key, applied)).map(|(key, _)| *key).collect();
        for key in gone {
            let listeners: Vec<SideKey> = self.listeners(key).collect();
            for listener in listeners {
                self.deafen(listener, ids, steps);
            }
            self.deafen(key, ids, steps);
            if let Some(applied) = self.sides.remove(&key) {
                applied.end(ids, steps);
            }
        }
    }

    /// Who hears this side.
    fn listeners(&self, of: SideKey) -> impl Iterator<Item = SideKey> {
        let hears = move |(key, side): (&SideKey, &Applied)| {
            side.hears.as_ref().is_some_and(|heard| heard.from() == of).then_some(*key)
        };
        self.sides.iter().filter_map(hears)
    }

    /// The stream of this side, as it is named now, and the link by which the worker has it.
    fn source(&self, key: SideKey) -> Option<(StreamId, Option<LinkId>)> {
        let side = self.sides.get(&key)?;
        Some((side.stream, side.export.as_ref().map(|export: &Export| export.link)))
    }
}
