//! Who is heard: the loudest, with patience, so that nobody flickers.

/// Levels below this (in -dBov) are no speech.
const SPEECH_DBOV: u8 = 60;
/// A speaker stays this long in pauses.
const HANG_MS: u32 = 800;
/// A speaker gives way to a louder one only after this long, and only to one louder by so much.
const STAY_MS: u32 = 300;
const LOUDER_DB: f32 = 6.0;
/// Loudness follows a level up and down by these parts each 20 ms.
const RISE: f32 = 0.5;
const FALL: f32 = 0.06;

/// How somebody talks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Talk {
    /// Smoothed, in dB above -127 dBov.
    loudness: f32,
    quiet_ms: u32,
    /// For how long it has been heard; `None` if it is not.
    heard_ms: Option<u32>,
}

impl Talk {
    pub(super) fn is_heard(&self) -> bool {
        self.heard_ms.is_some()
    }

    /// Takes the level of a tick.
    pub(super) fn note(&mut self, level_dbov: u8, tick_ms: u32) {
        let level = 127.0 - f32::from(level_dbov.min(127));
        let part = if level > self.loudness { RISE } else { FALL };
        self.loudness += (level - self.loudness) * part * tick_ms as f32 / 20.0;
        self.quiet_ms = if level_dbov <= SPEECH_DBOV { 0 } else { self.quiet_ms.saturating_add(tick_ms) };
        self.heard_ms = self.heard_ms.map(|heard| heard.saturating_add(tick_ms));
    }

    /// Stops being heard.
    pub(super) fn fall_silent(&mut self) {
        *self = Talk::default();
    }

    fn speaks(&self) -> bool {
        self.quiet_ms == 0 && self.loudness > 127.0 - f32::from(SPEECH_DBOV) - 12.0
    }
}

/// Somebody who may be heard: where they stand in the room, how they talk, and whether they may change now.
pub(super) trait Candidates {
    fn count(&self) -> usize;
    fn talk(&mut self, index: usize) -> Option<(&mut Talk, bool)>;
}

/// Chooses who is heard from now on.
pub(super) fn choose(all: &mut impl Candidates, speakers_max: usize) {
    let mut heard = 0;
    let mut softest: Option<(usize, f32)> = None;
    let mut loudest: Option<(usize, f32)> = None;
    for index in 0..all.count() {
        let Some((talk, free)) = all.talk(index) else { continue };
        let loudness = talk.loudness;
        match talk.heard_ms {
            Some(_) if free && talk.quiet_ms > HANG_MS => talk.heard_ms = None,
            Some(heard_ms) => {
                heard += 1;
                let gives_way = free && heard_ms >= STAY_MS;
                if gives_way && softest.is_none_or(|(_, least)| loudness < least) {
                    softest = Some((index, loudness));
                }
            }
            None if free && talk.speaks() && loudest.is_none_or(|(_, most)| loudness > most) => {
                loudest = Some((index, loudness));
            }
            None => {}
        }
    }
    // One a tick: the next one comes 20 ms later.
    let Some((newcomer, loudness)) = loudest else { return };
    if heard >= speakers_max {
        let Some((softest, least)) = softest.filter(|(_, least)| loudness > least + LOUDER_DB) else {
            return;
        };
        let _ = least;
        if let Some((talk, _)) = all.talk(softest) {
            talk.heard_ms = None;
        }
    }
    if let Some((talk, _)) = all.talk(newcomer) {
        talk.heard_ms = Some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Candidates for Vec<Talk> {
        fn count(&self) -> usize {
            self.len()
        }

        fn talk(&mut self, index: usize) -> Option<(&mut Talk, bool)> {
            Some((&mut self[index], true))
        }
    }

    fn run(talks: &mut Vec<Talk>, levels: &[u8], ticks: usize) -> Vec<usize> {
        for _ in 0..ticks {
            talks.iter_mut().zip(levels).for_each(|(talk, &level)| talk.note(level, 20));
            choose(talks, 2);
        }
        (0..talks.len()).filter(|&n| talks[n].is_heard()).collect()
    }

    #[test]
    fn the_loudest_are_heard_and_pauses_are_bridged() {
        let mut talks = vec![Talk::default(); 4];
        assert_eq!(run(&mut talks, &[127, 30, 127, 30], 10), [1, 3]);
        // Somebody as loud has to wait, somebody louder has not.
        assert_eq!(run(&mut talks, &[28, 30, 127, 30], 50), [1, 3]);
        assert_eq!(run(&mut talks, &[10, 30, 127, 25], 10), [0, 3]);
        assert_eq!(run(&mut talks, &[127, 127, 127, 127], 30), [0, 3]);
        assert_eq!(run(&mut talks, &[127, 127, 127, 127], 20), [] as [usize; 0]);
    }

    #[test]
    fn a_click_is_not_heard() {
        let mut talks = vec![Talk::default(); 1];
        assert_eq!(run(&mut talks, &[65], 100), [] as [usize; 0]);
        assert_eq!(run(&mut talks, &[5], 1), [0]);
    }
}
