//! What is heard in place of keys that are to stay secret: a card number typed on a telephone, say.

use super::{Key, KeyEvent};

/// Frequencies that take turns; more are left out.
const TONES_MAX: usize = 8;

/// What a masked key is replaced by, and how loud that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyMask {
    /// What is heard instead.
    pub by: Substitute,
    /// In -dBm0, 0 to 63; 10 by custom.
    pub volume: u8,
}

/// What is heard in place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitute {
    /// Nothing.
    Silence,
    /// A tone that is no key's.
    Tone(Tones),
    /// This key, whichever was pressed.
    Key(Key),
    /// A digit drawn for each key, without regard to which was pressed: nothing can be concluded from it.
    Random {
        /// Of the draw.
        seed: u64,
    },
}

/// One or more frequencies, one a key by turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tones {
    hz: [u16; TONES_MAX],
    len: u8,
}

impl Tones {
    /// The first eight of `hz`, each brought to 100 to 3400: what a telephone carries. 400 Hz if there is none.
    pub fn new(hz: impl IntoIterator<Item = u16>) -> Tones {
        let mut tones = Tones { hz: [400; TONES_MAX], len: 0 };
        for (place, hz) in tones.hz.iter_mut().zip(hz) {
            *place = hz.clamp(100, 3_400);
            tones.len += 1;
        }
        tones.len = tones.len.max(1);
        tones
    }

    fn turn(&self, turn: usize) -> u16 {
        self.hz[turn % usize::from(self.len)]
    }
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masked {
    /// It goes nowhere.
    Nothing,
    /// Another goes on in its place.
    Key(KeyEvent),
    /// A tone of so many hertz begins.
    Tone(u16),
    /// The tone ends.
    ToneEnds,
}

/// Replaces the keys of one talker.
pub(crate) struct Masker {
    mask: KeyMask,
    turn: usize,
    drawn: u64,
    /// What stands for the key that is down.
    down: Key,
}

impl Masker {
    pub(crate) fn new(mask: KeyMask) -> Masker {
        let drawn = if let Substitute::Random { seed } = mask.by { seed } else { 0 };
        Masker { mask, turn: 0, drawn, down: Key('0') }
    }

    pub(crate) fn mask(&self) -> KeyMask {
        self.mask
    }

    pub(crate) fn replace(&mut self, event: KeyEvent) -> Masked {
        match (self.mask.by, event) {
            (Substitute::Silence, _) => Masked::Nothing,
            (Substitute::Tone(tones), KeyEvent::Down(_)) => {
                self.turn += 1;
                Masked::Tone(tones.turn(self.turn - 1))
            }
            (Substitute::Tone(_), KeyEvent::Up(..)) => Masked::ToneEnds,
            (by, KeyEvent::Down(_)) => {
                self.down = if let Substitute::Key(key) = by { key } else { self.draw() };
                Masked::Key(KeyEvent::Down(self.down))
            }
            (_, KeyEvent::Up(_, ms)) => Masked::Key(KeyEvent::Up(self.down, ms)),
        }
    }

    /// SplitMix64: steps of one state, each well mixed.
    fn draw(&mut self) -> Key {
        self.drawn = self.drawn.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.drawn;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Key::from_event(((mixed >> 33) % 10) as u8).unwrap_or(Key('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(by: Substitute, keys: &str) -> Vec<Masked> {
        let mut masker = Masker::new(KeyMask { by, volume: 10 });
        let keys = keys.chars().filter_map(Key::from_char);
        keys.flat_map(|key| [KeyEvent::Down(key), KeyEvent::Up(key, 80)].map(|it| masker.replace(it)))
            .collect()
    }

    #[test]
    fn a_key_becomes_what_was_asked_for() {
        assert_eq!(pressed(Substitute::Silence, "1"), [Masked::Nothing; 2]);
        let zero = Key('0');
        let [down, up] = [KeyEvent::Down(zero), KeyEvent::Up(zero, 80)].map(Masked::Key);
        assert_eq!(pressed(Substitute::Key(zero), "1#"), [down, up, down, up]);
        let tones = Tones::new([500, 9_999]);
        let ends = Masked::ToneEnds;
        let expected = [Masked::Tone(500), ends, Masked::Tone(3_400), ends, Masked::Tone(500), ends];
        assert_eq!(pressed(Substitute::Tone(tones), "123"), expected);
        assert_eq!(pressed(Substitute::Tone(Tones::new([])), "1")[0], Masked::Tone(400));
    }

    #[test]
    fn what_is_drawn_does_not_depend_on_the_key() {
        let by = Substitute::Random { seed: 7 };
        let (one, other) = (pressed(by, &"1".repeat(200)), pressed(by, &"9".repeat(200)));
        assert_eq!(one, other);
        let digits: std::collections::HashSet<char> = one
            .iter()
            .filter_map(|it| if let Masked::Key(KeyEvent::Down(key)) = it { Some(key.name()) } else { None })
            .collect();
        assert_eq!(digits.len(), 10, "all digits come up, and nothing else: {digits:?}");
        assert!(digits.iter().all(char::is_ascii_digit));
        assert_ne!(one, pressed(Substitute::Random { seed: 8 }, &"1".repeat(200)));
    }
}
