use std::collections::HashMap;

use kaname_wire::extension::AudioLevel;

use super::*;
use crate::codec::opus::OpusConfig;
use crate::codec::{Codec, Codecs, Decoder, Encoder};
use crate::dtmf::{EventSender, Key};
use crate::jitter::{Packet, Receives};
use crate::kit;
use crate::outgoing::OutPacket;
use crate::prompt::{Playing, Prompt};
use crate::transcode::SendKeys;

const MS: u64 = 1_000_000;

/// A caller with a codec, sending one frame a tick, who keeps what is heard.
struct Caller {
    id: ParticipantId,
    codec: Codec,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    sent: u32,
    heard: Vec<i16>,
    numbers: Vec<(u16, u32)>,
    bytes: Vec<Vec<u8>>,
}

struct Scene {
    room: Room,
    callers: Vec<Caller>,
    now_ns: u64,
    events: Vec<RoomEvent>,
}

impl Scene {
    fn new(config: RoomConfig) -> Self {
        let room = Room::new(config, &Codecs::built_in()).unwrap();
        Scene { room, callers: Vec::new(), now_ns: 1_000 * MS, events: Vec::new() }
    }

    fn join(&mut self, codec: Codec, ptime_ms: u32) -> usize {
        let config = ParticipantConfig {
            receives: vec![
                StreamFormat { payload_type: 96, receives: Receives::Audio(codec) },
                StreamFormat { payload_type: 101, receives: Receives::Events },
            ],
            sends: Some(SendFormat { codec, payload_type: 97, ptime_ms }),
            start: Start { sequence: 65_500, timestamp: u32::MAX - 3_000 },
            auto_level: false,
            detect_tones: false,
            keys: SendKeys::Never,
            delay_ms_min: 10,
        };
        let codecs = Codecs::built_in();
        let rate = codec.rate_max();
        self.callers.push(Caller {
            id: self.room.join(&config).unwrap(),
            codec,
            encoder: codecs.encoder(codec, rate).unwrap(),
            decoder: codecs.decoder(codec, rate).unwrap(),
            sent: 0,
            heard: Vec::new(),
            numbers: Vec::new(),
            bytes: Vec::new(),
        });
        self.callers.len() - 1
    }

    fn join_many(&mut self, count: usize, codec: Codec) {
        for _ in 0..count {
            self.join(codec, 20);
        }
    }

    /// A tick in which some say a frame each, at 20 ms.
    fn tick(&mut self, say: &[(usize, &[i16])], levels: bool) {
        for (who, caller) in self.callers.iter_mut().enumerate() {
            let said = say.iter().find(|(speaker, _)| *speaker == who).map(|(_, frame)| *frame);
            let mut payload = [0; 2_000];
            if let Some(frame) = said {
                let len = caller.encoder.encode(frame, &mut payload).unwrap();
                let level = levels.then(|| AudioLevel { voice: true, level: crate::level::measure(frame) });
                let packet = Packet {
                    payload_type: 96,
                    sequence: caller.sent as u16,
                    timestamp: caller.sent * (caller.codec.clock_hz() / 50),
                    marker: false,
                    level,
                    arrival_ns: self.now_ns,
                    payload: &payload[..len],
                };
                let events = &mut self.events;
                self.room.receive(caller.id, &packet, &mut |event| events.push(event)).unwrap();
            }
            caller.sent += 1;
        }
        let Scene { room, callers, events, now_ns } = self;
        let index: HashMap<_, _> = callers.iter().enumerate().map(|(n, caller)| (caller.id, n)).collect();
        let mut send = |id, packet: &OutPacket<'_>| {
            let caller = &mut callers[index[&id]];
            let mut out = [0; 5_760];
            let len = caller.decoder.decode(packet.payload, &mut out).unwrap();
            caller.heard.extend_from_slice(&out[..len]);
            caller.numbers.push((packet.sequence, packet.timestamp));
            caller.bytes.push(packet.payload.to_vec());
        };
        room.tick(*now_ns, &mut send, &mut |event| events.push(event));
        self.now_ns += 20 * MS;
    }

    fn clear(&mut self) {
        self.callers.iter_mut().for_each(|caller| {
            caller.heard.clear();
            caller.bytes.clear();
        });
    }
}

fn narrow() -> RoomConfig {
    RoomConfig { rate: Rate::K8, ..RoomConfig::default() }
}

const L16: Codec = Codec::L16(Rate::K8);

fn frames(sounds: &[Vec<i16>], n: usize, len: usize) -> Vec<(usize, &[i16])> {
    sounds.iter().enumerate().map(|(who, sound)| (who, &sound[n * len..][..len])).collect()
}

#[test]
fn everyone_hears_the_exact_sum_of_the_others() {
    let mut scene = Scene::new(RoomConfig { record: true, ..narrow() });
    scene.join_many(5, L16);
    let sounds: Vec<_> =
        (0..3).map(|n| kit::tone(Rate::K8, 300.0 + 170.0 * n as f32, 6_000.0, 160 * 60)).collect();
    let mut recorded = Vec::new();
    for n in 0..60 {
        if n == 20 {
            scene.clear();
            recorded.clear();
        }
        scene.tick(&frames(&sounds, n, 160), false);
        recorded.extend_from_slice(scene.room.mix());
    }
    // What was said at 20 ms of delay, from when all ramps are over.
    let sum_without = |who: Option<usize>| -> Vec<i16> {
        (160 * 19..160 * 59)
            .map(|at| (0..3).filter(|n| Some(*n) != who).map(|n| sounds[n][at]).sum())
            .collect()
    };
    let delayed = |heard: &[i16], who| {
        let all = sum_without(who);
        // The jitter buffer's delay is a whole number of frames here: find it.
        (0..3).any(|late| {
            let (sent, heard) = (&all[..all.len() - 480], &heard[late * 160..]);
            sent == &heard[..sent.len()]
        })
    };
    for who in 0..5 {
        assert!(delayed(&scene.callers[who].heard, Some(who)), "{who}");
    }
    assert!(delayed(&recorded, None));
    assert_eq!(scene.room.voices().count(), 3);
}

#[test]
fn silent_listeners_share_one_encoding_for_each_codec() {
    let mut scene = Scene::new(RoomConfig::default());
    let opus = Codec::Opus(OpusConfig::default());
    scene.join_many(20, opus);
    scene.join_many(10, Codec::Pcma);
    scene.join_many(10, Codec::G722);
    let sounds: Vec<_> = (0..3).map(|seed| kit::speech(Rate::K48, seed, 960 * 200)).collect();
    for n in 0..100 {
        scene.tick(&frames(&sounds, n, 960), true);
    }
    let before = scene.room.counters();
    scene.clear();
    for n in 100..200 {
        scene.tick(&frames(&sounds, n, 960), true);
    }
    let after = scene.room.counters();
    // Three shared mixes, and one for each speaker (at most three).
    let encodes = after.encodes - before.encodes;
    assert!((300..=600).contains(&encodes), "{encodes}");
    assert_eq!(after.packets - before.packets, 100 * 40);
    // Who tells a level that is not loud is not decoded.
    assert!(after.decodes - before.decodes <= 300);
    let of = |who: usize| &scene.callers[who].bytes;
    assert!((4..20).all(|who| of(who) == of(3)), "browsers share");
    assert!((21..30).all(|who| of(who) == of(20)), "telephones share");
    assert!((31..40).all(|who| of(who) == of(30)));
    assert_ne!(of(0), of(3));
    for caller in &scene.callers {
        let ticks = caller.codec.clock_hz() / 50;
        let whole = caller
            .numbers
            .windows(2)
            .all(|w| w[1].0 == w[0].0.wrapping_add(1) && w[1].1 == w[0].1.wrapping_add(ticks));
        assert!(whole);
    }
    assert_eq!(after.failed, 0);
}

#[test]
fn a_listener_who_begins_to_speak_hears_no_break() {
    let mut scene = Scene::new(RoomConfig::default());
    let opus = Codec::Opus(OpusConfig { bitrate: 32_000, ..OpusConfig::default() });
    scene.join_many(4, opus);
    let talk = kit::speech(Rate::K48, 5, 960 * 400);
    let interjection = kit::tone(Rate::K48, 250.0, 8_000.0, 960 * 400);
    for n in 0..400 {
        let mut say = vec![(0, &talk[n * 960..][..960])];
        // The second speaks for a second, again and again, and so changes from the shared mix to one of its own.
        if n / 50 % 2 == 1 {
            say.push((1, &interjection[n * 960..][..960]));
        }
        scene.tick(&say, true);
    }
    let heard = &scene.callers[1].heard;
    let delay_max = Rate::K48.samples(60);
    for second in 1..7 {
        let span = second * 48_000..(second + 1) * 48_000;
        let alike = kit::envelope_correlation(
            &talk[span.clone()],
            &heard[span.start..span.end + delay_max],
            Rate::K48,
        );
        assert!(alike > 0.9, "second {second}: {alike}");
    }
    assert!(scene.events.iter().filter(|event| matches!(event, RoomEvent::Silent(_))).count() >= 1);
}

#[test]
fn packets_of_other_lengths_are_made_too() {
    let mut scene = Scene::new(narrow());
    let ptimes = [10, 20, 40, 60];
    for ptime in ptimes {
        scene.join(L16, ptime);
    }
    let sounds = vec![kit::tone(Rate::K8, 440.0, 6_000.0, 160 * 90); 1];
    for n in 0..90 {
        scene.tick(&frames(&sounds, n, 160), false);
    }
    for (caller, ptime) in scene.callers.iter().zip(ptimes) {
        assert!(caller.bytes.iter().all(|bytes| bytes.len() == ptime as usize * 16), "{ptime}");
        assert!(caller.bytes.len() as u32 >= 88 * 20 / ptime - 2, "{ptime}: {}", caller.bytes.len());
    }
    for listener in 1..4 {
        let heard = &scene.callers[listener].heard;
        assert!(kit::best_correlation(&sounds[0][4_000..8_000], &heard[4_000..9_000], 1_000) > 0.9999);
    }
    let bad = ParticipantConfig {
        receives: vec![],
        sends: Some(SendFormat { codec: L16, payload_type: 1, ptime_ms: 30 }),
        start: Start::default(),
        auto_level: false,
        detect_tones: false,
        keys: SendKeys::Never,
        delay_ms_min: 0,
    };
    assert_eq!(scene.room.join(&bad), Err(RoomError::Ptime(30)));
}

#[test]
fn mute_hold_gain_and_leaving() {
    let mut scene = Scene::new(narrow());
    scene.join_many(3, L16);
    let sound = vec![kit::tone(Rate::K8, 300.0, 6_000.0, 160 * 2_000)];
    let music = kit::tone(Rate::K8, 600.0, 3_000.0, 8_000);
    scene.room.set_hold_music(Some(Prompt::new(Rate::K8, music)));
    let mut at = 0;
    let mut run = |scene: &mut Scene, ticks: usize| {
        scene.clear();
        for _ in 0..ticks {
            scene.tick(&frames(&sound, at, 160), false);
            at += 1;
        }
        // Past the change's ramps.
        let [one, two] = [1, 2].map(|who: usize| kit::rms(&scene.callers[who].heard[160 * 10..]));
        [one, two]
    };
    let ids: Vec<_> = scene.callers.iter().map(|caller| caller.id).collect();
    let tone = 6_000.0 / 2f64.sqrt();
    let near = |level: f64, wanted: f64| (level - wanted).abs() < wanted * 0.02 + 1.0;
    assert!(run(&mut scene, 50).iter().all(|&level| near(level, tone)));
    scene.room.set_gain(ids[0], 0.5).unwrap();
    assert!(run(&mut scene, 50).iter().all(|&level| near(level, tone / 2.0)));
    scene.room.set_muted(ids[0], true).unwrap();
    assert!(run(&mut scene, 50).iter().all(|&level| level < 1.0));
    scene.room.set_muted(ids[0], false).unwrap();
    scene.room.set_gain(ids[0], 1.0).unwrap();
    scene.room.set_held(ids[1], true).unwrap();
    let [held, listening] = run(&mut scene, 60);
    assert!(near(held, 3_000.0 / 2f64.sqrt()) && near(listening, tone), "{held} {listening}");
    scene.room.set_held(ids[1], false).unwrap();
    assert!(run(&mut scene, 50).iter().all(|&level| near(level, tone)));
    scene.room.leave(ids[2]).unwrap();
    assert_eq!(scene.room.leave(ids[2]), Err(RoomError::Gone));
    assert_eq!(scene.room.set_gain(ids[2], 1.0), Err(RoomError::Gone));
    assert_eq!(scene.room.len(), 2);
}

#[test]
fn prompts_mix_into_the_conversation_of_one_or_of_all() {
    let mut scene = Scene::new(RoomConfig { tones: true, ..narrow() });
    scene.join_many(3, L16);
    let sound = vec![kit::tone(Rate::K8, 300.0, 6_000.0, 160 * 400)];
    for n in 0..50 {
        scene.tick(&frames(&sound, n, 160), false);
    }
    scene.clear();
    scene.events.clear();
    let id = scene.callers[1].id;
    let prompt = Prompt::new(Rate::K8, kit::tone(Rate::K8, 1_000.0, 4_000.0, 160 * 20));
    let playing = Playing { token: 7, times: Some(1), gain: 1.0, alone: false };
    scene.room.play(Audience::One(id), &prompt, playing).unwrap();
    for n in 50..100 {
        scene.tick(&frames(&sound, n, 160), false);
    }
    let [told, other] = [1, 2].map(|who: usize| &scene.callers[who].heard);
    let expected: Vec<i16> = other[..160 * 20].iter().zip(prompt.samples()).map(|(a, b)| a + b).collect();
    assert_eq!(told[..160 * 20], expected);
    assert_eq!(told[160 * 20..], other[160 * 20..]);
    assert!(scene.events.contains(&RoomEvent::PromptOver(Audience::One(id), 7)));
    scene.clear();
    let playing = Playing { token: 8, times: None, gain: 0.5, alone: false };
    scene.room.play(Audience::Room, &prompt, playing).unwrap();
    for n in 100..150 {
        scene.tick(&frames(&sound, n, 160), false);
    }
    assert_eq!(scene.callers[1].heard, scene.callers[2].heard);
    assert!(kit::rms(&scene.callers[0].heard) > 1_000.0, "the speaker hears the prompt too");
    let mut stopped = Vec::new();
    scene.room.stop_prompts(Audience::Room, None, &mut |token| stopped.push(token)).unwrap();
    assert_eq!(stopped, [8]);
    scene.clear();
    scene.tick(&[], false);
    assert!(kit::rms(&scene.callers[0].heard) < 1.0);
}

#[test]
fn many_loud_voices_never_clip() {
    let mut scene = Scene::new(RoomConfig { speakers_max: 8, ..narrow() });
    scene.join_many(9, L16);
    let sounds: Vec<_> =
        (0..8).map(|n| kit::tone(Rate::K8, 150.0 + 53.0 * n as f32, 30_000.0, 160 * 200)).collect();
    for n in 0..200 {
        scene.tick(&frames(&sounds, n, 160), false);
    }
    let heard = &scene.callers[8].heard;
    let flat =
        heard.windows(3).filter(|w| w[0] == w[1] && w[1] == w[2] && w[0].unsigned_abs() >= 32_766).count();
    assert_eq!(flat, 0);
    assert!(kit::rms(heard) > 5_000.0);
}

#[test]
fn keys_and_speakers_are_told() {
    let mut scene = Scene::new(narrow());
    scene.join_many(2, L16);
    let sound = vec![kit::tone(Rate::K8, 300.0, 6_000.0, 160 * 60)];
    for n in 0..60 {
        scene.tick(&frames(&sound, n, 160), false);
    }
    let id = scene.callers[0].id;
    assert!(scene.events.contains(&RoomEvent::Speaks(id)));
    let mut sender = EventSender::new(8_000);
    sender.press(Key::from_char('4').unwrap(), 60, 10).unwrap();
    for n in 0..20u32 {
        let timestamp = 100_000 + n * 160;
        if let Some(event) = sender.tick(timestamp, 160) {
            let packet = Packet {
                payload_type: 101,
                sequence: scene.callers[0].sent as u16,
                timestamp: event.timestamp,
                marker: event.marker,
                level: None,
                arrival_ns: scene.now_ns,
                payload: &event.payload,
            };
            let events = &mut scene.events;
            scene.room.receive(id, &packet, &mut |event| events.push(event)).unwrap();
        }
        scene.tick(&[], false);
    }
    let keys = scene.events.iter().filter(|event| matches!(event, RoomEvent::Key(..))).count();
    assert_eq!(keys, 2);
}

#[test]
fn rooms_that_cannot_be_are_refused() {
    let codecs = Codecs::built_in();
    for config in [
        RoomConfig { tick_ms: 15, ..RoomConfig::default() },
        RoomConfig { speakers_max: 0, ..RoomConfig::default() },
        RoomConfig { speakers_max: 9, ..RoomConfig::default() },
    ] {
        assert!(matches!(Room::new(config, &codecs), Err(RoomError::Config)));
    }
}
