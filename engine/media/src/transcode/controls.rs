//! What may be changed of a pipeline while it runs, and what may be heard of it.

use super::Transcoder;
use crate::Rate;
use crate::dtmf::{Detector, Key, KeyCover, KeyMask, KeysFull, Masker};
use crate::limits::FRAME_SAMPLES_MAX;
use crate::prompt::{Playing, Prompt, PromptsFull};

impl Transcoder {
    /// Loss that the listener reports, in percent.
    pub fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent);
    }

    /// Louder or softer, as a factor.
    pub fn set_gain(&mut self, factor: f32) {
        self.gain.set(factor);
    }

    /// The listener hears silence of the talker.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Whether packets are made at all; keys are heard all the same.
    pub fn set_sends(&mut self, sends: bool) {
        self.sends = sends;
    }

    /// Brings quiet and loud talkers to one level.
    pub fn set_auto_level(&mut self, on: bool) {
        self.config.auto_level = on;
        self.auto_level = on.then(|| self.auto_level.take().unwrap_or_default());
    }

    /// Whether tones in the audio are looked for.
    pub fn set_detect_tones(&mut self, on: bool) {
        self.config.detect_tones = on;
        self.detector = on.then(|| self.detector.take().unwrap_or_else(|| Detector::new(self.rate)));
    }

    /// Keys of the talker are replaced from now on, in whatever form they come, or go on again. Tones are taken out of the
    /// audio as a whole, for which it is held back by 25 ms meanwhile; those who are told of keys are told the true ones.
    pub fn set_mask(&mut self, mask: Option<KeyMask>) {
        if self.keys.masker.as_ref().map(Masker::mask) == mask {
            return;
        }
        // A key that is down was begun in another way.
        self.keys.sender.release();
        self.keys.tones.release();
        self.keys.masker = mask.map(Masker::new);
        self.cover = mask.and_then(|_| self.cover.take().or_else(|| Some(KeyCover::new(self.rate))));
    }

    /// Keeps what is understood, and what goes out, in each tick: for [`Transcoder::heard`] and [`Transcoder::said`].
    pub fn set_taps(&mut self, on: bool) {
        self.heard = on.then(|| self.heard.take().unwrap_or_else(|| vec![0; FRAME_SAMPLES_MAX].into()));
    }

    /// Sends a key of our own, so loud in -dBm0.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn press(&mut self, key: Key, ms: u32, volume: u8) -> Result<(), KeysFull> {
        self.keys.press(key, ms, volume)
    }

    /// Plays a prompt to the listener.
    ///
    /// # Errors
    /// [`PromptsFull`].
    pub fn play(&mut self, prompt: &Prompt, playing: Playing) -> Result<(), PromptsFull> {
        self.prompts.play(self.rate, prompt, playing)
    }

    /// Stops a prompt, or all of them; tells which.
    pub fn stop_prompts(&mut self, token: Option<u64>, ended: &mut dyn FnMut(u64)) {
        self.prompts.stop(token, ended);
    }

    /// The prompts that came to their end in the last tick.
    pub fn prompts_over(&self) -> &[u64] {
        &self.over
    }

    /// The rate at which both sides work.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// What was understood in the last tick, at [`Transcoder::rate`]. Silence without [`Transcoder::set_taps`].
    pub fn heard(&self) -> &[i16] {
        let samples = self.rate.samples(self.ptime_ms());
        self.heard.as_ref().map_or(&[], |heard| &heard[..samples])
    }

    /// What went out in the last tick, ahead of its encoding. Only with [`Transcoder::set_taps`].
    pub fn said(&self) -> &[i16] {
        &self.frame[..self.rate.samples(self.ptime_ms())]
    }

    /// So many ticks are left out: what goes out pauses for as long.
    pub fn skip(&mut self, ticks: u32) {
        let sends = self.config.sends;
        self.outgoing.skip(ticks, sends.codec.clock_hz() / 1000 * sends.ptime_ms);
    }
}
