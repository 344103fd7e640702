//! Where a heard stretch of sound stands in the sound that was sent.

use std::ops::RangeInclusive;

/// Sums kept apart, so that the compiler may work on many samples at once.
const LANES: usize = 16;

/// Sound that is sent again and again.
pub(super) struct Reference {
    samples: Vec<f32>,
}

/// A place that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The place of the first sample, counted from the beginning of the stream.
    pub(super) place: i64,
    /// How alike: 1 is the same up to its loudness, 0 is something else.
    pub(super) likeness: f32,
}

impl Reference {
    /// One pass of the sound, from where the stream began.
    pub(super) fn new(pass: &[i16], start: usize) -> Reference {
        let turned = pass[start..].iter().chain(&pass[..start]);
        Reference { samples: turned.map(|&sample| f32::from(sample)).collect() }
    }

    /// The sound of the stream from a place on.
    pub(super) fn stretch(&self, place: i64, len: usize) -> Vec<f32> {
        let pass = self.samples.len() as i64;
        let mut at = place.rem_euclid(pass.max(1)) as usize;
        let mut stretch = Vec::with_capacity(len);
        while stretch.len() < len && !self.samples.is_empty() {
            let take = (len - stretch.len()).min(self.samples.len() - at);
            stretch.extend_from_slice(&self.samples[at..at + take]);
            at = 0;
        }
        stretch
    }

    /// The place in a range at which what was sent is most like what was heard.
    pub(super) fn find(&self, heard: &[f32], places: RangeInclusive<i64>) -> Found {
        let (first, last) = (*places.start(), *places.end());
        let count = (last - first + 1).max(0) as usize;
        let sent = self.stretch(first, count + heard.len());
        let own = energy(heard);
        let mut best = Found { place: first, likeness: 0.0 };
        // The energy under the moving stretch, in double: it is added to and taken from thousands of times.
        let mut under: f64 = sent.iter().take(heard.len()).map(|&s| f64::from(s).powi(2)).sum();
        for offset in 0..count {
            let likeness = dot(&sent[offset..offset + heard.len()], heard)
                / (own * under.max(0.0) as f32).sqrt().max(1.0);
            if likeness > best.likeness {
                best = Found { place: first + offset as i64, likeness };
            }
            under += f64::from(sent[offset + heard.len()]).powi(2) - f64::from(sent[offset]).powi(2);
        }
        best
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    rest + sums.iter().sum::<f32>()
}

/// The sum of squares.
pub(super) fn energy(samples: &[f32]) -> f32 {
    dot(samples, samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::case::Sound;
    use crate::calls::sound::{Library, Material};

    fn pass() -> Vec<i16> {
        let Material::Voice { voice, .. } = Library::default().voice(Sound::Pcma, 0).unwrap() else {
            panic!("no voice")
        };
        voice.reference(kaname_media::Rate::K8)
    }

    #[test]
    fn a_stretch_is_found_where_it_was_sent() {
        let pass = pass();
        let reference = Reference::new(&pass, 160 * 30);
        for place in [12_345, 60_000, 64_000 * 7 + 99] {
            let mut heard = reference.stretch(place, 8_000);
            heard.iter_mut().for_each(|sample| *sample *= 0.5);
            let found = reference.find(&heard, place - 3_000..=place + 500);
            assert_eq!(found.place, place);
            assert!(found.likeness > 0.999, "{found:?}");
        }
    }

    #[test]
    fn another_sound_is_found_nowhere() {
        let reference = Reference::new(&pass(), 0);
        let mut library = Library::default();
        let Material::Voice { voice, .. } = library.voice(Sound::Pcma, 5).unwrap() else { panic!() };
        let other: Vec<f32> =
            voice.reference(kaname_media::Rate::K8)[..8_000].iter().map(|&s| f32::from(s)).collect();
        let found = reference.find(&other, 0..=6_400);
        assert!(found.likeness < 0.5, "{found:?}");
        assert_eq!(reference.find(&vec![0.0; 800], 0..=100).likeness, 0.0);
    }
}
