use std::io::Cursor;

use super::*;
use crate::codec::opus::OpusConfig;
use crate::kit;

fn speech() -> Vec<i16> {
    kit::speech(Rate::K16, 2, 16_000 * 3 + 77)
}

fn wav(format: u16, channels: u16, hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVE".to_vec();
    // A chunk of an odd length that nobody knows comes first.
    bytes.extend(b"LIST\x03\0\0\0abc\0fmt \x10\0\0\0");
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(hz.to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn a_recording_reads_back() {
    let sound = speech();
    let mut recorder = WavRecorder::new(Cursor::new(Vec::new()), Rate::K16, 1).unwrap();
    sound.chunks(320).for_each(|frame| recorder.write(frame).unwrap());
    let bytes = recorder.finish().unwrap().into_inner();
    assert_eq!(read(&bytes, Rate::K16).unwrap().samples(), sound);
    // Cut off in the middle, it still plays.
    assert_eq!(read(&bytes[..20_044], Rate::K16).unwrap().samples(), &sound[..10_000]);
    assert_eq!(read(&bytes, Rate::K48).unwrap().samples().len(), sound.len() * 3);
}

#[test]
fn kinds_of_wav() {
    let one = |bytes: Vec<u8>| read(&bytes, Rate::K8).unwrap().samples().to_vec();
    assert_eq!(one(wav(1, 1, 8_000, 16, &[1, 0, 0xff, 0xff])), [1, -1]);
    assert_eq!(one(wav(1, 1, 8_000, 8, &[128, 255])), [0, 127 << 8]);
    assert_eq!(one(wav(1, 1, 8_000, 24, &[9, 1, 0, 9, 2, 0])), [1, 2]);
    assert_eq!(one(wav(1, 1, 8_000, 32, &[9, 9, 3, 0])), [3]);
    assert_eq!(one(wav(1, 2, 8_000, 16, &[10, 0, 20, 0])), [15]);
    assert_eq!(one(wav(3, 1, 8_000, 32, &0.5f32.to_le_bytes())), [16_383]);
    assert_eq!(one(wav(6, 1, 8_000, 8, &[0xd5, 0xaa])), [8, 32_256]);
    assert_eq!(one(wav(7, 1, 8_000, 8, &[0xff, 0x80])), [0, 32_124]);
}

#[test]
fn bad_files_say_what_is_wrong() {
    let why = |bytes: &[u8]| read(bytes, Rate::K8).unwrap_err().to_string();
    assert!(why(b"").contains("neither WAV nor Ogg"));
    assert!(why(b"RIFF").contains("damaged"));
    assert!(why(&wav(1, 1, 44_100, 16, &[0, 0])).contains("44100 Hz; convert"));
    assert!(why(&wav(85, 1, 8_000, 16, &[0, 0])).contains("another codec"));
    assert!(why(&wav(1, 0, 8_000, 16, &[0, 0])).contains("channels"));
    let no_samples = wav(1, 1, 8_000, 16, &[]);
    assert!(why(&no_samples).contains("no sound"));
    assert!(why(&no_samples[..30]).contains("no samples") || why(&no_samples[..30]).contains("cut off"));
    assert!(why(b"OggS and no more").contains("damaged"));
    assert!(matches!(
        read_raw(&[1, 2, 3], RawFormat::Linear(Rate::K8), Rate::K8),
        Err(FileError::Damaged(..))
    ));
}

#[test]
fn ogg_opus_reads_back_in_time() {
    let sound = speech();
    for rate in [Rate::K16, Rate::K48] {
        let at_rate = Prompt::new(Rate::K16, sound.clone()).at_rate(rate);
        let config = OpusConfig { bitrate: 64_000, ..OpusConfig::default() };
        let mut recorder = OggOpusRecorder::new(Vec::new(), rate, config, 7).unwrap();
        at_rate.samples().chunks(100).for_each(|part| recorder.write(part).unwrap());
        let bytes = recorder.finish().unwrap();
        let back = read(&bytes, Rate::K16).unwrap();
        assert_eq!(back.samples().len(), sound.len(), "{rate:?}");
        let alike = kit::best_correlation(&sound[1_600..40_000], &back.samples()[1_600..40_000], 8);
        assert!(alike > 0.85, "{rate:?}: {alike}");
        // Damage anywhere is an error or a shorter sound, never a panic.
        for at in (0..bytes.len()).step_by(211) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            let _ = read(&broken, Rate::K8);
            let _ = read(&bytes[..at], Rate::K8);
        }
    }
}

#[test]
fn raw_prompts() {
    let g722 = {
        use crate::codec::Encoder;
        let mut codes = vec![0; 16_000];
        crate::codec::g722::G722Encoder::default().encode(&speech()[..32_000], &mut codes).unwrap();
        codes
    };
    let prompt = read_raw(&g722, RawFormat::G722, Rate::K16).unwrap();
    assert!(kit::best_correlation(&speech()[1_600..30_000], &prompt.samples()[1_600..30_000], 30) > 0.97);
    assert_eq!(read_raw(&[0xff; 80], RawFormat::MuLaw, Rate::K8).unwrap().samples(), [0; 80]);
    assert_eq!(read_raw(&[1, 0], RawFormat::Linear(Rate::K24), Rate::K24).unwrap().samples(), [1]);
    assert!(matches!(read_raw(&[], RawFormat::ALaw, Rate::K8), Err(FileError::Empty)));
}
