//! Where sound was sent and nothing was heard.

use super::align::{Reference, energy};
use super::{LIKE, QUIET};

/// Sound in which gaps are looked for.
const FRAME_MS: u32 = 20;
/// A frame of less than this share of the energy that was sent is a gap.
const GAP_SHARE: f32 = 0.01;
/// Steps in which a silence is measured.
const STEP_MS: u32 = 5;
/// Sound beside a silence by which its place is found.
const BESIDE_MS: u32 = 200;
/// How far from its segment's place that may be: what a jitter buffer's delay grows by at once.
const APART_MS: i64 = 120;

/// Frames of a heard segment that were sent loud and came silent. `place` is the segment's, as if it were the first of what was
/// heard.
///
/// A delay that grows within a pause makes the pause longer: then what follows stands where it was sent later, by the place of the
/// segment, and is not lost. So a silence is a gap only if sound was sent there both by the place of what is heard ahead of it
/// and by that of what is heard behind it. Where a place cannot be told, the segment's counts.
pub(super) fn gaps(reference: &Reference, heard: &[f32], segment: std::ops::Range<usize>, place: i64) -> u64 {
    let frame = reference.rate().samples(FRAME_MS);
    let is_gap = |at: &usize| {
        let is_lost = |place| {
            let sent = energy(&reference.stretch(place + reference.ticks(*at), frame));
            sent > 4.0 * QUIET * frame as f32 && energy(&heard[*at..*at + frame]) < sent * GAP_SHARE
        };
        is_lost(place) && places_beside(reference, heard, *at, place).into_iter().all(is_lost)
    };
    (segment.start..segment.end + 1 - frame).step_by(frame).filter(is_gap).count() as u64
}

/// The places of what is heard ahead of and behind the silence around a frame.
fn places_beside(reference: &Reference, heard: &[f32], frame: usize, place: i64) -> [i64; 2] {
    let rate = reference.rate();
    let (step, beside) = (rate.samples(STEP_MS), rate.samples(BESIDE_MS));
    let is_silent = |from: usize| {
        heard.get(from..from + step).is_some_and(|samples| energy(samples) < QUIET * step as f32)
    };
    let (mut begin, mut end) = (frame, frame + rate.samples(FRAME_MS));
    while begin >= step && is_silent(begin - step) {
        begin -= step;
    }
    while is_silent(end) {
        end += step;
    }
    let place_of = |from: usize, to: usize| {
        let apart = APART_MS * reference.ticks(rate.per_ms());
        let expected = place + reference.ticks(from);
        let found = reference.find(&heard[from..to], expected - apart..=expected + apart);
        if found.likeness > LIKE { found.place - reference.ticks(from) } else { place }
    };
    [place_of(begin.saturating_sub(beside), begin), place_of(end, heard.len().min(end + beside))]
}
