//! Rooms: one encoding for all who hear the same, beside one for each participant.

use std::hint::black_box;

use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{Codec, Codecs, Decoder, Encoder};
use kaname_media::jitter::{Packet, Receives, StreamFormat};
use kaname_media::mixer::{ParticipantConfig, ParticipantId, Room, RoomConfig};
use kaname_media::{Rate, SendFormat, Start};
use kaname_wire::extension::AudioLevel;

use super::transcode::encode;
use super::{Row, by_turns, voice};
use kaname_media::transcode::SendKeys;

const PARTICIPANTS: usize = 100;
const TALKING: usize = 3;
/// Goals: the room beside an encoding each, and microseconds of arithmetic a participant.
const SHARING_GOAL: f64 = 0.05;
const ARITHMETIC_GOAL_US: f64 = 0.2;

pub(super) fn run(rounds: usize, only: &str, rows: &mut Vec<Row>) {
    let opus = Codec::Opus(OpusConfig::default());
    let case = "room of 100, 3 talking, opus / an encoding each";
    if case.contains(only) {
        let [room, bare, each] = measure(rounds, opus);
        let beside = "room of 100, 3 talking, opus / its bare codec calls";
        rows.push(Row { case: beside.into(), us: room, against: Some((bare, None)) });
        rows.push(Row { case: case.into(), us: room, against: Some((each, Some(SHARING_GOAL))) });
    }
    let case = "room of 100, arithmetic a participant / goal of 0.2 us";
    if case.contains(only) {
        let [room, bare, _] = measure(rounds, Codec::L16(Rate::K48));
        let us = (room - bare) / PARTICIPANTS as f64;
        rows.push(Row { case: case.into(), us, against: Some((ARITHMETIC_GOAL_US, Some(1.0))) });
    }
}

struct Bench {
    room: Room,
    ids: Vec<ParticipantId>,
    packets: Vec<Vec<Vec<u8>>>,
    silence: Vec<u8>,
    ticks: u32,
}

impl Bench {
    /// A tick: all 100 send a packet (three of them voices, the others silence with its level), all 100 get one.
    fn tick(&mut self, n: usize) {
        let now_ns = (1_000 + n as u64 * 20) * 1_000_000;
        for (who, id) in self.ids.iter().enumerate() {
            let voice = self.packets.get(who);
            let packet = Packet {
                payload_type: 96,
                sequence: n as u16,
                timestamp: n as u32 * self.ticks,
                marker: false,
                level: Some(AudioLevel {
                    voice: voice.is_some(),
                    level: if voice.is_some() { 30 } else { 127 },
                }),
                arrival_ns: now_ns,
                payload: voice.map_or(&self.silence[..], |packets| &packets[n % packets.len()]),
            };
            let _ = self.room.receive(*id, &packet, &mut |_| {});
        }
        let mut bytes = 0;
        self.room.tick(now_ns, &mut |_, packet| bytes += packet.payload.len(), &mut |_| {});
        black_box(bytes);
    }
}

/// Microseconds of a tick: of the room, of the bare codec calls that it makes (three decodings, four encodings), and of
/// three decodings and an encoding for each participant.
fn measure(rounds: usize, codec: Codec) -> [f64; 3] {
    let codecs = Codecs::built_in();
    let Ok(mut room) = Room::new(RoomConfig { speakers_max: TALKING, ..RoomConfig::default() }, &codecs)
    else {
        return [f64::NAN; 3];
    };
    let config = ParticipantConfig {
        receives: vec![StreamFormat { payload_type: 96, receives: Receives::Audio(codec) }],
        sends: Some(SendFormat { codec, payload_type: 97, ptime_ms: 20 }),
        start: Start::default(),
        auto_level: false,
        detect_tones: false,
        keys: SendKeys::Never,
        delay_ms_min: 10,
    };
    let ids = (0..PARTICIPANTS).filter_map(|_| room.join(&config).ok()).collect();
    let sounds: Vec<_> = (0..TALKING as u32).map(|seed| voice(48_000, 4, seed)).collect();
    let packets: Vec<_> = sounds.iter().map(|sound| encode(&codecs, codec, sound)).collect();
    let silence = encode(&codecs, codec, &[0; 960]).swap_remove(0);
    let mut bench = Bench { room, ids, packets: packets.clone(), silence, ticks: codec.clock_hz() / 50 };
    let decoders = || (0..TALKING).filter_map(|_| codecs.decoder(codec, Rate::K48).ok()).collect::<Vec<_>>();
    let encoders =
        |count| (0..count).filter_map(|_| codecs.encoder(codec, Rate::K48).ok()).collect::<Vec<_>>();
    let mut few = (decoders(), encoders(TALKING + 1));
    let mut many = (decoders(), encoders(PARTICIPANTS));
    let mixes: Vec<Vec<i16>> = (0..TALKING + 1)
        .map(|without| {
            (0..sounds[0].len())
                .map(|at| (0..TALKING).filter(|n| *n != without).map(|n| sounds[n][at] / 2).sum())
                .collect()
        })
        .collect();
    let times = by_turns(
        rounds,
        10,
        &mut [&mut |n| bench.tick(n), &mut |n| bare(&mut few, &packets, &mixes, n), &mut |n| {
            bare(&mut many, &packets, &mixes, n)
        }],
    );
    [times[0], times[1], times[2]]
}

type Objects = (Vec<Box<dyn Decoder>>, Vec<Box<dyn Encoder>>);

fn bare(objects: &mut Objects, packets: &[Vec<Vec<u8>>], mixes: &[Vec<i16>], n: usize) {
    let (mut frame, mut payload) = ([0; 5760], [0; 2000]);
    for (decoder, packets) in objects.0.iter_mut().zip(packets) {
        let _ = black_box(decoder.decode(&packets[n % packets.len()], &mut frame));
    }
    for (who, encoder) in objects.1.iter_mut().enumerate() {
        let mix = &mixes[who.min(TALKING)];
        let at = n % (mix.len() / 960) * 960;
        let _ = black_box(encoder.encode(&mix[at..at + 960], &mut payload));
    }
}
