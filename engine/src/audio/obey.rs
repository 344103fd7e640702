//! How a worker carries out commands: how items come, change and go, and which names and links are theirs.

use kaname_core::Time;
use kaname_core::command::LinkId;
use kaname_media::jitter::{Receives, StreamFormat};
use kaname_media::mixer::{Audience, ParticipantConfig, ParticipantId, Room, RoomConfig};
use kaname_media::prompt::Playing;
use kaname_media::transcode::{SendKeys, TranscoderConfig};
use kaname_media::{SendFormat, Start};

use super::hall::{self, Hall};
use super::item::{Item, Pipe, Tap, Work};
use super::outlet::Outlets;
use super::worker::{Feed, Place, Worker};
use super::{AudioCommand, AudioError, AudioEvent, AudioId, Figures, Manner, Output};
use crate::limits::AUDIO_ITEMS;

pub(super) type Done = Result<(), AudioError>;

impl Worker {
    pub(super) fn obey(&mut self, command: AudioCommand, now: Time) {
        let (name, id) = command.about();
        let done = self.carry_out(command, now);
        if let Err(why) = done {
            self.tell(AudioEvent::Refused { id, command: name, why });
        }
        let items = self.items.len() - self.free.len();
        self.figures().set_held(items, self.members, self.recorders.len());
    }

    fn carry_out(&mut self, command: AudioCommand, now: Time) -> Done {
        match command {
            AudioCommand::AddTranscoder { id, input, outputs, config } => {
                self.add_pipe(id, input, &outputs, *config)
            }
            AudioCommand::ChangeTranscoder { id, config } => self.change_pipe(id, *config),
            AudioCommand::AddPlayer { id, outputs, sends, start } => {
                self.add_pipe(id, None, &outputs, player(sends, start))
            }
            AudioCommand::AddTap { id, input, config } => {
                self.vacant(id)?;
                let tap = Tap::new(*config, input, &self.around.codecs)?;
                let item = self.add(id, Work::Tap(Box::new(tap)), Tap::TURN_MS, hall::WEIGHT / 30)?;
                self.feed(input, Feed { item, member: None });
                Ok(())
            }
            AudioCommand::AddRoom { id, config } => self.add_room(id, config),
            AudioCommand::Join { room, id, input, outputs, config } => {
                self.join(room, id, input, &outputs, &config)
            }
            AudioCommand::ChangeParticipant { id, config } => {
                let (_, hall, place) = self.member(id)?;
                Ok(hall.change(place, &config)?)
            }
            AudioCommand::SetInput { id, input } => self.set_input(id, input),
            AudioCommand::SetOutputs { id, outputs } => self.set_outputs(id, &outputs),
            AudioCommand::Set { id, setting } => self.set(id, setting),
            AudioCommand::SetHoldMusic { room, music } => {
                self.hall(room)?.room.set_hold_music(music);
                Ok(())
            }
            AudioCommand::Play { to, token, prompt, times, gain, manner } => {
                self.play(to, &prompt, Playing { token, times, gain, alone: manner == Manner::Alone })
            }
            AudioCommand::StopPlaying { to, token } => self.stop_playing(to, token),
            AudioCommand::Press { id, key, ms, volume } => match self.place(id)? {
                Place::Item(_) => Ok(self.pipe(id)?.transcoder.press(key, ms, volume)?),
                _ => {
                    let (_, hall, place) = self.member(id)?;
                    Ok(hall.room.press(place, key, ms, volume)?)
                }
            },
            AudioCommand::Record { id, of, to } => self.record(id, &of, *to),
            AudioCommand::Listen { id, of, rate, to } => self.listen(id, of, rate, to),
            AudioCommand::RecordFrom { id, of } => self.record_from(id, of),
            AudioCommand::PauseRecording { id, paused } => {
                let Place::Recorder(place) = self.place(id)? else { return Err(AudioError::Unfit) };
                self.recorders.pause(place, paused, now);
                Ok(())
            }
            AudioCommand::Remove { id } => self.remove(id),
            AudioCommand::Query { id, token } => {
                let figures = self.query(id)?;
                self.tell(AudioEvent::Figures { id, token, figures });
                Ok(())
            }
        }
    }

    pub(super) fn place(&self, id: AudioId) -> Result<Place, AudioError> {
        self.names.get(&id).copied().ok_or(AudioError::Unknown)
    }

    pub(super) fn vacant(&self, id: AudioId) -> Done {
        if self.names.contains_key(&id) { Err(AudioError::Taken) } else { Ok(()) }
    }

    pub(super) fn item(&mut self, place: u32) -> Result<&mut Item, AudioError> {
        self.items.get_mut(place as usize).and_then(Option::as_mut).ok_or(AudioError::Unknown)
    }

    fn pipe(&mut self, id: AudioId) -> Result<&mut Pipe, AudioError> {
        let Place::Item(place) = self.place(id)? else { return Err(AudioError::Unfit) };
        match &mut self.item(place)?.work {
            Work::Pipe(pipe) => Ok(pipe),
            _ => Err(AudioError::Unfit),
        }
    }

    fn hall(&mut self, id: AudioId) -> Result<&mut Hall, AudioError> {
        let Place::Item(place) = self.place(id)? else { return Err(AudioError::Unfit) };
        self.hall_at(place)
    }

    pub(super) fn hall_at(&mut self, place: u32) -> Result<&mut Hall, AudioError> {
        match &mut self.item(place)?.work {
            Work::Room(hall) => Ok(hall),
            _ => Err(AudioError::Unfit),
        }
    }

    /// A participant: its room's place, its room, its place in there.
    pub(super) fn member(&mut self, id: AudioId) -> Result<(u32, &mut Hall, ParticipantId), AudioError> {
        let Place::Member(room, place) = self.place(id)? else { return Err(AudioError::Unfit) };
        Ok((room, self.hall_at(room)?, place))
    }

    /// Gives an item its name and its turns.
    fn add(&mut self, id: AudioId, work: Work, period_ms: u32, weight: u64) -> Result<u32, AudioError> {
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.items.len() < AUDIO_ITEMS => {
                self.items.push(None);
                self.items.len() as u32 - 1
            }
            None => return Err(AudioError::Full),
        };
        let turn = self.wheel.add(place, period_ms, weight);
        self.items[place as usize] = Some(Item { id, turn, failed: false, work });
        self.names.insert(id, Place::Item(place));
        Ok(place)
    }

    fn add_pipe(
        &mut self,
        id: AudioId,
        input: Option<LinkId>,
        outputs: &[Output],
        config: TranscoderConfig,
    ) -> Done {
        self.vacant(id)?;
        self.links_free(outputs, None)?;
        let weight = Pipe::weight(&config);
        let pipe = Pipe::new(config, input, Outlets::new(outputs), &self.around.codecs)?;
        let period_ms = pipe.transcoder.ptime_ms();
        let item = self.add(id, Work::Pipe(Box::new(pipe)), period_ms, weight)?;
        self.connect(Feed { item, member: None }, input, outputs);
        Ok(())
    }

    fn change_pipe(&mut self, id: AudioId, config: TranscoderConfig) -> Done {
        let weight = Pipe::weight(&config);
        self.pipe(id)?.change(config)?;
        let period_ms = self.pipe(id)?.transcoder.ptime_ms();
        let Place::Item(place) = self.place(id)? else { return Err(AudioError::Unfit) };
        let Worker { items, wheel, .. } = self;
        if let Some(item) = items[place as usize].as_mut().filter(|item| item.turn.period_ms() != period_ms) {
            wheel.remove(place, item.turn);
            item.turn = wheel.add(place, period_ms, weight);
        }
        Ok(())
    }

    fn add_room(&mut self, id: AudioId, config: RoomConfig) -> Done {
        self.vacant(id)?;
        let hall = Hall::new(Room::new(config, &self.around.codecs)?);
        let period_ms = hall.room.tick_ms();
        self.add(id, Work::Room(Box::new(hall)), period_ms, hall::WEIGHT)?;
        Ok(())
    }

    fn join(
        &mut self,
        room: AudioId,
        id: AudioId,
        input: Option<LinkId>,
        outputs: &[Output],
        config: &ParticipantConfig,
    ) -> Done {
        self.vacant(id)?;
        self.links_free(outputs, None)?;
        let Place::Item(item) = self.place(room)? else { return Err(AudioError::Unfit) };
        let place = self.hall_at(item)?.join(id, input, Outlets::new(outputs), config)?;
        self.names.insert(id, Place::Member(item, place));
        self.members += 1;
        self.connect(Feed { item, member: Some(place) }, input, outputs);
        Ok(())
    }

    fn connect(&mut self, feed: Feed, input: Option<LinkId>, outputs: &[Output]) {
        if let Some(link) = input {
            self.feed(link, feed);
        }
        self.ways.extend(outputs.iter().map(|output| (output.link, feed)));
    }

    fn feed(&mut self, link: LinkId, feed: Feed) {
        self.feeds.entry(link).or_default().push(feed);
    }

    fn unfeed(&mut self, link: Option<LinkId>, feed: Feed) {
        let Some(link) = link else { return };
        if let Some(feeds) = self.feeds.get_mut(&link) {
            feeds.retain(|other| *other != feed);
            if feeds.is_empty() {
                self.feeds.remove(&link);
            }
        }
    }

    /// Whether no other output has one of these links.
    fn links_free(&self, outputs: &[Output], own: Option<Feed>) -> Done {
        let taken = |output: &Output| self.ways.get(&output.link).is_some_and(|feed| Some(*feed) != own);
        let twice = |n: usize| outputs[..n].iter().any(|other| other.link == outputs[n].link);
        if outputs.iter().any(taken) || (0..outputs.len()).any(twice) {
            return Err(AudioError::LinkTaken);
        }
        Ok(())
    }

    fn set_input(&mut self, id: AudioId, input: Option<LinkId>) -> Done {
        let (feed, old) = match self.place(id)? {
            Place::Item(item) => {
                let own = match &mut self.item(item)?.work {
                    Work::Pipe(pipe) => &mut pipe.input,
                    Work::Tap(tap) => &mut tap.input,
                    _ => return Err(AudioError::Unfit),
                };
                (Feed { item, member: None }, std::mem::replace(own, input))
            }
            Place::Member(item, place) => {
                let member = self.hall_at(item)?.member(place).ok_or(AudioError::Unknown)?;
                (Feed { item, member: Some(place) }, std::mem::replace(&mut member.input, input))
            }
            Place::Recorder(_) => return Err(AudioError::Unfit),
        };
        self.unfeed(old, feed);
        if let Some(link) = input {
            self.feed(link, feed);
        }
        Ok(())
    }

    fn set_outputs(&mut self, id: AudioId, outputs: &[Output]) -> Done {
        let (place, feed) = match self.place(id)? {
            Place::Item(item) => (None, Feed { item, member: None }),
            Place::Member(item, place) => (Some(place), Feed { item, member: Some(place) }),
            Place::Recorder(_) => return Err(AudioError::Unfit),
        };
        self.links_free(outputs, Some(feed))?;
        let old: Vec<LinkId> = match (&mut self.item(feed.item)?.work, place) {
            (Work::Pipe(pipe), None) => {
                let old = pipe.outlets.links().collect();
                pipe.outlets.set(outputs);
                pipe.settle();
                old
            }
            (Work::Room(hall), Some(place)) => {
                let outlets = hall.outlets(place).ok_or(AudioError::Unknown)?;
                let old = outlets.links().collect();
                outlets.set(outputs);
                hall.settle(place);
                old
            }
            _ => return Err(AudioError::Unfit),
        };
        for link in &old {
            self.ways.remove(link);
        }
        self.connect(feed, None, outputs);
        Ok(())
    }

    fn query(&mut self, id: AudioId) -> Result<Figures, AudioError> {
        match self.place(id)? {
            Place::Item(item) => Ok(match &self.item(item)?.work {
                Work::Pipe(pipe) => Figures::Transcoder(pipe.transcoder.counters()),
                Work::Tap(tap) => Figures::Input(tap.playout().counters()),
                Work::Room(hall) => {
                    Figures::Room { counters: hall.room.counters(), participants: hall.room.len() }
                }
                #[cfg(test)]
                Work::Bomb => return Err(AudioError::Unfit),
            }),
            Place::Member(item, place) => {
                Ok(Figures::Input(self.hall_at(item)?.room.playout_counters(place)?))
            }
            Place::Recorder(place) => self.recorders.figures(place).ok_or(AudioError::Unknown),
        }
    }

    fn remove(&mut self, id: AudioId) -> Done {
        match self.place(id)? {
            Place::Item(item) => self.remove_item(item),
            Place::Member(item, place) => self.leave(item, place),
            Place::Recorder(_) => self.end_recorder(id),
        }
        Ok(())
    }

    /// Takes an item out with all that is its own.
    pub(super) fn remove_item(&mut self, place: u32) {
        let Some(item) = self.items.get_mut(place as usize).and_then(Option::take) else { return };
        self.free.push(place);
        self.wheel.remove(place, item.turn);
        self.names.remove(&item.id);
        let feed = Feed { item: place, member: None };
        let (id, mut ended) = (item.id, Vec::new());
        let mut note = |token| ended.push(token);
        match item.work {
            Work::Pipe(mut pipe) => {
                pipe.transcoder.stop_prompts(None, &mut note);
                self.unfeed(pipe.input, feed);
                self.unway(&pipe.outlets);
            }
            Work::Tap(tap) => self.unfeed(tap.input, feed),
            Work::Room(mut hall) => {
                // The room is there, whatever its prompts are.
                let _ = hall.room.stop_prompts(Audience::Room, None, &mut note);
                for member in hall.places() {
                    self.leave_hall(&mut hall, place, member);
                }
            }
            #[cfg(test)]
            Work::Bomb => {}
        }
        self.tell_stopped(id, &ended);
    }

    fn leave(&mut self, item: u32, place: ParticipantId) {
        let Some(mut taken) = self.items.get_mut(item as usize).and_then(Option::take) else { return };
        if let Work::Room(hall) = &mut taken.work {
            self.leave_hall(hall, item, place);
        }
        self.items[item as usize] = Some(taken);
    }

    fn leave_hall(&mut self, hall: &mut Hall, item: u32, place: ParticipantId) {
        let mut ended = Vec::new();
        // One who is sent nothing is played nothing.
        let _ = hall.room.stop_prompts(Audience::One(place), None, &mut |token| ended.push(token));
        let Some((member, outlets)) = hall.leave(place) else { return };
        self.names.remove(&member.id);
        self.members -= 1;
        self.unfeed(member.input, Feed { item, member: Some(place) });
        self.unway(&outlets);
        self.tell_stopped(member.id, &ended);
    }

    fn unway(&mut self, outlets: &Outlets) {
        for link in outlets.links() {
            self.ways.remove(&link);
        }
    }
}

/// A transcoder that nothing comes to.
fn player(sends: SendFormat, start: Start) -> TranscoderConfig {
    let receives =
        vec![StreamFormat { payload_type: sends.payload_type, receives: Receives::Audio(sends.codec) }];
    TranscoderConfig {
        receives,
        sends,
        noise_type: None,
        detect_tones: false,
        keys: SendKeys::Tones,
        auto_level: false,
        delay_ms_min: 0,
        start,
    }
}
