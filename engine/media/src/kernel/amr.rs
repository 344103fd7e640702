//! AMR: libopencore-amrnb and libopencore-amrwb decode, libopencore-amrnb and libvo-amrwbenc encode.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;

use libloading::Library;

use super::library::{function, load};

/// Bytes of a frame as files store it: a byte of header and at most 60 of speech; what is beyond is zero.
pub(crate) const FRAME_BYTES: usize = 64;

type State = NonNull<()>;
type Init = unsafe extern "C" fn() -> *mut ();
type InitNarrowEncoder = unsafe extern "C" fn(c_int) -> *mut ();
type Exit = unsafe extern "C" fn(*mut ());
type Decode = unsafe extern "C" fn(*mut (), *const u8, *mut i16, c_int);
type EncodeNarrow = unsafe extern "C" fn(*mut (), c_int, *const i16, *mut u8, c_int) -> c_int;

/// The functions of one direction, and the library that they are in.
struct Functions<I, W> {
    init: I,
    work: W,
    exit: Exit,
    _library: Library,
}

enum EncoderFunctions {
    Narrow(Functions<InitNarrowEncoder, EncodeNarrow>),
    Wide(Functions<Init, EncodeNarrow>),
}

/// What the machine has for AMR or for AMR-WB.
pub(crate) struct AmrLibraries {
    decoder: Functions<Init, Decode>,
    encoder: EncoderFunctions,
}

impl AmrLibraries {
    pub(crate) fn narrow() -> Option<Arc<AmrLibraries>> {
        let (for_decoder, for_encoder) = (load("libopencore-amrnb.so.0")?, load("libopencore-amrnb.so.0")?);
        // SAFETY: the types are those of opencore-amrnb's interf_dec.h and interf_enc.h.
        let (decoder, encoder) = unsafe {
            let decoder = Functions {
                init: function(&for_decoder, "Decoder_Interface_init")?,
                work: function(&for_decoder, "Decoder_Interface_Decode")?,
                exit: function(&for_decoder, "Decoder_Interface_exit")?,
                _library: for_decoder,
            };
            let encoder = Functions {
                init: function(&for_encoder, "Encoder_Interface_init")?,
                work: function(&for_encoder, "Encoder_Interface_Encode")?,
                exit: function(&for_encoder, "Encoder_Interface_exit")?,
                _library: for_encoder,
            };
            (decoder, encoder)
        };
        Some(Arc::new(AmrLibraries { decoder, encoder: EncoderFunctions::Narrow(encoder) }))
    }

    pub(crate) fn wide() -> Option<Arc<AmrLibraries>> {
        let (for_decoder, for_encoder) = (load("libopencore-amrwb.so.0")?, load("libvo-amrwbenc.so.0")?);
        // SAFETY: the types are those of opencore-amrwb's dec_if.h and vo-amrwbenc's enc_if.h.
        let (decoder, encoder) = unsafe {
            let decoder = Functions {
                init: function(&for_decoder, "D_IF_init")?,
                work: function(&for_decoder, "D_IF_decode")?,
                exit: function(&for_decoder, "D_IF_exit")?,
                _library: for_decoder,
            };
            let encoder = Functions {
                init: function(&for_encoder, "E_IF_init")?,
                work: function(&for_encoder, "E_IF_encode")?,
                exit: function(&for_encoder, "E_IF_exit")?,
                _library: for_encoder,
            };
            (decoder, encoder)
        };
        Some(Arc::new(AmrLibraries { decoder, encoder: EncoderFunctions::Wide(encoder) }))
    }
}

/// A decoder's state in its library.
pub(crate) struct AmrDecoderState {
    libraries: Arc<AmrLibraries>,
    state: State,
}

// SAFETY: the state is reached through this object only, and the libraries keep nothing by thread.
unsafe impl Send for AmrDecoderState {}

impl AmrDecoderState {
    pub(crate) fn new(libraries: &Arc<AmrLibraries>) -> Option<Self> {
        // SAFETY: takes nothing, gives a state or null.
        let state = NonNull::new(unsafe { (libraries.decoder.init)() })?;
        Some(AmrDecoderState { libraries: Arc::clone(libraries), state })
    }

    /// Decodes a frame in storage format to 20 ms: 160 samples of AMR, 320 of AMR-WB.
    pub(crate) fn decode(&mut self, frame: &[u8; FRAME_BYTES], bad: bool, out: &mut [i16; 320]) {
        // SAFETY: the state is live. A frame's type says how many bytes are read, 61 at most; at most 320 samples
        // are written.
        unsafe {
            (self.libraries.decoder.work)(
                self.state.as_ptr(),
                frame.as_ptr(),
                out.as_mut_ptr(),
                c_int::from(bad),
            );
        }
    }
}

impl Drop for AmrDecoderState {
    fn drop(&mut self) {
        // SAFETY: made by the matching init, ended once.
        unsafe { (self.libraries.decoder.exit)(self.state.as_ptr()) }
    }
}

/// An encoder's state in its library.
pub(crate) struct AmrEncoderState {
    libraries: Arc<AmrLibraries>,
    state: State,
    dtx: bool,
}

// SAFETY: the state is reached through this object only, and the libraries keep nothing by thread.
unsafe impl Send for AmrEncoderState {}

impl AmrEncoderState {
    pub(crate) fn new(libraries: &Arc<AmrLibraries>, dtx: bool) -> Option<Self> {
        // SAFETY: gives a state or null.
        let state = unsafe {
            match &libraries.encoder {
                EncoderFunctions::Narrow(functions) => (functions.init)(c_int::from(dtx)),
                EncoderFunctions::Wide(functions) => (functions.init)(),
            }
        };
        Some(AmrEncoderState { libraries: Arc::clone(libraries), state: NonNull::new(state)?, dtx })
    }

    /// Encodes 20 ms (160 samples of AMR, 320 of AMR-WB) in a mode; gives the bytes, in storage format.
    pub(crate) fn encode(&mut self, mode: u8, samples: &[i16; 320], out: &mut [u8; FRAME_BYTES]) -> usize {
        let (mode, dtx) = (c_int::from(mode), c_int::from(self.dtx));
        let state = self.state.as_ptr();
        // SAFETY: the state is live. 160 or 320 samples are read; at most 61 bytes are written. (The wideband encoder
        // takes its samples by const pointer and does not change them; the last argument is "forceSpeech" of the
        // one, "dtx" of the other.)
        let bytes = unsafe {
            match &self.libraries.encoder {
                EncoderFunctions::Narrow(functions) => {
                    (functions.work)(state, mode, samples.as_ptr(), out.as_mut_ptr(), 0)
                }
                EncoderFunctions::Wide(functions) => {
                    (functions.work)(state, mode, samples.as_ptr(), out.as_mut_ptr(), dtx)
                }
            }
        };
        usize::try_from(bytes).unwrap_or(0)
    }
}

impl Drop for AmrEncoderState {
    fn drop(&mut self) {
        let exit = match &self.libraries.encoder {
            EncoderFunctions::Narrow(functions) => functions.exit,
            EncoderFunctions::Wide(functions) => functions.exit,
        };
        // SAFETY: made by the matching init, ended once.
        unsafe { exit(self.state.as_ptr()) }
    }
}
