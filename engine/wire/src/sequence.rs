//! Arithmetic on RTP sequence numbers and timestamps, which wrap (RFC 3550 section 5.1, appendix A.1).

/// Whether sequence number `a` comes after `b`. Exactly half the circle apart, neither does.
#[inline]
pub const fn newer(a: u16, b: u16) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 15
}

/// How many packets `a` is ahead of `b`; negative when behind, -32768 when half the circle apart.
#[inline]
pub const fn distance(a: u16, b: u16) -> i16 {
    a.wrapping_sub(b) as i16
}

/// Whether timestamp `a` comes after `b`. Exactly half the circle apart, neither does.
#[inline]
pub const fn timestamp_newer(a: u32, b: u32) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 1 << 31
}

/// How many ticks `a` is ahead of `b`; negative when behind.
#[inline]
pub const fn timestamp_distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

/// Nanoseconds as ticks of a clock of `rate_hz`, rounded down, wrapped to 32 bits as timestamps are.
#[inline]
pub const fn ticks_from_nanos(nanos: u64, rate_hz: u32) -> u32 {
    (nanos as u128 * rate_hz as u128 / NANOS_PER_SECOND as u128) as u32
}

/// Ticks of a clock of `rate_hz` as nanoseconds, rounded down; zero for a clock of 0 Hz.
#[inline]
pub const fn nanos_from_ticks(ticks: u32, rate_hz: u32) -> u64 {
    // 2^32 * 10^9 is below 2^62.
    match (ticks as u64 * NANOS_PER_SECOND).checked_div(rate_hz as u64) {
        Some(nanos) => nanos,
        None => 0,
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Turns 16-bit sequence numbers into 64-bit ones that never wrap.
///
/// The low 16 bits of what comes out are what went in. The first number lands in the second cycle (65536 and
/// up), so that packets older than the first still have a number and nothing goes below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceUnwrapper {
    /// Zero: nothing seen yet (a seen number is never below 65536 - 32768).
    highest: u64,
}

impl SequenceUnwrapper {
    /// One that has seen nothing.
    pub const fn new() -> Self {
        SequenceUnwrapper { highest: 0 }
    }

    /// The 64-bit number nearest to the highest one so far; exactly half the circle away counts as older.
    #[inline]
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let unwrapped = self.peek(sequence);
        self.highest = self.highest.max(unwrapped);
        unwrapped
    }

    /// As [`SequenceUnwrapper::extend`], without remembering.
    #[inline]
    pub fn peek(&self, sequence: u16) -> u64 {
        if self.highest == 0 {
            return (1 << 16) + u64::from(sequence);
        }
        let ahead = distance(sequence, self.highest as u16);
        self.highest.wrapping_add_signed(i64::from(ahead))
    }

    /// The highest number so far.
    pub fn highest(&self) -> Option<u64> {
        (self.highest != 0).then_some(self.highest)
    }
}

/// Turns 32-bit timestamps into 64-bit ones that never wrap; the first lands in the second cycle (2^32 and
/// up).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimestampUnwrapper {
    /// Zero: nothing seen yet.
    highest: u64,
}

impl TimestampUnwrapper {
    /// One that has seen nothing.
    pub const fn new() -> Self {
        TimestampUnwrapper { highest: 0 }
    }

    /// The 64-bit timestamp nearest to the highest one so far.
    #[inline]
    pub fn extend(&mut self, timestamp: u32) -> u64 {
        let unwrapped = if self.highest == 0 {
            (1 << 32) + u64::from(timestamp)
        } else {
            let ahead = timestamp_distance(timestamp, self.highest as u32);
            self.highest.wrapping_add_signed(i64::from(ahead))
        };
        self.highest = self.highest.max(unwrapped);
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_around_the_wrap() {
        assert!(newer(0, 65535));
        assert!(!newer(65535, 0));
        assert!(!newer(7, 7));
        assert!(newer(32767, 0));
        assert!(!newer(32768, 0) && !newer(0, 32768));
        assert_eq!(distance(2, 65534), 4);
        assert_eq!(distance(65534, 2), -4);
        assert!(timestamp_newer(5, u32::MAX - 5));
        assert_eq!(timestamp_distance(5, u32::MAX - 5), 11);
    }

    #[test]
    fn packets_older_than_the_first_have_a_number() {
        let mut unwrapper = SequenceUnwrapper::new();
        assert_eq!(unwrapper.highest(), None);
        let first = unwrapper.extend(0);
        assert_eq!(unwrapper.extend(65535), first - 1);
        assert_eq!(unwrapper.extend(1), first + 1);
        assert_eq!(unwrapper.highest(), Some(first + 1));
    }

    #[test]
    fn a_late_packet_does_not_move_the_highest() {
        let mut unwrapper = SequenceUnwrapper::new();
        let first = unwrapper.extend(65530);
        for step in 1..100u16 {
            assert_eq!(unwrapper.extend(65530u16.wrapping_add(step)), first + u64::from(step));
            assert_eq!(unwrapper.extend(65530), first);
        }
    }

    #[test]
    fn ticks_and_nanoseconds() {
        assert_eq!(ticks_from_nanos(20_000_000, 48_000), 960);
        assert_eq!(nanos_from_ticks(960, 48_000), 20_000_000);
        assert_eq!(nanos_from_ticks(1, 0), 0);
    }
}
