//! What the machine itself allows: throughput of its best instructions on data in registers, with no loads, stores or
//! dependencies between neighbours. Nothing that does the same arithmetic with these instructions can be faster.
//!
//! Packets have different keys, so a vector's places are filled from one packet only: its last vector of AES or of
//! multiplications counts as a whole one. SHA-1 runs one packet a lane, and counts by the lane.

use std::time::Instant;

use kaname_srtp::Profile;

use crate::case::Case;
use crate::timing::median;

/// Nanoseconds of the primitives, each at full throughput.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// One AES round on one 16-byte block.
    pub aes_round_ns: f64,
    /// One carry-less 64 by 64 bit multiplication.
    pub multiply_ns: f64,
    /// How much of the cheaper of AES and multiplication hides behind the other, 0 to 1.
    pub overlap: f64,
    /// One SHA-1 block of one lane, its message already in registers.
    pub sha1_block_ns: f64,
    /// Blocks of 16 bytes in a vector of AES and multiplication.
    pub vector_blocks: usize,
}

impl Limit {
    /// Measures this machine. `None` where it has none of the instructions.
    pub fn measure() -> Option<Limit> {
        #[cfg(target_arch = "x86_64")]
        return x86_64::measure();
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The least time one packet of the case can take.
    pub fn packet_ns(&self, case: &Case) -> f64 {
        let whole = |blocks: usize| blocks.next_multiple_of(self.vector_blocks) as f64;
        let blocks = case.payload.div_ceil(16);
        match case.profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                let rounds = if case.profile == Profile::AeadAes128Gcm { 10.0 } else { 14.0 };
                // Every counter block and the one that masks the tag.
                let aes = whole(blocks + 1) * rounds * self.aes_round_ns;
                // Additional data, ciphertext and lengths; Karatsuba takes three multiplications a block, and the
                // reduction, two for each run of blocks, is left out.
                let hashed = whole(case.header.div_ceil(16) + blocks + 1);
                let multiply = hashed * 3.0 * self.multiply_ns;
                aes + multiply - self.overlap * aes.min(multiply)
            }
            _ => {
                // RFC 3711 section 4.2: the HMAC covers header, payload and roll-over counter; SHA-1 pads with nine bytes
                // at least. The blocks of the key are precomputed, the outer hash is one block.
                let inner = (case.header + case.payload + 4 + 9).div_ceil(64) as f64;
                whole(blocks) * 10.0 * self.aes_round_ns + (inner + 1.0) * self.sha1_block_ns
            }
        }
    }
}

/// The best of several runs, in nanoseconds an iteration: interference only ever adds.
fn best(iterations: u32, mut run: impl FnMut(u32)) -> f64 {
    run(iterations / 10);
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            run(iterations);
            start.elapsed().as_nanos() as f64 / f64::from(iterations)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    // The lower quartile: the clock's speed changes under us, and one lucky run is no throughput.
    median(times[..7].to_vec())
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use super::{Limit, best};

    const ITERATIONS: u32 = 40_000;

    pub(super) fn measure() -> Option<Limit> {
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("vpclmulqdq");
        let narrow = is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq");
        let sha = is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1");
        if !narrow || !sha {
            return None;
        }
        // SAFETY: each function is called only where its target features were detected above.
        let (aes, multiply, both, blocks) = unsafe {
            if wide {
                (
                    best(ITERATIONS, |n| aes_512(n)),
                    best(ITERATIONS, |n| mul_512(n)),
                    best(ITERATIONS, |n| both_512(n)),
                    4.0,
                )
            } else {
                (
                    best(ITERATIONS, |n| aes_128(n)),
                    best(ITERATIONS, |n| mul_128(n)),
                    best(ITERATIONS, |n| both_128(n)),
                    1.0,
                )
            }
        };
        // SAFETY: as above.
        let sha_ni = best(ITERATIONS / 20, |n| unsafe { sha_ni_x4(n) }) / 4.0;
        let sha1_block_ns = if wide {
            // SAFETY: as above.
            sha_ni.min(best(ITERATIONS / 20, |n| unsafe { sha1_512(n) }) / 16.0)
        } else {
            sha_ni
        };
        let overlap = ((aes + multiply - both) / aes.min(multiply)).clamp(0.0, 1.0);
        Some(Limit {
            aes_round_ns: aes / 8.0 / blocks,
            multiply_ns: multiply / 8.0 / blocks,
            overlap,
            sha1_block_ns,
            vector_blocks: blocks as usize,
        })
    }

    macro_rules! throughput {
        ($name:ident, $features:literal, $zero:expr, |$x:ident, $k:ident| $($step:expr),+) => {
            #[target_feature(enable = $features)]
            fn $name(iterations: u32) {
                let $k = black_box($zero);
                let mut chains = black_box([$zero; 8]);
                for _ in 0..iterations {
                    // Eight independent chains hide the latency of each instruction.
                    for $x in &mut chains {
                        $($step;)+
                    }
                }
                black_box(chains);
            }
        };
    }

    throughput!(aes_512, "avx512f,vaes", _mm512_setzero_si512(), |x, k| *x = _mm512_aesenc_epi128(*x, k));
    throughput!(mul_512, "avx512f,vpclmulqdq", _mm512_setzero_si512(), |x, k| *x =
        _mm512_clmulepi64_epi128::<0x01>(*x, k));
    throughput!(aes_128, "aes,sse2", _mm_setzero_si128(), |x, k| *x = _mm_aesenc_si128(*x, k));
    throughput!(mul_128, "pclmulqdq,sse2", _mm_setzero_si128(), |x, k| *x =
        _mm_clmulepi64_si128::<0x01>(*x, k));

    macro_rules! both {
        ($name:ident, $features:literal, $zero:expr, $aes:ident, $mul:path) => {
            #[target_feature(enable = $features)]
            fn $name(iterations: u32) {
                let k = black_box($zero);
                let mut a = black_box([$zero; 8]);
                let mut m = black_box([$zero; 8]);
                for _ in 0..iterations {
                    for (a, m) in a.iter_mut().zip(&mut m) {
                        *a = $aes(*a, k);
                        *m = $mul(*m, k);
                    }
                }
                black_box((a, m));
            }
        };
    }

    #[target_feature(enable = "avx512f,vpclmulqdq")]
    fn mul_512_one(x: __m512i, k: __m512i) -> __m512i {
        _mm512_clmulepi64_epi128::<0x01>(x, k)
    }

    #[target_feature(enable = "pclmulqdq,sse2")]
    fn mul_128_one(x: __m128i, k: __m128i) -> __m128i {
        _mm_clmulepi64_si128::<0x01>(x, k)
    }

    both!(both_512, "avx512f,vaes,vpclmulqdq", _mm512_setzero_si512(), _mm512_aesenc_epi128, mul_512_one);
    both!(both_128, "aes,pclmulqdq,sse2", _mm_setzero_si128(), _mm_aesenc_si128, mul_128_one);

    /// Four independent SHA-1 blocks by the SHA instructions, message schedule included.
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn sha_ni_x4(iterations: u32) {
        let zero = _mm_setzero_si128();
        let mut state = black_box([[zero; 2]; 4]);
        let mut message = black_box([[zero; 4]; 4]);
        for _ in 0..iterations {
            for round in 0..20 {
                for lane in 0..4 {
                    let [abcd, e] = &mut state[lane];
                    let w = &mut message[lane];
                    let input = _mm_sha1nexte_epu32(*e, w[0]);
                    *e = *abcd;
                    *abcd = match round / 5 {
                        0 => _mm_sha1rnds4_epu32::<0>(*abcd, input),
                        1 => _mm_sha1rnds4_epu32::<1>(*abcd, input),
                        2 => _mm_sha1rnds4_epu32::<2>(*abcd, input),
                        _ => _mm_sha1rnds4_epu32::<3>(*abcd, input),
                    };
                    let next = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w[0], w[1]), w[2]), w[3]);
                    *w = [w[1], w[2], w[3], next];
                }
            }
        }
        black_box((state, message));
    }

    /// Sixteen SHA-1 blocks, one in each 32-bit lane.
    #[target_feature(enable = "avx512f")]
    fn sha1_512(iterations: u32) {
        let zero = _mm512_setzero_si512();
        let mut w = black_box([zero; 16]);
        let mut s = black_box([zero; 5]);
        for _ in 0..iterations {
            let [mut a, mut b, mut c, mut d, mut e] = s;
            // The names turn instead of the values, and only the turned `a` is waited for.
            macro_rules! round {
                ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $i:expr, $logic:literal, $k:ident) => {
                    if $i >= 16 {
                        let (x, y, z) = (w[($i + 13) & 15], w[($i + 8) & 15], w[($i + 2) & 15]);
                        let mixed = _mm512_ternarylogic_epi32::<0x96>(x, y, z);
                        w[$i & 15] = _mm512_rol_epi32::<1>(_mm512_xor_si512(mixed, w[$i & 15]));
                    }
                    let f = _mm512_ternarylogic_epi32::<$logic>($b, $c, $d);
                    let early = _mm512_add_epi32(_mm512_add_epi32($e, _mm512_add_epi32(w[$i & 15], $k)), f);
                    $e = _mm512_add_epi32(early, _mm512_rol_epi32::<5>($a));
                    $b = _mm512_rol_epi32::<30>($b);
                };
            }
            macro_rules! five {
                ($i:expr, $logic:literal, $k:ident) => {
                    round!(a, b, c, d, e, $i, $logic, $k);
                    round!(e, a, b, c, d, $i + 1, $logic, $k);
                    round!(d, e, a, b, c, $i + 2, $logic, $k);
                    round!(c, d, e, a, b, $i + 3, $logic, $k);
                    round!(b, c, d, e, a, $i + 4, $logic, $k);
                };
            }
            macro_rules! twenty {
                ($i:literal, $logic:literal, $k:expr) => {
                    let k = _mm512_set1_epi32($k as i32);
                    five!($i, $logic, k);
                    five!($i + 5, $logic, k);
                    five!($i + 10, $logic, k);
                    five!($i + 15, $logic, k);
                };
            }
            twenty!(0, 0xca, 0x5a82_7999_u32);
            twenty!(20, 0x96, 0x6ed9_eba1_u32);
            twenty!(40, 0xe8, 0x8f1b_bcdc_u32);
            twenty!(60, 0x96, 0xca62_c1d6_u32);
            let add = |x, y| _mm512_add_epi32(x, y);
            s = [add(s[0], a), add(s[1], b), add(s[2], c), add(s[3], d), add(s[4], e)];
        }
        black_box((w, s));
    }
}
