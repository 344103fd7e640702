//! Muting: the node withholds a track, whatever its publisher sends.

use kaname_engine::ShardId;
use kaname_engine::core::Command;
use kaname_engine::core::command::StreamId;

use super::api::*;
use super::error::NodeError;
use super::model::PeerKind;
use super::state::State;

impl State {
    pub(super) fn mute(&mut self, by: &PeerId, track: &TrackId, muted: bool) -> Result<(), NodeError> {
        let peer = self.peer(by)?;
        let (owner, _) =
            self.track(track).filter(|(p, _)| p.room == peer.room).ok_or(NodeError::NoSuchTrack)?;
        if owner.id != *by && !peer.grants.admin {
            return Err(NodeError::Forbidden { action: "mute others" });
        }
        self.set_muted(track, muted)
    }

    pub(super) fn mute_in(&mut self, room: &str, track: &TrackId, muted: bool) -> Result<(), NodeError> {
        if !self.rooms.contains_key(room) {
            return Err(NodeError::NoSuchRoom);
        }
        self.track(track).filter(|(p, _)| p.room == room).ok_or(NodeError::NoSuchTrack)?;
        self.set_muted(track, muted)
    }

    fn set_muted(&mut self, id: &TrackId, muted: bool) -> Result<(), NodeError> {
        let owner = self.tracks.get(id).cloned().ok_or(NodeError::NoSuchTrack)?;
        let peer = self.peers.get_mut(&owner).ok_or(NodeError::NoSuchTrack)?;
        if peer.kind == PeerKind::Announcer {
            return Err(NodeError::Announcement);
        }
        let (shard, room) = (peer.shard, peer.room.clone());
        let track = peer.tracks.iter_mut().find(|t| t.id == *id).ok_or(NodeError::NoSuchTrack)?;
        if std::mem::replace(&mut track.muted, muted) == muted {
            return Ok(());
        }
        let microphone = track.shape.source == Source::Microphone;
        let streams: Vec<StreamId> = track.layers.iter().map(|l| l.stream).collect();
        let mut others: Vec<ShardId> = track.spans.keys().copied().collect();
        others.sort();
        for stream in streams {
            for shard in std::iter::once(shard).chain(others.iter().copied()) {
                self.command(shard, Command::MuteStream { stream, muted });
            }
        }
        self.mute_phone(&owner, muted);
        if let (true, true, Some(room)) = (microphone, muted, self.rooms.get_mut(&room)) {
            room.speakers.forget(&owner);
        }
        self.tell_room(&room, None, &Notice::TrackMuted { track: id.clone(), muted });
        Ok(())
    }
}
