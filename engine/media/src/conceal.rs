//! Concealment for codecs that have none: the last pitch period goes on and fades, in the manner of ITU-T G.711
//! appendix I but without its delay.

use crate::Rate;
use crate::kernel::correlate;
use crate::limits::CONCEAL_MS_MAX;

/// Pitch of voices: 66 to 200 Hz and their harmonics, in milliseconds of one period.
const PITCH_MS_MAX: usize = 15;
const PITCH_MS_MIN: usize = 5;
/// What is compared to find it.
const WINDOW_MS: usize = 20;
/// Memory of what was heard: appendix I section I.2.2's 48.75 ms, in whole milliseconds.
const HISTORY_MS: usize = 49;
/// At most so much of the first good frame is blended.
const BLEND_MS_MAX: usize = 10;
/// Loudness falls by a fifth each 10 ms, beginning with the second.
const HOLD_MS: usize = 10;

/// Remembers what was heard, and goes on with it where a packet is missing.
pub struct Concealer {
    rate: Rate,
    history: Box<[i16]>,
    /// The period that is repeated, its end blended into its beginning.
    period: Box<[i16]>,
    period_len: usize,
    at: usize,
    /// Samples invented since the last good frame.
    invented: usize,
    /// What the seam jumps by, and how much of that is still added.
    step: f32,
    step_left: f32,
}

impl Concealer {
    /// Nothing was heard yet.
    pub fn new(rate: Rate) -> Self {
        Concealer {
            rate,
            history: vec![0; rate.per_ms() * HISTORY_MS].into(),
            period: vec![0; rate.per_ms() * PITCH_MS_MAX].into(),
            period_len: 0,
            at: 0,
            invented: 0,
            step: 0.0,
            step_left: 0.0,
        }
    }

    /// Samples that it remembers.
    pub(crate) fn memory(rate: Rate) -> usize {
        rate.per_ms() * HISTORY_MS
    }

    /// Takes samples that arrived earlier than was told, right behind those that were.
    pub(crate) fn recall(&mut self, samples: &[i16]) {
        self.remember(samples);
    }

    /// Samples invented in a row.
    pub fn invented(&self) -> usize {
        self.invented
    }

    /// Takes a frame that arrived; if one was invented before it, its beginning is blended.
    pub fn heard(&mut self, frame: &mut [i16]) {
        if self.invented > 0 {
            let ms = self.invented / self.rate.per_ms();
            let blend = (4 + ms / 10 * 4).min(BLEND_MS_MAX) * self.rate.per_ms();
            let blend = blend.min(frame.len());
            for (n, sample) in frame[..blend].iter_mut().enumerate() {
                let part = (n + 1) as f32 / (blend + 1) as f32;
                let invented = self.next();
                *sample = (f32::from(*sample) * part + invented * (1.0 - part)) as i16;
            }
            self.invented = 0;
        }
        self.remember(frame);
    }

    /// Invents a frame.
    pub fn lost(&mut self, out: &mut [i16]) {
        if self.invented == 0 {
            self.begin();
        }
        for sample in out.iter_mut() {
            *sample = self.next() as i16;
        }
        self.remember(out);
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.history.fill(0);
        self.invented = 0;
    }

    fn remember(&mut self, frame: &[i16]) {
        let len = self.history.len();
        if frame.len() >= len {
            self.history.copy_from_slice(&frame[frame.len() - len..]);
        } else {
            self.history.copy_within(frame.len().., 0);
            self.history[len - frame.len()..].copy_from_slice(frame);
        }
    }

    fn begin(&mut self) {
        let (per_ms, len) = (self.rate.per_ms(), self.history.len());
        let pitch = self.pitch();
        let period = &mut self.period[..pitch];
        period.copy_from_slice(&self.history[len - pitch..]);
        // The period's last quarter turns into what stood before its beginning, so that it joins itself.
        let blend = pitch / 4;
        for n in 0..blend {
            let part = (n + 1) as f32 / (blend + 1) as f32;
            let before = f32::from(self.history[len - pitch - blend + n]);
            let sample = &mut period[pitch - blend + n];
            *sample = (f32::from(*sample) * (1.0 - part) + before * part) as i16;
        }
        self.period_len = pitch;
        self.at = 0;
        // Where the last sample heard meets the period, the step is taken away little by little.
        self.step = f32::from(self.history[len - 1]) - f32::from(self.history[len - pitch - 1]);
        self.step_left = 1.0;
        debug_assert!(pitch <= per_ms * PITCH_MS_MAX);
    }

    /// The period at which the last 20 ms are most like what was before them.
    fn pitch(&self) -> usize {
        let (per_ms, len) = (self.rate.per_ms(), self.history.len());
        let window = (WINDOW_MS * per_ms).min(len - PITCH_MS_MAX * per_ms);
        let recent = &self.history[len - window..];
        let likeness = |lag: usize| {
            let earlier = &self.history[len - window - lag..len - lag];
            let dot = correlate(recent, earlier);
            if dot <= 0.0 { 0.0 } else { dot * dot / correlate(earlier, earlier).max(1.0) }
        };
        let best = |lags: &mut dyn Iterator<Item = usize>| {
            lags.map(|lag| (lag, likeness(lag)))
                .fold((PITCH_MS_MAX * per_ms, 0.0), |best, now| if now.1 > best.1 { now } else { best })
                .0
        };
        // Coarse at steps of 4 kHz's samples, then fine around it.
        let coarse = per_ms / 4;
        let near = best(&mut (PITCH_MS_MIN * per_ms..=PITCH_MS_MAX * per_ms).step_by(coarse));
        let low = near.saturating_sub(coarse).max(PITCH_MS_MIN * per_ms);
        best(&mut (low..=(near + coarse).min(PITCH_MS_MAX * per_ms)))
    }

    fn next(&mut self) -> f32 {
        let per_ms = self.rate.per_ms();
        let fade_over = (CONCEAL_MS_MAX as usize - HOLD_MS) * per_ms;
        let beyond = self.invented.saturating_sub(HOLD_MS * per_ms);
        let loudness = 1.0 - (beyond as f32 / fade_over as f32).min(1.0);
        let sample = f32::from(self.period[self.at]) + self.step * self.step_left;
        self.step_left = (self.step_left - 4.0 / self.period_len as f32).max(0.0);
        self.at = if self.at + 1 == self.period_len { 0 } else { self.at + 1 };
        self.invented += 1;
        (sample * loudness).clamp(-32_768.0, 32_767.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit;

    #[test]
    fn a_lost_frame_of_a_voice_is_filled_with_the_like() {
        for rate in [Rate::K8, Rate::K16, Rate::K48] {
            let frame = rate.samples(20);
            // Steady voice of 125 Hz: pulses through nothing are enough.
            let voice: Vec<i16> = (0..frame * 10)
                .map(|n| {
                    let phase = std::f32::consts::TAU * 125.0 * n as f32 / rate.hz() as f32;
                    (6_000.0 * phase.sin() + 3_000.0 * (2.0 * phase).sin() + 2_000.0 * (5.0 * phase).cos())
                        as i16
                })
                .collect();
            let mut concealer = Concealer::new(rate);
            let mut heard = voice.clone();
            for (n, frame) in heard.chunks_mut(frame).enumerate() {
                if n == 5 { concealer.lost(frame) } else { concealer.heard(frame) }
            }
            let lost = frame * 5..frame * 6;
            assert!(kit::correlation(&voice[lost.clone()], &heard[lost]) > 0.98, "{rate:?}");
            assert_eq!(heard[..frame * 5], voice[..frame * 5]);
            assert_eq!(heard[frame * 7..], voice[frame * 7..]);
            // No click: no step larger than the voice's own.
            let steepest =
                |s: &[i16]| s.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
            assert!(steepest(&heard) < steepest(&voice) * 5 / 4, "{rate:?}");
        }
    }

    #[test]
    fn a_long_loss_falls_silent_and_comes_back() {
        let speech = kit::speech(Rate::K8, 5, 8_000);
        let mut concealer = Concealer::new(Rate::K8);
        let mut first = speech[..4_000].to_vec();
        concealer.heard(&mut first);
        let mut out = [1; 800];
        concealer.lost(&mut out);
        assert_eq!(out[480..], [0; 320]);
        let mut back = [5_000; 160];
        concealer.heard(&mut back);
        assert!(back[0] < 200 && back[159] == 5_000);
        assert_eq!(concealer.invented(), 0);
    }

    #[test]
    fn nothing_heard_gives_silence() {
        let mut out = [7; 160];
        Concealer::new(Rate::K8).lost(&mut out);
        assert_eq!(out, [0; 160]);
    }
}
