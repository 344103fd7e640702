//! Keys of telephones: as tones in the audio, and as telephone events (RFC 4733), from either to the other.

mod collect;
mod cover;
mod detect;
mod generate;
mod mask;
mod receive;
mod send;

pub use collect::{Collected, Collector, CollectorConfig};
pub use cover::KeyCover;
pub use detect::Detector;
pub use generate::ToneGenerator;
pub use mask::{KeyMask, Substitute, Tones};
pub(crate) use mask::{Masked, Masker};
pub use receive::EventReceiver;
pub use send::{EventPacket, EventSender, VOLUME};

use thiserror::Error;

/// Frequencies of the four rows and the four columns, in Hz (ITU-T Q.23).
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const NAMES: [char; 16] = ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];

/// One of the sixteen keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(char);

impl Key {
    /// The key with a name: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn from_char(name: char) -> Option<Key> {
        let name = name.to_ascii_uppercase();
        NAMES.contains(&name).then_some(Key(name))
    }

    /// The key of an event code (RFC 4733 section 3.2).
    pub fn from_event(code: u8) -> Option<Key> {
        "0123456789*#ABCD".chars().nth(usize::from(code)).map(Key)
    }

    /// Its name.
    pub fn name(self) -> char {
        self.0
    }

    /// Its event code.
    pub fn event(self) -> u8 {
        "0123456789*#ABCD".chars().position(|name| name == self.0).unwrap_or(0) as u8
    }

    /// Its row's and its column's frequencies.
    fn frequencies(self) -> [f32; 2] {
        let place = NAMES.iter().position(|&name| name == self.0).unwrap_or(0);
        [ROWS_HZ[place / 4], COLUMNS_HZ[place % 4]]
    }

    fn at(row: usize, column: usize) -> Key {
        Key(NAMES[row * 4 + column])
    }
}

/// A key was pressed or let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyEvent {
    /// It went down.
    Down(Key),
    /// It came up, after so many milliseconds.
    Up(Key, u32),
}

/// Too many keys wait already ([`crate::limits::KEYS_MAX`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many keys wait to be sent; send fewer at once")]
pub struct KeysFull;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_places_agree() {
        for code in 0..16 {
            let key = Key::from_event(code).unwrap();
            assert_eq!(key.event(), code);
            assert_eq!(Key::from_char(key.name()), Some(key));
        }
        assert_eq!((Key::from_event(16), Key::from_char('x')), (None, None));
        assert_eq!(Key('8').frequencies(), [852.0, 1336.0]);
        assert_eq!(Key::at(3, 2), Key('#'));
    }
}
