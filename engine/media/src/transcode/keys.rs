//! How keys leave: as events, as tones, or as what masks them.

use super::SendKeys;
use crate::Rate;
use crate::dtmf::{EventSender, Key, KeyEvent, KeysFull, Masked, Masker, ToneGenerator, VOLUME};

/// Between two keys that are sent as tones.
const PRESS_PAUSE_MS: u32 = 50;

/// The keys of one listener.
pub(super) struct KeysOut {
    /// As it was agreed.
    pub(super) way: SendKeys,
    pub(super) sender: EventSender,
    pub(super) tones: ToneGenerator,
    pub(super) masker: Option<Masker>,
}

impl KeysOut {
    pub(super) fn new(way: SendKeys, clock_hz: u32, rate: Rate) -> KeysOut {
        KeysOut { way, sender: EventSender::new(clock_hz), tones: ToneGenerator::new(rate), masker: None }
    }

    /// Whether something of a key goes out now, or waits.
    pub(super) fn is_busy(&self) -> bool {
        self.tones.is_busy() || self.sender.is_busy()
    }

    /// Presses a key of our own, so loud in -dBm0.
    pub(super) fn press(&mut self, key: Key, ms: u32, volume: u8) -> Result<(), KeysFull> {
        match self.way {
            SendKeys::Events(_) => self.sender.press(key, ms, volume),
            _ => self.tones.press(key, ms, PRESS_PAUSE_MS, volume),
        }
    }

    /// Sends a talker's key on. One too many is lost: it would come so late that nobody expects it.
    pub(super) fn forward(&mut self, event: KeyEvent) {
        let (event, volume) = match &mut self.masker {
            None => (event, VOLUME),
            Some(masker) => {
                let volume = masker.mask().volume;
                match masker.replace(event) {
                    Masked::Key(event) => (event, volume),
                    Masked::Tone(hz) => {
                        let _ = self.tones.hold_hz(hz, volume);
                        return;
                    }
                    Masked::ToneEnds => return self.tones.release(),
                    Masked::Nothing => return,
                }
            }
        };
        let _ = match (self.way, event) {
            (SendKeys::Never, _) => Ok(()),
            (SendKeys::Events(_), KeyEvent::Down(key)) => self.sender.hold(key, volume),
            (SendKeys::Events(_), KeyEvent::Up(..)) => {
                self.sender.release();
                Ok(())
            }
            (SendKeys::Tones, KeyEvent::Down(key)) => self.tones.hold(key, volume),
            (SendKeys::Tones, KeyEvent::Up(..)) => {
                self.tones.release();
                Ok(())
            }
        };
    }
}
