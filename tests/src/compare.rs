//! Is the far picture the sent picture, and the far sound the sent sound?

use std::f32::consts::TAU;

/// Samples of one step of a spectrogram: 20 ms at 48 kHz.
const STEP: usize = 960;
/// How finely captured sound is shifted against its source: 5 ms.
const SHIFT: usize = 240;
/// Steps that stay together: half a second.
const PIECE: usize = 25;
/// How far a piece may slip against the one before it, in [`SHIFT`]s: 100 ms.
const SLIP: usize = 20;
/// Bands of a spectrogram: 50 Hz each from 200 Hz to 3.4 kHz, in pairs.
const BANDS: usize = 32;

/// Normalised correlation of two equally long series: 1 the same up to brightness and contrast, 0 unrelated.
pub fn correlation(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "series of one length");
    let mean = |s: &[f32]| s.iter().sum::<f32>() / s.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0f64, 0.0f64, 0.0f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(x - mean_a), f64::from(y - mean_b));
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    if aa * bb == 0.0 { 0.0 } else { (ab / (aa * bb).sqrt()) as f32 }
}

/// The source frame that a grabbed picture is most like: its number and the correlation.
pub fn best_frame(grabbed: &[f32], source: &[Vec<f32>]) -> (usize, f32) {
    let scored = source.iter().enumerate().map(|(number, frame)| (number, correlation(grabbed, frame)));
    scored.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

/// The best correlation of captured sound with the source, played in a loop from anywhere.
///
/// Compares how energy moves through bands over time, so that neither gain, nor colour, nor the phase that codecs
/// change count. A browser that has to wait for a processor stutters, at its microphone or at its loudspeaker: what comes
/// after lies some milliseconds off, and is as right as what came before. So each [`PIECE`] may slip by [`SLIP`] against
/// the one before it; other speech would need leaps.
pub fn sound_likeness(captured: &[f32], source: &[f32]) -> f32 {
    let shifts = source.len() / SHIFT;
    if captured.len() < STEP || shifts == 0 {
        return 0.0;
    }
    let heard = centred(spectrogram(captured, STEP));
    let looped: Vec<f32> = source.iter().copied().cycle().take((shifts - 1) * SHIFT + STEP).collect();
    let said = centred(spectrogram(&looped, SHIFT));
    let said_at = |shift: usize, step: usize| {
        let from = (shift + step * (STEP / SHIFT)) % shifts * BANDS;
        &said[from..from + BANDS]
    };
    let distances: Vec<Vec<f32>> = heard
        .chunks(PIECE * BANDS)
        .enumerate()
        .map(|(piece, steps)| {
            let steps = || steps.chunks(BANDS).zip(piece * PIECE..);
            let at = |shift| steps().map(|(bands, step)| distance(bands, said_at(shift, step))).sum();
            (0..shifts).map(at).collect()
        })
        .collect();
    let places = places(&distances);
    let aligned =
        (0..heard.len() / BANDS).flat_map(|step| said_at(places[step / PIECE], step).iter().copied());
    correlation(&heard, &centred(aligned.collect()))
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The shift of each piece, so that all of them together lie nearest: of each the distances at every shift are given.
fn places(distances: &[Vec<f32>]) -> Vec<usize> {
    let Some((first, rest)) = distances.split_first() else { return Vec::new() };
    let shifts = first.len();
    let nearest = |total: &[f32], of: &mut dyn Iterator<Item = usize>| {
        of.min_by(|a, b| total[*a].total_cmp(&total[*b])).unwrap_or(0)
    };
    let mut total = first.clone();
    let mut ways: Vec<Vec<usize>> = Vec::new();
    for own in rest {
        let around =
            |shift: usize| (0..=2 * SLIP).map(move |slip| (shift + shifts * SLIP + slip - SLIP) % shifts);
        let way: Vec<usize> = (0..shifts).map(|shift| nearest(&total, &mut around(shift))).collect();
        total = way.iter().zip(own).map(|(&before, own)| total[before] + own).collect();
        ways.push(way);
    }
    let mut at = nearest(&total, &mut (0..shifts));
    let mut places = vec![at];
    for way in ways.iter().rev() {
        at = way[at];
        places.push(at);
    }
    places.reverse();
    places
}

/// Takes the average of each band away: all speech has the same colour on average, and that is no likeness.
fn centred(mut spectrogram: Vec<f32>) -> Vec<f32> {
    let steps = (spectrogram.len() / BANDS) as f32;
    for band in 0..BANDS {
        let mean = spectrogram.iter().skip(band).step_by(BANDS).sum::<f32>() / steps;
        spectrogram.iter_mut().skip(band).step_by(BANDS).for_each(|e| *e -= mean);
    }
    spectrogram
}

/// Loudness of the middle of the scale, in dB below full scale.
pub fn level_db(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    10.0 * power.max(1e-10).log10()
}

/// Log energy in [`BANDS`] bands of windows of [`STEP`] samples, one every `hop` samples.
fn spectrogram(samples: &[f32], hop: usize) -> Vec<f32> {
    let waves: Vec<Vec<(f32, f32)>> = (0..BANDS * 2)
        .map(|bin| {
            let hz = 200.0 + 50.0 * bin as f32;
            (0..STEP)
                .map(|i| {
                    // Hann's window keeps a loud band out of its neighbours.
                    let window = 0.5 - 0.5 * (TAU * i as f32 / STEP as f32).cos();
                    let (sin, cos) = (TAU * hz * i as f32 / 48_000.0).sin_cos();
                    (window * sin, window * cos)
                })
                .collect()
        })
        .collect();
    let mut energies = Vec::with_capacity(samples.len() / hop * BANDS);
    for step in samples.windows(STEP).step_by(hop) {
        for pair in waves.chunks_exact(2) {
            let power: f32 = pair
                .iter()
                .map(|wave| {
                    let (s, c) =
                        step.iter().zip(wave).fold((0.0, 0.0), |(s, c), (x, w)| (s + x * w.0, c + x * w.1));
                    s * s + c * c
                })
                .sum();
            // The floor keeps the silence between words from being compared by its noise.
            energies.push((power / (STEP * STEP) as f32).max(1e-7).log10());
        }
    }
    energies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_ignores_gain_and_sees_difference() {
        let a: Vec<f32> = (0..100).map(|i| (i as f32 * 0.3).sin()).collect();
        let louder: Vec<f32> = a.iter().map(|x| 3.0 * x + 7.0).collect();
        let other: Vec<f32> = (0..100).map(|i| (i as f32 * 0.7).cos()).collect();
        assert!(correlation(&a, &louder) > 0.999);
        assert!(correlation(&a, &other).abs() < 0.3);
        assert_eq!(correlation(&a, &[1.0; 100]), 0.0);
    }

    fn chirp(seed: f32) -> Vec<f32> {
        let at = |i: usize| {
            let t = i as f32 / 48_000.0;
            (TAU * (600.0 + 500.0 * (t * seed).sin()) * t).sin() * (0.5 + 0.5 * (t * seed * 3.0).cos())
        };
        (0..STEP * 100).map(at).collect()
    }

    #[test]
    fn sound_that_stutters_is_known_and_sound_that_is_cut_up_is_not() {
        let said = chirp(3.1);
        // 30 ms of nothing, or 30 ms left out, every 400 ms.
        let (gap, piece) = (STEP * 3 / 2, STEP * 20);
        let gaps: Vec<f32> = said.chunks(piece).flat_map(|part| [part, &vec![0.0; gap]].concat()).collect();
        let drops: Vec<f32> = said.chunks(piece).flat_map(|part| part[..part.len() - gap].to_vec()).collect();
        // Every piece is what was said, in another order.
        let mixed: Vec<f32> =
            [3, 0, 4, 2, 1].iter().flat_map(|&n| &said[n * piece..][..piece]).copied().collect();
        let [gaps, drops, mixed] = [gaps, drops, mixed].map(|heard| sound_likeness(&heard, &said));
        assert!(gaps > 0.8 && drops > 0.8 && mixed < 0.6, "{gaps} {drops} {mixed}");
    }

    #[test]
    fn sound_is_found_at_any_shift_and_foreign_sound_is_not() {
        let (said, other) = (chirp(3.1), chirp(7.7));
        let heard: Vec<f32> =
            said.iter().chain(&said).skip(STEP * 70).take(STEP * 60).map(|x| x * 0.3).collect();
        assert!(sound_likeness(&heard, &said) > 0.95);
        assert!(sound_likeness(&heard, &other) < 0.6);
        assert!(level_db(&[0.0; 10]) < -90.0);
    }
}
