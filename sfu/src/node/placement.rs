//! Which shard a room grows on: by the load that the shards measure, not by counts.

use std::time::Duration;

use kaname_engine::ShardId;
use kaname_engine::core::Time;

use super::error::NodeError;
use super::state::State;

/// What one who has just joined is taken to cost until the shard has measured it, in thousandths of its time: someone
/// who hears a few voices and sees a few pictures. A storm of joins within the second of a measurement so spreads.
const JOIN_PERMILLE: u32 = 2;
/// How often the newcomers count half: shards measure once a second.
const SETTLING: Duration = Duration::from_secs(1);

impl State {
    /// How loaded a shard is, in thousandths of its time, with what is about to come.
    fn load(&self, shard: ShardId) -> u32 {
        let fresh = self.shards.get(shard.0).map_or(0, |s| s.fresh);
        self.engine.busy_permille(shard).saturating_add(fresh.saturating_mul(JOIN_PERMILLE))
    }

    /// The least loaded shard on which something new may begin. Among equals the one with fewer peers,
    /// then with fewer (perhaps empty) rooms.
    pub(super) fn least_loaded(&self) -> Result<ShardId, NodeError> {
        let rooms = |shard: ShardId| self.rooms.values().filter(|r| r.shard == shard).count();
        (0..self.shards.len())
            .map(ShardId)
            .filter(|shard| self.check_shard(*shard).is_ok())
            .min_by_key(|shard| (self.load(*shard), self.shards[shard.0].peers, rooms(*shard), *shard))
            .ok_or(NodeError::Busy)
    }

    /// Where the next peer of a room goes: where the room grows, as long as it fits there; else to a shard that it is
    /// on already and fits on; else to one that is new to it.
    pub(super) fn room_for_one_more(&mut self, name: &str) -> Result<ShardId, NodeError> {
        let Some(room) = self.rooms.get(name) else { return Err(NodeError::NoSuchRoom) };
        let mut here = vec![0_usize; self.shards.len()];
        for peer in room.peers.iter().filter_map(|id| self.peers.get(id)) {
            here[peer.shard.0] += 1;
        }
        let limits = &self.config.limits;
        let lives = |shard: &ShardId| self.check_shard(*shard).is_ok();
        let fits = |shard: &ShardId| {
            lives(shard)
                && here[shard.0] < limits.room_peers_per_shard
                && self.load(*shard) < limits.spill_permille
        };
        let present = (0..here.len()).map(ShardId).filter(|shard| here[shard.0] > 0);
        let grows = room.shard;
        let shard = if fits(&grows) {
            grows
        } else if let Some(other) = present.filter(fits).min_by_key(|shard| (self.load(*shard), *shard)) {
            other
        } else {
            // With every shard full of it, the room is spread evenly; a room that just waits for its shard waits.
            let lightest = |shard: &ShardId| (!fits(shard), self.load(*shard) / 100, here[shard.0], *shard);
            (0..here.len()).map(ShardId).filter(lives).min_by_key(lightest).ok_or(NodeError::Busy)?
        };
        if let Some(room) = self.rooms.get_mut(name) {
            room.shard = shard;
        }
        Ok(shard)
    }

    /// Newcomers become part of what is measured.
    pub(super) fn settle_load(&mut self, now: Time) {
        if now >= self.next_settling {
            self.next_settling = now + SETTLING;
            self.shards.iter_mut().for_each(|shard| shard.fresh /= 2);
        }
    }
}
