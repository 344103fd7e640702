//! G.729 (RFC 3551 section 4.5.6): frames of 10 ms in ten bytes; the last may be a silence description of two
//! (annex B).

use std::sync::Arc;

use super::{CodecError, Decoder, Encoder};
use crate::Rate;
use crate::kernel::{G729DecoderState, G729EncoderState, G729Library};
use crate::limits::PACKET_MS_MAX;

const FRAME_BYTES: usize = 10;
const FRAME_SAMPLES: usize = 80;
const FRAMES_MAX: usize = PACKET_MS_MAX as usize / 10;

pub(super) struct G729Decoder {
    library: Arc<G729Library>,
    state: G729DecoderState,
}

impl G729Decoder {
    pub(super) fn new(library: &Arc<G729Library>) -> Result<Self, CodecError> {
        let state = G729DecoderState::new(library).ok_or(CodecError::Internal)?;
        Ok(G729Decoder { library: Arc::clone(library), state })
    }
}

impl Decoder for G729Decoder {
    fn rate(&self) -> Rate {
        Rate::K8
    }

    fn samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let frames = payload.len() / FRAME_BYTES + usize::from(payload.len() % FRAME_BYTES == 2);
        let whole = matches!(payload.len() % FRAME_BYTES, 0 | 2);
        if whole && (1..=FRAMES_MAX).contains(&frames) {
            Ok(frames * FRAME_SAMPLES)
        } else {
            Err(CodecError::Payload)
        }
    }

    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let samples = self.samples(payload)?;
        let out = out.get_mut(..samples).ok_or(CodecError::Length)?;
        for (frame, out) in payload.chunks(FRAME_BYTES).zip(out.as_chunks_mut::<FRAME_SAMPLES>().0) {
            self.state.decode(Some(frame), out);
        }
        Ok(samples)
    }

    fn conceal(&mut self, out: &mut [i16]) -> bool {
        let (frames, rest) = out.as_chunks_mut::<FRAME_SAMPLES>();
        if rest.is_empty() {
            frames.iter_mut().for_each(|frame| self.state.decode(None, frame));
        }
        rest.is_empty()
    }

    fn reset(&mut self) {
        if let Some(state) = G729DecoderState::new(&self.library) {
            self.state = state;
        }
    }
}

pub(super) struct G729Encoder {
    library: Arc<G729Library>,
    state: G729EncoderState,
    annex_b: bool,
}

impl G729Encoder {
    pub(super) fn new(library: &Arc<G729Library>, annex_b: bool) -> Result<Self, CodecError> {
        let state = G729EncoderState::new(library, annex_b).ok_or(CodecError::Internal)?;
        Ok(G729Encoder { library: Arc::clone(library), state, annex_b })
    }
}

impl Encoder for G729Encoder {
    fn rate(&self) -> Rate {
        Rate::K8
    }

    fn lookahead(&self) -> usize {
        // G.729 section 2.5: 5 ms.
        40
    }

    fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (frames, rest) = samples.as_chunks::<FRAME_SAMPLES>();
        if !rest.is_empty() || frames.is_empty() {
            return Err(CodecError::Length);
        }
        let mut written = 0;
        let mut bits = [0; FRAME_BYTES];
        for (index, frame) in frames.iter().enumerate() {
            let len = self.state.encode(frame, &mut bits);
            // A silence description ends a payload; what follows it in this packet is silence too.
            if written == index * FRAME_BYTES {
                out.get_mut(written..written + len).ok_or(CodecError::Length)?.copy_from_slice(&bits[..len]);
                written += len;
            }
        }
        Ok(written)
    }

    fn reset(&mut self) {
        if let Some(state) = G729EncoderState::new(&self.library, self.annex_b) {
            self.state = state;
        }
    }
}
