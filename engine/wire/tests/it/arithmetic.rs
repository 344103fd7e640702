//! Wrapping numbers against 64-bit ones.

use kaname_wire::ntp::{NtpTime, UNIX_EPOCH_S, nanos_from_short, round_trip_nanos, short_from_nanos};
use kaname_wire::sequence::{
    SequenceUnwrapper, TimestampUnwrapper, distance, nanos_from_ticks, newer, ticks_from_nanos,
    timestamp_distance, timestamp_newer,
};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn order_is_that_of_the_numbers_without_wrap(base in any::<u16>(), step in -0x7fff..=0x7fff_i16) {
        let later = base.wrapping_add_signed(step);
        prop_assert_eq!(distance(later, base), step);
        prop_assert_eq!(newer(later, base), step > 0);
        prop_assert_eq!(newer(base, later), step < 0);
    }

    #[test]
    fn timestamps_likewise(base in any::<u32>(), step in -0x7fff_ffff..=0x7fff_ffff_i32) {
        let later = base.wrapping_add_signed(step);
        prop_assert_eq!(timestamp_distance(later, base), step);
        prop_assert_eq!(timestamp_newer(later, base), step > 0);
    }

    #[test]
    fn unwrapping_follows_a_true_counter(start in any::<u16>(), steps in vec(-300..600i64, 1..400)) {
        let mut unwrapper = SequenceUnwrapper::new();
        let (mut counter, mut seen_highest) = ((1 << 16) + i64::from(start), i64::MIN);
        for step in steps {
            prop_assert_eq!(unwrapper.peek(counter as u16), counter as u64);
            prop_assert_eq!(unwrapper.extend(counter as u16), counter as u64);
            seen_highest = seen_highest.max(counter);
            prop_assert_eq!(unwrapper.highest(), Some(seen_highest as u64));
            // Never further back than the half circle behind the highest.
            counter = (counter + step).max(seen_highest - 0x7fff);
        }
    }

    #[test]
    fn timestamps_unwrap_over_their_wraps(start in any::<u32>(), steps in vec(-90_000..0x4000_0000i64, 1..50)) {
        let mut unwrapper = TimestampUnwrapper::new();
        let mut counter = (1 << 32) + i64::from(start);
        for step in steps {
            prop_assert_eq!(unwrapper.extend(counter as u32), counter as u64);
            counter += step.max(-90_000);
        }
    }

    #[test]
    fn ntp_keeps_every_nanosecond(nanos in 0..(1u64 << 32) * 1_000_000_000, epoch in any::<u32>()) {
        let epoch = u64::from(epoch);
        prop_assert_eq!(NtpTime::from_nanos(nanos, epoch).to_nanos(epoch), nanos);
    }

    #[test]
    fn round_trips_are_right_to_a_tick(
        sent in 0..1u64 << 60,
        delay in 0..10_000_000_000u64,
        trip in 0..10_000_000_000u64,
    ) {
        let middle = |nanos| NtpTime::from_nanos(nanos, UNIX_EPOCH_S).middle();
        prop_assume!(middle(sent) != 0);
        let measured = round_trip_nanos(middle(sent + delay + trip), middle(sent), short_from_nanos(delay));
        // Three values, each rounded to 1/65536 s; a trip of nothing may come out as less than nothing.
        let error = measured.map_or(0, |measured| measured.abs_diff(trip));
        prop_assert!(error <= 2 * 15_259 && (measured.is_some() || trip <= 15_259), "{measured:?} {trip}");
        prop_assert!(nanos_from_short(short_from_nanos(delay)).abs_diff(delay) <= 15_259);
    }

    #[test]
    fn ticks_come_back_within_one(ticks in any::<u32>(), rate in prop_oneof![Just(8_000u32), Just(48_000), Just(90_000)]) {
        let back = ticks_from_nanos(nanos_from_ticks(ticks, rate), rate);
        prop_assert!(ticks.wrapping_sub(back) <= 1);
    }
}
