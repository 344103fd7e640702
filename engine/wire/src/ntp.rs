//! NTP timestamps of sender reports (RFC 3550 section 4) and the arithmetic of round-trip times (section
//! 6.4.1).

/// Seconds from the NTP era (1900-01-01) to the Unix epoch (1970-01-01), as `epoch_s` of the conversions
/// below.
pub const UNIX_EPOCH_S: u64 = 2_208_988_800;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A 64-bit NTP timestamp: seconds since 1900 modulo 2^32 above, the fraction of a second below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The NTP time `nanos` nanoseconds after the instant `epoch_s` seconds into the NTP era.
    #[inline]
    pub const fn from_nanos(nanos: u64, epoch_s: u64) -> Self {
        let seconds = (nanos / NANOS_PER_SECOND).wrapping_add(epoch_s);
        let fraction = ((nanos % NANOS_PER_SECOND) << 32) / NANOS_PER_SECOND;
        NtpTime(seconds << 32 | fraction)
    }

    /// Nanoseconds from the instant `epoch_s` seconds into the NTP era until this time, rounded to the
    /// nearest. As NTP seconds wrap every 136 years, an earlier time comes out up to 136 years late.
    #[inline]
    pub const fn to_nanos(self, epoch_s: u64) -> u64 {
        let seconds = ((self.0 >> 32) as u32).wrapping_sub(epoch_s as u32) as u64;
        let fraction = self.0 & u32::MAX as u64;
        seconds * NANOS_PER_SECOND + ((fraction * NANOS_PER_SECOND + (1 << 31)) >> 32)
    }

    /// The middle 32 bits (16.16 seconds): the "last SR" of a report block.
    #[inline]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A duration in nanoseconds as 16.16 fixed-point seconds (the "delay since last SR"), at most 18.2 hours.
#[inline]
pub const fn short_from_nanos(nanos: u64) -> u32 {
    let short = ((nanos as u128) << 16) / NANOS_PER_SECOND as u128;
    if short > u32::MAX as u128 { u32::MAX } else { short as u32 }
}

/// 16.16 fixed-point seconds as nanoseconds, rounded down.
#[inline]
pub const fn nanos_from_short(short: u32) -> u64 {
    (short as u64 * NANOS_PER_SECOND) >> 16
}

/// RFC 3550 section 6.4.1: the round trip is A - LSR - DLSR in nanoseconds, where `arrival` is the middle of
/// the NTP time at which the report block arrived. `None`: the peer had no sender report yet (LSR is zero),
/// or the values lie (the result would be negative).
#[inline]
pub const fn round_trip_nanos(arrival: u32, last_sr: u32, delay_since_last_sr: u32) -> Option<u64> {
    if last_sr == 0 {
        return None;
    }
    let round_trip = arrival.wrapping_sub(last_sr).wrapping_sub(delay_since_last_sr);
    // A difference beyond half the circle is a negative one.
    if round_trip > i32::MAX as u32 { None } else { Some(nanos_from_short(round_trip)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_3550() {
        // Section 6.4.1, figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 5.25 s; the delay is 6.125 s.
        assert_eq!(NtpTime(0xb44d_b705_2000_0000).middle(), 0xb705_2000);
        assert_eq!(round_trip_nanos(0xb710_8000, 0xb705_2000, 0x0005_4000), Some(6_125_000_000));
    }

    #[test]
    fn lies_have_no_round_trip() {
        assert_eq!(round_trip_nanos(0xb710_8000, 0, 0x0005_4000), None);
        assert_eq!(round_trip_nanos(0x0001_0000, 0x0001_0000, 1), None);
        assert_eq!(round_trip_nanos(0x0000_8000, 0xffff_8000, 0x0000_8000), Some(500_000_000));
    }

    #[test]
    fn unix_epoch_and_era_wrap() {
        assert_eq!(NtpTime::from_nanos(500_000_000, UNIX_EPOCH_S).0, UNIX_EPOCH_S << 32 | 1 << 31);
        // 2036-02-07: the seconds wrap to zero and come back.
        let wrap = ((1u64 << 32) - UNIX_EPOCH_S) * NANOS_PER_SECOND;
        assert_eq!(NtpTime::from_nanos(wrap, UNIX_EPOCH_S).0, 0);
        assert_eq!(NtpTime(0).to_nanos(UNIX_EPOCH_S), wrap);
    }

    #[test]
    fn short_durations() {
        assert_eq!(short_from_nanos(5_250_000_000), 0x0005_4000);
        assert_eq!(nanos_from_short(0x0005_4000), 5_250_000_000);
        assert_eq!(short_from_nanos(u64::MAX), u32::MAX);
    }
}
