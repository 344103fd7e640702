//! Opus (RFC 6716, RFC 7587) by libopus, at the rate of whoever sits at the other end: its 8 kHz interface costs a
//! third of coding at 48 kHz and converting.

use kaname_wire::payload::opus::Toc;
use opus::{Application, Bitrate, Channels};

use super::{CodecError, Decoder, Encoder};
use crate::Rate;

/// How Opus is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpusConfig {
    /// Bits a second, 6,000 to 510,000.
    pub bitrate: u32,
    /// Effort of the encoder, 0 to 10. Five costs three quarters of ten, and few hear it.
    pub complexity: u8,
    /// In-band error correction (RFC 7587 `useinbandfec`), once loss is expected.
    pub fec: bool,
    /// Discontinuous transmission (RFC 7587 `usedtx`).
    pub dtx: bool,
}

impl Default for OpusConfig {
    fn default() -> Self {
        OpusConfig { bitrate: 24_000, complexity: 5, fec: true, dtx: false }
    }
}

/// Decodes mono or stereo packets to mono.
pub struct OpusDecoder {
    inner: opus::Decoder,
    rate: Rate,
}

impl OpusDecoder {
    /// Opus decodes straight to 8, 16, 24 and 48 kHz.
    ///
    /// # Errors
    /// [`CodecError::Rate`] at 32 kHz.
    pub fn new(rate: Rate) -> Result<Self, CodecError> {
        if rate == Rate::K32 {
            return Err(CodecError::Rate);
        }
        let inner = opus::Decoder::new(rate.hz(), Channels::Mono).map_err(|_| CodecError::Internal)?;
        Ok(OpusDecoder { inner, rate })
    }
}

impl Decoder for OpusDecoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let toc = Toc::parse(payload).map_err(|_| CodecError::Payload)?;
        Ok(toc.samples() as usize * self.rate.per_ms() / 48)
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        self.inner.decode(payload, out, false).map_err(|_| CodecError::Payload)
    }

    fn has_redundancy(&self, payload: &[u8]) -> bool {
        // RFC 6716 section 4.2.5: the redundancy (LBRR) is a frame of SILK, of the length of this packet's.
        Toc::parse(payload).is_ok_and(|toc| toc.config < 16 && has_lbrr(payload, toc))
    }

    fn recover(&mut self, payload: &[u8], out: &mut [i16]) -> bool {
        self.has_redundancy(payload)
            && self.samples(payload).is_ok_and(|samples| samples >= out.len())
            && out.len().is_multiple_of(self.rate.hz() as usize / 400)
            && self.inner.decode(payload, out, true).is_ok()
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        // The library conceals multiples of 2.5 ms.
        out.len().is_multiple_of(self.rate.hz() as usize / 400) && self.inner.decode(&[], out, false).is_ok()
    }

    fn reset(&mut self) {
        // A reset of a live decoder cannot fail.
        let _ = self.inner.reset_state();
    }
}

/// Whether the first SILK frame of a packet announces redundancy: RFC 6716 section 4.2.3, the LBRR flag behind the
/// VAD flags of a mono packet's (or the mid channel's) frames, at the front of the range coder's bits.
fn has_lbrr(payload: &[u8], toc: Toc) -> bool {
    let header = match payload[0] & 3 {
        0 | 1 => 1,
        // The length of the first of two frames stands in one or two bytes.
        2 => 2 + usize::from(payload.get(1).is_some_and(|&length| length >= 252)),
        // Frames of arbitrary number: lengths and padding; the library finds its way, and conceals if there is none.
        _ => return true,
    };
    let silk_frames = (toc.frame_samples() / 960).max(1);
    payload.get(header).is_some_and(|&bits| bits >> (7 - silk_frames) & 1 == 1)
}

/// Encodes mono.
pub struct OpusEncoder {
    inner: opus::Encoder,
    rate: Rate,
    lookahead: usize,
    fresh: bool,
}

impl OpusEncoder {
    /// Opus encodes from 8, 16, 24 and 48 kHz.
    ///
    /// # Errors
    /// [`CodecError::Rate`] at 32 kHz; [`CodecError::Internal`] if the library refuses the configuration.
    pub fn new(rate: Rate, config: OpusConfig) -> Result<Self, CodecError> {
        if rate == Rate::K32 {
            return Err(CodecError::Rate);
        }
        let build = || -> Result<Self, opus::Error> {
            let mut inner = opus::Encoder::new(rate.hz(), Channels::Mono, Application::Voip)?;
            inner.set_bitrate(Bitrate::Bits(config.bitrate.clamp(6_000, 510_000) as i32))?;
            inner.set_complexity(i32::from(config.complexity.min(10)))?;
            inner.set_inband_fec(config.fec)?;
            inner.set_dtx(config.dtx)?;
            let lookahead = inner.get_lookahead()?.max(0) as usize;
            Ok(OpusEncoder { inner, rate, lookahead, fresh: false })
        };
        build().map_err(|_| CodecError::Internal)
    }
}

impl Encoder for OpusEncoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn lookahead(&self) -> usize {
        self.lookahead
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        if self.fresh {
            let _ = self.inner.set_prediction_disabled(true);
        }
        let bytes = self.inner.encode(samples, out).map_err(|_| CodecError::Length)?;
        if self.fresh {
            let _ = self.inner.set_prediction_disabled(false);
            self.fresh = false;
        }
        // RFC 7587 section 3.1.3: in DTX, frames of one or two bytes need not be sent.
        Ok(if bytes <= 2 { 0 } else { bytes })
    }

    fn expect_loss(&mut self, percent: u8) {
        // In range, so it cannot fail.
        let _ = self.inner.set_packet_loss_perc(i32::from(percent.min(100)));
    }

    fn refresh(&mut self) {
        self.fresh = true;
    }

    fn reset(&mut self) {
        // A reset of a live encoder cannot fail.
        let _ = self.inner.reset_state();
    }
}
