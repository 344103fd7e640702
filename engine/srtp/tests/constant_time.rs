//! How long a refusal takes does not tell where a tag is wrong: a test after dudect (Welch's t over two classes of input,
//! interleaved at random). Timing is noisy, so it runs in the full suite only, and a leak has to show in every one of several
//! attempts. That it finds one is shown on a comparison that stops at the first difference.

use std::hint::black_box;
use std::time::Instant;

use kaname_srtp::{Backend, Inbound, Keying, Outbound, Profile, SrtpError};

/// Measurements an attempt takes.
const SAMPLES: usize = 200_000;

/// What dudect calls a leak beyond doubt.
const LEAK: f64 = 10.0;

/// Attempts of which one must be clean: a machine under load has bad moments, a leak has no good ones.
const ATTEMPTS: usize = 5;

/// Welch's t of the times of `run(false)` and `run(true)`, without the slowest tenth: interrupts.
fn t_statistic(mut run: impl FnMut(bool)) -> f64 {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut times = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for _ in 0..SAMPLES {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let class = seed & 1 == 1;
        let begin = Instant::now();
        run(class);
        times[usize::from(class)].push(begin.elapsed().as_nanos() as f64);
    }
    let [(mean_a, error_a), (mean_b, error_b)] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 9 / 10);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (mean_a - mean_b) / (error_a + error_b).sqrt().max(f64::MIN_POSITIVE)
}

#[test]
#[ignore = "full suite: minutes of timing"]
fn the_place_of_a_wrong_byte_does_not_show() {
    for backend in Backend::all_available() {
        for profile in [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
            let keying =
                Keying::new(profile, &[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()]).unwrap();
            let mut header = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
            header[8] = 1;
            let mut wire = vec![0; 64];
            let len = Outbound::new(backend, &keying).protect_rtp(&header, &[3; 20], &mut wire).unwrap();
            wire.truncate(len);
            // The tag is the last of the packet: wrong in its first byte, or in its last.
            let tag = len - profile.rtp_tag_len();
            let packets = [tag, len - 1].map(|at| {
                let mut bad = wire.clone();
                bad[at] ^= 1;
                bad
            });
            let mut inbound = Inbound::new(backend, &keying);
            let mut out = [0; 64];
            let worst = |_| {
                t_statistic(|class| {
                    let verdict = inbound.unprotect_rtp(black_box(&packets[usize::from(class)]), &mut out);
                    assert_eq!(black_box(verdict), Err(SrtpError::Tag));
                })
            };
            let found: Vec<f64> = (0..ATTEMPTS).map(worst).collect();
            assert!(
                found.iter().any(|t| t.abs() < LEAK),
                "{profile:?} on {backend:?}: the time tells where the tag is wrong: t = {found:.1?}"
            );
        }
    }
}

#[test]
#[ignore = "full suite: timing"]
fn a_leak_would_be_found() {
    let (tag, mut wrong) = ([7u8; 16], [[7u8; 16]; 2]);
    wrong[0][0] ^= 1;
    wrong[1][15] ^= 1;
    let found: Vec<f64> = (0..ATTEMPTS)
        .map(|_| {
            t_statistic(|class| {
                let wrong = &wrong[usize::from(class)];
                // A comparison as one should not write it.
                for at in 0..16 {
                    if black_box(tag[at]) != black_box(wrong[at]) {
                        break;
                    }
                }
            })
        })
        .collect();
    assert!(found.iter().all(|t| t.abs() > LEAK), "the leak was not found: t = {found:.1?}");
}
