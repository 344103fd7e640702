//! PINs of rooms, for telephones: whoever calls types it, and guessing is slow.
//!
//! A wrong PIN counts against the caller and against the room. A caller's number can be invented, so the room's count is
//! what bounds guessing; the caller's keeps one who mistypes from closing the room to others.

use std::collections::HashMap;
use std::time::Duration;

use kaname_engine::core::Time;
use zeroize::Zeroizing;

use super::error::NodeError;
use super::phones::PhoneRequest;
use super::state::State;

/// Digits of a PIN. At [`super::NodeLimits::pin_wrong_per_room`] guesses an hour four last for days and six for years.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=12;

/// Wrong PINs are forgotten after so long.
const MEMORY: Duration = Duration::from_secs(3_600);

/// Callers whose wrong PINs are remembered, some 100 bytes each. When there are more, the rooms' counts alone hold.
const CALLERS: usize = 4_096;

/// A room's PIN. Zeroized on drop, never printed.
#[derive(Clone)]
pub struct Pin(Zeroizing<[u8; 16]>);

impl Pin {
    /// The PIN of a new room: 4 to 12 digits.
    ///
    /// # Errors
    /// [`NodeError::BadName`].
    pub fn parse(text: &str) -> Result<Pin, NodeError> {
        if PIN_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Pin::typed(text));
        }
        Err(NodeError::BadName { what: "the PIN is not accepted", hint: "use 4 to 12 digits" })
    }

    /// What somebody typed, which may be no PIN at all: its beginning, and how long it is.
    fn typed(text: &str) -> Pin {
        let mut bytes = Zeroizing::new([0; 16]);
        let [digits @ .., length] = &mut *bytes;
        for (digit, typed) in digits.iter_mut().zip(text.bytes()) {
            *digit = typed;
        }
        *length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        Pin(bytes)
    }

    /// Takes as long however much of it is right.
    fn is(&self, typed: &str) -> bool {
        let other = Pin::typed(typed);
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0[..], &other.0[..]).is_ok()
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

/// How a telephone comes to a room.
#[derive(Clone)]
pub enum Entry {
    /// Whoever brings it vouches for it: it is not asked for a PIN.
    Trusted,
    /// It calls, and types the PIN if the room has one.
    Caller {
        /// Rooms without a PIN do not let it in either.
        strict: bool,
        /// What it typed, if it was asked.
        typed: Option<Zeroizing<String>>,
    },
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Entry::Trusted => "Trusted",
            Entry::Caller { .. } => "Caller",
        })
    }
}

/// Wrong PINs of the latest hour.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wrong {
    count: u32,
    since: Option<Time>,
}

impl Wrong {
    fn is_old(&self, now: Time) -> bool {
        self.since.is_none_or(|since| now.since(since) >= MEMORY)
    }

    fn count(&self, now: Time) -> u32 {
        if self.is_old(now) { 0 } else { self.count }
    }

    fn add(&mut self, now: Time) {
        if self.is_old(now) {
            *self = Wrong { count: 0, since: Some(now) };
        }
        self.count += 1;
    }
}

/// Wrong PINs by caller.
#[derive(Debug, Default)]
pub(super) struct Callers(HashMap<String, Wrong>);

impl Callers {
    fn count(&self, caller: &str, now: Time) -> u32 {
        self.0.get(caller).map_or(0, |wrong| wrong.count(now))
    }

    fn add(&mut self, caller: &str, now: Time) {
        if self.0.len() >= CALLERS && !self.0.contains_key(caller) {
            self.0.retain(|_, wrong| !wrong.is_old(now));
            if self.0.len() >= CALLERS {
                return;
            }
        }
        self.0.entry(caller.to_owned()).or_default().add(now);
    }
}

impl State {
    /// Whether a telephone may come in. What was typed is compared only while neither caller nor room has had too many
    /// wrong PINs.
    pub(super) fn check_entry(&mut self, now: Time, request: &PhoneRequest) -> Result<(), NodeError> {
        let Entry::Caller { strict, typed } = &request.entry else { return Ok(()) };
        let room = self.rooms.get_mut(&request.room);
        let Some((room, pin)) = room.and_then(|room| room.pin.clone().map(|pin| (room, pin))) else {
            // Whoever typed something did so for a room that is gone.
            return if *strict || typed.is_some() { Err(NodeError::NoPin) } else { Ok(()) };
        };
        let limits = &self.config.limits;
        let caller = request.caller.as_deref();
        let tired = room.wrong_pins.count(now) >= limits.pin_wrong_per_room
            || caller.is_some_and(|caller| self.callers.count(caller, now) >= limits.pin_wrong_per_caller);
        let (outcome, told) = match typed {
            _ if tired => ("blocked", Err(NodeError::PinBlocked)),
            None => return Err(NodeError::PinNeeded),
            Some(typed) if pin.is(typed) => ("right", Ok(())),
            Some(_) => {
                room.wrong_pins.add(now);
                if let Some(caller) = caller {
                    self.callers.add(caller, now);
                }
                ("wrong", Err(NodeError::WrongPin))
            }
        };
        *self.counters.pins_total.entry(outcome).or_default() += 1;
        if told.is_err() {
            tracing::warn!(room = %request.room, caller, outcome, "a telephone did not come in");
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_four_to_twelve_digits_and_is_no_other() {
        for bad in ["", "123", "1234567890123", "12a4", "12 4", "١٢٣٤"] {
            assert!(Pin::parse(bad).is_err(), "{bad}");
        }
        let pin = Pin::parse("4711").unwrap();
        assert!(pin.is("4711"));
        for wrong in ["", "471", "4712", "47110", "4711\0", "4711000000000000", "47110000000000000000"] {
            assert!(!pin.is(wrong), "{wrong:?}");
        }
        let longest = Pin::parse("123456789012").unwrap();
        assert!(longest.is("123456789012") && !longest.is("1234567890123456"));
        assert_eq!(format!("{pin:?}"), "Pin");
    }

    #[test]
    fn wrong_pins_are_forgotten_after_an_hour_and_callers_are_bounded() {
        let at = |seconds: u64| Time::from_nanos(seconds * 1_000_000_000);
        let mut callers = Callers::default();
        for number in 0..CALLERS {
            callers.add(&number.to_string(), at(number as u64 / 4));
        }
        callers.add("one more", at(2_000));
        assert_eq!((callers.0.len(), callers.count("one more", at(2_000))), (CALLERS, 0));
        callers.add("0", at(2_000));
        assert_eq!(callers.count("0", at(2_000)), 2, "who is known goes on to be counted");
        assert_eq!(callers.count("0", at(3_600)), 0);
        callers.add("one more", at(4_000));
        assert_eq!(callers.count("one more", at(4_000)), 1);
        assert!(callers.0.len() < CALLERS);
    }
}
