//! Payloads that streams send: a voice encoded once, which all streams of that voice send from different places; or
//! stamped bytes that tell which packet of which stream they are.

use std::collections::HashMap;
use std::sync::Arc;

use kaname_media::codec::Codecs;

use super::signal;
use crate::calls::CallError;
use crate::calls::case::Sound;
use crate::calls::limits::LOOP_PACKETS;

/// Voices: enough that neighbours differ, few enough to encode in a moment.
const VOICES: usize = 8;
/// Streams of one voice begin so many packets apart.
const STRIDE: usize = 37;
/// Bytes of a stamped payload: those of G.711, so that a node's packet of 20 ms is one.
const STAMPED: usize = 160;
/// Stream and number.
const MARK: usize = 12;

/// A voice as samples and as a codec's payloads, 20 ms each.
pub(in crate::calls) struct Voice {
    pub(in crate::calls) sound: Sound,
    /// As made, at 48 kHz.
    made: Arc<[i16]>,
    pub(in crate::calls) payloads: Vec<Vec<u8>>,
}

impl Voice {
    fn encode(made: &Arc<[i16]>, sound: Sound) -> Result<Voice, CallError> {
        let rate = sound.encoded_at();
        let failed = |error| CallError::Setup(format!("{} cannot be encoded: {error}", sound.name()));
        let mut encoder = Codecs::built_in().encoder(sound.codec(), rate).map_err(failed)?;
        let samples = signal::at_rate(made, rate);
        let mut payloads = Vec::with_capacity(LOOP_PACKETS);
        let mut buffer = [0; 1_500];
        // Twice, and the second pass counts: the loop then has no seam in the encoder's state.
        for pass in 0..2 {
            for frame in samples.chunks_exact(rate.samples(20)) {
                let len = encoder.encode(frame, &mut buffer).map_err(failed)?;
                if pass == 1 {
                    payloads.push(buffer[..len].to_vec());
                }
            }
        }
        Ok(Voice { sound, made: Arc::clone(made), payloads })
    }

    /// Its samples at the rate of another codec's judge, so many samples of 48 kHz later.
    pub(in crate::calls) fn reference(&self, rate: kaname_media::Rate, later: usize) -> Vec<i16> {
        signal::at_rate(&self.made[later..], rate)
    }
}

/// All voices in all codecs that were asked for.
#[derive(Default)]
pub(in crate::calls) struct Library {
    made: Vec<Arc<[i16]>>,
    voices: HashMap<(Sound, usize), Arc<Voice>>,
}

impl Library {
    /// The voice of a stream.
    pub(in crate::calls) fn voice(&mut self, sound: Sound, stream: usize) -> Result<Material, CallError> {
        let number = stream % VOICES;
        while self.made.len() <= number {
            self.made.push(signal::voice(self.made.len() as u64, LOOP_PACKETS as u32 * 20).into());
        }
        if !self.voices.contains_key(&(sound, number)) {
            let voice = Voice::encode(&self.made[number], sound)?;
            self.voices.insert((sound, number), Arc::new(voice));
        }
        let voice = Arc::clone(&self.voices[&(sound, number)]);
        Ok(Material::Voice { voice, start: stream * STRIDE % LOOP_PACKETS })
    }
}

/// What one stream sends.
#[derive(Clone)]
pub(in crate::calls) enum Material {
    /// A voice from this packet on.
    Voice { voice: Arc<Voice>, start: usize },
    /// Stamps of this stream.
    Stamped { stream: u32 },
}

impl Material {
    /// The payload of a packet, appended.
    pub(in crate::calls) fn payload(&self, number: u64, out: &mut Vec<u8>) {
        match self {
            Material::Voice { voice, start } => {
                let place = (*start as u64 + number) % voice.payloads.len() as u64;
                out.extend_from_slice(&voice.payloads[place as usize]);
            }
            Material::Stamped { stream } => stamp(*stream, number, out),
        }
    }

    /// The number that a stamped payload claims, if it is whole and of this stream.
    pub(in crate::calls) fn number(&self, payload: &[u8], scratch: &mut Vec<u8>) -> Option<u64> {
        let Material::Stamped { stream } = self else { return None };
        let number = u64::from_be_bytes(payload.get(MARK - 8..MARK)?.try_into().ok()?);
        scratch.clear();
        stamp(*stream, number, scratch);
        (scratch == payload).then_some(number)
    }
}

/// Stream, number, and noise that follows from both: no two packets are alike, and none is changed unseen.
fn stamp(stream: u32, number: u64, out: &mut Vec<u8>) {
    let end = out.len() + STAMPED;
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    let mut state = (u64::from(stream) << 40) ^ number;
    while out.len() < end {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (word ^ (word >> 31)).to_be_bytes();
        out.extend_from_slice(&bytes[..bytes.len().min(end - out.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_known_again_and_any_change_is_seen() {
        let (own, other) = (Material::Stamped { stream: 7 }, Material::Stamped { stream: 8 });
        let (mut payload, mut scratch) = (Vec::new(), Vec::new());
        own.payload(1_000_000, &mut payload);
        assert_eq!(payload.len(), 160);
        assert_eq!(own.number(&payload, &mut scratch), Some(1_000_000));
        assert_eq!(other.number(&payload, &mut scratch), None);
        for place in [0, 5, 11, 12, 159] {
            let mut changed = payload.clone();
            changed[place] ^= 1;
            assert_eq!(own.number(&changed, &mut scratch), None, "{place}");
        }
        assert_eq!(own.number(&payload[..100], &mut scratch), None);
        assert_eq!(own.number(&[], &mut scratch), None);
    }

    #[test]
    fn neighbours_send_different_sound_and_all_payloads_are_twenty_milliseconds() {
        let mut library = Library::default();
        for sound in [Sound::Pcma, Sound::Pcmu, Sound::G722, Sound::Opus] {
            let first = |library: &mut Library, stream| {
                let mut payload = Vec::new();
                library.voice(sound, stream).unwrap().payload(30, &mut payload);
                payload
            };
            let Material::Voice { voice, .. } = library.voice(sound, 0).unwrap() else { panic!("no voice") };
            assert_eq!(voice.payloads.len(), LOOP_PACKETS);
            assert!(voice.payloads.iter().all(|payload| sound.takes_len(payload.len())));
            assert_ne!(first(&mut library, 0), first(&mut library, 1));
            assert_ne!(first(&mut library, 0), first(&mut library, 8));
        }
    }
}
