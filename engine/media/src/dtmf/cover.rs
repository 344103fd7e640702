//! Keeps tones of keys out of audio, their beginnings too.
//!
//! A tone is known for one only when a block of it was heard; by then its beginning has passed. So the audio is held back for
//! two blocks, 25 ms, and what lies around a block with a key is silence: nobody hears even a part of a tone.

use super::{Detector, KeyEvent};
use crate::Rate;
use crate::limits::PTIME_MS_MAX;

/// Holds audio back, and takes the keys out of it.
pub struct KeyCover {
    detector: Detector,
    block: usize,
    /// What is held back, with room for a frame behind it.
    held: Box<[i16]>,
    /// Samples that came, and left.
    taken: u64,
    /// What is to be silence, in samples from the beginning.
    from: u64,
    until: u64,
}

impl KeyCover {
    /// For audio of a rate. The first frames are silence: what is held back.
    pub fn new(rate: Rate) -> KeyCover {
        let detector = Detector::new(rate);
        let block = detector.block();
        KeyCover {
            detector,
            block,
            held: vec![0; 2 * block + rate.samples(PTIME_MS_MAX)].into(),
            taken: 0,
            from: 0,
            until: 0,
        }
    }

    /// Takes a frame of at most 60 ms, and puts in its place what is to be heard now; tells `heard` of keys.
    pub fn hide(&mut self, frame: &mut [i16], heard: &mut dyn FnMut(KeyEvent)) {
        let delay = 2 * self.block;
        let left = self.taken;
        let mut rest = &frame[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.detector.until_judged()));
            self.detector.listen(now, heard);
            self.taken += now.len() as u64;
            rest = later;
            if self.detector.until_judged() == self.block && self.detector.suspects() {
                self.suspect(left);
            }
        }
        self.held[delay..][..frame.len()].copy_from_slice(frame);
        frame.copy_from_slice(&self.held[..frame.len()]);
        self.held.copy_within(frame.len()..frame.len() + delay, 0);
        // Counted with the delay, what leaves now begins at `left`.
        let end = left + frame.len() as u64;
        let (from, until) = (self.from.clamp(left, end), self.until.clamp(left, end));
        frame[(from - left) as usize..(until - left).max(from - left) as usize].fill(0);
    }

    /// The block that ends now has a key: it, and the blocks beside it, which may have a part of its tone. Places count
    /// with the delay; those ahead of `left` have left.
    fn suspect(&mut self, left: u64) {
        let block = self.block as u64;
        // The block lies two behind its end without the delay: it leaves from here on.
        let begin = self.taken + 2 * block - block;
        let (from, until) = (begin - block, begin + 2 * block);
        if self.until <= left {
            self.from = from;
        }
        self.until = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Key, ToneGenerator, VOLUME};
    use crate::kit;

    /// Keys at any place between speech, in frames of any length: what is left of them, and the keys that were told.
    fn covered(rate: Rate, ms: u32, offset: usize) -> (Vec<i16>, String) {
        let mut tones = ToneGenerator::new(rate);
        let mut sound = vec![0; rate.samples(60) + offset];
        for name in "159#".chars() {
            tones.press(Key::from_char(name).unwrap(), 80, 60, VOLUME).unwrap();
        }
        while tones.is_busy() {
            let mut frame = vec![0; rate.samples(20)];
            tones.fill(&mut frame);
            sound.extend(frame);
        }
        sound.extend(vec![0; rate.samples(200)]);
        let mut cover = KeyCover::new(rate);
        let mut keys = String::new();
        for frame in sound.chunks_exact_mut(rate.samples(ms)) {
            cover.hide(frame, &mut |event| {
                if let KeyEvent::Down(key) = event {
                    keys.push(key.name());
                }
            });
        }
        (sound, keys)
    }

    #[test]
    fn not_a_sample_of_a_tone_is_left_wherever_it_begins() {
        for rate in [Rate::K8, Rate::K16, Rate::K48] {
            for ms in [10, 20, 40, 60] {
                for offset in (0..rate.samples(26)).step_by(rate.samples(1) * 3 + 1) {
                    let (left, keys) = covered(rate, ms, offset);
                    let loudest = left.iter().map(|sample| sample.unsigned_abs()).max();
                    assert_eq!((loudest, keys.as_str()), (Some(0), "159#"), "{rate:?} {ms} {offset}");
                }
            }
        }
    }

    #[test]
    fn speech_passes_later_and_otherwise_as_it_was() {
        let speech = kit::speech(Rate::K8, 3, 8_000 * 30);
        let mut covered = speech.clone();
        let mut cover = KeyCover::new(Rate::K8);
        covered.chunks_mut(160).for_each(|frame| cover.hide(frame, &mut |event| panic!("{event:?}")));
        let delay = 2 * cover.block;
        assert!(covered[..delay].iter().all(|sample| *sample == 0));
        let same = covered[delay..].iter().zip(&speech).filter(|(after, before)| after == before).count();
        assert!(same * 100 > 98 * (speech.len() - delay), "{same} of {}", speech.len());
    }
}
