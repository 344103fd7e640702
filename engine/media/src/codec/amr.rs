//! AMR and AMR-WB payloads (RFC 4867), packed by octets or by bits.

use std::sync::Arc;

use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::kernel::{AmrDecoderState, AmrEncoderState, AmrLibraries};

const STORED_BYTES: usize = 64;
const FRAMES_MAX: usize = 6;
const NO_DATA: u8 = 15;
/// RFC 4867 section 4.3.1: "no mode request is present".
const NO_REQUEST: u8 = 15;
/// Bits of speech by frame type; 0 to 7 are AMR's modes, 8 its silence description.
const NARROW_BITS: [usize; 16] = [95, 103, 118, 134, 148, 159, 204, 244, 39, 0, 0, 0, 0, 0, 0, 0];
/// The same of AMR-WB; 9 is its silence description.
const WIDE_BITS: [usize; 16] = [132, 177, 253, 285, 317, 365, 397, 461, 477, 40, 0, 0, 0, 0, 0, 0];

/// How frames stand in a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AmrPacking {
    /// RFC 4867 section 4.3, what is meant when a description says nothing.
    #[default]
    BandwidthEfficient,
    /// RFC 4867 section 4.4, `octet-align=1`.
    OctetAligned,
}

/// How AMR is to be sent and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AmrConfig {
    /// Packing, both ways.
    pub packing: AmrPacking,
    /// Mode to encode in: 0 to 7 of AMR, 0 to 8 of AMR-WB. A listener's request for less is obeyed by the caller
    /// with another encoder.
    pub mode: u8,
    /// Discontinuous transmission.
    pub dtx: bool,
}

fn bits_of(rate: Rate, frame_type: u8) -> Option<usize> {
    let table = if rate == Rate::K16 { &WIDE_BITS } else { &NARROW_BITS };
    match (table[usize::from(frame_type & 15)], frame_type) {
        (0, NO_DATA) => Some(0),
        // AMR-WB's "speech lost".
        (0, 14) if rate == Rate::K16 => Some(0),
        (0, _) => None,
        (bits, _) => Some(bits),
    }
}

/// Bits of a payload, one run after the other.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u8> {
        let mut value = 0;
        for bit in self.at..self.at + count {
            value = value << 1 | self.bytes.get(bit / 8)? >> (7 - bit % 8) & 1;
        }
        self.at += count;
        Some(value)
    }
}

/// Frame types and quality bits of a payload, and where its speech begins, in bits.
struct Contents {
    frames: [(u8, bool); FRAMES_MAX],
    count: usize,
    speech: usize,
}

fn read_contents(payload: &[u8], packing: AmrPacking) -> Option<Contents> {
    let mut bits = Bits { bytes: payload, at: 0 };
    let padding = if packing == AmrPacking::OctetAligned { [4, 2] } else { [0, 0] };
    bits.take(4 + padding[0])?;
    let mut contents = Contents { frames: [(NO_DATA, true); FRAMES_MAX], count: 0, speech: 0 };
    loop {
        let follows = bits.take(1)? == 1;
        let frame = (bits.take(4)?, bits.take(1)? == 1);
        bits.take(padding[1])?;
        *contents.frames.get_mut(contents.count)? = frame;
        contents.count += 1;
        if !follows {
            contents.speech = bits.at;
            return Some(contents);
        }
    }
}

pub(super) struct AmrDecoder {
    libraries: Arc<AmrLibraries>,
    state: AmrDecoderState,
    rate: Rate,
    packing: AmrPacking,
}

impl AmrDecoder {
    pub(super) fn new(
        libraries: &Arc<AmrLibraries>,
        rate: Rate,
        packing: AmrPacking,
    ) -> Result<Self, CodecError> {
        let state = AmrDecoderState::new(libraries).ok_or(CodecError::Internal)?;
        Ok(AmrDecoder { libraries: Arc::clone(libraries), state, rate, packing })
    }

    /// Reads the next frame's bits to storage format; gives where the one behind begins.
    fn unpack(
        &self,
        payload: &[u8],
        at: usize,
        frame_type: u8,
        stored: &mut [u8; STORED_BYTES],
    ) -> Option<usize> {
        let count = bits_of(self.rate, frame_type)?;
        let mut bits = Bits { bytes: payload, at };
        let (whole, part) = (count / 8, count % 8);
        for byte in &mut stored[1..1 + whole] {
            *byte = bits.take(8)?;
        }
        if part > 0 {
            stored[1 + whole] = bits.take(part)? << (8 - part);
        }
        let end =
            if self.packing == AmrPacking::OctetAligned { bits.at.next_multiple_of(8) } else { bits.at };
        Some(end)
    }
}

impl Decoder for AmrDecoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let contents = read_contents(payload, self.packing).ok_or(CodecError::Payload)?;
        let mut at = contents.speech;
        for &(frame_type, _) in &contents.frames[..contents.count] {
            let bits = bits_of(self.rate, frame_type).ok_or(CodecError::Payload)?;
            at += if self.packing == AmrPacking::OctetAligned { bits.next_multiple_of(8) } else { bits };
        }
        let whole = at.div_ceil(8) <= payload.len();
        if whole { Ok(contents.count * self.rate.samples(20)) } else { Err(CodecError::Payload) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        let contents = read_contents(payload, self.packing).ok_or(CodecError::Payload)?;
        let mut at = contents.speech;
        let frame_samples = self.rate.samples(20);
        for (&(frame_type, good), out) in contents.frames.iter().zip(out.chunks_mut(frame_samples)) {
            let mut stored = [0; STORED_BYTES];
            stored[0] = frame_type << 3 | u8::from(good) << 2;
            at = self.unpack(payload, at, frame_type, &mut stored).ok_or(CodecError::Payload)?;
            let mut pcm = [0; 320];
            self.state.decode(&stored, !good, &mut pcm);
            out.copy_from_slice(&pcm[..frame_samples]);
        }
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let frame_samples = self.rate.samples(20);
        if !out.len().is_multiple_of(frame_samples) {
            return false;
        }
        for out in out.chunks_mut(frame_samples) {
            let mut stored = [0; STORED_BYTES];
            stored[0] = NO_DATA << 3;
            let mut pcm = [0; 320];
            self.state.decode(&stored, true, &mut pcm);
            out.copy_from_slice(&pcm[..frame_samples]);
        }
        true
    }

    fn reset(&mut self) {
        if let Some(state) = AmrDecoderState::new(&self.libraries) {
            self.state = state;
        }
    }
}

pub(super) struct AmrEncoder {
    libraries: Arc<AmrLibraries>,
    state: AmrEncoderState,
    rate: Rate,
    config: AmrConfig,
}

impl AmrEncoder {
    pub(super) fn new(
        libraries: &Arc<AmrLibraries>,
        rate: Rate,
        config: AmrConfig,
    ) -> Result<Self, CodecError> {
        let state = AmrEncoderState::new(libraries, config.dtx).ok_or(CodecError::Internal)?;
        let most = if rate == Rate::K16 { 8 } else { 7 };
        let config = AmrConfig { mode: config.mode.min(most), ..config };
        Ok(AmrEncoder { libraries: Arc::clone(libraries), state, rate, config })
    }
}

/// Writes runs of bits.
struct Packer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Packer<'_> {
    fn put(&mut self, value: u8, count: usize) -> Option<()> {
        for bit in (0..count).rev() {
            let byte = self.out.get_mut(self.at / 8)?;
            if self.at.is_multiple_of(8) {
                *byte = 0;
            }
            *byte |= (value >> bit & 1) << (7 - self.at % 8);
            self.at += 1;
        }
        Some(())
    }

    fn align(&mut self, packing: AmrPacking) {
        if packing == AmrPacking::OctetAligned {
            self.at = self.at.next_multiple_of(8);
        }
    }
}

impl Encoder for AmrEncoder {
    fn rate(&self) -> Rate {
        self.rate
    }

    fn lookahead(&self) -> usize {
        // TS 26.090 and TS 26.190: 5 ms.
        self.rate.samples(5)
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let frame_samples = self.rate.samples(20);
        let count = samples.len() / frame_samples;
        if !samples.len().is_multiple_of(frame_samples) || !(1..=FRAMES_MAX).contains(&count) {
            return Err(CodecError::Length);
        }
        let mut frames = [[0; STORED_BYTES]; FRAMES_MAX];
        for (samples, stored) in samples.chunks(frame_samples).zip(&mut frames) {
            let mut pcm = [0; 320];
            pcm[..frame_samples].copy_from_slice(samples);
            if self.state.encode(self.config.mode, &pcm, stored) == 0 {
                stored[0] = NO_DATA << 3 | 4;
            }
        }
        let frames = &frames[..count];
        if frames.iter().all(|stored| stored[0] >> 3 & 15 == NO_DATA) {
            return Ok(0);
        }
        let packing = self.config.packing;
        let mut packer = Packer { out, at: 0 };
        let mut pack = || -> Option<usize> {
            packer.put(NO_REQUEST, 4)?;
            packer.align(packing);
            for (index, stored) in frames.iter().enumerate() {
                packer.put(u8::from(index + 1 < count), 1)?;
                packer.put(stored[0] >> 3 & 15, 4)?;
                packer.put(stored[0] >> 2 & 1, 1)?;
                packer.align(packing);
            }
            for stored in frames {
                let bits = bits_of(self.rate, stored[0] >> 3 & 15)?;
                for &byte in &stored[1..1 + bits / 8] {
                    packer.put(byte, 8)?;
                }
                if bits % 8 > 0 {
                    packer.put(stored[1 + bits / 8] >> (8 - bits % 8), bits % 8)?;
                }
                packer.align(packing);
            }
            Some(packer.at.div_ceil(8))
        };
        pack().ok_or(CodecError::Length)
    }

    fn reset(&mut self) {
        if let Some(state) = AmrEncoderState::new(&self.libraries, self.config.dtx) {
            self.state = state;
        }
    }
}
