//! Which header extension an identifier means on a leg, and which are passed on.

use crate::command::ExtensionIds;

/// Kinds of element that a subscriber gets from the publisher. The others are either the hop's own (mid and rid
/// name streams of one leg, abs-send-time and transport-cc measure one leg's path) or unknown to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    AudioLevel,
    VideoOrientation,
    PlayoutDelay,
    DependencyDescriptor,
}

pub(crate) const PASSED_COUNT: usize = 4;
pub(crate) const PASSED: [Passed; PASSED_COUNT] =
    [Passed::AudioLevel, Passed::VideoOrientation, Passed::PlayoutDelay, Passed::DependencyDescriptor];

impl Passed {
    /// Its identifier on a leg.
    pub(crate) fn id(self, ids: &ExtensionIds) -> Option<u8> {
        match self {
            Passed::AudioLevel => ids.audio_level,
            Passed::VideoOrientation => ids.video_orientation,
            Passed::PlayoutDelay => ids.playout_delay,
            Passed::DependencyDescriptor => ids.dependency_descriptor,
        }
    }
}

/// All identifiers of a leg in one number, which is compared at once.
pub(crate) type Shape = u128;

pub(crate) fn shape(ids: &ExtensionIds) -> Shape {
    all(ids).iter().fold(0, |shape, id| shape << 8 | Shape::from(id.unwrap_or(0)))
}

fn all(ids: &ExtensionIds) -> [Option<u8>; 9] {
    [
        ids.mid,
        ids.rid,
        ids.repaired_rid,
        ids.audio_level,
        ids.abs_send_time,
        ids.transport_cc,
        ids.video_orientation,
        ids.playout_delay,
        ids.dependency_descriptor,
    ]
}

/// Every identifier is 1 to 255 and stands for one extension only.
pub(crate) fn are_valid(ids: &ExtensionIds) -> bool {
    let all = all(ids);
    let used = || all.iter().flatten();
    used().all(|id| *id != 0) && used().all(|id| used().filter(|other| *other == id).count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_not_zero() {
        assert!(are_valid(&ExtensionIds::default()));
        assert!(are_valid(&ExtensionIds { mid: Some(1), rid: Some(2), ..Default::default() }));
        assert!(!are_valid(&ExtensionIds { mid: Some(1), rid: Some(1), ..Default::default() }));
        assert!(!are_valid(&ExtensionIds { mid: Some(0), ..Default::default() }));
    }
}
