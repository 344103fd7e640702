//! Memory: in steady state nothing is allocated for a frame, neither in a pipeline nor in a conference.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

#[path = "../../tests/allocator/mod.rs"]
mod allocator;

use allocator::allocations;
use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{Codec, Codecs};
use kaname_media::dtmf::{KeyMask, Substitute, Tones};
use kaname_media::jitter::{Packet, Receives, Scratch, StreamFormat};
use kaname_media::mixer::{ParticipantConfig, ParticipantId, Room, RoomConfig};
use kaname_media::prompt::Prompt;
use kaname_media::transcode::{SendKeys, Transcoder, TranscoderConfig};
use kaname_media::{Rate, SendFormat, Start};

const MS: u64 = 1_000_000;

/// Ten seconds of a voice that rises and falls, as packets of a codec.
fn packets_of(codec: Codec, phase: f32) -> Vec<Vec<u8>> {
    let rate = codec.rate_max();
    let mut encoder = Codecs::built_in().encoder(codec, rate).unwrap();
    let frame = rate.samples(20);
    (0..500)
        .map(|n| {
            let samples: Vec<i16> = (0..frame)
                .map(|at| {
                    let seconds = (n * frame + at) as f32 / rate.hz() as f32;
                    let loud = 7_000.0 * (1.0 + (seconds * 2.0 + phase).sin());
                    (loud * (seconds * (900.0 + 300.0 * phase)).sin()) as i16
                })
                .collect();
            let mut payload = vec![0; 1500];
            let len = encoder.encode(&samples, &mut payload).unwrap();
            payload.truncate(len);
            payload
        })
        .collect()
}

fn packet<'a>(n: u64, codec: Codec, payload: &'a [u8]) -> Packet<'a> {
    Packet {
        payload_type: 96,
        sequence: n as u16,
        timestamp: n as u32 * (codec.clock_hz() / 50),
        marker: false,
        level: None,
        arrival_ns: (1_000 + n * 20) * MS,
        payload,
    }
}

fn formats(codec: Codec) -> Vec<StreamFormat> {
    vec![
        StreamFormat { payload_type: 96, receives: Receives::Audio(codec) },
        StreamFormat { payload_type: 101, receives: Receives::Events },
    ]
}

/// Allocations of a pipeline while packets pass, some of them lost, keys are pressed, and for a while nothing comes.
fn in_a_pipeline(from: Codec, to: Codec, mask: Option<KeyMask>) -> u64 {
    let codecs = Codecs::built_in();
    let config = TranscoderConfig {
        receives: formats(from),
        sends: SendFormat { codec: to, payload_type: 97, ptime_ms: 20 },
        noise_type: Some(13),
        detect_tones: true,
        keys: SendKeys::Events(101),
        auto_level: true,
        delay_ms_min: 10,
        start: Start::default(),
    };
    let mut transcoder = Transcoder::new(config, &codecs).unwrap();
    transcoder.set_mask(mask);
    let mut scratch = Scratch::default();
    let payloads = packets_of(from, 0.0);
    let mut begun = 0;
    let mut made = 0;
    for n in 0..3000u64 {
        // Once round the places of the jitter buffer, and each has its memory.
        if n == 200 {
            begun = allocations();
        }
        if n % 17 != 3 && !(2_000..2_100).contains(&n) {
            transcoder.receive(&packet(n, from, &payloads[n as usize % 500]), &mut |_| {});
        }
        if n % 500 == 499 {
            let event = Packet { payload_type: 101, ..packet(n, from, &[5, 0x8a, 1, 0]) };
            transcoder.receive(&event, &mut |_| {});
        }
        made += u32::from(transcoder.tick((1_000 + n * 20) * MS, &mut scratch, &mut |_| {}).is_some());
    }
    assert!(made > 2_500, "{made}");
    allocations() - begun
}

/// Allocations of a room in which speakers come and go.
fn in_a_room() -> u64 {
    let codecs = Codecs::built_in();
    let config = RoomConfig { record: true, ..RoomConfig::default() };
    let mut room = Room::new(config, &codecs).unwrap();
    let kinds = [Codec::Opus(OpusConfig::default()), Codec::Pcma, Codec::G722];
    let everyone: Vec<(ParticipantId, Codec, Vec<Vec<u8>>)> = (0..12)
        .map(|n| {
            let codec = kinds[n % 3];
            let config = ParticipantConfig {
                receives: formats(codec),
                sends: Some(SendFormat { codec, payload_type: 97, ptime_ms: 20 }),
                start: Start::default(),
                auto_level: n % 2 == 0,
                detect_tones: n == 5,
                keys: SendKeys::Never,
                delay_ms_min: 10,
            };
            (room.join(&config).unwrap(), codec, packets_of(codec, n as f32 / 3.0))
        })
        .collect();
    room.set_hold_music(Some(Prompt::join_tone(Rate::K48)));
    let mut begun = 0;
    let mut sent = 0;
    for n in 0..2000u64 {
        // By then everybody has spoken once.
        if n == 420 {
            begun = allocations();
        }
        for (who, (id, codec, payloads)) in everyone.iter().enumerate() {
            // Everybody speaks for two seconds of eight.
            if (n / 100 + who as u64).is_multiple_of(4) {
                room.receive(*id, &packet(n, *codec, &payloads[n as usize % 500]), &mut |_| {}).unwrap();
            }
        }
        room.set_held(everyone[3].0, n % 400 > 200).unwrap();
        room.tick((1_000 + n * 20) * MS, &mut |_, _| sent += 1, &mut |_| {});
    }
    assert!(sent > 20_000, "{sent}");
    allocations() - begun
}

#[test]
fn frames_allocate_nothing() {
    let opus = Codec::Opus(OpusConfig { dtx: true, ..OpusConfig::default() });
    for (from, to) in
        [(Codec::Pcma, Codec::Pcmu), (Codec::G722, opus), (opus, Codec::Pcma), (opus, Codec::L16(Rate::K32))]
    {
        for by in [None, Some(Substitute::Random { seed: 1 }), Some(Substitute::Tone(Tones::new([500])))] {
            let mask = by.map(|by| KeyMask { by, volume: 10 });
            assert_eq!(in_a_pipeline(from, to, mask), 0, "{from:?} to {to:?}, {mask:?}");
        }
    }
    assert_eq!(in_a_room(), 0);
}
