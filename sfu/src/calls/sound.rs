//! What is done to the sound of a call besides carrying it: blocked, silenced, played into, recorded, forwarded.

use kaname_engine::audio::{
    AudioCommand, AudioEvent, AudioId, Key, KeyEvent, KeyMask, Manner, Prompt, Substitute, Tones,
};

use super::actor::Now;
use super::asker::Asker;
use super::error::CallError;
use super::model::{Agreed, Call, KeyBlock, Orders};
use super::plan::{self, SideKey};
use super::prompts;
use super::requests::ok;
use super::state::{CallKey, State};
use crate::ng::Dictionary;
use crate::ng::flags::{All, Command, DtmfBlocking, Flags, Switch};

/// Length of a key that is pressed, in milliseconds, and its volume in -dBm0, when nothing is said.
const KEY_MS: u32 = 250;
const KEY_VOLUME: u8 = 8;

/// How loud what stands for keys is, in -dBm0, when nothing is said.
const MASK_VOLUME: u8 = 10;

impl State {
    pub(super) fn sound_command(&mut self, now: Now, flags: &Flags) -> Result<Dictionary, CallError> {
        let key = *self.names.get(&flags.call_id).ok_or(CallError::UnknownCall)?;
        if let Some(call) = self.calls.get_mut(&key) {
            call.last_signal = now;
        }
        if self.is_with_room(key) {
            return self.room_sound(now, key, flags);
        }
        match flags.command {
            Command::StartForwarding => self.forward(key, flags, true),
            Command::StopForwarding => self.forward(key, flags, false),
            Command::BlockDtmf => self.block_keys(key, flags),
            Command::UnblockDtmf => self.order(key, flags, |orders| orders.keys = None),
            Command::BlockMedia => self.order(key, flags, |orders| orders.block_media = true),
            Command::UnblockMedia => self.order(key, flags, |orders| orders.block_media = false),
            Command::SilenceMedia => self.order(key, flags, |orders| orders.silence_media = true),
            Command::UnsilenceMedia => self.order(key, flags, |orders| orders.silence_media = false),
            Command::StopMedia => self.stop_media(key, flags),
            Command::PlayDtmf => self.play_keys(key, flags),
            Command::StartRecording => self.start_recording(now, key, flags),
            Command::StopRecording if flags.has(Switch::Pause) => self.pause_recording(key, true),
            Command::StopRecording => self.stop_recording(key),
            Command::PauseRecording => self.pause_recording(key, true),
            other => Err(CallError::NotDone { command: other.name(), instead: "send an offer instead" }),
        }
    }

    fn block_keys(&mut self, key: CallKey, flags: &Flags) -> Result<Dictionary, CallError> {
        let Some(block) = self.key_block(flags)? else {
            return self.order(key, flags, |orders| orders.keys = None);
        };
        let reply = self.order(key, flags, |orders| orders.keys = Some(block))?;
        let lines = || {
            self.calls.get(&key).into_iter().flat_map(|call| call.live()).flat_map(|(_, party)| &party.medias)
        };
        let is_beyond = |agreed: &Agreed| {
            !agreed.video && agreed.worked.is_none() && matches!(agreed.flow, plan::Manner::Pass(_))
        };
        let beyond = lines().filter_map(|line| line.agreed.as_ref()).any(is_beyond);
        let in_room = self.calls.get(&key).is_some_and(Call::is_of_room);
        Ok(match block {
            KeyBlock::Mask(_) if in_room => {
                reply.with("warning", "in a room key events go to nobody, and tones in the audio pass")
            }
            KeyBlock::Mask(_) if beyond => reply.with(
                "warning",
                "the call has a codec that is not coded here: its key events are dropped, and tones in its audio pass",
            ),
            _ => reply,
        })
    }

    /// What becomes of keys; `None`: they pass.
    fn key_block(&mut self, flags: &Flags) -> Result<Option<KeyBlock>, CallError> {
        let by = match flags.dtmf.blocking.unwrap_or_default() {
            DtmfBlocking::Drop => return Ok(Some(KeyBlock::Drop)),
            DtmfBlocking::Off => return Ok(None),
            DtmfBlocking::Silence => Substitute::Silence,
            DtmfBlocking::Tone => {
                let hz = flags.dtmf.frequencies_hz.iter().filter_map(|hz| u16::try_from(*hz).ok());
                Substitute::Tone(Tones::new(hz))
            }
            DtmfBlocking::Random => Substitute::Random { seed: self.tools.random.long_number() },
            mode => {
                let event = if mode == DtmfBlocking::Zero { Some(0) } else { flags.play.key };
                Substitute::Key(event.and_then(Key::from_event).ok_or_else(|| {
                    CallError::Play("name the key that stands for others: code or digit".to_owned())
                })?)
            }
        };
        Ok(Some(KeyBlock::Mask(KeyMask { by, volume: flags.play.volume.unwrap_or(MASK_VOLUME) })))
    }

    /// Changes what is asked for, of the parties that are named, or of the call as a whole.
    pub(super) fn order(
        &mut self,
        key: CallKey,
        flags: &Flags,
        change: impl Fn(&mut Orders),
    ) -> Result<Dictionary, CallError> {
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        match select(call, flags)? {
            Some(parties) => parties.into_iter().for_each(|party| change(&mut call.parties[party].orders)),
            None => {
                change(&mut call.orders);
                if flags.all != All::None {
                    call.parties.iter_mut().for_each(|party| change(&mut party.orders));
                }
            }
        }
        self.replan(key, false);
        Ok(ok())
    }

    /// A prompt is there: those who are named hear it.
    pub(super) fn play(
        &mut self,
        key: CallKey,
        flags: &Flags,
        prompt: &Prompt,
    ) -> Result<Dictionary, CallError> {
        let times = Some(flags.play.repeat_times.unwrap_or(1).max(1));
        let (call, parties) = self.listeners(key, flags)?;
        let listens = |party: &usize| call.parties[*party].medias.iter().any(|line| line.agreed.is_some());
        let parties: Vec<usize> = parties.into_iter().filter(listens).collect();
        for party in &parties {
            call.parties[*party].worked = true;
        }
        self.replan(key, false);
        let mut heard = false;
        for party in parties {
            let token = self.fresh();
            let Some(call) = self.calls.get_mut(&key) else { continue };
            for (to, worker) in makers(call, party) {
                heard = true;
                call.playing.insert(token, party);
                let command = AudioCommand::Play {
                    to,
                    token,
                    prompt: prompt.clone(),
                    times,
                    gain: 1.0,
                    manner: Manner::Mixed,
                };
                self.tools.outbox.audio(worker, command);
            }
        }
        if !heard {
            return Err(CallError::Play(
                "nobody who is named has agreed on a codec that can be coded here, and listens".to_owned(),
            ));
        }
        Ok(ok().with("duration", duration(prompt)))
    }

    /// Those who are to hear something; all of the call if nobody is named.
    fn listeners(&mut self, key: CallKey, flags: &Flags) -> Result<(&mut Call, Vec<usize>), CallError> {
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let parties = match select(call, flags)? {
            Some(parties) => parties,
            None if flags.all != All::None => call.live().map(|(index, _)| index).collect(),
            None => {
                return Err(CallError::Play(
                    "name who is meant: from-tag, label, address, or all".to_owned(),
                ));
            }
        };
        Ok((call, parties))
    }

    fn stop_media(&mut self, key: CallKey, flags: &Flags) -> Result<Dictionary, CallError> {
        let (call, parties) = self.listeners(key, flags)?;
        let makers: Vec<_> = parties.iter().flat_map(|party| makers(call, *party)).collect();
        for (to, worker) in makers {
            self.tools.outbox.audio(worker, AudioCommand::StopPlaying { to, token: None });
        }
        Ok(ok().with("last-frame-pos", 0))
    }

    /// Keys that somebody is said to press: those who hear them get them in the way they take keys.
    fn play_keys(&mut self, key: CallKey, flags: &Flags) -> Result<Dictionary, CallError> {
        let Some(pressed) = flags.play.key.and_then(Key::from_event) else {
            return Err(CallError::Play("name the key: code or digit, 0 to 9, *, #, A to D".to_owned()));
        };
        let (call, parties) = self.listeners(key, flags)?;
        let hear = |index: &usize| {
            let party = &call.parties[*index];
            (0..party.medias.len())
                .any(|media| party.source(media).is_some_and(|from| parties.contains(&from.party)))
        };
        let listeners: Vec<usize> = call.live().map(|(index, _)| index).filter(hear).collect();
        for listener in &listeners {
            call.parties[*listener].worked = true;
            call.parties[*listener].pressed = true;
        }
        self.replan(key, false);
        let mut heard = false;
        let (ms, volume) =
            (flags.play.duration_ms.unwrap_or(KEY_MS), flags.play.volume.unwrap_or(KEY_VOLUME));
        for listener in listeners {
            let Some(call) = self.calls.get(&key) else { continue };
            for (id, worker) in makers(call, listener) {
                heard = true;
                self.tools.outbox.audio(worker, AudioCommand::Press { id, key: pressed, ms, volume });
            }
        }
        if heard { Ok(ok()) } else { Err(CallError::Play("nobody hears who is named".to_owned())) }
    }

    pub(super) fn audio_event(&mut self, now: Now, event: AudioEvent) {
        match event {
            AudioEvent::PlayEnded { id, token, .. } => self.play_ended(id, token),
            AudioEvent::Recorded { id, path, ms, lost_ms } => {
                self.owners.remove(&id.0);
                self.tools.ids.free(id.0);
                tracing::info!(file = %path.display(), ms, lost_ms, "recorded");
            }
            AudioEvent::Key { id, event } => {
                if !self.key_at_door(now, id, event) {
                    self.key_heard(id, event);
                }
            }
            AudioEvent::Failed { id, why } => {
                self.audio_failed(id, "ended", &why.to_string());
                self.recorder_failed(id);
                self.stream_failed(id);
            }
            AudioEvent::Refused { id, command, why } => {
                self.audio_failed(id, command, &why.to_string());
                if command == "Listen" {
                    self.stream_failed(id);
                }
            }
            AudioEvent::Speaking { .. } | AudioEvent::Figures { .. } => {}
        }
    }

    /// Somebody pressed a key. Which one is in no log while it is blocked.
    fn key_heard(&mut self, id: AudioId, event: KeyEvent) {
        let Some((call, _)) = self.owner(id.0) else { return };
        let Some(SideKey { party: index, .. }) = call.told.presser(id) else { return };
        let (orders, detects) = (call.orders, call.detect_keys);
        let Some(party) = call.parties.get_mut(index) else { return };
        let KeyEvent::Up(key, ms) = event else {
            party.keys_heard += 1;
            return;
        };
        let is_open = party.orders.and(orders).keys.is_none();
        let key = is_open.then(|| tracing::field::debug(key.name()));
        match detects {
            true => tracing::info!(call = %call.id, tag = %party.tag, key, ms, "a key was pressed"),
            false => tracing::debug!(call = %call.id, tag = %party.tag, key, ms, "a key was pressed"),
        }
    }

    fn play_ended(&mut self, id: AudioId, token: u64) {
        let Some((key, _)) = self.owners.get(&id.0).copied() else { return };
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(party) = call.playing.remove(&token) else { return };
        // The worker is no longer in the way once nothing is played any more.
        if !call.playing.values().any(|other| *other == party) {
            call.parties[party].worked = call.parties[party].pressed;
            self.replan(key, false);
        }
    }

    fn audio_failed(&mut self, id: AudioId, command: &'static str, why: &str) {
        *self.counters.commands_failed_total.entry("audio").or_default() += 1;
        let call = self.owner(id.0).map(|(call, _)| call.id.clone());
        tracing::warn!(call, command, why, "an audio worker refused, or gave up");
    }

    /// Reads a prompt without holding up anybody, and plays it then.
    pub(super) fn play_media(&mut self, now: Now, asker: Asker, flags: Flags) {
        let Some(key) = self.names.get(&flags.call_id).copied() else {
            return self.refuse(now, asker, CallError::UnknownCall, false);
        };
        let source = prompts::Source::of(&flags.play, self.tools.config.prompts.as_deref());
        let source = match source {
            Ok(source) => source,
            Err(why) => return self.refuse(now, asker, CallError::Play(why), false),
        };
        let loaded = self.loaded.clone();
        tokio::task::spawn_blocking(move || {
            let prompt = source.read();
            // The calls have stopped when nobody receives; then nobody misses it.
            let _stopped = loaded.send(Loaded { key, asker, flags: Box::new(flags), prompt });
        });
    }

    /// A prompt was read, or could not be.
    pub(super) fn prompt_loaded(&mut self, now: Now, loaded: Loaded) {
        let Loaded { key, asker, flags, prompt } = loaded;
        let outcome = prompt.map_err(CallError::Play).and_then(|prompt| match self.is_with_room(key) {
            true => self.play_in_room(key, &flags, prompt),
            false => self.play(key, &flags, &prompt),
        });
        match outcome {
            Ok(answer) => self.answer(now, asker, &answer),
            Err(error) => self.refuse(now, asker, error, false),
        }
    }
}

/// A prompt that was read for a request.
#[derive(Debug)]
pub(super) struct Loaded {
    key: CallKey,
    asker: Asker,
    flags: Box<Flags>,
    prompt: Result<Prompt, String>,
}

/// How long it plays, in milliseconds.
pub(super) fn duration(prompt: &Prompt) -> i64 {
    i64::try_from(prompt.samples().len() / prompt.rate().per_ms()).unwrap_or(i64::MAX)
}

/// The worker's things that make what a party hears.
pub(super) fn makers(call: &Call, party: usize) -> Vec<(AudioId, usize)> {
    let lines = 0..call.parties[party].medias.len();
    lines.filter_map(|media| Some((call.told.maker(SideKey { party, media })?, call.worker))).collect()
}

/// The parties that a request names; `None`: none in particular. `all` is everybody, also where a tag stands beside it: proxies
/// send the tag of the message at hand with most requests.
pub(super) fn select(call: &Call, flags: &Flags) -> Result<Option<Vec<usize>>, CallError> {
    if flags.all == All::All {
        return Ok(None);
    }
    if let Some(tag) = flags.from_tag.as_deref().filter(|tag| !tag.is_empty()) {
        return call.by_tag(tag).map(|party| Some(vec![party])).ok_or(CallError::UnknownTag);
    }
    if let Some(label) = &flags.label {
        let named =
            call.live().filter(|(_, party)| party.label.as_ref() == Some(label)).map(|(index, _)| index);
        let named: Vec<usize> = named.collect();
        return if named.is_empty() { Err(CallError::UnknownTag) } else { Ok(Some(named)) };
    }
    if let Some(address) = flags.address {
        let is_there = |line: &super::model::Media| {
            let connection = line.theirs.as_ref().and_then(|view| view.connection.as_ref());
            connection.and_then(|host| host.ip()) == Some(address)
        };
        let named =
            call.live().filter(|(_, party)| party.medias.iter().any(is_there)).map(|(index, _)| index);
        let named: Vec<usize> = named.collect();
        return if named.is_empty() { Err(CallError::UnknownTag) } else { Ok(Some(named)) };
    }
    Ok(None)
}
