//! What is done to the sound of a call besides carrying it.

use kaname_engine::audio::AudioEvent;

use super::actor::Now;
use super::error::CallError;
use super::model::Call;
use super::state::State;
use crate::ng::Dictionary;
use crate::ng::flags::Flags;

/// A recording under way.
#[derive(Debug)]
pub(super) struct Recording {}

impl State {
    pub(super) fn sound_command(&mut self, _now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        Err(CallError::NotDone { command: flags.command.name(), instead: "ask for it in a later version" })
    }

    pub(super) fn audio_event(&mut self, _now: Now, _event: AudioEvent) {}

    pub(super) fn end_sound(&mut self, _call: &mut Call) {}
}
