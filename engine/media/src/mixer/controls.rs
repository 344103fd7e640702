//! What may be changed of a room and of those in it: settings, prompts, keys.

use super::room::Room;
use super::{Audience, ParticipantId, RoomError};
use crate::dtmf::{Key, ToneGenerator};
use crate::prompt::{Player, Playing, Prompt, Prompts};
use crate::transcode::SendKeys;

/// Longest tone of a key.
const KEY_MS_MAX: u32 = 10_000;

impl Room {
    /// Louder or softer for the others, as a factor.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_gain(&mut self, id: ParticipantId, factor: f32) -> Result<(), RoomError> {
        self.find(id)?.gain.set(factor);
        Ok(())
    }

    /// Whether the others hear it.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_muted(&mut self, id: ParticipantId, muted: bool) -> Result<(), RoomError> {
        self.find(id)?.muted = muted;
        Ok(())
    }

    /// Whether it is sent anything.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_listens(&mut self, id: ParticipantId, listens: bool) -> Result<(), RoomError> {
        self.find(id)?.listens = listens;
        Ok(())
    }

    /// On hold it neither speaks nor hears the conversation, but the hold music.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_held(&mut self, id: ParticipantId, held: bool) -> Result<(), RoomError> {
        self.find(id)?.held = held;
        Ok(())
    }

    /// The loss that a listener reports, in percent. The encoding that all share is made for the worst of them, so the
    /// caller gives that.
    pub fn expect_loss(&mut self, percent: u8) {
        self.groups.iter_mut().for_each(|group| group.expect_loss(percent));
    }

    /// Brings a participant to the level of the others.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_auto_level(&mut self, id: ParticipantId, on: bool) -> Result<(), RoomError> {
        self.find(id)?.set_auto_level(on);
        Ok(())
    }

    /// Whether keys are looked for as tones in a participant's audio.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn set_detect_tones(&mut self, id: ParticipantId, on: bool) -> Result<(), RoomError> {
        let rate = self.config.rate;
        self.find(id)?.set_detect_tones(on, rate);
        Ok(())
    }

    /// Whether the mix of each tick is kept for [`Room::mix`], even when nobody listens.
    pub fn set_record(&mut self, record: bool) {
        self.config.record = record;
    }

    /// What those on hold hear, again and again.
    pub fn set_hold_music(&mut self, music: Option<Prompt>) {
        self.music = music.map(|music| Player::new(music, self.config.rate, None, 1.0));
    }

    /// Plays a prompt to all in the conversation or to one.
    ///
    /// # Errors
    /// [`RoomError::Prompts`], [`RoomError::Gone`], [`RoomError::Mute`].
    pub fn play(&mut self, audience: Audience, prompt: &Prompt, playing: Playing) -> Result<(), RoomError> {
        let rate = self.config.rate;
        Ok(self.prompts_of(audience)?.play(rate, prompt, playing)?)
    }

    /// Stops a prompt of an audience, or all of them; tells which.
    ///
    /// # Errors
    /// [`RoomError::Gone`], [`RoomError::Mute`].
    pub fn stop_prompts(
        &mut self,
        audience: Audience,
        token: Option<u64>,
        ended: &mut dyn FnMut(u64),
    ) -> Result<(), RoomError> {
        self.prompts_of(audience)?.stop(token, ended);
        Ok(())
    }

    fn prompts_of(&mut self, audience: Audience) -> Result<&mut Prompts, RoomError> {
        match audience {
            Audience::Room => Ok(&mut self.prompts),
            Audience::One(id) => {
                let participant = self.find(id)?;
                participant.sends.as_ref().ok_or(RoomError::Mute)?;
                Ok(&mut participant.prompts)
            }
        }
    }

    /// Presses a key towards one participant, so loud in -dBm0: as an event if that was agreed, else as a tone.
    ///
    /// # Errors
    /// [`RoomError::Gone`], [`RoomError::Mute`], [`RoomError::Keys`], [`RoomError::Prompts`].
    pub fn press(&mut self, id: ParticipantId, key: Key, ms: u32, volume: u8) -> Result<(), RoomError> {
        let rate = self.config.rate;
        let participant = self.find(id)?;
        let sends = participant.sends.as_mut().ok_or(RoomError::Mute)?;
        if let SendKeys::Events(_) = sends.keys {
            return Ok(sends.events.press(key, ms, volume)?);
        }
        let mut tone = ToneGenerator::new(rate);
        tone.press(key, ms, 0, volume)?;
        let mut samples = vec![0; rate.samples(ms.min(KEY_MS_MAX))];
        tone.fill(&mut samples);
        let playing = Playing { token: Room::TONE, times: Some(1), gain: 1.0, alone: false };
        Ok(participant.prompts.play(rate, &Prompt::new(rate, samples), playing)?)
    }

    /// So many ticks are left out: what is sent pauses for as long.
    pub fn skip(&mut self, ticks: u32) {
        let tick_ms = self.config.tick_ms;
        for sends in self.participants.iter_mut().flatten().filter_map(|it| it.sends.as_mut()) {
            // The clock's ticks in a tick of the room.
            let step = u64::from(sends.ticks) * u64::from(tick_ms) / u64::from(sends.ptime_ms);
            sends.outgoing.skip(ticks, step as u32);
        }
    }
}
