//! The quadrature mirror filters (G.722 section 3.1 and 4.4): 24 taps, here as two of twelve over every other sample.

use super::CHUNK;

const TAPS: usize = 12;
/// Coefficients of the even samples; the odd ones have them backwards.
const COEFFICIENTS: [i32; TAPS] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
const HISTORY: usize = TAPS - 1;

/// A signal of which the last samples of the chunk before are still known.
#[derive(Default)]
struct Line {
    history: [i32; HISTORY],
}

impl Line {
    /// Filters the samples that `at` gives: `out[n]` is the sum of the last twelve, weighted.
    #[inline(always)]
    fn filter(&mut self, count: usize, at: impl Fn(usize) -> i32, backwards: bool, out: &mut [i32; CHUNK]) {
        let mut line = [0; HISTORY + CHUNK];
        line[..HISTORY].copy_from_slice(&self.history);
        for (index, place) in line[HISTORY..HISTORY + count].iter_mut().enumerate() {
            *place = at(index);
        }
        *out = [0; CHUNK];
        for tap in 0..TAPS {
            let weight = COEFFICIENTS[if backwards { TAPS - 1 - tap } else { tap }];
            for (sum, sample) in out.iter_mut().zip(&line[tap..tap + CHUNK]) {
                *sum += weight * sample;
            }
        }
        self.history.copy_from_slice(&line[count..count + HISTORY]);
    }
}

/// One signal to two bands of half its rate.
#[derive(Default)]
pub(super) struct Analysis {
    even: Line,
    odd: Line,
}

impl Analysis {
    /// Takes up to `2 * CHUNK` samples, an even number.
    pub(super) fn split(&mut self, samples: &[i16], low: &mut [i32; CHUNK], high: &mut [i32; CHUNK]) {
        let pairs = samples.as_chunks::<2>().0;
        let (mut even, mut odd) = ([0; CHUNK], [0; CHUNK]);
        self.even.filter(pairs.len(), |n| i32::from(pairs[n][0]), false, &mut even);
        self.odd.filter(pairs.len(), |n| i32::from(pairs[n][1]), true, &mut odd);
        for n in 0..CHUNK {
            low[n] = (even[n] + odd[n]) >> 14;
            high[n] = (odd[n] - even[n]) >> 14;
        }
    }
}

/// Two bands to one signal.
#[derive(Default)]
pub(super) struct Synthesis {
    sum: Line,
    difference: Line,
}

impl Synthesis {
    /// Gives as many samples as `out` has, an even number up to `2 * CHUNK`.
    pub(super) fn join(&mut self, low: &[i32; CHUNK], high: &[i32; CHUNK], out: &mut [i16]) {
        let pairs = out.as_chunks_mut::<2>().0;
        let (mut even, mut odd) = ([0; CHUNK], [0; CHUNK]);
        self.sum.filter(pairs.len(), |n| low[n] + high[n], false, &mut even);
        self.difference.filter(pairs.len(), |n| low[n] - high[n], true, &mut odd);
        for (n, pair) in pairs.iter_mut().enumerate() {
            let narrow = |sum: i32| (sum >> 11).clamp(-32_768, 32_767) as i16;
            *pair = [narrow(odd[n]), narrow(even[n])];
        }
    }
}
