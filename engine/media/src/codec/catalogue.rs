//! Which codecs there are.

use std::sync::Arc;

use super::amr::{AmrConfig, AmrDecoder, AmrEncoder};
use super::g711::{G711, Law};
use super::g722::{G722Decoder, G722Encoder};
use super::g729::{G729Decoder, G729Encoder};
use super::l16::L16;
use super::opus::{OpusConfig, OpusDecoder, OpusEncoder};
use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::kernel::{AmrLibraries, G729Library};

/// A codec with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, payload type 8.
    Pcma,
    /// G.711 µ-law, payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, payload type 9.
    G722,
    /// Opus.
    Opus(OpusConfig),
    /// Uncompressed, one channel.
    L16(Rate),
    /// G.729, payload type 18, with silence descriptions (annex B) or without.
    G729 {
        /// Discontinuous transmission.
        annex_b: bool,
    },
    /// AMR.
    Amr(AmrConfig),
    /// AMR-WB, also called G.722.2.
    AmrWb(AmrConfig),
}

impl Codec {
    /// Ticks a second of its RTP timestamps.
    pub fn clock_hz(self) -> u32 {
        match self {
            // RFC 3551 section 4.5.2: "the RTP clock rate for the G722 payload format is 8,000 Hz", an old mistake.
            Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::G729 { .. } | Codec::Amr(_) => 8_000,
            Codec::AmrWb(_) => 16_000,
            Codec::L16(rate) => rate.hz(),
            Codec::Opus(_) => kaname_wire::payload::opus::CLOCK_HZ,
        }
    }

    /// Rates at which it can be coded, slowest first.
    pub fn rates(self) -> &'static [Rate] {
        match self {
            Codec::Pcma | Codec::Pcmu | Codec::G729 { .. } | Codec::Amr(_) => &[Rate::K8],
            Codec::G722 | Codec::AmrWb(_) => &[Rate::K16],
            Codec::Opus(_) => &[Rate::K8, Rate::K16, Rate::K24, Rate::K48],
            Codec::L16(rate) => match rate {
                Rate::K8 => &[Rate::K8],
                Rate::K16 => &[Rate::K16],
                Rate::K24 => &[Rate::K24],
                Rate::K32 => &[Rate::K32],
                Rate::K48 => &[Rate::K48],
            },
        }
    }

    /// The rate at which it keeps all that it can carry.
    pub fn rate_max(self) -> Rate {
        self.rates().last().copied().unwrap_or(Rate::K8)
    }

    /// The slowest of its rates that keeps all of a signal at `wanted`, or else its fastest.
    pub fn rate_for(self, wanted: Rate) -> Rate {
        self.rates().iter().copied().find(|rate| *rate >= wanted).unwrap_or(self.rate_max())
    }

    /// The shortest packet, and what every packet must be a multiple of, in milliseconds.
    pub fn frame_ms(self) -> u32 {
        match self {
            Codec::Amr(_) | Codec::AmrWb(_) => 20,
            _ => 10,
        }
    }

    /// Its law, if it is G.711.
    pub(crate) fn law(self) -> Option<Law> {
        match self {
            Codec::Pcma => Some(Law::A),
            Codec::Pcmu => Some(Law::Mu),
            _ => None,
        }
    }

    /// Whether frames of so many milliseconds can be sent.
    pub fn takes_ptime(self, ms: u32) -> bool {
        let range = crate::limits::PTIME_MS_MIN..=crate::limits::PTIME_MS_MAX;
        // Opus has no packets of 30 or 50 ms in one frame; RFC 6716 section 3.2.5 would take several.
        let opus = !matches!(self, Codec::Opus(_)) || matches!(ms, 10 | 20 | 40 | 60);
        range.contains(&ms) && ms.is_multiple_of(self.frame_ms()) && opus
    }
}

/// Makes decoders and encoders. Cheap to clone.
#[derive(Clone, Default)]
pub struct Codecs {
    amr: Option<Arc<AmrLibraries>>,
    amr_wb: Option<Arc<AmrLibraries>>,
    g729: Option<Arc<G729Library>>,
}

impl Codecs {
    /// Those that are built in: G.711, G.722, Opus, L16.
    pub fn built_in() -> Self {
        Codecs::default()
    }

    /// Adds AMR (libopencore-amrnb) and AMR-WB (libopencore-amrwb, libvo-amrwbenc) where the machine has them. Call it
    /// when the program starts: it opens files.
    pub fn with_amr(mut self) -> Self {
        self.amr = AmrLibraries::narrow();
        self.amr_wb = AmrLibraries::wide();
        self
    }

    /// Adds G.729 (libbcg729) where the machine has it. That library is under the GPL, version 3 or later; whoever
    /// runs the node decides whether to use it, so nothing loads it unasked. Call it when the program starts: it opens
    /// files.
    pub fn with_g729(mut self) -> Self {
        self.g729 = G729Library::load();
        self
    }

    /// Whether a codec can be coded here.
    pub fn has(&self, codec: Codec) -> bool {
        match codec {
            Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::Opus(_) | Codec::L16(_) => true,
            Codec::G729 { .. } => self.g729.is_some(),
            Codec::Amr(_) => self.amr.is_some(),
            Codec::AmrWb(_) => self.amr_wb.is_some(),
        }
    }

    fn libraries(&self, codec: Codec) -> Result<&Arc<AmrLibraries>, CodecError> {
        match codec {
            Codec::AmrWb(_) => self
                .amr_wb
                .as_ref()
                .ok_or(CodecError::Library("libopencore-amrwb.so.0 or libvo-amrwbenc.so.0")),
            _ => self.amr.as_ref().ok_or(CodecError::Library("libopencore-amrnb.so.0")),
        }
    }

    fn g729(&self) -> Result<&Arc<G729Library>, CodecError> {
        self.g729.as_ref().ok_or(CodecError::Library("libbcg729.so.0"))
    }

    /// A decoder that gives samples at `rate`.
    ///
    /// # Errors
    /// [`CodecError::Rate`], [`CodecError::Library`].
    pub fn decoder(&self, codec: Codec, rate: Rate) -> Result<Box<dyn Decoder>, CodecError> {
        if !codec.rates().contains(&rate) {
            return Err(CodecError::Rate);
        }
        Ok(match codec {
            Codec::Pcma => Box::new(G711::new(Law::A)),
            Codec::Pcmu => Box::new(G711::new(Law::Mu)),
            Codec::G722 => Box::new(G722Decoder::default()),
            Codec::Opus(_) => Box::new(OpusDecoder::new(rate)?),
            Codec::L16(rate) => Box::new(L16::new(rate)),
            Codec::G729 { .. } => Box::new(G729Decoder::new(self.g729()?)?),
            Codec::Amr(config) | Codec::AmrWb(config) => {
                Box::new(AmrDecoder::new(self.libraries(codec)?, rate, config.packing)?)
            }
        })
    }

    /// An encoder that takes samples at `rate`.
    ///
    /// # Errors
    /// [`CodecError::Rate`], [`CodecError::Library`].
    pub fn encoder(&self, codec: Codec, rate: Rate) -> Result<Box<dyn Encoder>, CodecError> {
        if !codec.rates().contains(&rate) {
            return Err(CodecError::Rate);
        }
        Ok(match codec {
            Codec::Pcma => Box::new(G711::new(Law::A)),
            Codec::Pcmu => Box::new(G711::new(Law::Mu)),
            Codec::G722 => Box::new(G722Encoder::default()),
            Codec::Opus(config) => Box::new(OpusEncoder::new(rate, config)?),
            Codec::L16(rate) => Box::new(L16::new(rate)),
            Codec::G729 { annex_b } => Box::new(G729Encoder::new(self.g729()?, annex_b)?),
            Codec::Amr(config) | Codec::AmrWb(config) => {
                Box::new(AmrEncoder::new(self.libraries(codec)?, rate, config)?)
            }
        })
    }
}
