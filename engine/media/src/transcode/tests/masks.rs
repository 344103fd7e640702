//! Keys that are replaced: nothing of them is left, in whichever form they came.

use super::*;
use crate::dtmf::{KeyMask, Substitute, Tones};

/// What a listener understands.
#[derive(Debug, Default)]
struct Understood {
    /// As events.
    events: String,
    /// As tones.
    tones: String,
    sound: Vec<i16>,
    /// What those beside are told.
    told: String,
}

/// Keys in one form through a mask.
fn masked(by: Option<Substitute>, as_tones: bool, keys: SendKeys, dial: &str) -> Understood {
    let codecs = Codecs::built_in();
    let base = config(Codec::Pcma, Codec::L16(Rate::K8));
    let mut transcoder = Transcoder::new(TranscoderConfig { keys, ..base }, &codecs).unwrap();
    transcoder.set_mask(by.map(|by| KeyMask { by, volume: 10 }));
    let mut talker = Talker::new(Codec::Pcma, &codecs);
    let (mut tones, mut sender) = (ToneGenerator::new(Rate::K8), EventSender::new(8_000));
    for key in dial.chars().filter_map(Key::from_char) {
        match as_tones {
            true => tones.press(key, 80, 120, VOLUME).unwrap(),
            false => sender.press(key, 80, VOLUME).unwrap(),
        }
    }
    let (mut listener, mut detector) = (EventReceiver::new(8_000), Detector::new(Rate::K8));
    let (mut scratch, mut understood) = (Scratch::default(), Understood::default());
    for n in 0..250u32 {
        let now = u64::from(n) * 20 * MS;
        let Understood { events, tones: heard, sound, told } = &mut understood;
        let mut tell = |event| told.extend(down(event));
        let mut frame = [0; 160];
        tones.fill(&mut frame);
        let event = sender.tick(n * 160, 160);
        let sequence = talker.sent;
        if let Some(event) = event {
            let packet = Packet {
                payload_type: 101,
                sequence: sequence as u16,
                timestamp: event.timestamp,
                marker: event.marker,
                level: None,
                arrival_ns: now,
                payload: &event.payload,
            };
            transcoder.receive(&packet, &mut tell);
        } else {
            let mut payload = [0; 160];
            talker.encoder.encode(&frame, &mut payload).unwrap();
            let packet = Packet {
                payload_type: 96,
                sequence: sequence as u16,
                timestamp: n * 160,
                marker: false,
                level: None,
                arrival_ns: now,
                payload: &payload,
            };
            transcoder.receive(&packet, &mut tell);
        }
        talker.sent += 1;
        let Some(packet) = transcoder.tick(now, &mut scratch, &mut tell) else { continue };
        if packet.payload_type == 102 {
            listener.packet(packet.timestamp, packet.payload, now, &mut |event| events.extend(down(event)));
        } else {
            let mut out = [0; 160];
            L16::new(Rate::K8).decode(packet.payload, &mut out).unwrap();
            detector.listen(&out, &mut |event| heard.extend(down(event)));
            sound.extend(out);
        }
    }
    understood
}

fn down(event: KeyEvent) -> Option<char> {
    if let KeyEvent::Down(key) = event { Some(key.name()) } else { None }
}

fn loudest(sound: &[i16]) -> u16 {
    sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[test]
fn silence_leaves_nothing_in_any_form() {
    for as_tones in [true, false] {
        for keys in [SendKeys::Events(102), SendKeys::Tones] {
            let heard = masked(Some(Substitute::Silence), as_tones, keys, "159#");
            assert_eq!((heard.events.as_str(), heard.tones.as_str()), ("", ""), "{as_tones} {keys:?}");
            // Comfort noise at most, and never a sample of a tone.
            assert!(loudest(&heard.sound) < 60, "{as_tones} {keys:?}: {}", loudest(&heard.sound));
            assert_eq!(heard.told, "159#", "whoever counts keys still does");
        }
    }
}

#[test]
fn a_tone_or_another_key_stands_for_each() {
    for as_tones in [true, false] {
        let zero = Substitute::Key(Key::from_char('0').unwrap());
        let heard = masked(Some(zero), as_tones, SendKeys::Events(102), "159#");
        assert_eq!((heard.events.as_str(), heard.tones.as_str()), ("0000", ""));
        let heard = masked(Some(zero), as_tones, SendKeys::Tones, "159#");
        assert_eq!((heard.events.as_str(), heard.tones.as_str()), ("", "0000"));
        let tone = Substitute::Tone(Tones::new([500]));
        for keys in [SendKeys::Events(102), SendKeys::Tones] {
            let heard = masked(Some(tone), as_tones, keys, "159#");
            assert_eq!((heard.events.as_str(), heard.tones.as_str()), ("", ""), "{as_tones} {keys:?}");
            let loud = heard.sound.iter().filter(|sample| sample.unsigned_abs() > 2_000).count();
            // Four tones of 80 ms or somewhat more.
            assert!((1_200..3_000).contains(&loud), "{as_tones} {keys:?}: {loud}");
        }
    }
}

#[test]
fn drawn_keys_are_as_many_and_not_the_same() {
    let draw = |seed, as_tones| {
        masked(Some(Substitute::Random { seed }), as_tones, SendKeys::Events(102), "1111").events
    };
    for as_tones in [true, false] {
        assert_eq!(draw(7, as_tones).len(), 4);
        assert_ne!(draw(7, as_tones), draw(8, as_tones));
        assert_ne!(draw(7, as_tones), "1111");
    }
}

#[test]
fn without_a_mask_keys_go_on_as_before() {
    assert_eq!(masked(None, false, SendKeys::Events(102), "159#").events, "159#");
    assert_eq!(masked(None, true, SendKeys::Tones, "159#").tones, "159#");
}
