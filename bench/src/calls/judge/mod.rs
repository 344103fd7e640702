//! How a stream sounds at its far end, against what was sent: likeness, delay, gaps, level.
//!
//! Decoding is kaname-media's; so that generator and node do not agree on a mistake, a share of streams goes through
//! decoders of ffmpeg as well.

mod align;
mod foreign;
mod gaps;
mod hear;

use self::align::{Reference, TICKS_PER_MS, energy};
pub(super) use self::foreign::{Foreign, source_likeness};
use self::gaps::gaps;
pub(super) use self::hear::Kept;
use self::hear::{Heard, decode, ordered};
use super::case::Sound;
use super::limits::DELAY_MAX;
use super::sound::Material;

/// Sound that is compared at once.
const SEGMENT_MS: u32 = 400;
/// Sound that has to be found first.
const SEEK_MS: u32 = 1_200;
/// How far the delay may move from one segment to the next before it is looked for everywhere.
const STEP_MS: u32 = 25;
/// A stretch of sent sound quieter than this is no sound to judge by: the mean of its squares.
const QUIET: f32 = 150.0 * 150.0;
/// A segment less like than this is looked for everywhere.
const LIKE: f32 = 0.7;
/// How much ahead of its sender's time sound may seem to come: clocks are read, and codecs' filters are counted.
const AHEAD_MS: u32 = 40;

/// A window of one stream, as it came.
pub(super) struct Capture {
    /// The codec that it was agreed to come in.
    pub(super) sound: Sound,
    /// What was sent.
    pub(super) material: Material,
    /// When the stream's first packet was due, on the clock of arrivals.
    pub(super) begin_ns: i64,
    pub(super) packets: Vec<Kept>,
    /// Seconds since media began, of the window's begin.
    pub(super) at_s: f64,
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Mean likeness of its segments, 0 to 1.
    pub(super) quality: f64,
    /// The same by a foreign decoder.
    pub(super) foreign: Option<f64>,
    /// From the sending of sound to its arrival: of each packet, in milliseconds.
    pub(super) delays_ms: Vec<f64>,
    /// Frames of 20 ms in which nothing was heard of a sound that was sent, or that stood in no packet.
    pub(super) gaps: u64,
    /// Loudness against what was sent, in decibels.
    pub(super) level_db: f64,
    /// Packets that could not be decoded.
    pub(super) undecodable: u64,
}

/// Judges a window; `foreign` lets its decoder hear it as well.
pub(super) fn judge(capture: &Capture, foreign: Option<&Foreign>) -> Verdict {
    let Material::Voice { voice, start } = &capture.material else { return Verdict::default() };
    let reference = Reference::new(voice, capture.sound.judged_at(), *start);
    let packets = ordered(&capture.packets);
    let Some(first) = packets.first() else { return Verdict::default() };
    let heard = decode(&packets, capture.sound);
    // The place in the stream at which sound would be sent when the first packet came.
    let now = (first.at_ns as i64 - capture.begin_ns) * TICKS_PER_MS as i64 / 1_000_000;
    let mut verdict = compare(&reference, &heard, now);
    verdict.undecodable = heard.undecodable;
    for (delay, (_, at_ns)) in verdict.delays_ms.iter_mut().zip(&heard.arrivals) {
        *delay += (*at_ns as i64 - capture.begin_ns) as f64 / 1e6;
    }
    if let Some(foreign) = foreign {
        let samples = foreign.decode(&packets, capture.sound);
        verdict.foreign = samples.map(|samples| compare(&reference, &Heard::whole(&samples), now).quality);
    }
    verdict
}

/// Compares; delays are as if every packet had come when the stream began.
fn compare(reference: &Reference, heard: &Heard, now: i64) -> Verdict {
    let mut verdict = Verdict::default();
    let rate = reference.rate();
    let of_ms = |ms: u32| i64::from(ms) * TICKS_PER_MS as i64;
    let everywhere = |at: i64| at - of_ms(DELAY_MAX.as_millis() as u32)..=at + of_ms(AHEAD_MS);
    let Some(seek) = loudest(&heard.samples, rate.samples(SEEK_MS)) else { return verdict };
    let from = &heard.samples[seek..];
    let len = from.len().min(rate.samples(SEEK_MS));
    let seek = reference.ticks(seek);
    let mut place = reference.find(&from[..len], everywhere(now + seek)).place - seek;
    let (segment, step) = (rate.samples(SEGMENT_MS), of_ms(STEP_MS));
    let (mut likeness, mut segments, mut sent_energy, mut heard_energy) = (0.0, 0u32, 0.0, 0.0);
    let mut places = Vec::new();
    for (number, samples) in heard.samples.chunks_exact(segment).enumerate() {
        let at = reference.ticks(number * segment);
        let expected = place + at;
        let sent = reference.stretch(expected, segment);
        // The judge's own decoder begins in the middle of a stream, and has to settle first.
        if number == 0 || energy(&sent) < QUIET * segment as f32 {
            places.push(place);
            continue;
        }
        let mut found = reference.find(samples, expected - step..=expected + step);
        if found.likeness < LIKE {
            let elsewhere = reference.find(samples, everywhere(now + at));
            // What is merely as unlike elsewhere is a bad stretch, not one that has moved.
            if elsewhere.likeness > LIKE {
                found = elsewhere;
            }
        }
        if found.likeness > LIKE {
            place = found.place - at;
        }
        places.push(place);
        let sent = reference.stretch(place + at, segment);
        likeness += f64::from(found.likeness.clamp(0.0, 1.0));
        segments += 1;
        sent_energy += f64::from(energy(&sent));
        heard_energy += f64::from(energy(samples));
        let own = number * segment..(number + 1) * segment;
        verdict.gaps += gaps(reference, &heard.samples, own, place);
    }
    if segments > 0 {
        verdict.quality = likeness / f64::from(segments);
        verdict.level_db = 10.0 * (heard_energy.max(1.0) / sent_energy.max(1.0)).log10();
    }
    let place_of = |at: usize| places.get(at / segment).or(places.last()).copied().unwrap_or(place);
    let delay = |at: usize| -((place_of(at) + reference.ticks(at)) as f64) / TICKS_PER_MS as f64;
    verdict.delays_ms = heard.arrivals.iter().map(|&(at, _)| delay(at)).collect();
    verdict
}

/// Where so many samples are loudest; `None` of silence.
fn loudest(samples: &[f32], len: usize) -> Option<usize> {
    let starts = (0..samples.len().saturating_sub(len).max(1)).step_by(len / 4);
    let of = |start: usize| energy(&samples[start..samples.len().min(start + len)]);
    let best = starts.max_by(|&a, &b| of(a).total_cmp(&of(b)))?;
    (!samples.is_empty() && of(best) > 0.0).then_some(best)
}

#[cfg(test)]
mod tests;
