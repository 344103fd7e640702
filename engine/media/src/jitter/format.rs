//! What a stream's payload types mean.

use crate::codec::g711::{Law, expand, translation};
use crate::codec::{Codec, CodecError, Codecs, Decoder};
use crate::conceal::Concealer;
use crate::resample::Resampler;
use crate::{Rate, limits};

/// What a concealer remembers at 8 kHz, and more.
const MEMORY_MAX: usize = 512;

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receives {
    /// A codec's audio.
    Audio(Codec),
    /// Comfort noise (RFC 3389), on the clock of the audio beside it.
    ComfortNoise,
    /// Telephone events (RFC 4733).
    Events,
    /// Redundant audio (RFC 2198): blocks of the other payload types, earlier ones again in front of the newest.
    Redundant,
}

/// A payload type and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamFormat {
    /// RTP payload type.
    pub payload_type: u8,
    /// What it stands for.
    pub receives: Receives,
}

/// A codec of a stream, ready to decode at the rate that is wanted.
pub(super) struct Audio {
    pub(super) clock_hz: u32,
    decoder: Box<dyn Decoder>,
    resampler: Resampler,
    concealer: Concealer,
    /// The decoder conceals by itself, as was seen when it did.
    conceals: bool,
    law: Option<Law>,
    untold: Untold,
}

/// The latest codes that were translated without being decoded: what is invented behind them goes on from them.
struct Untold {
    codes: Box<[u8]>,
    count: usize,
}

impl Untold {
    fn put(&mut self, codes: &[u8]) {
        let size = self.codes.len();
        let codes = &codes[codes.len().saturating_sub(size)..];
        let at = self.count % size;
        let first = codes.len().min(size - at);
        self.codes[at..at + first].copy_from_slice(&codes[..first]);
        self.codes[..codes.len() - first].copy_from_slice(&codes[first..]);
        self.count += codes.len();
    }
}

impl Audio {
    pub(super) fn new(codec: Codec, out: Rate, codecs: &Codecs) -> Result<Self, CodecError> {
        let rate = codec.rate_for(out);
        let conceals = !matches!(codec, Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::L16(_));
        let law = codec.law().filter(|_| rate == out);
        let memory = if law.is_some() { Concealer::memory(rate) } else { 0 };
        Ok(Audio {
            clock_hz: codec.clock_hz(),
            decoder: codecs.decoder(codec, rate)?,
            resampler: Resampler::new(rate, out),
            concealer: Concealer::new(rate),
            conceals,
            law,
            untold: Untold { codes: vec![0; memory].into(), count: 0 },
        })
    }

    /// Samples at the rate wanted that a payload holds.
    pub(super) fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let samples = self.decoder.samples(payload)?;
        // Less than a millisecond, or broken ones, no codec of ours sends; the resampler would lose parts.
        if samples < self.decoder.rate().per_ms() || samples % self.decoder.rate().per_ms() != 0 {
            return Err(CodecError::Payload);
        }
        Ok(self.resampler.output_len(samples))
    }

    pub(super) fn decode(
        &mut self,
        payload: &[u8],
        out: &mut [i16],
        scratch: &mut [i16],
    ) -> Result<usize, CodecError> {
        self.catch_up();
        if self.passes() {
            let samples = self.decoder.decode(payload, out)?;
            self.smooth(&mut out[..samples]);
            return Ok(samples);
        }
        let samples = self.decoder.decode(payload, scratch)?;
        self.smooth(&mut scratch[..samples]);
        Ok(self.resampler.process(&scratch[..samples], out))
    }

    /// Translates a payload to codes of another law, in place of decoding it; false if that cannot be.
    pub(super) fn translate(&mut self, payload: &[u8], to: Law, out: &mut [u8]) -> bool {
        // What follows an invented frame is blended with it.
        let Some(law) = self.law.filter(|_| self.concealer.invented() == 0 && payload.len() == out.len())
        else {
            return false;
        };
        let table = translation(law, to);
        for (out, &code) in out.iter_mut().zip(payload) {
            *out = table[usize::from(code)];
        }
        self.untold.put(payload);
        true
    }

    /// The concealer hears of what was translated meanwhile.
    fn catch_up(&mut self) {
        let (Some(law), count) = (self.law, std::mem::take(&mut self.untold.count)) else { return };
        if count == 0 {
            return;
        }
        let size = self.untold.codes.len();
        let mut recall = |codes: &[u8]| {
            let mut samples = [0; MEMORY_MAX];
            let samples = &mut samples[..codes.len()];
            expand(law, codes, samples);
            self.concealer.recall(samples);
        };
        let at = count % size;
        if count >= size {
            recall(&self.untold.codes[at..]);
        }
        recall(&self.untold.codes[..at]);
    }

    fn passes(&self) -> bool {
        self.resampler.from() == self.resampler.to()
    }

    fn smooth(&mut self, samples: &mut [i16]) {
        if !self.conceals {
            self.concealer.heard(samples);
        }
    }

    /// Whether a payload also brings what might be lost before it.
    pub(super) fn has_redundancy(&self, payload: &[u8]) -> bool {
        self.decoder.has_redundancy(payload)
    }

    /// Fills `out` with what was lost before `payload`; false without redundancy.
    pub(super) fn recover(&mut self, payload: &[u8], out: &mut [i16], scratch: &mut [i16]) -> bool {
        if self.passes() {
            return self.decoder.recover(payload, out);
        }
        let len = self.decoder_len(out.len());
        let recovered = self.decoder.recover(payload, &mut scratch[..len]);
        if recovered {
            self.resampler.process(&scratch[..len], out);
        }
        recovered
    }

    /// Fills `out` with what might have been.
    pub(super) fn conceal(&mut self, out: &mut [i16], scratch: &mut [i16]) {
        self.catch_up();
        let len = self.decoder_len(out.len());
        let passes = self.passes();
        let frame = if passes { &mut out[..] } else { &mut scratch[..len] };
        if !(self.conceals && self.decoder.conceal(frame)) {
            self.concealer.lost(frame);
        }
        if !passes {
            self.resampler.process(&scratch[..len], out);
        }
    }

    fn decoder_len(&self, out: usize) -> usize {
        (out * self.resampler.from().per_ms())
            .div_ceil(self.resampler.to().per_ms())
            .min(limits::FRAME_SAMPLES_MAX)
    }

    pub(super) fn reset(&mut self) {
        self.decoder.reset();
        self.untold.count = 0;
        self.concealer.reset();
        self.resampler.reset();
    }
}
