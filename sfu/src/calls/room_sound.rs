//! The sound of calls to rooms: what is played to the telephone and what is recorded of it is the room's to do.

use kaname_engine::audio::Prompt;

use super::actor::Now;
use super::error::CallError;
use super::requests::ok;
use super::room::RoomWish;
use super::sound::duration;
use super::state::{CallKey, State};
use crate::ng::Dictionary;
use crate::ng::flags::{Command, Flags, Switch};
use crate::node::{SoundOf, SoundWish};

impl State {
    /// Whether one end of a call is a room.
    pub(super) fn is_with_room(&self, key: CallKey) -> bool {
        self.calls.get(&key).is_some_and(|call| call.seat.is_some())
    }

    /// Does what is asked about the sound of such a call.
    pub(super) fn room_sound(
        &mut self,
        now: Now,
        key: CallKey,
        flags: &Flags,
    ) -> Result<Dictionary, CallError> {
        match flags.command {
            Command::StopMedia => {
                self.ask_room(key, SoundWish::StopPlaying)?;
                Ok(ok().with("last-frame-pos", 0))
            }
            Command::StartRecording => self.record_in_room(now, key, flags),
            Command::StopRecording if flags.has(Switch::Pause) => self.pause_in_room(key, true),
            Command::StopRecording => self.end_record_in_room(key),
            Command::PauseRecording => self.pause_in_room(key, true),
            Command::StartForwarding | Command::StopForwarding => Err(CallError::NotDone {
                command: flags.command.name(),
                instead: "in a call to a room, record it instead",
            }),
            other => Err(CallError::NotDone {
                command: other.name(),
                instead: "in a call to a room, mute the telephone's track instead",
            }),
        }
    }

    /// Plays to the telephone, beside what the room says.
    pub(super) fn play_in_room(
        &mut self,
        key: CallKey,
        flags: &Flags,
        prompt: Prompt,
    ) -> Result<Dictionary, CallError> {
        let length = duration(&prompt);
        let times = flags.play.repeat_times.unwrap_or(1);
        self.ask_room(key, |to| SoundWish::Play { to, prompt, times })?;
        Ok(ok().with("duration", length))
    }

    fn record_in_room(&mut self, now: Now, key: CallKey, flags: &Flags) -> Result<Dictionary, CallError> {
        let Some(call) = self.calls.get(&key) else { return Err(CallError::UnknownCall) };
        if call.seat.as_ref().is_some_and(|seat| seat.recorded.is_some()) {
            return self.pause_in_room(key, false);
        }
        let path = self.recording_path(now, &call.id, flags)?;
        let file = path.clone();
        self.ask_room(key, |of| SoundWish::Record { of, path })?;
        let shown = file.display().to_string();
        self.set_recorded(key, Some(file));
        Ok(ok().with("file", shown))
    }

    fn pause_in_room(&mut self, key: CallKey, paused: bool) -> Result<Dictionary, CallError> {
        let call = self.calls.get(&key);
        if call.and_then(|call| call.seat.as_ref()?.recorded.as_ref()).is_none() {
            return Ok(ok().with("warning", "the call is not being recorded"));
        }
        self.ask_room(key, |of| SoundWish::Pause { of, paused })?;
        Ok(ok())
    }

    fn end_record_in_room(&mut self, key: CallKey) -> Result<Dictionary, CallError> {
        let Some(file) = self.set_recorded(key, None) else {
            return Ok(ok().with("warning", "the call was not being recorded"));
        };
        self.ask_room(key, SoundWish::StopRecording)?;
        Ok(ok().with("file", file.display().to_string()))
    }

    fn set_recorded(&mut self, key: CallKey, file: Option<std::path::PathBuf>) -> Option<std::path::PathBuf> {
        let seat = self.calls.get_mut(&key)?.seat.as_mut()?;
        std::mem::replace(&mut seat.recorded, file)
    }

    fn ask_room(&self, key: CallKey, wish: impl FnOnce(SoundOf) -> SoundWish) -> Result<(), CallError> {
        let seat = self.calls.get(&key).and_then(|call| call.seat.as_ref());
        let peer = seat.and_then(|seat| seat.peer()).ok_or(CallError::NotInRoom)?;
        self.tell_rooms(RoomWish::Sound(wish(SoundOf::Phone(peer.clone()))));
        Ok(())
    }
}
