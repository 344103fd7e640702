//! The door of a room that has a PIN: whoever calls hears a prompt and types digits. The room itself says whether they are
//! right (see [`crate::node::Entry`]); here is what the telephone hears meanwhile, and when it has tried often enough.

use std::path::Path;
use std::time::Instant;

use kaname_engine::audio::{
    AudioCommand, AudioId, Collected, Collector, CollectorConfig, Key, KeyEvent, Manner, Prompt,
};
use zeroize::Zeroizing;

use super::actor::Now;
use super::limits::{PIN_KEY, PIN_PATIENCE, PIN_TRIES};
use super::model::Call;
use super::prompts::{RATE, Source};
use super::room::Stay;
use super::sound::makers;
use super::state::{CallKey, State};
use crate::node::{NodeError, PIN_DIGITS};

/// Notes of the built-in prompts, in Hz: upwards asks, twice low is wrong, downwards ends.
const ASK_HZ: [f32; 3] = [523.0, 659.0, 784.0];
const WRONG_HZ: [f32; 2] = [247.0, 247.0];
const REFUSED_HZ: [f32; 3] = [392.0, 330.0, 247.0];
/// Between two prompts, in milliseconds.
const PAUSE_MS: u32 = 300;

/// What callers at a door hear.
#[derive(Debug)]
pub(super) struct DoorPrompts {
    ask: Prompt,
    /// Wrong, and asked again.
    again: Prompt,
    refused: Prompt,
}

/// A caller at a door.
#[derive(Debug)]
pub(super) struct Menu {
    collector: Collector,
    began: Instant,
    /// It hears why it is refused; then the call ends, for this reason.
    over: Option<(Instant, &'static str)>,
    /// Keys are not listened to, while the way from the telephone changes.
    deaf: bool,
}

impl DoorPrompts {
    /// Files of the operator's folder where they are, else tones.
    pub(super) fn load(folder: Option<&Path>) -> DoorPrompts {
        let ask = prompt(folder, "pin-ask", &ASK_HZ);
        let wrong = prompt(folder, "pin-wrong", &WRONG_HZ);
        let pause = vec![0; RATE.samples(PAUSE_MS)];
        let again = [wrong.samples(), &pause, ask.samples()].concat();
        let refused = prompt(folder, "pin-refused", &REFUSED_HZ);
        DoorPrompts { again: Prompt::new(RATE, again), refused, ask }
    }
}

fn prompt(folder: Option<&Path>, name: &str, notes_hz: &[f32]) -> Prompt {
    let found = folder.and_then(|folder| {
        let paths = ["wav", "opus"].map(|ending| folder.join(format!("{name}.{ending}")));
        let path = paths.into_iter().find(|path| path.is_file())?;
        Some(Source::File(path, folder.to_owned()).read())
    });
    match found {
        Some(Ok(prompt)) => prompt,
        Some(Err(error)) => {
            tracing::error!(error, "a prompt of calls.prompts cannot be played: callers hear a tone");
            Prompt::notes(RATE, notes_hz)
        }
        None => Prompt::notes(RATE, notes_hz),
    }
}

impl Menu {
    fn new(now: Now, first: &Prompt) -> Menu {
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let config = CollectorConfig {
            digits_max: *PIN_DIGITS.end(),
            end: Key::from_char('#'),
            clear: Key::from_char('*'),
            first_ns: nanos(length(first) + PIN_PATIENCE),
            next_ns: nanos(PIN_KEY),
        };
        Menu { collector: Collector::new(config, 0), began: now.at, over: None, deaf: false }
    }

    fn at_ns(&self, now: Now) -> u64 {
        let since = now.at.saturating_duration_since(self.began);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

fn length(prompt: &Prompt) -> std::time::Duration {
    let ms = prompt.samples().len() / prompt.rate().per_ms();
    std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

impl Call {
    /// The menu, if the caller is at the door of its room.
    fn menu(&mut self) -> Option<&mut Menu> {
        match &mut self.seat.as_mut()?.stay {
            Stay::Door(menu) => Some(menu),
            _ => None,
        }
    }

    /// Whether it hears the door, and whether the door hears its keys.
    pub(super) fn at_door(&self) -> Option<bool> {
        match &self.seat.as_ref()?.stay {
            Stay::Door(menu) => Some(!menu.deaf && menu.over.is_none()),
            _ => None,
        }
    }
}

impl State {
    /// The room did not let a caller in.
    pub(super) fn not_let_in(&mut self, now: Now, key: CallKey, why: &NodeError) {
        let Some(seat) = self.calls.get_mut(&key).and_then(|call| call.seat.as_mut()) else { return };
        match why {
            NodeError::PinNeeded => self.ask_pin(now, key, self.door.ask.clone()),
            NodeError::WrongPin => {
                seat.wrong_pins += 1;
                self.try_again(now, key, "wrong pin");
            }
            NodeError::PinBlocked => self.dismiss(now, key, "pin blocked"),
            other => {
                tracing::warn!(call = ?self.calls.get(&key).map(|call| &call.id), why = %other, "a room refused a telephone");
                self.end(now, key, "refused by the room", None);
            }
        }
    }

    fn try_again(&mut self, now: Now, key: CallKey, reason: &'static str) {
        let Some(seat) = self.calls.get_mut(&key).and_then(|call| call.seat.as_mut()) else { return };
        seat.tries += 1;
        match seat.tries < PIN_TRIES {
            true => self.ask_pin(now, key, self.door.again.clone()),
            false => self.dismiss(now, key, reason),
        }
    }

    fn ask_pin(&mut self, now: Now, key: CallKey, prompt: Prompt) {
        self.put_at_door(key, Menu::new(now, &prompt), prompt);
    }

    /// The caller hears that it was refused; the call ends.
    fn dismiss(&mut self, now: Now, key: CallKey, reason: &'static str) {
        let prompt = self.door.refused.clone();
        let over = Some((now.at + length(&prompt), reason));
        self.put_at_door(key, Menu { over, ..Menu::new(now, &prompt) }, prompt);
    }

    fn put_at_door(&mut self, key: CallKey, menu: Menu, prompt: Prompt) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Some(seat) = &mut call.seat else { return };
        seat.stay = Stay::Door(menu);
        self.replan(key, false);
        let Some(call) = self.calls.get(&key) else { return };
        let hears = call.phone().map(|party| makers(call, party)).unwrap_or_default();
        for (to, worker) in hears {
            let token = self.fresh();
            let (prompt, manner) = (prompt.clone(), Manner::Mixed);
            let play = AudioCommand::Play { to, token, prompt, times: Some(1), gain: 1.0, manner };
            self.tools.outbox.audio(worker, play);
        }
    }

    /// What comes from the telephone changed: a worker listens for keys in the new way.
    pub(super) fn listen_anew(&mut self, key: CallKey) {
        for deaf in [true, false] {
            if let Some(menu) = self.calls.get_mut(&key).and_then(Call::menu) {
                menu.deaf = deaf;
            }
            self.replan(key, false);
        }
    }

    /// A key was pressed or let go. In a call to a room it goes nowhere, but at its door it is part of a PIN; false: the call is
    /// another.
    pub(super) fn key_at_door(&mut self, now: Now, id: AudioId, event: KeyEvent) -> bool {
        let Some((key, side)) = self.owners.get(&id.0).copied() else { return false };
        let Some(call) = self.calls.get_mut(&key).filter(|call| call.seat.is_some()) else { return false };
        let menu = call.menu().filter(|menu| menu.over.is_none());
        let (Some(menu), KeyEvent::Down(pressed)) = (menu, event) else { return true };
        let at = menu.at_ns(now);
        let collected = menu.collector.key(pressed, at);
        // Whoever types has heard enough.
        for (to, worker) in makers(call, side.party) {
            self.tools.outbox.audio(worker, AudioCommand::StopPlaying { to, token: None });
        }
        if let Some(collected) = collected {
            self.collected(now, key, collected);
        }
        true
    }

    fn collected(&mut self, now: Now, key: CallKey, collected: Collected) {
        match collected {
            // A pause behind the digits ends them as well.
            Collected::Number(digits) | Collected::TimedOut(digits) if !digits.is_empty() => {
                self.enter(key, Some(Zeroizing::new(digits)));
            }
            Collected::Number(_) | Collected::TimedOut(_) => self.try_again(now, key, "no pin"),
        }
    }

    /// Every 100 ms: who has waited long enough.
    pub(super) fn tick_doors(&mut self, now: Now) {
        let mut due = Vec::new();
        for (key, call) in &mut self.calls {
            let Some(menu) = call.menu() else { continue };
            let at = menu.at_ns(now);
            match menu.over {
                Some((end, reason)) if now.at >= end => due.push((*key, Err(reason))),
                Some(_) => {}
                None => due.extend(menu.collector.tick(at).map(|collected| (*key, Ok(collected)))),
            }
        }
        for (key, what) in due {
            match what {
                Ok(collected) => self.collected(now, key, collected),
                Err(reason) => self.end(now, key, reason, None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_the_operators_files_or_tones() {
        let tones = DoorPrompts::load(None);
        assert!(!tones.ask.samples().is_empty());
        assert_eq!(
            tones.again.samples().len(),
            tones.ask.samples().len()
                + RATE.samples(PAUSE_MS)
                + Prompt::notes(RATE, &WRONG_HZ).samples().len()
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pin-ask.wav"), wav(&[100; 1_600])).expect("written");
        std::fs::write(folder.path().join("pin-refused.opus"), b"no sound").expect("written");
        let files = DoorPrompts::load(Some(folder.path()));
        assert_eq!(files.ask.samples(), [100; 1_600]);
        assert!(files.again.samples().ends_with(&[100; 1_600]));
        assert_eq!(files.refused.samples(), tones.refused.samples(), "what cannot be read is a tone");
    }

    /// 16 kHz.
    fn wav(samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = b"RIFF".to_vec();
        file.extend((36 + data.len() as u32).to_le_bytes());
        file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }
}
