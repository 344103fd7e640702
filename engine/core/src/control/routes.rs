//! Which sender forwards which stream.

use crate::Time;
use crate::command::{MediaKind, PayloadMap, SenderId, StreamId};
use crate::event::CommandError;
use crate::limits;
use crate::sender::Route;
use crate::state::State;

impl State {
    pub(super) fn route(
        &mut self,
        sender: SenderId,
        stream: StreamId,
        payload_types: Vec<PayloadMap>,
        now: Time,
    ) -> Result<(), CommandError> {
        let sender_index = self.senders.index(sender).ok_or(CommandError::UnknownSender)?;
        let stream_index = self.streams.index(stream).ok_or(CommandError::UnknownStream)?;
        let fits = |map: &PayloadMap| map.from < 128 && map.to < 128 && map.rtx.is_none_or(|rtx| rtx < 128);
        if payload_types.len() > limits::PAYLOAD_TYPES || !payload_types.iter().all(fits) {
            return Err(CommandError::Invalid);
        }
        let (Some(sender), Some(stream)) =
            (self.senders.get_mut(sender_index), self.streams.get_mut(stream_index))
        else {
            return Err(CommandError::UnknownSender);
        };
        if sender.kind != stream.kind {
            return Err(CommandError::Invalid);
        }
        let is_ready = self.legs.get(sender.leg).is_some_and(|leg| leg.can_send());
        let route = Route::new(stream_index, payload_types);
        let dropped = sender.pending.take().map(|pending| pending.stream);
        if sender.route.as_ref().is_some_and(|current| current.stream == stream_index) {
            sender.route = Some(route);
            self.leave_stream(sender_index, dropped.filter(|dropped| *dropped != stream_index));
            return Ok(());
        }
        sender.pending = Some(route);
        if !stream.senders.contains(&sender_index) {
            stream.senders.push(sender_index);
        }
        let leg = stream.leg;
        self.settle_patience(leg);
        self.leave_stream(sender_index, dropped.filter(|dropped| *dropped != stream_index));
        self.tell_wanted(stream_index);
        // A key frame ahead of the handshake's end would reach nobody, and put off the one that is of use: that is asked
        // for when the leg is ready.
        if is_ready {
            self.want_key_frame(stream_index, true, now);
        }
        Ok(())
    }

    pub(super) fn unroute(&mut self, sender: SenderId) -> Result<(), CommandError> {
        let index = self.senders.index(sender).ok_or(CommandError::UnknownSender)?;
        self.leave_streams(index);
        Ok(())
    }

    /// The sender falls silent, and keeps its numbers.
    pub(super) fn leave_streams(&mut self, index: u32) {
        let Some(sender) = self.senders.get_mut(index) else { return };
        let (route, pending) = (sender.route.take(), sender.pending.take());
        sender.mapping.interrupt();
        self.leave_stream(index, route.map(|route| route.stream));
        self.leave_stream(index, pending.map(|route| route.stream));
    }

    /// Takes a sender out of a stream's list.
    pub(crate) fn leave_stream(&mut self, sender: u32, stream: Option<u32>) {
        let Some(index) = stream else { return };
        let Some(stream) = self.streams.get_mut(index) else { return };
        let Some(position) = stream.senders.iter().position(|other| *other == sender) else { return };
        stream.senders.remove(position);
        self.forwards.sender_left(index, position);
        if !stream.is_watched() {
            stream.key_frames.cancel();
        }
        let leg = stream.leg;
        self.settle_patience(leg);
        self.tell_wanted(index);
    }

    pub(super) fn mute(&mut self, stream: StreamId, muted: bool, now: Time) -> Result<(), CommandError> {
        let index = self.streams.index(stream).ok_or(CommandError::UnknownStream)?;
        let stream = self.streams.get_mut(index).ok_or(CommandError::UnknownStream)?;
        let was_muted = std::mem::replace(&mut stream.muted, muted);
        if was_muted == muted {
            return Ok(());
        }
        // What was not forwarded leaves no gap, and old packets must not come back as repairs.
        stream.cache.clear(&mut self.arena);
        for at in 0..stream.senders.len() {
            if let Some(sender) = self.senders.get_mut(stream.senders[at]) {
                sender.mapping.interrupt();
                hold(sender, index, stream.kind);
            }
        }
        if !muted {
            self.want_key_frame(index, true, now);
        }
        Ok(())
    }
}

/// Video goes on at a key frame only: what it refers to was not forwarded.
fn hold(sender: &mut crate::sender::Sender, stream: u32, kind: MediaKind) {
    let holds = kind == MediaKind::Video && sender.pending.is_none();
    if let Some(route) = sender.route.take_if(|route| holds && route.stream == stream) {
        sender.pending = Some(route);
    }
}
