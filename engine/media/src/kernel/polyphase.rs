//! The sum of products of a polyphase filter, over pairs of samples: what multiplies two pairs and adds both at once does
//! twice the work of one that multiplies fractions.

/// Outputs that are summed side by side: ten registers of eight, and 10 ms of the slowest common rate.
pub(crate) const POLYPHASE_LANES: usize = 80;

/// A tap of one. The taps of a row add up to it, and their magnitudes to less than four times as much: so no sum of
/// products with samples is beyond 32 bits.
pub(crate) const TAP_ONE: i32 = 1 << TAP_BITS;
const TAP_BITS: u32 = 14;

/// Samples dealt out to `down` lines of `stride` pairs, so that outputs side by side read what stands side by side: place
/// `n` of line `l` is the sample `n * down + l` and the one behind it.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    /// All lines, one behind the other. Each is read up to [`POLYPHASE_LANES`] pairs beyond what counts.
    pub(crate) lines: &'a [[i16; 2]],
    pub(crate) stride: usize,
    pub(crate) down: usize,
    /// The first sample that the first output is made of.
    pub(crate) ahead: usize,
}

/// Filters: output `q * up + p` is the row of taps of phase `p * down % up` over the input from
/// `ahead + q * down + p * down / up`. `bank` has `up` rows.
pub(crate) fn polyphase(input: Input<'_>, bank: &[[i16; 2]], up: usize, out: &mut [i16]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has the feature that `sums` was built for: detected one line above.
        return filter(input, bank, up, out, |lines, taps| unsafe { wide::sums(lines, taps) });
    }
    filter(input, bank, up, out, sums);
}

/// Where the samples of each pair of taps stand, from the first output on.
#[derive(Clone)]
struct Walk<'a> {
    input: Input<'a>,
    line: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    fn new(input: Input<'a>, first: usize, begin: usize) -> Self {
        Walk { input, line: first % input.down, at: first / input.down + begin }
    }

    /// Those of the next pair of taps; to divide for each would cost as much as all its products.
    #[inline(always)]
    fn step(&mut self) -> &'a [[i16; 2]; POLYPHASE_LANES] {
        let Input { lines, stride, down, .. } = self.input;
        let begin = self.line * stride + self.at;
        self.line += 2;
        // Twice at most: a pair are two samples.
        for _ in 0..2 {
            let wraps = self.line >= down;
            self.line -= if wraps { down } else { 0 };
            self.at += usize::from(wraps);
        }
        // In bounds by the caller's contract; an index that is not would be a panic.
        lines[begin..].first_chunk().unwrap_or_else(|| unreachable!("lines are read beyond their end"))
    }
}

#[inline(always)]
fn filter(
    input: Input<'_>,
    bank: &[[i16; 2]],
    up: usize,
    out: &mut [i16],
    sums: impl Fn(Walk<'_>, &[[i16; 2]]) -> [i16; POLYPHASE_LANES],
) {
    let row = bank.len() / up;
    for p in 0..up {
        let taps = &bank[p * input.down % up * row..][..row];
        let first = input.ahead + p * input.down / up;
        for begin in (0..out.len().div_ceil(up)).step_by(POLYPHASE_LANES) {
            let made = sums(Walk::new(input, first, begin), taps);
            if up == 1 {
                let places = &mut out[begin..];
                let len = places.len().min(POLYPHASE_LANES);
                places[..len].copy_from_slice(&made[..len]);
            } else {
                let places = out.iter_mut().skip(begin * up + p).step_by(up);
                places.zip(made).for_each(|(place, sample)| *place = sample);
            }
        }
    }
}

/// The specification, and what machines without wider registers do.
fn sums(mut lines: Walk<'_>, taps: &[[i16; 2]]) -> [i16; POLYPHASE_LANES] {
    let mut sums = [TAP_ONE / 2; POLYPHASE_LANES];
    for tap in taps {
        for (sum, pair) in sums.iter_mut().zip(lines.step()) {
            *sum += i32::from(pair[0]) * i32::from(tap[0]) + i32::from(pair[1]) * i32::from(tap[1]);
        }
    }
    sums.map(|sum| (sum >> TAP_BITS).clamp(-32_768, 32_767) as i16)
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{POLYPHASE_LANES, TAP_BITS, TAP_ONE, Walk};

    /// Pairs in a register, and registers of sums.
    const WIDTH: usize = 8;
    const REGISTERS: usize = POLYPHASE_LANES / WIDTH;

    #[target_feature(enable = "avx2")]
    pub(super) fn sums(mut lines: Walk<'_>, taps: &[[i16; 2]]) -> [i16; POLYPHASE_LANES] {
        let mut sums = [_mm256_set1_epi32(TAP_ONE / 2); REGISTERS];
        for tap in taps {
            let tap = _mm256_set1_epi32(i32::from(tap[0] as u16) | i32::from(tap[1]) << 16);
            for (sum, pairs) in sums.iter_mut().zip(lines.step().as_chunks::<WIDTH>().0) {
                // SAFETY: `pairs` are as many bytes as a register has; the load needs no alignment.
                let pairs = unsafe { _mm256_loadu_si256(pairs.as_ptr().cast()) };
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, tap));
            }
        }
        let mut made = [0; POLYPHASE_LANES];
        for (places, sums) in made.as_chunks_mut::<{ 2 * WIDTH }>().0.iter_mut().zip(sums.as_chunks::<2>().0)
        {
            let [low, high] = sums.map(|sum| _mm256_srai_epi32::<{ TAP_BITS as i32 }>(sum));
            // Each half of the registers is packed by itself: low, high, low, high.
            let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
            // SAFETY: `places` are as many bytes as a register has; the store needs no alignment.
            unsafe { _mm256_storeu_si256(places.as_mut_ptr().cast(), packed) };
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Noise;

    /// Whatever the machine has, the samples are those of plain sums of products.
    #[test]
    fn sums_are_those_of_plain_loops() {
        let mut noise = Noise(5);
        for (down, up, row) in [(1, 1, 32), (2, 1, 64), (6, 1, 192), (1, 6, 32), (3, 4, 48), (2, 3, 48)] {
            let mut sample = |most: i32| (noise.unit() * most as f32) as i16;
            let samples: Vec<i16> = (0..row + 200 * down + 1).map(|_| sample(32_767)).collect();
            let bank: Vec<[i16; 2]> = (0..up * row / 2).map(|_| [sample(600), sample(600)]).collect();
            let stride = samples.len() / down + 2 * POLYPHASE_LANES;
            let mut lines = vec![[0; 2]; stride * down];
            for (n, pair) in samples.windows(2).enumerate() {
                lines[n % down * stride + n / down] = [pair[0], pair[1]];
            }
            let input = Input { lines: &lines, stride, down, ahead: 1 };
            let mut out = vec![0; 170 * up];
            polyphase(input, &bank, up, &mut out);
            let mut plain = vec![0; 170 * up];
            filter(input, &bank, up, &mut plain, sums);
            assert_eq!(out, plain, "{down} {up}");
            for (n, &made) in out.iter().enumerate() {
                let (q, p) = (n / up, n % up);
                let taps = bank[p * down % up * row / 2..][..row / 2].as_flattened();
                let from = &samples[1 + q * down + p * down / up..];
                let sum: i64 = taps.iter().zip(from).map(|(&t, &s)| i64::from(t) * i64::from(s)).sum();
                let rounded = (sum + i64::from(TAP_ONE / 2)) >> TAP_BITS;
                assert_eq!(i64::from(made), rounded.clamp(-32_768, 32_767), "{down} {up}: {n}");
            }
        }
    }
}
