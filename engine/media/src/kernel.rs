//! Loops over samples that count, each built twice: for any machine, and for one with AVX2. Also the only place where
//! libraries of the system are called.

mod amr;
mod g729;
mod library;
#[cfg(test)]
mod oracle;
mod polyphase;

pub(crate) use amr::{AmrDecoderState, AmrEncoderState, AmrLibraries};
pub(crate) use g729::{G729DecoderState, G729EncoderState, G729Library};
pub(crate) use polyphase::{Input, POLYPHASE_LANES, TAP_ONE, polyphase};

/// Sums of products are kept in so many lanes, added at the end: the order that vectors need.
const LANES: usize = 16;

/// Builds a function a second time with AVX2 and takes that one where the machine has it.
macro_rules! widened {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        #[inline]
        pub(crate) fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn portable($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide($($arg: $type),*) $(-> $result)? {
                    portable($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the machine has the feature that `wide` was built for: detected one line above.
                    return unsafe { wide($($arg),*) };
                }
            }
            portable($($arg),*)
        }
    };
}

widened! {
    /// The sum of products of as many samples as both have.
    fn correlate(a: &[i16], b: &[i16]) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let len = a.len().min(b.len());
        let (a_chunks, a_rest) = a[..len].as_chunks::<LANES>();
        let (b_chunks, b_rest) = b[..len].as_chunks::<LANES>();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..LANES {
                lanes[lane] += (i32::from(a[lane]) * i32::from(b[lane])) as f32;
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| (i32::from(a) * i32::from(b)) as f32).sum();
        lanes.iter().sum::<f32>() + rest
    }
}

widened! {
    /// Adds samples to a sum.
    fn add(sum: &mut [i32], samples: &[i16]) {
        for (sum, &sample) in sum.iter_mut().zip(samples) {
            *sum += i32::from(sample);
        }
    }
}

widened! {
    /// What is left of a sum without one of its parts.
    fn without(sum: &[i32], part: &[i16], out: &mut [i32]) {
        for ((out, &sum), &part) in out.iter_mut().zip(sum).zip(part) {
            *out = sum - i32::from(part);
        }
    }
}

widened! {
    /// Multiplies samples by a gain that goes from one value to another over the slice.
    fn ramp(samples: &mut [i16], from: f32, to: f32) {
        let step = (to - from) / samples.len().max(1) as f32;
        for (n, sample) in samples.iter_mut().enumerate() {
            let gain = from + step * n as f32;
            *sample = (f32::from(*sample) * gain).round_ties_even().clamp(-32_768.0, 32_767.0) as i16;
        }
    }
}

widened! {
    /// Multiplies sums by a gain that goes from one value to another over the slice, to samples.
    fn ramp_sums(sums: &[i32], from: f32, to: f32, out: &mut [i16]) {
        let step = (to - from) / sums.len().max(1) as f32;
        for (n, (sample, &sum)) in out.iter_mut().zip(sums).enumerate() {
            let gain = from + step * n as f32;
            *sample = (sum as f32 * gain).round_ties_even().clamp(-32_768.0, 32_767.0) as i16;
        }
    }
}

widened! {
    /// Sums that fit a sample, to samples.
    fn narrow(sums: &[i32], out: &mut [i16]) {
        for (sample, &sum) in out.iter_mut().zip(sums) {
            *sample = sum.clamp(-32_768, 32_767) as i16;
        }
    }
}

widened! {
    /// The largest magnitude among sums.
    fn peak(sums: &[i32]) -> i32 {
        let (chunks, rest) = sums.as_chunks::<LANES>();
        let mut lanes = [0; LANES];
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] = lanes[lane].max(chunk[lane].abs());
            }
        }
        let most = lanes.into_iter().fold(0, i32::max);
        rest.iter().fold(most, |most, sum| most.max(sum.abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn sums_are_those_of_plain_loops() {
        let (a, b) = (kit::noise(1, 30_000.0, 333), kit::noise(2, 30_000.0, 333));
        let plain: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        assert!((f64::from(correlate(&a, &b)) - plain).abs() < 1e-4 * 333.0 * 9e8);
        let mut sums = vec![5; 333];
        add(&mut sums, &a);
        assert!(sums.iter().zip(&a).all(|(&s, &a)| s == 5 + i32::from(a)));
        let mut rest = vec![0; 333];
        without(&sums, &a, &mut rest);
        assert!(rest.iter().all(|&r| r == 5));
        assert_eq!(peak(&sums), sums.iter().map(|s| s.abs()).max().unwrap());
        let mut out = vec![0; 333];
        narrow(&[40_000, -40_000, 7], &mut out);
        assert_eq!(out[..3], [32_767, -32_768, 7]);
    }

    #[test]
    fn a_ramp_goes_from_one_gain_to_the_other() {
        let mut samples = vec![10_000; 100];
        ramp(&mut samples, 0.0, 1.0);
        assert_eq!((samples[0], samples[50], samples[99]), (0, 5_000, 9_900));
        let mut out = vec![0; 100];
        ramp_sums(&[100_000; 100], 0.5, 0.1, &mut out);
        assert_eq!((out[0], out[99]), (32_767, 10_400));
    }
}
