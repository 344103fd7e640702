//! From one rate to another: a windowed sinc, split into phases.

use std::f64::consts::PI;

use crate::Rate;
use crate::kernel::{self, Input, POLYPHASE_LANES, TAP_ONE};
use crate::limits::FRAME_SAMPLES_MAX;

/// Taps a sample of the lower rate. With 32, a telephone's band up to 3.3 kHz passes, and what would fold is 50 dB down.
const SPAN: usize = 32;
/// Kaiser's parameter for 50 dB.
const BETA: f64 = 4.5;
/// Where the filter is half open, as a part of the lower rate: its slope ends where folding begins.
const CUTOFF: f64 = 0.4575;

/// Changes a stream's rate. Frames come out whole: a frame in, its time's worth of samples out.
pub struct Resampler {
    from: Rate,
    to: Rate,
    up: usize,
    down: usize,
    /// Rows of taps, one for each phase.
    bank: Box<[[i16; 2]]>,
    /// The filter's memory, then the frame; dealt out ([`Input`]).
    lines: Box<[[i16; 2]]>,
    stride: usize,
    /// Of the memory, in each line.
    kept: usize,
    row: usize,
}

impl Resampler {
    /// Between two rates; equal ones pass samples through.
    pub fn new(from: Rate, to: Rate) -> Self {
        let (in_khz, out_khz) = (from.per_ms(), to.per_ms());
        let common = gcd(in_khz, out_khz);
        let (up, down) = (out_khz / common, in_khz / common);
        // The filter spans SPAN samples of the lower rate; in samples of the input, a multiple of eight.
        let row = (SPAN * in_khz / in_khz.min(out_khz)).next_multiple_of(8);
        let passes = from == to;
        let bank = if passes { Box::default() } else { bank(row, up, in_khz, out_khz) };
        let kept = row.div_ceil(down);
        let stride = kept + FRAME_SAMPLES_MAX / down + 2 * POLYPHASE_LANES;
        let lines = vec![[0; 2]; if passes { 0 } else { stride * down }].into();
        Resampler { from, to, up, down, bank, lines, stride, kept, row }
    }

    /// The rate that goes in.
    pub fn from(&self) -> Rate {
        self.from
    }

    /// The rate that comes out.
    pub fn to(&self) -> Rate {
        self.to
    }

    /// How many samples come out for so many.
    pub fn output_len(&self, samples: usize) -> usize {
        samples * self.up / self.down
    }

    /// By how many samples of the output it lags.
    pub fn delay(&self) -> usize {
        if self.bank.is_empty() { 0 } else { self.row / 2 * self.up / self.down }
    }

    /// Resamples a frame (a whole number of milliseconds, [`crate::limits::PACKET_MS_MAX`] at most) to the front of
    /// `out`; gives the number of samples, fewer if either has no room.
    pub fn process(&mut self, samples: &[i16], out: &mut [i16]) -> usize {
        if self.bank.is_empty() {
            let len = samples.len().min(out.len());
            out[..len].copy_from_slice(&samples[..len]);
            return len;
        }
        let len = samples.len().min(FRAME_SAMPLES_MAX) / self.down * self.down;
        let made = (len * self.up / self.down).min(out.len());
        let (down, kept, frames) = (self.down, self.kept, len / self.down);
        if let Some(&first) = samples[..len].first() {
            // What follows the last sample of the frame before.
            self.lines[(down - 1) * self.stride + kept - 1][1] = first;
        }
        let ahead = kept * down - (self.row - 1);
        let is_read = |line: usize| self.up > 1 || down % 2 == 1 || line % 2 == ahead % 2;
        let lines = || (0..down).filter(|line| is_read(*line));
        for first in lines() {
            let places = &mut self.lines[first * self.stride + kept..][..frames];
            // Each by its own number, so that the usual ones become vectors.
            match down {
                1 => deal::<1>(&samples[..len], first, places),
                2 => deal::<2>(&samples[..len], first, places),
                3 => deal::<3>(&samples[..len], first, places),
                6 => deal::<6>(&samples[..len], first, places),
                _ => places.iter_mut().enumerate().for_each(|(n, place)| {
                    *place = pair(&samples[..len], n * down + first);
                }),
            }
        }
        let input = Input { lines: &self.lines, stride: self.stride, down, ahead };
        kernel::polyphase(input, &self.bank, self.up, &mut out[..made]);
        for first in lines() {
            self.lines[first * self.stride..][..frames + kept].copy_within(frames.., 0);
        }
        made
    }

    /// Forgets the stream, for the start of another.
    pub fn reset(&mut self) {
        self.lines.fill([0; 2]);
    }
}

/// A sample and the one behind it, as far as that is known.
fn pair(samples: &[i16], at: usize) -> [i16; 2] {
    [samples[at], samples.get(at + 1).copied().unwrap_or(0)]
}

/// Every `N`th pair, from one of the first on.
fn deal<const N: usize>(samples: &[i16], first: usize, places: &mut [[i16; 2]]) {
    let Some((last, places)) = places.split_last_mut() else { return };
    *last = pair(samples, places.len() * N + first);
    // All others have a whole group behind them.
    let samples = &samples[first..];
    match N {
        1 => {
            let pairs = samples.iter().zip(&samples[1..]);
            places.iter_mut().zip(pairs).for_each(|(place, (&one, &other))| *place = [one, other]);
        }
        2 => {
            let places = places.as_flattened_mut();
            places.copy_from_slice(&samples[..places.len()]);
        }
        _ => {
            // One after the other: both at once become worse vectors.
            let (ones, others) = (samples.as_chunks::<N>().0, samples[1..].as_chunks::<N>().0);
            places.iter_mut().zip(ones).for_each(|(place, group)| place[0] = group[0]);
            places.iter_mut().zip(others).for_each(|(place, group)| place[1] = group[0]);
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The filter's taps in pairs, a row for each phase, each row's sum [`TAP_ONE`].
fn bank(row: usize, up: usize, in_khz: usize, out_khz: usize) -> Box<[[i16; 2]]> {
    // In units of the input's rate.
    let cutoff = CUTOFF * in_khz.min(out_khz) as f64 / in_khz as f64;
    let half = row as f64 / 2.0;
    let mut bank = Vec::with_capacity(up * row / 2);
    for phase in 0..up {
        let tap = |n: usize| {
            let at = n as f64 - (half - 1.0) - phase as f64 / up as f64;
            let sinc = if at == 0.0 { 2.0 * cutoff } else { (2.0 * PI * cutoff * at).sin() / (PI * at) };
            sinc * kaiser(at / half)
        };
        let sum: f64 = (0..row).map(tap).sum();
        let mut taps: Vec<i16> =
            (0..row).map(|n| (tap(n) / sum * f64::from(TAP_ONE)).round() as i16).collect();
        // What rounding took from the sum is least where most is.
        let rest = TAP_ONE - taps.iter().map(|&tap| i32::from(tap)).sum::<i32>();
        taps[row / 2 - 1] += rest as i16;
        bank.extend_from_slice(taps.as_chunks::<2>().0);
    }
    bank.into()
}

/// Kaiser's window at -1 to 1.
fn kaiser(at: f64) -> f64 {
    bessel(BETA * (1.0 - at * at).max(0.0).sqrt()) / bessel(BETA)
}

/// The modified Bessel function of the first kind and order zero, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    (1..32).fold(1.0, |sum, n| {
        term *= (x / (2.0 * f64::from(n))).powi(2);
        sum + term
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    fn run(from: Rate, to: Rate, input: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut out = vec![0; resampler.output_len(input.len())];
        let (step, made) = (from.samples(10), to.samples(10));
        for (frame, out) in input.chunks(step).zip(out.chunks_mut(made)) {
            assert_eq!(resampler.process(frame, out), made);
        }
        out
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_between_all_rates() {
        for from in Rate::ALL {
            for to in Rate::ALL {
                for hz in [200.0, 1_000.0, 3_200.0] {
                    let heard = run(from, to, &kit::tone(from, hz, 10_000.0, from.samples(200)));
                    let resampler = Resampler::new(from, to);
                    let settled = &heard[to.samples(40)..];
                    let wanted = kit::tone(to, hz, 10_000.0, heard.len() + 200);
                    let start = to.samples(40) - resampler.delay().min(to.samples(40));
                    // The delay is a fraction of a sample off at most, so search around it.
                    let best = (start.saturating_sub(2)..start + 3)
                        .map(|at| kit::correlation(settled, &wanted[at..]))
                        .fold(-1.0, f64::max);
                    let least = if from == to {
                        0.9999
                    } else {
                        (std::f64::consts::TAU * f64::from(hz) / f64::from(to.hz()) * 0.6).cos()
                    };
                    assert!(best > least, "{from:?} to {to:?}, {hz} Hz: {best}");
                    let level = kit::rms(settled) / 7071.0;
                    assert!((0.93..1.07).contains(&level), "{from:?} to {to:?}, {hz} Hz: level {level}");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        for (from, to, hz) in
            [(Rate::K48, Rate::K8, 5_000.0), (Rate::K16, Rate::K8, 4_400.0), (Rate::K48, Rate::K16, 9_000.0)]
        {
            let heard = run(from, to, &kit::tone(from, hz, 10_000.0, from.samples(200)));
            assert!(kit::rms(&heard[to.samples(50)..]) < 7071.0 * 0.005, "{from:?} to {to:?}");
        }
        // Up: nothing mirrored above the old limit.
        let heard = run(Rate::K8, Rate::K48, &kit::tone(Rate::K8, 3_000.0, 10_000.0, 1_600));
        let pure = kit::tone(Rate::K48, 3_000.0, 10_000.0, 9_600);
        assert!(kit::best_correlation(&pure[..4_000], &heard[4_800..], 16) > 0.9999);
    }

    /// What the kernel builds on.
    #[test]
    fn no_sum_of_products_is_beyond_its_bits() {
        for from in Rate::ALL {
            for to in Rate::ALL.into_iter().filter(|to| *to != from) {
                let resampler = Resampler::new(from, to);
                for row in resampler.bank.chunks_exact(resampler.row / 2) {
                    let taps = || row.as_flattened().iter().map(|tap| i32::from(*tap));
                    assert_eq!(taps().sum::<i32>(), TAP_ONE, "{from:?} to {to:?}");
                    assert!(taps().map(i32::abs).sum::<i32>() < 4 * TAP_ONE, "{from:?} to {to:?}");
                }
            }
        }
    }

    #[test]
    fn there_is_no_seam_between_frames() {
        let speech = kit::speech(Rate::K48, 2, 48_000);
        let mut whole = Resampler::new(Rate::K48, Rate::K16);
        let mut at_once = vec![0; 1600];
        whole.process(&speech[..4800], &mut at_once);
        assert_eq!(run(Rate::K48, Rate::K16, &speech[..4800]), at_once);
    }

    #[test]
    fn short_buffers_are_no_harm() {
        let mut resampler = Resampler::new(Rate::K8, Rate::K48);
        assert_eq!(resampler.process(&[1; 80], &mut [0; 100]), 100);
        assert_eq!(resampler.process(&[], &mut [0; 100]), 0);
        assert_eq!(Resampler::new(Rate::K48, Rate::K8).process(&[1; 5], &mut [0; 100]), 0);
    }
}
