//! One stream to another: packets of any codec in, packets of another out, at a steady pace.
//!
//! Audio is decoded, and encoded, at the lower of the two codecs' rates: from G.711 to Opus both sides work at 8 kHz.
//! The delay added is what the jitter asks for, a packet's time, and the encoder's look-ahead.

mod config;
mod controls;
mod keys;

pub use config::{SendKeys, TranscodeError, TranscoderConfig, TranscoderCounters};

use kaname_wire::extension::AudioLevel;

use keys::KeysOut;

use crate::Rate;
use crate::codec::comfort_noise::describe;
use crate::codec::{Codec, Codecs, Encoder};
use crate::dtmf::{Detector, EventReceiver, EventSender, KeyCover, KeyEvent, ToneGenerator};
use crate::jitter::{Inserted, Packet, Played, Playout, Scratch};
use crate::level::{AutoLevel, Gain, Limiter, measure};
use crate::limits::{FRAME_SAMPLES_MAX, PAYLOAD_MAX, PROMPTS_MAX, PTIME_MS_MAX};
use crate::outgoing::{OutPacket, Outgoing, Start};
use crate::prompt::Prompts;

/// Comfort noise is described again so often, in milliseconds.
const NOISE_EVERY_MS: u32 = 400;

/// A level and eight coefficients.
const NOISE_BYTES: usize = 9;

/// The pipeline of one direction of a call.
pub struct Transcoder {
    codecs: Codecs,
    config: TranscoderConfig,
    playout: Playout,
    encoder: Box<dyn Encoder>,
    rate: Rate,
    outgoing: Outgoing,
    gain: Gain,
    auto_level: Option<AutoLevel>,
    receiver: EventReceiver,
    has_events: bool,
    detector: Option<Detector>,
    /// While keys are masked: takes them out of the audio.
    cover: Option<KeyCover>,
    keys: KeysOut,
    prompts: Prompts,
    /// Of prompts that came to their end in the last tick.
    over: Vec<u64>,
    limiter: Limiter,
    sums: Box<[i32]>,
    muted: bool,
    sends: bool,
    /// What was understood in the last tick, while somebody wants it.
    heard: Option<Box<[i16]>>,
    noise_due_ms: u32,
    frame: Box<[i16]>,
    payload: Box<[u8]>,
    packets: u64,
    failed: u64,
    /// Nothing comes any more, or nothing came yet.
    silent: bool,
    silences: u64,
}

impl Transcoder {
    /// A pipeline for a stream of which nothing has come yet.
    ///
    /// # Errors
    /// [`TranscodeError`].
    pub fn new(config: TranscoderConfig, codecs: &Codecs) -> Result<Self, TranscodeError> {
        let sends = config.sends;
        let rate = check(&config)?;
        let playout = Playout::new(&config.playout(rate), codecs)?;
        Ok(Transcoder {
            codecs: codecs.clone(),
            encoder: codecs.encoder(sends.codec, rate)?,
            rate,
            outgoing: Outgoing::new(config.start),
            gain: Gain::default(),
            auto_level: config.auto_level.then(AutoLevel::default),
            receiver: EventReceiver::new(playout.clock_hz()),
            has_events: false,
            detector: config.detect_tones.then(|| Detector::new(rate)),
            cover: None,
            keys: KeysOut::new(config.keys, sends.codec.clock_hz(), rate),
            prompts: Prompts::new(),
            over: Vec::with_capacity(PROMPTS_MAX),
            limiter: Limiter::default(),
            sums: vec![0; Rate::K48.samples(PTIME_MS_MAX)].into(),
            muted: false,
            sends: true,
            heard: None,
            noise_due_ms: 0,
            frame: vec![0; FRAME_SAMPLES_MAX].into(),
            payload: vec![0; PAYLOAD_MAX].into(),
            packets: 0,
            failed: 0,
            silent: true,
            silences: 0,
            playout,
            config,
        })
    }

    /// Goes on with another configuration, after a new offer and answer. What goes out keeps its numbers (`start` is not
    /// looked at); what stays the same goes on as if nothing had happened.
    ///
    /// # Errors
    /// [`TranscodeError`]; then everything stays as it was.
    pub fn change(&mut self, config: TranscoderConfig) -> Result<(), TranscodeError> {
        let rate = check(&config)?;
        let (old, new) = (&self.config, &config);
        let new_rate = rate != self.rate;
        let listens_anew = new_rate || old.receives != new.receives || old.delay_ms_min != new.delay_ms_min;
        let playout = listens_anew.then(|| Playout::new(&config.playout(rate), &self.codecs)).transpose()?;
        let encodes_anew = new_rate || old.sends.codec != new.sends.codec;
        let encoder = encodes_anew.then(|| self.codecs.encoder(config.sends.codec, rate)).transpose()?;
        // Nothing fails from here on.
        if let Some(playout) = playout {
            self.receiver = EventReceiver::new(playout.clock_hz());
            self.has_events = false;
            self.playout = playout;
        }
        if old.sends.codec.clock_hz() != new.sends.codec.clock_hz() {
            self.keys.sender = EventSender::new(config.sends.codec.clock_hz());
        }
        self.keys.way = config.keys;
        if let Some(encoder) = encoder {
            self.encoder = encoder;
        }
        if new_rate {
            self.keys.tones = ToneGenerator::new(rate);
            self.cover = self.cover.is_some().then(|| KeyCover::new(rate));
            self.prompts.set_rate(rate);
            self.rate = rate;
        }
        let (levels, detects) = (config.auto_level, config.detect_tones);
        self.config = config;
        self.set_auto_level(levels);
        self.detector = self.detector.take().filter(|_| !new_rate);
        self.set_detect_tones(detects);
        Ok(())
    }

    /// How long a tick is: call [`Transcoder::tick`] so often.
    pub fn ptime_ms(&self) -> u32 {
        self.config.sends.ptime_ms
    }

    /// Sequence number and timestamp of the next packet, for a stream that follows this one.
    pub fn next(&self) -> Start {
        self.outgoing.next()
    }

    /// What happened so far.
    pub fn counters(&self) -> TranscoderCounters {
        TranscoderCounters {
            playout: self.playout.counters(),
            packets: self.packets,
            failed: self.failed,
            silences: self.silences,
        }
    }

    /// Takes a packet; tells `heard` of keys in it.
    pub fn receive(&mut self, packet: &Packet<'_>, heard: &mut dyn FnMut(KeyEvent)) -> Inserted {
        let Transcoder { playout, receiver, keys, has_events, .. } = self;
        playout.receive(packet, &mut |packet| {
            *has_events = true;
            receiver.packet(packet.timestamp, packet.payload, packet.arrival_ns, &mut |event| {
                keys.forward(event);
                heard(event);
            });
        })
    }

    /// Makes the packet of the tick that begins now, if one is to be sent; tells `heard` of keys.
    pub fn tick(
        &mut self,
        now_ns: u64,
        scratch: &mut Scratch,
        heard: &mut dyn FnMut(KeyEvent),
    ) -> Option<OutPacket<'_>> {
        let sends = self.config.sends;
        let ticks = sends.codec.clock_hz() / 1000 * sends.ptime_ms;
        self.let_keys_end(now_ns, heard);
        let samples = self.rate.samples(sends.ptime_ms);
        if let Some(law) = sends.codec.law().filter(|_| self.is_plain())
            && self.playout.pull_codes(now_ns, law, &mut self.payload[..samples])
        {
            self.outgoing.tick(ticks);
            self.noise_due_ms = 0;
            self.packets += 1;
            self.silent = false;
            return Some(self.outgoing.audio(sends.payload_type, None, &self.payload[..samples]));
        }
        let mut played = self.playout.pull(now_ns, &mut self.frame[..samples], scratch);
        if let Some(heard) = &mut self.heard {
            heard[..samples].copy_from_slice(&self.frame[..samples]);
        }
        self.note_silence(played);
        // A key's tone sounds, whatever else comes.
        if self.listen(samples, heard) | self.add_prompts(samples) {
            played = Played::Audio;
        }
        self.outgoing.tick(ticks);
        if !self.sends {
            self.outgoing.pause();
            return None;
        }
        if let SendKeys::Events(payload_type) = self.config.keys
            && self.keys.sender.is_busy()
        {
            let event = self.keys.sender.tick(self.outgoing.timestamp(), ticks)?;
            self.packets += 1;
            return Some(self.outgoing.event(payload_type, &event, &mut self.payload));
        }
        self.send(played, samples)
    }

    /// Nobody needs the samples: what comes in only goes out.
    fn is_plain(&self) -> bool {
        let quiet = self.prompts.is_empty() && self.over.is_empty() && !self.keys.is_busy();
        let unheard = self.heard.is_none() && self.detector.is_none() && self.cover.is_none();
        let untouched = self.gain.is_open() && self.auto_level.is_none() && !self.muted;
        quiet && unheard && untouched && self.sends
    }

    /// Counts each time that what came has come to its end.
    fn note_silence(&mut self, played: Played) {
        let silent = played == Played::Nothing;
        self.silences += u64::from(silent && !self.silent);
        self.silent = silent;
    }

    fn let_keys_end(&mut self, now_ns: u64, heard: &mut dyn FnMut(KeyEvent)) {
        let Transcoder { receiver, keys, .. } = self;
        receiver.tick(now_ns, &mut |event| {
            keys.forward(event);
            heard(event);
        });
    }

    /// Level, and keys as tones: out of the frame, and into it. Whether it has such a tone now.
    fn listen(&mut self, samples: usize, heard: &mut dyn FnMut(KeyEvent)) -> bool {
        let frame = &mut self.frame[..samples];
        self.gain.apply(frame);
        if let Some(level) = &mut self.auto_level {
            level.apply(self.rate, frame);
        }
        // A sender of events may send the tones too: each key is meant once.
        let (keys, is_meant) = (&mut self.keys, !self.has_events);
        if let Some(cover) = &mut self.cover {
            cover.hide(frame, &mut |event| {
                if is_meant {
                    keys.forward(event);
                    heard(event);
                }
            });
        } else if let Some(detector) = self.detector.as_mut().filter(|_| is_meant) {
            let as_events = matches!(keys.way, SendKeys::Events(_));
            detector.listen(frame, &mut |event| {
                // Tones that leave as tones are in the audio already.
                if as_events {
                    keys.forward(event);
                }
                heard(event);
            });
            // What may become an event must not be heard as well.
            if as_events && detector.suspects() {
                frame.fill(0);
            }
        }
        if self.muted {
            frame.fill(0);
        }
        keys.tones.fill(frame)
    }

    /// What is played to the listener; false if nothing is.
    fn add_prompts(&mut self, samples: usize) -> bool {
        self.over.clear();
        if self.prompts.is_empty() {
            return false;
        }
        let (sums, frame) = (&mut self.sums[..samples], &mut self.frame[..samples]);
        sums.fill(0);
        if !self.prompts.is_alone() {
            crate::kernel::add(sums, frame);
        }
        self.prompts.add_to(sums, &mut |token| self.over.push(token));
        self.limiter.apply(self.rate, sums, frame);
        true
    }

    fn send(&mut self, played: Played, samples: usize) -> Option<OutPacket<'_>> {
        if played == Played::Nothing {
            self.outgoing.pause();
            return None;
        }
        let frame = &self.frame[..samples];
        if let (Played::Noise, Some(payload_type)) = (played, self.config.noise_type) {
            let due = self.noise_due_ms == 0;
            self.noise_due_ms =
                if due { NOISE_EVERY_MS } else { self.noise_due_ms }.saturating_sub(self.ptime_ms());
            if !due {
                self.outgoing.pause();
                return None;
            }
            let bytes = describe(frame, &mut self.payload[..NOISE_BYTES]);
            self.packets += 1;
            return Some(self.outgoing.noise(payload_type, &self.payload[..bytes]));
        }
        self.noise_due_ms = 0;
        match self.encoder.encode(frame, &mut self.payload) {
            Ok(0) => {
                self.outgoing.pause();
                None
            }
            Ok(bytes) => {
                self.packets += 1;
                let level = matches!(self.config.sends.codec, Codec::Opus(_))
                    .then(|| AudioLevel { voice: played == Played::Audio, level: measure(frame) });
                Some(self.outgoing.audio(self.config.sends.payload_type, level, &self.payload[..bytes]))
            }
            Err(_) => {
                self.failed += 1;
                self.outgoing.pause();
                None
            }
        }
    }
}

/// The rate at which both sides work, if they can.
fn check(config: &TranscoderConfig) -> Result<Rate, TranscodeError> {
    let sends = config.sends;
    if !sends.codec.takes_ptime(sends.ptime_ms) {
        return Err(TranscodeError::Ptime(sends.ptime_ms));
    }
    config.rate()
}

#[cfg(test)]
mod tests;
