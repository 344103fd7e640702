//! G.729 annexes A and B by libbcg729.

use std::ptr::NonNull;
use std::sync::Arc;

use libloading::Library;

use super::library::{function, load};

/// Bytes of a frame of speech, and samples.
pub(crate) const FRAME_BYTES: usize = 10;
pub(crate) const FRAME_SAMPLES: usize = 80;

type InitEncoder = unsafe extern "C" fn(u8) -> *mut ();
type Encode = unsafe extern "C" fn(*mut (), *const i16, *mut u8, *mut u8);
type InitDecoder = unsafe extern "C" fn() -> *mut ();
type Decode = unsafe extern "C" fn(*mut (), *const u8, u8, u8, u8, u8, *mut i16);
type Close = unsafe extern "C" fn(*mut ());

/// The library's functions.
pub(crate) struct G729Library {
    init_encoder: InitEncoder,
    encode: Encode,
    close_encoder: Close,
    init_decoder: InitDecoder,
    decode: Decode,
    close_decoder: Close,
    _library: Library,
}

impl G729Library {
    pub(crate) fn load() -> Option<Arc<G729Library>> {
        let library = load("libbcg729.so.0")?;
        // SAFETY: the types are those of bcg729's encoder.h and decoder.h.
        unsafe {
            Some(Arc::new(G729Library {
                init_encoder: function(&library, "initBcg729EncoderChannel")?,
                encode: function(&library, "bcg729Encoder")?,
                close_encoder: function(&library, "closeBcg729EncoderChannel")?,
                init_decoder: function(&library, "initBcg729DecoderChannel")?,
                decode: function(&library, "bcg729Decoder")?,
                close_decoder: function(&library, "closeBcg729DecoderChannel")?,
                _library: library,
            }))
        }
    }
}

/// A decoder's state in the library.
pub(crate) struct G729DecoderState {
    library: Arc<G729Library>,
    state: NonNull<()>,
}

// SAFETY: the state is reached through this object only, and the library keeps nothing by thread.
unsafe impl Send for G729DecoderState {}

impl G729DecoderState {
    pub(crate) fn new(library: &Arc<G729Library>) -> Option<Self> {
        // SAFETY: takes nothing, gives a state or null.
        let state = NonNull::new(unsafe { (library.init_decoder)() })?;
        Some(G729DecoderState { library: Arc::clone(library), state })
    }

    /// Decodes a frame: ten bytes of speech, or two of a silence description; `None` for one that was lost.
    pub(crate) fn decode(&mut self, frame: Option<&[u8]>, out: &mut [i16; FRAME_SAMPLES]) {
        let mut bits = [0; FRAME_BYTES];
        let len = frame.map_or(0, |frame| frame.len().min(FRAME_BYTES));
        bits[..len].copy_from_slice(&frame.unwrap_or_default()[..len]);
        let silence = u8::from(len == 2);
        // SAFETY: the state is live; at most ten bytes are read and 80 samples written.
        unsafe {
            (self.library.decode)(
                self.state.as_ptr(),
                bits.as_ptr(),
                len as u8,
                u8::from(frame.is_none()),
                silence,
                0,
                out.as_mut_ptr(),
            );
        }
    }
}

impl Drop for G729DecoderState {
    fn drop(&mut self) {
        // SAFETY: made by the matching init, ended once.
        unsafe { (self.library.close_decoder)(self.state.as_ptr()) }
    }
}

/// An encoder's state in the library.
pub(crate) struct G729EncoderState {
    library: Arc<G729Library>,
    state: NonNull<()>,
}

// SAFETY: the state is reached through this object only, and the library keeps nothing by thread.
unsafe impl Send for G729EncoderState {}

impl G729EncoderState {
    pub(crate) fn new(library: &Arc<G729Library>, annex_b: bool) -> Option<Self> {
        // SAFETY: gives a state or null.
        let state = NonNull::new(unsafe { (library.init_encoder)(u8::from(annex_b)) })?;
        Some(G729EncoderState { library: Arc::clone(library), state })
    }

    /// Encodes 10 ms; gives the bytes: ten, two for a silence description, none in silence.
    pub(crate) fn encode(&mut self, samples: &[i16; FRAME_SAMPLES], out: &mut [u8; FRAME_BYTES]) -> usize {
        let mut len = 0;
        // SAFETY: the state is live; 80 samples are read, at most ten bytes written.
        unsafe {
            (self.library.encode)(self.state.as_ptr(), samples.as_ptr(), out.as_mut_ptr(), &raw mut len);
        }
        usize::from(len).min(FRAME_BYTES)
    }
}

impl Drop for G729EncoderState {
    fn drop(&mut self) {
        // SAFETY: made by the matching init, ended once.
        unsafe { (self.library.close_encoder)(self.state.as_ptr()) }
    }
}
