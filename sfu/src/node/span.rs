//! Tracks whose subscribers are on other shards than their publisher: each layer is exported there and imported here,
//! under one name, for as long as there is a subscription.

use kaname_engine::ShardId;
use kaname_engine::core::Command;
use kaname_engine::core::command::{ImportConfig, LinkId, StreamId};

use super::api::TrackId;
use super::apply::stream_config;
use super::model::{Span, Track};
use super::state::State;

impl State {
    /// A subscription on this shard begins: the track comes here if it does not yet.
    pub(super) fn span(&mut self, track_id: &TrackId, to: ShardId) {
        let Some((from, track)) = self.track_mut(track_id) else { return };
        if from == to {
            return;
        }
        if let Some(span) = track.spans.get_mut(&to) {
            span.subscriptions += 1;
            return;
        }
        if self.span_voice(track_id, to) {
            return;
        }
        let Some((_, track)) = self.track_mut(track_id) else { return };
        let streams: Vec<StreamId> = track.layers.iter().map(|l| l.stream).collect();
        let config = stream_config(&track.shape, &track.mid, None);
        let config = ImportConfig { kind: config.kind, payload_types: config.payload_types };
        let muted = track.muted;
        let mut links = Vec::with_capacity(streams.len());
        for stream in streams {
            let link = LinkId(self.next_link);
            self.next_link += 1;
            links.push(link);
            self.command(from, Command::ExportStream { stream, link, to: to.0 });
            let config = Box::new(config.clone());
            self.command(to, Command::ImportStream { stream, link, from: from.0, config });
            if muted {
                self.command(to, Command::MuteStream { stream, muted });
            }
        }
        if let Some((_, track)) = self.track_mut(track_id) {
            track.spans.insert(to, Span { subscriptions: 1, links });
        }
    }

    /// A subscription on this shard has ended: with the last, the track no longer comes here.
    pub(super) fn unspan(&mut self, track_id: &TrackId, to: ShardId) {
        let Some((from, track)) = self.track_mut(track_id) else { return };
        let Some(span) = track.spans.get_mut(&to) else { return };
        span.subscriptions -= 1;
        if span.subscriptions > 0 {
            return;
        }
        let links = track.spans.remove(&to).map(|span| span.links).unwrap_or_default();
        let streams: Vec<StreamId> = track.layers.iter().map(|l| l.stream).collect();
        for stream in streams {
            self.command(to, Command::RemoveStream { stream });
        }
        if self.unspan_voice(track_id, &links) {
            return;
        }
        for link in links {
            self.command(from, Command::EndExport { link });
        }
    }

    /// A track with its publisher's shard.
    fn track_mut(&mut self, id: &TrackId) -> Option<(ShardId, &mut Track)> {
        let peer = self.peers.get_mut(self.tracks.get(id)?)?;
        let track = peer.tracks.iter_mut().find(|t| t.id == *id)?;
        Some((peer.shard, track))
    }
}
