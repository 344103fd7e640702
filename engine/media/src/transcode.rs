//! One stream to another: packets of any codec in, packets of another out, at a steady pace.
//!
//! Audio is decoded, and encoded, at the lower of the two codecs' rates: from G.711 to Opus both sides work at 8 kHz.
//! The delay added is what the jitter asks for, a packet's time, and the encoder's look-ahead.

use thiserror::Error;

use crate::Rate;
use crate::codec::comfort_noise::describe;
use crate::codec::{Codec, CodecError, Codecs, Encoder};
use crate::dtmf::{Detector, EventReceiver, EventSender, Key, KeyEvent, KeysFull, ToneGenerator};
use crate::jitter::{
    Inserted, Packet, Played, Playout, PlayoutConfig, PlayoutCounters, Receives, Scratch, StreamFormat,
};
use crate::level::{AutoLevel, Gain};
use crate::limits::{FRAME_SAMPLES_MAX, PAYLOAD_MAX};
use crate::outgoing::{OutPacket, Outgoing, SendFormat, Start};

/// Comfort noise is described again so often, in milliseconds.
const NOISE_EVERY_MS: u32 = 400;

/// A level and eight coefficients.
const NOISE_BYTES: usize = 9;

/// How keys leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SendKeys {
    /// Not at all; they are only told.
    #[default]
    Never,
    /// As telephone events of a payload type, on the audio's clock.
    Events(u8),
    /// As tones.
    Tones,
}

/// How a stream is to be made into another.
#[derive(Clone, Debug)]
pub struct TranscoderConfig {
    /// Payload types that come in.
    pub receives: Vec<StreamFormat>,
    /// What goes out.
    pub sends: SendFormat,
    /// Payload type of comfort noise that goes out in pauses; without one the noise is encoded.
    pub noise_type: Option<u8>,
    /// Whether tones in the audio are looked for.
    pub detect_tones: bool,
    /// How keys leave.
    pub keys: SendKeys,
    /// Brings quiet and loud talkers to one level.
    pub auto_level: bool,
    /// Delay of a network without jitter, in milliseconds.
    pub delay_ms_min: u32,
    /// First sequence number and timestamp.
    pub start: Start,
}

/// Why a pipeline cannot be built. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TranscodeError {
    /// A codec that is not there.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Nothing to receive.
    #[error("no payload type of audio is received; name at least one codec")]
    NoAudio,
    /// The codec has no packets of this length.
    #[error("the codec sends no packets of {0} ms; choose 20")]
    Ptime(u32),
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranscoderCounters {
    /// Of the stream that comes in.
    pub playout: PlayoutCounters,
    /// Packets made.
    pub packets: u64,
    /// Frames that the encoder refused.
    pub failed: u64,
}

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
    sender: EventSender,
    tones: ToneGenerator,
    noise_due_ms: u32,
    frame: Box<[i16]>,
    payload: Box<[u8]>,
    packets: u64,
    failed: u64,
}

/// The rate at which both sides of a pipeline work.
fn common_rate(receives: &[StreamFormat], sends: Codec) -> Result<Rate, TranscodeError> {
    let audio = receives.iter().filter_map(|format| match format.receives {
        Receives::Audio(codec) => Some(codec.rate_max()),
        _ => None,
    });
    let most = audio.max().ok_or(TranscodeError::NoAudio)?;
    Ok(sends.rate_for(most.min(sends.rate_max())))
}

impl Transcoder {
    /// A pipeline for a stream of which nothing has come yet.
    ///
    /// # Errors
    /// [`TranscodeError`].
    pub fn new(config: TranscoderConfig, codecs: &Codecs) -> Result<Self, TranscodeError> {
        let sends = config.sends;
        if !sends.codec.takes_ptime(sends.ptime_ms) {
            return Err(TranscodeError::Ptime(sends.ptime_ms));
        }
        let rate = common_rate(&config.receives, sends.codec)?;
        let playout =
            PlayoutConfig { formats: config.receives.clone(), rate, delay_ms_min: config.delay_ms_min };
        let playout = Playout::new(&playout, codecs)?;
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
            sender: EventSender::new(sends.codec.clock_hz()),
            tones: ToneGenerator::new(rate),
            noise_due_ms: 0,
            frame: vec![0; FRAME_SAMPLES_MAX].into(),
            payload: vec![0; PAYLOAD_MAX].into(),
            packets: 0,
            failed: 0,
            playout,
            config,
        })
    }

    /// Goes on with other codecs, after a new offer and answer; what goes out keeps its numbers.
    ///
    /// # Errors
    /// [`TranscodeError`]; then everything stays as it was.
    pub fn change(&mut self, receives: Vec<StreamFormat>, sends: SendFormat) -> Result<(), TranscodeError> {
        let config = TranscoderConfig { receives, sends, start: self.outgoing.next(), ..self.config.clone() };
        let mut next = Transcoder::new(config, &self.codecs.clone())?;
        next.gain = self.gain;
        next.auto_level = self.auto_level.take();
        (next.packets, next.failed) = (self.packets, self.failed);
        *self = next;
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
        TranscoderCounters { playout: self.playout.counters(), packets: self.packets, failed: self.failed }
    }

    /// Loss that the listener reports, in percent.
    pub fn expect_loss(&mut self, percent: u8) {
        self.encoder.expect_loss(percent);
    }

    /// Louder or softer, as a factor.
    pub fn set_gain(&mut self, factor: f32) {
        self.gain.set(factor);
    }

    /// Sends a key of our own.
    ///
    /// # Errors
    /// [`KeysFull`].
    pub fn press(&mut self, key: Key, ms: u32) -> Result<(), KeysFull> {
        match self.config.keys {
            SendKeys::Events(_) => self.sender.press(key, ms),
            _ => self.tones.press(key, ms, 50),
        }
    }

    /// Takes a packet; tells `heard` of keys in it.
    pub fn receive(&mut self, packet: &Packet<'_>, heard: &mut dyn FnMut(KeyEvent)) -> Inserted {
        let inserted = self.playout.insert(packet);
        if inserted == Inserted::Event {
            self.has_events = true;
            let Transcoder { receiver, sender, tones, config, .. } = self;
            receiver.packet(packet.timestamp, packet.payload, packet.arrival_ns, &mut |event| {
                forward_key(config.keys, sender, tones, event);
                heard(event);
            });
        }
        inserted
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
        let played = self.playout.pull(now_ns, &mut self.frame[..samples], scratch);
        self.listen(samples, heard);
        self.outgoing.tick(ticks);
        if let SendKeys::Events(payload_type) = self.config.keys
            && self.sender.is_busy()
        {
            let event = self.sender.tick(self.outgoing.timestamp(), ticks)?;
            self.packets += 1;
            return Some(self.outgoing.event(payload_type, &event, &mut self.payload));
        }
        self.send(played, samples)
    }

    fn let_keys_end(&mut self, now_ns: u64, heard: &mut dyn FnMut(KeyEvent)) {
        let Transcoder { receiver, sender, tones, config, .. } = self;
        receiver.tick(now_ns, &mut |event| {
            forward_key(config.keys, sender, tones, event);
            heard(event);
        });
    }

    /// Level, and keys as tones: out of the frame, and into it.
    fn listen(&mut self, samples: usize, heard: &mut dyn FnMut(KeyEvent)) {
        let frame = &mut self.frame[..samples];
        self.gain.apply(frame);
        if let Some(level) = &mut self.auto_level {
            level.apply(self.rate, frame);
        }
        // A sender of events may send the tones too: each key is meant once.
        if let Some(detector) = self.detector.as_mut().filter(|_| !self.has_events) {
            let (keys, sender, tones) = (self.config.keys, &mut self.sender, &mut self.tones);
            let as_events = matches!(keys, SendKeys::Events(_));
            detector.listen(frame, &mut |event| {
                // Tones that leave as tones are in the audio already.
                if as_events {
                    forward_key(keys, sender, tones, event);
                }
                heard(event);
            });
            // What may become an event must not be heard as well.
            if as_events && detector.suspects() {
                frame.fill(0);
            }
        }
        self.tones.fill(frame);
    }

    fn send(&mut self, played: Played, samples: usize) -> Option<OutPacket<'_>> {
        if played == Played::Nothing && !self.tones.is_busy() {
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
                Some(self.outgoing.audio(self.config.sends.payload_type, &self.payload[..bytes]))
            }
            Err(_) => {
                self.failed += 1;
                self.outgoing.pause();
                None
            }
        }
    }
}

/// Sends a key on in the way that was agreed. One too many is lost: it would come so late that nobody expects it.
fn forward_key(keys: SendKeys, sender: &mut EventSender, tones: &mut ToneGenerator, event: KeyEvent) {
    let _ = match (keys, event) {
        (SendKeys::Never, _) => Ok(()),
        (SendKeys::Events(_), KeyEvent::Down(key)) => sender.hold(key),
        (SendKeys::Events(_), KeyEvent::Up(..)) => {
            sender.release();
            Ok(())
        }
        (SendKeys::Tones, KeyEvent::Down(key)) => tones.hold(key),
        (SendKeys::Tones, KeyEvent::Up(..)) => {
            tones.release();
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests;
