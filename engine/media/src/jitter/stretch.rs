//! A frame made shorter or longer by a pitch period, so that nobody hears it.

use crate::Rate;
use crate::kernel::correlate;
use crate::level::rms_of;

/// Periods of voices that fit a frame of 20 ms twice.
const PERIOD_HALF_MS_MIN: usize = 5;
const PERIOD_MS_MAX: usize = 10;
/// Two periods must be so alike (squared correlation) that one of them is not missed.
const ALIKE: f32 = 0.5;
/// About -54 dBov: so quiet that any cut passes.
const QUIET_RMS: f32 = 65.0;

/// The period at which the frame's beginning repeats itself, if it does or is too quiet to matter.
fn period(rate: Rate, frame: &[i16]) -> Option<usize> {
    let most = (PERIOD_MS_MAX * rate.per_ms()).min(frame.len() / 2);
    let least = PERIOD_HALF_MS_MIN * rate.per_ms() / 2;
    if most < least {
        return None;
    }
    if rms_of(frame) < QUIET_RMS {
        return Some(most);
    }
    let window = &frame[..frame.len() - most];
    let likeness = |lag: usize| {
        let later = &frame[lag..lag + window.len()];
        let dot = correlate(window, later);
        if dot <= 0.0 {
            0.0
        } else {
            dot * dot / (correlate(later, later) * correlate(window, window)).max(1.0)
        }
    };
    let best = |lags: &mut dyn Iterator<Item = usize>| {
        lags.map(|lag| (lag, likeness(lag)))
            .fold((least, 0.0), |best, now| if now.1 > best.1 { now } else { best })
    };
    let coarse = rate.per_ms() / 4;
    let (near, _) = best(&mut (least..=most).step_by(coarse));
    let (lag, alike) = best(&mut (near.saturating_sub(coarse).max(least)..=(near + coarse).min(most)));
    (alike >= ALIKE).then_some(lag)
}

fn blend(from: i16, to: i16, n: usize, of: usize) -> i16 {
    let part = (n + 1) as i32;
    let of = of as i32 + 1;
    ((i32::from(from) * (of - part) + i32::from(to) * part) / of) as i16
}

/// Leaves out a period of the first `len` samples; gives how many samples are gone, none if it would be heard.
pub(super) fn shrink(rate: Rate, frame: &mut [i16], len: usize) -> usize {
    let Some(period) = period(rate, &frame[..len]) else { return 0 };
    for n in 0..period {
        frame[n] = blend(frame[n], frame[n + period], n, period);
    }
    frame.copy_within(2 * period..len, period);
    period
}

/// Repeats a period of the first `len` samples; gives how many samples were added, none if it would be heard or has no
/// room.
pub(super) fn stretch(rate: Rate, frame: &mut [i16], len: usize) -> usize {
    let Some(period) = period(rate, &frame[..len]).filter(|period| len + period <= frame.len()) else {
        return 0;
    };
    frame.copy_within(period..len, 2 * period);
    for n in 0..period {
        frame[period + n] = blend(frame[2 * period + n], frame[n], n, period);
    }
    period
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn a_voice_loses_or_gains_whole_periods() {
        for rate in [Rate::K8, Rate::K16, Rate::K48] {
            let tone = kit::tone(rate, 200.0, 8_000.0, rate.samples(40));
            let len = rate.samples(20);
            let mut frame = tone.clone();
            let gone = shrink(rate, &mut frame, len);
            assert!(gone > 0 && gone.is_multiple_of(rate.samples(5)), "{rate:?}: {gone}");
            assert!(kit::correlation(&frame[..len - gone], &tone) > 0.999);
            let mut frame = tone.clone();
            let more = stretch(rate, &mut frame, len);
            assert!(more > 0 && more.is_multiple_of(rate.samples(5)), "{rate:?}: {more}");
            assert!(kit::correlation(&frame[..len + more], &tone) > 0.999);
        }
    }

    #[test]
    fn noise_is_left_alone_and_silence_is_not() {
        let mut noise = kit::noise(1, 9_000.0, 160);
        assert_eq!(shrink(Rate::K8, &mut noise, 160), 0);
        let mut quiet = vec![0; 320];
        assert_eq!(shrink(Rate::K8, &mut quiet, 160), 80);
        assert_eq!(stretch(Rate::K8, &mut quiet, 160), 80);
        assert_eq!(stretch(Rate::K8, &mut quiet[..160], 160), 0);
        assert_eq!(shrink(Rate::K8, &mut quiet, 16), 0);
    }
}
