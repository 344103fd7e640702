//! Elements that carry numbers: levels, send times, transport-wide sequence numbers, playout limits.

use crate::bytes::{be24, three};

/// How loud the audio of a packet is (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// The sender believes that the packet holds voice.
    pub voice: bool,
    /// 0 (loudest) to 127 (silence), in -dBov.
    pub level: u8,
}

impl AudioLevel {
    /// `None` unless the element is one byte.
    #[inline]
    pub fn read(data: &[u8]) -> Option<Self> {
        match data {
            [byte] => Some(AudioLevel { voice: byte & 0x80 != 0, level: byte & 0x7f }),
            _ => None,
        }
    }

    /// What is written into an element; a level above 127 is silence.
    #[inline]
    pub fn write(self) -> [u8; 1] {
        [self.level.min(127) | u8::from(self.voice) << 7]
    }
}

/// When a packet left, as 6.18 fixed-point seconds: it wraps every 64 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AbsSendTime(pub u32);

impl AbsSendTime {
    /// `None` unless the element is three bytes.
    #[inline]
    pub fn read(data: &[u8]) -> Option<Self> {
        if data.len() == 3 { be24(data, 0).map(AbsSendTime) } else { None }
    }

    /// What is written into an element.
    #[inline]
    pub fn write(self) -> [u8; 3] {
        three(self.0)
    }

    /// The send time of a packet that leaves at `nanos` nanoseconds of any clock.
    #[inline]
    pub fn from_nanos(nanos: u64) -> Self {
        // 2^18 / 10^9; the product of a time within the 64 s of the wrap stays below 2^54.
        AbsSendTime(((((nanos % WRAP_NANOS) << 18) / 1_000_000_000) & 0xff_ffff) as u32)
    }

    /// Nanoseconds from `earlier` to this time, assuming less than 32 s between them; negative when it is
    /// later.
    #[inline]
    pub fn nanos_since(self, earlier: Self) -> i64 {
        // Shifted up, so that the sign bit of the 24-bit difference becomes that of the i32.
        let ticks = (self.0.wrapping_sub(earlier.0) << 8) as i32 >> 8;
        (i64::from(ticks) * 1_000_000_000) >> 18
    }
}

const WRAP_NANOS: u64 = 64_000_000_000;

/// The transport-wide sequence number of a packet: `None` unless the element is two bytes. It is written as
/// `u16::to_be_bytes`.
#[inline]
pub fn read_transport_sequence(data: &[u8]) -> Option<u16> {
    data.try_into().ok().map(u16::from_be_bytes)
}

/// Limits within which the receiver may choose its playout delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlayoutDelay {
    /// At least this, in units of 10 ms, 0 to 4095.
    pub min_10ms: u16,
    /// At most this, in units of 10 ms, 0 to 4095.
    pub max_10ms: u16,
}

impl PlayoutDelay {
    /// `None` unless the element is three bytes and its minimum is not above its maximum.
    #[inline]
    pub fn read(data: &[u8]) -> Option<Self> {
        let &[a, b, c] = data else { return None };
        let min_10ms = u16::from(a) << 4 | u16::from(b >> 4);
        let max_10ms = u16::from(b & 0x0f) << 8 | u16::from(c);
        (min_10ms <= max_10ms).then_some(PlayoutDelay { min_10ms, max_10ms })
    }

    /// What is written into an element; values above 4095 become 4095.
    #[inline]
    pub fn write(self) -> [u8; 3] {
        let (min, max) = (u32::from(self.min_10ms.min(0xfff)), u32::from(self.max_10ms.min(0xfff)));
        three(min << 12 | max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_level() {
        assert_eq!(AudioLevel::read(&[0x9e]), Some(AudioLevel { voice: true, level: 30 }));
        assert_eq!(AudioLevel { voice: false, level: 200 }.write(), [127]);
        assert_eq!(AudioLevel::read(&[]), None);
        assert_eq!(AudioLevel::read(&[1, 2]), None);
    }

    #[test]
    fn send_time_wraps() {
        assert_eq!(AbsSendTime::from_nanos(1_000_000_000).0, 1 << 18);
        assert_eq!(AbsSendTime::from_nanos(64_000_000_000 + 500_000_000).0, 1 << 17);
        let (before, after) =
            (AbsSendTime::from_nanos(63_999_000_000), AbsSendTime::from_nanos(64_001_000_000));
        let difference = after.nanos_since(before);
        assert!((1_990_000..=2_010_000).contains(&difference), "{difference}");
        assert!((-2_010_000..=-1_990_000).contains(&before.nanos_since(after)));
        assert_eq!(AbsSendTime::read(&AbsSendTime(0x12_3456).write()), Some(AbsSendTime(0x12_3456)));
        assert_eq!(AbsSendTime::read(&[0; 4]), None);
    }

    #[test]
    fn transport_sequence() {
        assert_eq!(read_transport_sequence(&[0x12, 0x34]), Some(0x1234));
        assert_eq!(read_transport_sequence(&[0x12]), None);
        assert_eq!(read_transport_sequence(&[0; 4]), None);
    }

    #[test]
    fn playout_delay() {
        let delay = PlayoutDelay { min_10ms: 0x123, max_10ms: 0xabc };
        assert_eq!(delay.write(), [0x12, 0x3a, 0xbc]);
        assert_eq!(PlayoutDelay::read(&[0x12, 0x3a, 0xbc]), Some(delay));
        assert_eq!(PlayoutDelay::read(&[0xab, 0xc1, 0x23]), None);
        assert_eq!(PlayoutDelay::read(&[0; 2]), None);
    }
}
