//! libspandsp's G.722, which ours must equal bit for bit. In the full suite, since it needs the library.

use std::ffi::c_int;
use std::ptr::null_mut;

use super::library::{function, load};
use crate::codec::g722::{G722Decoder, G722Encoder};
use crate::codec::{Decoder, Encoder};
use crate::{Rate, kit};

type Init = unsafe extern "C" fn(*mut (), c_int, c_int) -> *mut ();
type Encode = unsafe extern "C" fn(*mut (), *mut u8, *const i16, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut (), *mut i16, *const u8, c_int) -> c_int;

#[test]
#[ignore = "full suite: libspandsp2"]
fn g722_equals_spandsp() {
    let library = load("libspandsp.so.2").expect("libspandsp2 is installed by ./test --full");
    // SAFETY: the types are those of spandsp's g722.h; all calls get buffers of the lengths that they are told.
    let (codes, samples, sound) = unsafe {
        let encoder = function::<Init>(&library, "g722_encode_init").unwrap()(null_mut(), 64_000, 0);
        let decoder = function::<Init>(&library, "g722_decode_init").unwrap()(null_mut(), 64_000, 0);
        let encode = function::<Encode>(&library, "g722_encode").unwrap();
        let decode = function::<Decode>(&library, "g722_decode").unwrap();
        let mut sound = kit::speech(Rate::K16, 8, 160_000);
        // Loud noise and full-scale steps too: saturation everywhere.
        sound.extend(kit::noise(3, 32_767.0, 32_000));
        sound.extend((0..16_000).map(|n| if n / 40 % 2 == 0 { i16::MIN } else { i16::MAX }));
        let mut codes = vec![0; sound.len() / 2];
        assert_eq!(
            encode(encoder, codes.as_mut_ptr(), sound.as_ptr(), sound.len() as c_int),
            codes.len() as c_int
        );
        let mut samples = vec![0; sound.len()];
        let decoded = decode(decoder, samples.as_mut_ptr(), codes.as_ptr(), codes.len() as c_int);
        assert_eq!(decoded, samples.len() as c_int);
        (codes, samples, sound)
    };
    let mut ours = vec![0; codes.len()];
    G722Encoder::default().encode(&sound, &mut ours).unwrap();
    let first = ours.iter().zip(&codes).position(|(a, b)| a != b);
    assert_eq!(first, None, "codes differ at {first:?} of {}", codes.len());
    let mut heard = Vec::new();
    let mut decoder = G722Decoder::default();
    for codes in codes.chunks(160) {
        let mut out = [0; 320];
        let len = decoder.decode(codes, &mut out).unwrap();
        heard.extend_from_slice(&out[..len]);
    }
    // That library's samples wrap where the Recommendation's saturate (section 4.4, block LIMIT).
    let differs = |(ours, theirs): (&i16, &i16)| ours != theirs && !matches!(*ours, i16::MIN | i16::MAX);
    let first = heard.iter().zip(&samples).position(differs);
    assert_eq!(first, None, "samples differ at {first:?} of {}", samples.len());
}
