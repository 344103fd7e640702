use super::*;
use crate::kit;

/// Tone in, tone out, and the two directions keep the same state: re-encoding what was decoded gives nearly it again.
#[test]
fn a_tone_survives() {
    for hz in [300.0, 1000.0, 3000.0, 4_100.0, 5000.0, 6_500.0] {
        let tone = kit::tone(Rate::K16, hz, 8000.0, 1600);
        let mut codes = [0; 800];
        assert_eq!(G722Encoder::default().encode(&tone, &mut codes), Ok(800));
        let mut heard = vec![0; 1600];
        assert_eq!(G722Decoder::default().decode(&codes, &mut heard), Ok(1600));
        let correlation = kit::best_correlation(&tone[200..], &heard[200..], 64);
        assert!(correlation > 0.98, "{hz} Hz: {correlation}");
    }
}

#[test]
fn chunks_do_not_show() {
    let speech = kit::speech(Rate::K16, 1, 16_000);
    let mut whole = vec![0; 8000];
    G722Encoder::default().encode(&speech, &mut whole).unwrap();
    let mut encoder = G722Encoder::default();
    let mut pieces = Vec::new();
    for piece in speech.chunks(34) {
        let mut codes = [0; 17];
        let len = encoder.encode(piece, &mut codes).unwrap();
        pieces.extend_from_slice(&codes[..len]);
    }
    assert_eq!(pieces, whole);
    let mut at_once = vec![0; 1600];
    G722Decoder::default().decode(&whole[..800], &mut at_once).unwrap();
    let mut decoder = G722Decoder::default();
    let mut samples = Vec::new();
    for piece in whole[..800].chunks(33) {
        let mut out = [0; 66];
        let len = decoder.decode(piece, &mut out).unwrap();
        samples.extend_from_slice(&out[..len]);
    }
    assert_eq!(samples, at_once);
}

#[test]
fn odd_lengths_are_refused() {
    assert_eq!(G722Encoder::default().encode(&[0; 3], &mut [0; 8]), Err(CodecError::Length));
    assert_eq!(G722Encoder::default().encode(&[0; 4], &mut [0; 1]), Err(CodecError::Length));
    assert_eq!(G722Decoder::default().decode(&[], &mut [0; 8]), Err(CodecError::Payload));
    assert_eq!(G722Decoder::default().decode(&[0; 5], &mut [0; 8]), Err(CodecError::Length));
    assert_eq!(G722Decoder::default().samples(&[0; 1500]), Err(CodecError::Payload));
}
