//! Telephone events (RFC 4733 section 2.3): keys that were pressed.

use super::PayloadError;

/// One report of an event; the same event is reported again and again while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0-9, then `*` 10, `#` 11, A-D 12-15 (section 3.2).
    pub event: u8,
    /// The event is over.
    pub end: bool,
    /// Power in -dBm0, 0 (loud) to 63.
    pub volume: u8,
    /// Since the event began, in timestamp ticks.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads the report at the front of a payload.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`].
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let &[event, flags, high, low, ..] = payload else { return Err(PayloadError::Truncated) };
        // R, the bit 0x40, is reserved: "the receiver MUST ignore it".
        let duration = u16::from_be_bytes([high, low]);
        Ok(TelephoneEvent { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload; a volume above 63 is 63.
    pub fn write(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume.min(63), high, low]
    }

    /// The key's name, for events that are keys.
    pub fn key(&self) -> Option<char> {
        "0123456789*#ABCD".chars().nth(usize::from(self.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let event = TelephoneEvent { event: 11, end: true, volume: 10, duration: 800 };
        assert_eq!(event.write(), [11, 0x8a, 3, 0x20]);
        assert_eq!(TelephoneEvent::parse(&[11, 0xca, 3, 0x20]), Ok(event));
        assert_eq!(event.key(), Some('#'));
        assert_eq!(TelephoneEvent { event: 16, ..event }.key(), None);
        assert_eq!(TelephoneEvent { volume: 255, ..event }.write()[1], 0xbf);
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), Err(PayloadError::Truncated));
    }
}
