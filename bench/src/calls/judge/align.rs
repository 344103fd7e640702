//! Where a heard stretch of sound stands in the sound that was sent.

use std::ops::RangeInclusive;

use kaname_media::Rate;

use crate::calls::sound::Voice;

/// Places are counted in ticks, so many a millisecond: samples of the sound as it was made. Coders delay by parts of a sample
/// of 8 kHz, and half of one is a third of a turn at 3 kHz: compared on that grid alone, sound that is whole looks worse the
/// further it lies beside it.
pub(super) const TICKS_PER_MS: usize = 48;

/// Sums kept apart, so that the compiler may work on many samples at once.
const LANES: usize = 16;

/// Sound that is sent again and again.
pub(super) struct Reference {
    rate: Rate,
    /// One pass of it at that rate from each tick within a sample.
    phases: Vec<Vec<f32>>,
}

/// A place that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The tick of the first sample, counted from the beginning of the stream.
    pub(super) place: i64,
    /// How alike: 1 is the same up to its loudness, 0 is something else.
    pub(super) likeness: f32,
}

impl Reference {
    /// A voice at a judge's rate, from the packet on that a stream begins with.
    pub(super) fn new(voice: &Voice, rate: Rate, packet: usize) -> Reference {
        let start = packet * rate.samples(20);
        let phase = |tick| {
            let pass = voice.reference(rate, tick);
            pass[start..].iter().chain(&pass[..start]).map(|&sample| f32::from(sample)).collect()
        };
        Reference { rate, phases: (0..Self::ticks_of(rate)).map(phase).collect() }
    }

    fn ticks_of(rate: Rate) -> usize {
        TICKS_PER_MS / rate.per_ms()
    }

    /// The rate of what is compared.
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// So many samples in ticks.
    pub(super) fn ticks(&self, samples: usize) -> i64 {
        (samples * Self::ticks_of(self.rate)) as i64
    }

    /// The sound of the stream from a place on.
    pub(super) fn stretch(&self, place: i64, len: usize) -> Vec<f32> {
        let ticks = self.ticks(1);
        let pass = &self.phases[place.rem_euclid(ticks) as usize];
        let mut at = place.div_euclid(ticks).rem_euclid((pass.len() as i64).max(1)) as usize;
        let mut stretch = Vec::with_capacity(len);
        while stretch.len() < len && !pass.is_empty() {
            let take = (len - stretch.len()).min(pass.len() - at);
            stretch.extend_from_slice(&pass[at..at + take]);
            at = 0;
        }
        stretch
    }

    /// The place in a range at which what was sent is most like what was heard: to the sample, and then to the tick.
    pub(super) fn find(&self, heard: &[f32], places: RangeInclusive<i64>) -> Found {
        let ticks = self.ticks(1);
        let (first, last) = (places.start().div_euclid(ticks), places.end().div_euclid(ticks));
        let count = (last - first + 1).max(0) as usize;
        let near = self.search(heard, first * ticks, count);
        let beside = (near.place - ticks + 1..near.place + ticks).filter(|&place| place != near.place);
        let beside = beside.map(|place| self.search(heard, place, 1));
        beside.fold(near, |best, found| if found.likeness > best.likeness { found } else { best })
    }

    /// The best of so many places that lie a sample apart.
    fn search(&self, heard: &[f32], first: i64, count: usize) -> Found {
        let sent = self.stretch(first, count + heard.len());
        let own = energy(heard);
        let mut best = Found { place: first, likeness: 0.0 };
        // The energy under the moving stretch, in double: it is added to and taken from thousands of times.
        let mut under: f64 = sent.iter().take(heard.len()).map(|&s| f64::from(s).powi(2)).sum();
        for offset in 0..count {
            let likeness = dot(&sent[offset..offset + heard.len()], heard)
                / (own * under.max(0.0) as f32).sqrt().max(1.0);
            if likeness > best.likeness {
                best = Found { place: first + self.ticks(offset), likeness };
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

    fn reference(stream: usize, packet: usize) -> Reference {
        let Material::Voice { voice, .. } = Library::default().voice(Sound::Pcma, stream).unwrap() else {
            panic!("no voice")
        };
        Reference::new(&voice, Rate::K8, packet)
    }

    #[test]
    fn a_stretch_is_found_where_it_was_sent_to_the_part_of_a_sample() {
        let reference = reference(0, 30);
        for place in [6 * 12_345, 6 * 60_000 + 1, 6 * 64_000 * 7 + 3, 6 * 99_999 + 5] {
            let mut heard = reference.stretch(place, 8_000);
            heard.iter_mut().for_each(|sample| *sample *= 0.5);
            let found = reference.find(&heard, place - 6 * 3_000..=place + 6 * 500);
            assert_eq!(found.place, place);
            assert!(found.likeness > 0.999, "{found:?}");
        }
    }

    #[test]
    fn another_sound_is_found_nowhere() {
        let own = reference(0, 0);
        let other = reference(5, 0).stretch(0, 8_000);
        let found = own.find(&other, 0..=6 * 6_400);
        assert!(found.likeness < 0.5, "{found:?}");
        assert_eq!(own.find(&vec![0.0; 800], 0..=600).likeness, 0.0);
    }
}
