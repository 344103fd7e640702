//! Data channels: what a peer sends on one reaches the same-named channels of the others in its room.

use std::sync::Arc;
use std::time::Duration;

use kaname_engine::core::Time;
use kaname_engine::core::command::LegId;
use kaname_engine::{DataKind, ShardId};
use serde::Serialize;

use super::api::*;
use super::state::State;

/// Messages on this channel are wrapped, so that readers know who wrote them.
const CHAT: &str = "chat";
/// A channel's name in bytes; longer ones are not relayed.
const LABEL_BYTES: usize = 64;
/// How much more than a second's worth may come at once.
const BURST_SECONDS: f64 = 2.0;
/// A peer is told at most so often what it does wrong.
const WARNING: Duration = Duration::from_secs(1);

/// A token bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Time,
}

impl Bucket {
    pub(super) fn new(per_second: u32, now: Time) -> Bucket {
        let per_second = f64::from(per_second);
        Bucket { per_second, tokens: per_second * BURST_SECONDS, filled: now }
    }

    /// Takes `amount` if it is there.
    fn take(&mut self, now: Time, amount: usize) -> bool {
        let elapsed = now.since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second * BURST_SECONDS);
        let amount = amount as f64;
        let enough = self.tokens >= amount;
        if enough {
            self.tokens -= amount;
        }
        enough
    }
}

/// What readers of the chat get.
#[derive(Serialize)]
struct ChatMessage<'a> {
    from: &'a PeerId,
    name: &'a str,
    text: &'a str,
}

impl State {
    pub(super) fn channel_opened(&mut self, shard: ShardId, leg: LegId, channel: u16, label: String) {
        let limit = self.config.limits.channels_per_peer;
        let Some(peer) = self.peer_of(shard, leg) else { return };
        if !peer.grants.data {
            return;
        }
        if label.len() > LABEL_BYTES || peer.channels.len() >= limit {
            let message = format!("the data channel is not relayed; open at most {limit}, with short labels");
            let notice = Notice::Error { id: None, code: "at_capacity", message };
            let id = peer.id.clone();
            self.counters.data_refused_total += 1;
            self.tell(&id, notice);
            return;
        }
        peer.channels.insert(channel, label);
    }

    pub(super) fn channel_closed(&mut self, shard: ShardId, leg: LegId, channel: u16) {
        if let Some(peer) = self.peer_of(shard, leg) {
            peer.channels.remove(&channel);
        }
    }

    pub(super) fn channel_message(
        &mut self,
        now: Time,
        (shard, leg): (ShardId, LegId),
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) {
        let largest = self.config.limits.message_bytes;
        let Some(peer) = self.peer_of(shard, leg) else { return };
        let Some(label) = peer.channels.get(&channel).cloned() else { return };
        let refused = if data.len() > largest {
            Some(("too_large", format!("a message of {} bytes; send at most {largest}", data.len())))
        } else if !peer.messages.take(now, 1) || !peer.message_bytes.take(now, data.len()) {
            Some(("too_fast", "messages come too fast and some are not relayed; send fewer".to_owned()))
        } else {
            None
        };
        let id = peer.id.clone();
        let wrapped = match refused {
            None if label == CHAT => wrap(peer, kind, &data).ok_or_else(|| {
                ("bad_message", "the chat takes text; use another label for binary".to_owned())
            }),
            None => Ok(data),
            Some(refusal) => Err(refusal),
        };
        match wrapped {
            Ok(data) => self.relay(&id, &label, kind, data.into()),
            Err((code, message)) => self.refuse_message(now, &id, code, message),
        }
    }

    fn refuse_message(&mut self, now: Time, id: &PeerId, code: &'static str, message: String) {
        self.counters.data_refused_total += 1;
        let Some(peer) = self.peers.get_mut(id) else { return };
        if now >= peer.next_warning {
            peer.next_warning = now + WARNING;
            self.tell(id, Notice::Error { id: None, code, message });
        }
    }

    fn relay(&mut self, from: &PeerId, label: &str, kind: DataKind, data: Arc<[u8]>) {
        let Some(room) = self.peers.get(from).and_then(|p| self.rooms.get(&p.room)) else { return };
        for peer in room.peers.iter().filter(|id| *id != from).filter_map(|id| self.peers.get(id)) {
            let Some(leg) = &peer.leg else { continue };
            let Some((channel, _)) = peer.channels.iter().find(|(_, l)| *l == label) else { continue };
            // A receiver whose queue is full misses the message; its channel is closed by the engine if it lasts.
            match self.engine.send_data(peer.shard, leg.id, *channel, kind, data.to_vec()) {
                Ok(()) => self.counters.data_relayed_total += 1,
                Err(_) => self.counters.data_refused_total += 1,
            }
        }
    }

    pub(super) fn peer_of(&mut self, shard: ShardId, leg: LegId) -> Option<&mut super::model::Peer> {
        let id = self.shards.get(shard.0)?.legs.get(&leg)?;
        self.peers.get_mut(id)
    }
}

fn wrap(peer: &super::model::Peer, kind: DataKind, data: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(data).ok().filter(|_| kind == DataKind::Text)?;
    serde_json::to_vec(&ChatMessage { from: &peer.id, name: &peer.name, text }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_two_seconds_at_once_and_then_its_rate() {
        let mut now = Time::from_nanos(1);
        let mut bucket = Bucket::new(10, now);
        assert_eq!((0..100).filter(|_| bucket.take(now, 1)).count(), 20);
        now = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| bucket.take(now, 1)).count(), 5);
        now = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(now, 1)).count(), 20);
    }
}
