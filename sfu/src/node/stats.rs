//! Figures of peers: the core's, joined with the names of tracks. Also how the node notices that a simulcast
//! layer has stopped.

use std::time::Duration;

use kaname_engine::core::event::{LegStats, SenderStats, StreamStats};
use kaname_engine::core::{Command, Time};
use kaname_engine::wire::path::{Carrier, Path};
use tokio::sync::oneshot;

use super::api::*;
use super::error::NodeError;
use super::model::{Peer, Subscription, Track};
use super::state::State;

/// A shard answers within a batch; one that has not by then is stuck.
const PATIENCE: Duration = Duration::from_secs(2);
/// Askers waiting for the same peer's figures.
const ASKERS: usize = 32;
/// How often simulcast layers are looked at.
const LAYER_CHECK: Duration = Duration::from_secs(1);
/// A layer without packets for so long has stopped: browsers switch layers off when the network is slow.
const LAYER_SILENCE: Duration = Duration::from_millis(2_500);

pub(super) type StatsReply = oneshot::Sender<Result<PeerStats, NodeError>>;

/// A question that a shard has not answered yet.
pub(super) struct Pending {
    peer: PeerId,
    deadline: Time,
    askers: Vec<StatsReply>,
}

impl State {
    pub(super) fn stats(&mut self, now: Time, id: &PeerId, reply: StatsReply) {
        let Some(peer) = self.peers.get(id) else {
            let _ = reply.send(self.count(Err(NodeError::NoSuchPeer)));
            return;
        };
        if peer.leg.is_none() {
            let _ = reply.send(Ok(join(peer, &LegStats::default())));
            return;
        }
        if let Some(pending) = self.pending.values_mut().find(|p| p.peer == *id) {
            if pending.askers.len() < ASKERS {
                pending.askers.push(reply);
            } else {
                let _ = reply.send(self.count(Err(NodeError::Busy)));
            }
            return;
        }
        self.query(now, id, vec![reply]);
    }

    fn query(&mut self, now: Time, id: &PeerId, askers: Vec<StatsReply>) {
        let Some(peer) = self.peers.get(id) else { return };
        let (Some(leg), shard) = (peer.leg.as_ref().map(|l| l.id), peer.shard) else { return };
        let token = self.token();
        self.pending.insert(token, Pending { peer: id.clone(), deadline: now + PATIENCE, askers });
        self.command(shard, Command::QueryStats { leg, token });
    }

    /// The answer of a shard.
    pub(super) fn stats_arrived(&mut self, now: Time, token: u64, stats: &LegStats) {
        let Some(pending) = self.pending.remove(&token) else { return };
        self.look_at_layers(now, &pending.peer, stats);
        let result = self.peer(&pending.peer).map(|peer| join(peer, stats));
        for asker in pending.askers {
            let _ = asker.send(result.clone());
        }
    }

    /// Questions that were not answered in time.
    pub(super) fn expire_stats(&mut self, now: Time) {
        let late: Vec<u64> =
            self.pending.iter().filter(|(_, p)| now >= p.deadline).map(|(t, _)| *t).collect();
        for token in late {
            let Some(pending) = self.pending.remove(&token) else { continue };
            for asker in pending.askers {
                let _ = asker.send(self.count(Err(NodeError::Busy)));
            }
        }
    }

    /// Asks for the figures of those who publish simulcast.
    pub(super) fn check_layers(&mut self, now: Time) {
        if now < self.next_layer_check {
            return;
        }
        self.next_layer_check = now + LAYER_CHECK;
        let simulcast = |p: &Peer| p.tracks.iter().any(|t| t.layers.len() > 1);
        let connected = |p: &Peer| p.leg.as_ref().is_some_and(|l| l.connected);
        let asked = |p: &Peer| self.pending.values().any(|q| q.peer == p.id);
        let mut ids: Vec<PeerId> = self
            .peers
            .values()
            .filter(|p| simulcast(p) && connected(p) && !asked(p))
            .map(|p| p.id.clone())
            .collect();
        ids.sort();
        for id in ids {
            self.query(now, &id, Vec::new());
        }
    }

    fn look_at_layers(&mut self, now: Time, id: &PeerId, stats: &LegStats) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        for track in &mut peer.tracks {
            for layer in &mut track.layers {
                let found = stats.streams.iter().find(|s| s.stream == layer.stream);
                if let Some(found) = found.filter(|s| s.packets != layer.packets) {
                    layer.packets = found.packets;
                    layer.alive = Some(now);
                }
            }
        }
        self.choose_layers(now, id);
    }

    /// The best layer that is alive; none being so, the one in use.
    pub(super) fn choose_layers(&mut self, now: Time, id: &PeerId) {
        let Some(peer) = self.peers.get(id) else { return };
        let alive = |at: Option<Time>| at.is_some_and(|at| now.since(at) <= LAYER_SILENCE);
        let best = |t: &Track| t.layers.iter().position(|l| alive(l.alive));
        let switches: Vec<_> = peer.tracks.iter().filter_map(|t| Some((t.id.clone(), best(t)?))).collect();
        for (track, best) in switches {
            self.switch_layer(&track, best);
        }
    }
}

fn join(peer: &Peer, stats: &LegStats) -> PeerStats {
    let stream = |(track, layer): (&Track, &super::model::Layer)| {
        let figures = stats.streams.iter().find(|s| s.stream == layer.stream);
        published(track, layer.rid.clone(), figures)
    };
    let layers = peer.tracks.iter().flat_map(|t| t.layers.iter().map(move |l| (t, l)));
    let sender = |s: &Subscription| {
        let figures = stats.senders.iter().find(|f| f.sender == s.sender);
        subscribed(s, figures)
    };
    PeerStats {
        peer: peer.id.clone(),
        connected: peer.leg.as_ref().is_some_and(|l| l.connected),
        path: stats.path.as_ref().map(path),
        round_trip_ms: stats.round_trip.map(|t| t.as_secs_f64() * 1e3),
        packets_in: stats.packets_in,
        bytes_in: stats.bytes_in,
        packets_out: stats.packets_out,
        bytes_out: stats.bytes_out,
        published: layers.map(stream).collect(),
        subscribed: peer.subscriptions.iter().map(sender).collect(),
    }
}

fn path(path: &Path) -> String {
    let carrier = match path.carrier {
        Carrier::Udp => "udp",
        Carrier::Tcp(_) => "tcp",
    };
    format!("{carrier} {}", path.remote)
}

fn millis(ticks: u32, clock_rate: u32) -> f64 {
    f64::from(ticks) * 1e3 / f64::from(clock_rate.max(1))
}

fn published(track: &Track, rid: Option<String>, figures: Option<&StreamStats>) -> PublishedStats {
    let main = &track.shape.chosen.main;
    PublishedStats {
        track: track.id.clone(),
        mid: track.mid.clone(),
        rid,
        kind: track.shape.kind,
        source: track.shape.source,
        codec: main.name.clone(),
        packets: figures.map_or(0, |f| f.packets),
        bytes: figures.map_or(0, |f| f.bytes),
        lost: figures.map_or(0, |f| f.lost),
        jitter_ms: figures.map_or(0.0, |f| millis(f.jitter, main.clock_rate)),
        nacks: figures.map_or(0, |f| f.nacks),
        recovered: figures.map_or(0, |f| f.recovered),
        key_frames: figures.map_or(0, |f| f.key_frames),
        key_frame_requests: figures.map_or(0, |f| f.key_frame_requests),
    }
}

fn subscribed(subscription: &Subscription, figures: Option<&SenderStats>) -> SubscribedStats {
    let main = &subscription.chosen.main;
    let audio = main.codec == kaname_engine::core::command::Codec::Opus;
    SubscribedStats {
        track: subscription.track.clone(),
        from: subscription.from.clone(),
        mid: subscription.mid.clone(),
        kind: if audio { TrackKind::Audio } else { TrackKind::Video },
        codec: main.name.clone(),
        packets: figures.map_or(0, |f| f.packets),
        bytes: figures.map_or(0, |f| f.bytes),
        retransmitted: figures.map_or(0, |f| f.retransmitted),
        lost: figures.map_or(0, |f| f.lost),
        jitter_ms: figures.map_or(0.0, |f| millis(f.jitter, main.clock_rate)),
        key_frame_requests: figures.map_or(0, |f| f.key_frame_requests),
    }
}
