//! How settings are changed and prompts played.

use kaname_media::mixer::{Audience, ParticipantId, Room};
use kaname_media::prompt::{Playing, Prompt};

use super::hall::Hall;
use super::item::Work;
use super::obey::Done;
use super::worker::{Place, Worker};
use super::{AudioError, AudioEvent, AudioId, Setting};

impl Worker {
    pub(super) fn set(&mut self, id: AudioId, setting: Setting) -> Done {
        if let Place::Member(..) = self.place(id)? {
            let (_, hall, place) = self.member(id)?;
            return set_member(hall, place, setting);
        }
        let Place::Item(item) = self.place(id)? else { return Err(AudioError::Unfit) };
        match (&mut self.item(item)?.work, setting) {
            (Work::Pipe(pipe), Setting::Gain(gain)) => pipe.transcoder.set_gain(gain),
            (Work::Pipe(pipe), Setting::Muted(muted)) => pipe.transcoder.set_muted(muted),
            (Work::Pipe(pipe), Setting::AutoLevel(on)) => pipe.transcoder.set_auto_level(on),
            (Work::Pipe(pipe), Setting::DetectTones(on)) => pipe.transcoder.set_detect_tones(on),
            (Work::Pipe(pipe), Setting::Mask(mask)) => pipe.transcoder.set_mask(mask),
            (Work::Pipe(pipe), Setting::ExpectLoss(percent)) => pipe.transcoder.expect_loss(percent),
            (Work::Pipe(pipe), Setting::Listens(listens)) => {
                pipe.listens = listens;
                pipe.settle();
            }
            (Work::Tap(tap), Setting::DetectTones(on)) => tap.set_detect_tones(on),
            (Work::Tap(tap), Setting::Mask(mask)) => tap.set_covered(mask.is_some()),
            // The encoding is shared, so its loss is the room's.
            (Work::Room(hall), Setting::ExpectLoss(percent)) => hall.room.expect_loss(percent),
            _ => return Err(AudioError::Unfit),
        }
        Ok(())
    }

    pub(super) fn play(&mut self, to: AudioId, prompt: &Prompt, playing: Playing) -> Done {
        if let Place::Member(..) = self.place(to)? {
            let (_, hall, place) = self.member(to)?;
            return Ok(hall.room.play(Audience::One(place), prompt, playing)?);
        }
        let Place::Item(item) = self.place(to)? else { return Err(AudioError::Unfit) };
        match &mut self.item(item)?.work {
            Work::Pipe(pipe) => Ok(pipe.transcoder.play(prompt, playing)?),
            Work::Room(hall) => Ok(hall.room.play(Audience::Room, prompt, playing)?),
            _ => Err(AudioError::Unfit),
        }
    }

    pub(super) fn stop_playing(&mut self, to: AudioId, token: Option<u64>) -> Done {
        let mut ended = Vec::new();
        let mut note = |token| ended.push(token);
        if let Place::Member(..) = self.place(to)? {
            let (_, hall, place) = self.member(to)?;
            hall.room.stop_prompts(Audience::One(place), token, &mut note)?;
        } else {
            let Place::Item(item) = self.place(to)? else { return Err(AudioError::Unfit) };
            match &mut self.item(item)?.work {
                Work::Pipe(pipe) => pipe.transcoder.stop_prompts(token, &mut note),
                Work::Room(hall) => hall.room.stop_prompts(Audience::Room, token, &mut note)?,
                _ => return Err(AudioError::Unfit),
            }
        }
        self.tell_stopped(to, &ended);
        Ok(())
    }

    pub(super) fn tell_stopped(&self, id: AudioId, tokens: &[u64]) {
        // The room's own tones were nobody's wish.
        for &token in tokens.iter().filter(|token| **token != Room::TONE) {
            self.tell(AudioEvent::PlayEnded { id, token, stopped: true });
        }
    }
}

fn set_member(hall: &mut Hall, place: ParticipantId, setting: Setting) -> Done {
    match setting {
        Setting::Gain(gain) => hall.room.set_gain(place, gain)?,
        Setting::Muted(muted) => hall.room.set_muted(place, muted)?,
        Setting::Held(held) => hall.room.set_held(place, held)?,
        Setting::AutoLevel(on) => hall.room.set_auto_level(place, on)?,
        Setting::DetectTones(on) => hall.room.set_detect_tones(place, on)?,
        Setting::Listens(listens) => {
            hall.member(place).ok_or(AudioError::Unknown)?.listens = listens;
            hall.settle(place);
        }
        // The encoding is shared: see the room's. In a room keys are not sent on.
        Setting::ExpectLoss(_) | Setting::Mask(_) => return Err(AudioError::Unfit),
    }
    Ok(())
}
