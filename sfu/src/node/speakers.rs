//! Who speaks. Levels of the packets (RFC 6464) are smoothed; a peer counts as speaking above one threshold and
//! until it has been below a lower one for a while, so that the list does not flicker.

use std::collections::HashMap;
use std::time::Duration;

use kaname_engine::core::Time;

use super::api::PeerId;

/// Louder than this, in dB above -127 dBov, begins to speak: -50 dBov is a quiet voice near a microphone.
const BEGINS: f32 = 77.0;
/// Below this for [`PAUSE`] has stopped.
const ENDS: f32 = 67.0;
/// A pause between words is no end of speech.
const PAUSE: Duration = Duration::from_millis(800);
/// The first of the list stays first until another is this much louder, in dB.
const LEAD: f32 = 6.0;
/// Share of the way to the new level each step when it rises, and when it falls: onsets show at once.
const RISE: f32 = 0.6;
const FALL: f32 = 0.25;
/// A level that is not renewed is old: the track stopped without a last word.
const STALE: Duration = Duration::from_secs(10);
/// Notices are at least so far apart: about three a second.
pub(super) const NOTICE: Duration = Duration::from_millis(333);
/// How many are listed: more are a choir.
const LISTED: usize = 8;

/// The voices of one room.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    voices: HashMap<PeerId, Voice>,
    shown: Vec<PeerId>,
    next_notice: Time,
}

#[derive(Debug)]
struct Voice {
    /// dB above -127 dBov, the latest and the smoothed one.
    target: f32,
    level: f32,
    heard: Time,
    speaking: bool,
    loud: Time,
}

impl Speakers {
    /// A level of a peer's microphone, 0 (loudest) to 127.
    pub(super) fn level(&mut self, now: Time, peer: &PeerId, level: u8) {
        let target = f32::from(127 - level.min(127));
        match self.voices.get_mut(peer) {
            Some(voice) => {
                voice.target = target;
                voice.heard = now;
            }
            None => {
                let voice = Voice { target, level: 0.0, heard: now, speaking: false, loud: now };
                self.voices.insert(peer.clone(), voice);
            }
        }
    }

    /// The peer is gone, muted or publishes no microphone any more.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.voices.remove(peer);
    }

    /// Advances by one step (a tick of the node, 100 ms). The list, loudest first, if it changed and may be told.
    pub(super) fn step(&mut self, now: Time) -> Option<Vec<PeerId>> {
        for voice in self.voices.values_mut() {
            voice.step(now);
        }
        self.voices.retain(|_, v| v.speaking || v.target > 0.0 && now.since(v.heard) <= STALE);
        if now < self.next_notice {
            return None;
        }
        let list = self.list();
        if list == self.shown {
            return None;
        }
        self.shown.clone_from(&list);
        self.next_notice = now + NOTICE;
        Some(list)
    }

    fn list(&self) -> Vec<PeerId> {
        let rank = |peer: &PeerId, voice: &Voice| match self.shown.first() {
            Some(first) if first == peer => voice.level + LEAD,
            _ => voice.level,
        };
        let mut speaking: Vec<_> =
            self.voices.iter().filter(|(_, v)| v.speaking).map(|(peer, v)| (rank(peer, v), peer)).collect();
        speaking.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let mut list: Vec<PeerId> = speaking.into_iter().take(LISTED).map(|(_, peer)| peer.clone()).collect();
        // Behind the first one, the old order holds: swaps there are of no use to anyone.
        if let [_, rest @ ..] = list.as_mut_slice() {
            rest.sort_by_key(|peer| self.shown.iter().position(|s| s == peer).unwrap_or(usize::MAX));
        }
        list
    }
}

impl Voice {
    fn step(&mut self, now: Time) {
        if now.since(self.heard) > STALE {
            self.target = 0.0;
        }
        let share = if self.target > self.level { RISE } else { FALL };
        self.level += (self.target - self.level) * share;
        if self.level >= ENDS {
            self.loud = now;
        }
        if self.level >= BEGINS {
            self.speaking = true;
        } else if now.since(self.loud) >= PAUSE {
            self.speaking = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Room {
        speakers: Speakers,
        now: Time,
    }

    impl Room {
        fn new() -> Room {
            Room { speakers: Speakers::default(), now: Time::from_nanos(1_000_000_000) }
        }

        fn level(&mut self, peer: &str, level: u8) {
            self.speakers.level(self.now, &PeerId::new(peer), level);
        }

        /// All lists told over some steps of 100 ms.
        fn steps(&mut self, count: usize) -> Vec<Vec<String>> {
            let mut told = Vec::new();
            for _ in 0..count {
                self.now = self.now + Duration::from_millis(100);
                told.extend(self.speakers.step(self.now));
            }
            told.iter().map(|list| list.iter().map(|p| p.to_string()).collect()).collect()
        }
    }

    #[test]
    fn a_voice_begins_pauses_and_ends() {
        let mut room = Room::new();
        room.level("a", 30);
        assert_eq!(room.steps(5), [["a"]]);
        room.level("a", 127);
        assert_eq!(room.steps(4), Vec::<Vec<String>>::new(), "a pause between words");
        room.level("a", 30);
        assert_eq!(room.steps(5), Vec::<Vec<String>>::new());
        room.level("a", 127);
        assert_eq!(room.steps(30), [Vec::<String>::new()]);
    }

    #[test]
    fn noise_is_no_voice() {
        let mut room = Room::new();
        room.level("a", 55);
        assert_eq!(room.steps(50), Vec::<Vec<String>>::new());
    }

    #[test]
    fn the_first_keeps_its_place_until_another_is_clearly_louder() {
        let mut room = Room::new();
        room.level("a", 30);
        room.steps(10);
        room.level("b", 27);
        assert_eq!(room.steps(20).last().map(Vec::len), Some(2));
        assert_eq!(room.speakers.shown[0], PeerId::new("a"), "3 dB are not enough");
        room.level("b", 20);
        assert_eq!(room.steps(20), [["b", "a"]]);
    }

    #[test]
    fn at_most_three_notices_a_second() {
        let mut room = Room::new();
        let mut told = 0;
        for round in 0..100 {
            room.level("a", if round % 2 == 0 { 10 } else { 40 });
            room.level("b", if round % 2 == 0 { 40 } else { 10 });
            told += room.steps(1).len();
        }
        assert!(told > 1 && told <= 30, "{told} in 10 s");
    }

    #[test]
    fn who_leaves_is_no_speaker() {
        let mut room = Room::new();
        room.level("a", 30);
        room.steps(5);
        room.speakers.forget(&PeerId::new("a"));
        assert_eq!(room.steps(5), [Vec::<String>::new()]);
    }

    #[test]
    fn a_level_that_is_not_renewed_ends() {
        let mut room = Room::new();
        room.level("a", 30);
        assert_eq!(room.steps(150), [vec!["a".to_string()], vec![]]);
    }
}
