//! What the sessions of a worker share.

use std::collections::VecDeque;
use std::time::Instant;

use kaname_core::Command;
use kaname_wire::path::Path;

use super::dtls::Room;
use super::identity::Identity;
use crate::counters::{WorkerCounters, count};
use crate::port::{LegKey, ShardPort, Sink};
use crate::{EngineEvent, ShardId};

/// What a session may use while it acts.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) key: LegKey,
    pub(super) identity: &'a Identity,
    pub(super) port: &'a ShardPort,
    pub(super) sink: &'a Sink,
    pub(super) kept: &'a mut VecDeque<(ShardId, Command)>,
    /// Unfinished handshakes of this worker.
    pub(super) half_open: usize,
    /// Those that have yet to show that their sender is where it says.
    pub(super) unproven: usize,
    pub(super) room: &'a mut Room,
}

impl Context<'_> {
    pub(super) fn counters(&self) -> &WorkerCounters {
        &self.port.workers
    }

    pub(super) fn emit(&self, event: EngineEvent) {
        (self.sink)(self.key.shard, event);
    }

    /// A record of ours: lost when there is no room, as on any network.
    pub(super) fn send(&self, path: Option<Path>, data: Box<[u8]>) {
        let command = Command::SendDatagram { leg: self.key.leg, path, data };
        if self.port.push_lane(command).is_err() {
            count(&self.counters().dtls_send_dropped);
        }
    }

    /// What must not be lost.
    pub(super) fn keep(&mut self, command: Command) {
        let waiting = self.kept.iter().any(|(shard, _)| *shard == self.key.shard);
        let refused = if waiting { Some(command) } else { self.port.push_lane(command).err() };
        if let Some(command) = refused {
            self.kept.push_back((self.key.shard, command));
        }
    }
}
