//! Audio workers between foreign clients: what one says in a codec, another hears in another, and rooms mix.

use std::f32::consts::TAU;
use std::time::{Duration, Instant};

use kaname_engine::audio::{
    AudioCommand, AudioEvent, AudioId, Codec, Codecs, OpusConfig, Output, ParticipantConfig, Rate, Receives,
    RoomConfig, SendFormat, SendKeys, Start, StreamFormat, TranscoderConfig,
};
use kaname_engine::core::Command;
use kaname_engine::core::command::{
    self, ImportConfig, LegId, LinkId, MediaKind, PayloadType, SenderId, StreamId,
};
use kaname_engine::media::codec::Encoder;
use kaname_engine::{EngineConfig, EngineEvent, ShardId};

use crate::client::Wire;
use crate::world::World;

const OPUS: Codec = Codec::Opus(OpusConfig { bitrate: 24_000, complexity: 5, fec: true, dtx: false });

/// The payload type of all media here: what it stands for is the worker's business.
const PAYLOAD_TYPE: u8 = 111;

/// Says a tone, a packet each 20 ms.
struct Talker {
    client: usize,
    ssrc: u32,
    codec: Codec,
    encoder: Box<dyn Encoder>,
    hz: f32,
    sent: u64,
}

impl Talker {
    fn new(client: usize, ssrc: u32, codec: Codec, hz: f32) -> Talker {
        let encoder = Codecs::built_in().encoder(codec, codec.rate_max()).expect("built in");
        Talker { client, ssrc, codec, encoder, hz, sent: 0 }
    }

    fn say(&mut self, world: &mut World) {
        let rate = self.codec.rate_max();
        let from = self.sent as usize * rate.samples(20);
        let sample = |n: usize| (8_000.0 * (TAU * self.hz * n as f32 / rate.hz() as f32).sin()) as i16;
        let frame: Vec<i16> = (from..from + rate.samples(20)).map(sample).collect();
        let mut payload = [0; 1_500];
        let len = self.encoder.encode(&frame, &mut payload).expect("a frame");
        let time = 7_000 + self.sent as u32 * (self.codec.clock_hz() / 50);
        let client = &mut world.clients[self.client];
        client.send_rtp(self.ssrc, PAYLOAD_TYPE, 300 + self.sent, time, &payload[..len]);
        self.sent += 1;
    }
}

/// All say so many packets, at the pace of speech.
fn talk(world: &mut World, talkers: &mut [Talker], packets: u64) {
    let begun = Instant::now();
    for n in 0..packets {
        while begun.elapsed() < Duration::from_millis(20 * n) {
            world.drive();
        }
        talkers.iter_mut().for_each(|talker| talker.say(world));
    }
}

/// What a client decodes of an SSRC; its packets' numbers are without gaps.
fn heard(world: &World, client: usize, ssrc: u32, codec: Codec, skip: usize) -> Vec<i16> {
    let packets = &world.clients[client].packets;
    let packets: Vec<_> = packets.iter().filter(|packet| packet.header.ssrc == ssrc.into()).collect();
    for pair in packets.windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1);
        assert_eq!(pair[1].header.timestamp, pair[0].header.timestamp.wrapping_add(codec.clock_hz() / 50));
    }
    let mut decoder = Codecs::built_in().decoder(codec, codec.rate_max()).expect("built in");
    let mut sound = Vec::new();
    for packet in packets.iter().skip(skip) {
        let mut frame = [0; 5_760];
        let len = decoder.decode(&packet.payload, &mut frame).expect("a payload");
        sound.extend(&frame[..len]);
    }
    sound
}

/// How much of a sound's energy is one tone's, in pieces of 50 ms.
fn purity(rate: Rate, hz: f32, sound: &[i16]) -> f32 {
    let (mut tone, mut all) = (0.0, 1.0);
    for piece in sound.chunks(rate.samples(50)) {
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, &sample) in piece.iter().enumerate() {
            let (sample, turns) = (f32::from(sample), TAU * hz * n as f32 / rate.hz() as f32);
            sine += sample * turns.sin();
            cosine += sample * turns.cos();
            all += sample * sample;
        }
        tone += 2.0 * (sine * sine + cosine * cosine) / piece.len() as f32;
    }
    tone / all
}

fn receives(codec: Codec) -> Vec<StreamFormat> {
    vec![StreamFormat { payload_type: PAYLOAD_TYPE, receives: Receives::Audio(codec) }]
}

fn sends(codec: Codec) -> SendFormat {
    SendFormat { codec, payload_type: PAYLOAD_TYPE, ptime_ms: 20 }
}

fn transcoder(from: Codec, to: Codec) -> Box<TranscoderConfig> {
    Box::new(TranscoderConfig {
        receives: receives(from),
        sends: sends(to),
        noise_type: None,
        detect_tones: false,
        keys: SendKeys::Never,
        auto_level: false,
        delay_ms_min: 10,
        start: Start { sequence: 65_500, timestamp: u32::MAX - 9_000 },
    })
}

fn tell(world: &World, command: AudioCommand) {
    world.engine.audio(0, command).expect("room");
}

/// A stream of a shard goes to the worker.
fn export(world: &World, leg: LegId, stream: StreamId, link: u64) {
    let to = world.engine.audio_index(0);
    world.command(world.home(leg), Command::ExportStream { stream, link: LinkId(link), to });
}

/// What the worker makes comes to a shard as a stream.
fn import(world: &World, shard: ShardId, stream: StreamId, link: u64, codec: Codec) -> Output {
    let payload = PayloadType {
        number: PAYLOAD_TYPE,
        rtx: None,
        codec: command::Codec::Other,
        clock_rate: codec.clock_hz(),
    };
    let config = Box::new(ImportConfig { kind: MediaKind::Audio, payload_types: vec![payload] });
    let from = world.engine.audio_index(0);
    world.command(shard, Command::ImportStream { stream, link: LinkId(link), from, config });
    Output { shard, link: LinkId(link) }
}

/// Clients who publish SSRC 1000 + n as stream n over link n, each on a shard in turn.
fn world(clients: u32, shards: usize) -> World {
    let config = EngineConfig { shards, pin: false, ..EngineConfig::default() };
    let mut world = World::new(config);
    for n in 0..clients {
        let leg = world.join(ShardId(n as usize % shards), Wire::PLAIN);
        world.publish(leg, StreamId(n), MediaKind::Audio, 1_000 + n);
        export(&world, leg, StreamId(n), u64::from(n));
    }
    world
}

/// Client `n` hears stream 100 + n, made for it, as SSRC 2000 + n.
fn listen(world: &mut World, n: u32, codec: Codec) -> Output {
    let leg = LegId(n);
    let output = import(world, world.home(leg), StreamId(100 + n), 100 + u64::from(n), codec);
    world.subscribe(leg, SenderId(n), StreamId(100 + n), MediaKind::Audio, 2_000 + n);
    output
}

fn refused(event: &EngineEvent) -> bool {
    matches!(
        event,
        EngineEvent::Audio(AudioEvent::Refused { .. } | AudioEvent::Failed { .. })
            | EngineEvent::Core(kaname_engine::core::Event::CommandFailed { .. })
    )
}

#[test]
fn a_call_is_transcoded_both_ways_by_a_worker() {
    let mut world = world(2, 2);
    let codecs = [Codec::Pcma, OPUS];
    for n in 0..2_u32 {
        let (mine, others) = (codecs[n as usize], codecs[1 - n as usize]);
        let outputs = vec![listen(&mut world, n, mine)];
        let input = Some(LinkId(1 - u64::from(n)));
        let config = transcoder(others, mine);
        tell(&world, AudioCommand::AddTranscoder { id: AudioId(n), input, outputs, config });
    }
    world.until_secured(2);
    let mut talkers = [Talker::new(0, 1_000, Codec::Pcma, 440.0), Talker::new(1, 1_001, OPUS, 700.0)];
    talk(&mut world, &mut talkers, 100);
    world.until("all packets", |world| world.clients.iter().all(|client| client.packets.len() >= 97));
    let at_telephone = purity(Rate::K8, 700.0, &heard(&world, 0, 2_000, Codec::Pcma, 30));
    let at_browser = purity(Rate::K48, 440.0, &heard(&world, 1, 2_001, OPUS, 30));
    assert!(at_telephone > 0.95 && at_browser > 0.95, "{at_telephone} {at_browser}");
    assert_eq!(world.count(refused), 0, "{:?}", world.seen);
    let level = |packet: &str0m::rtp::RtpPacket| packet.header.ext_vals.audio_level;
    assert!(world.clients[1].packets[50..].iter().all(|packet| level(packet).is_some()), "RFC 6464");
}

#[test]
fn a_room_mixes_for_each_without_themselves() {
    let mut world = world(3, 2);
    let config = RoomConfig::default();
    tell(&world, AudioCommand::AddRoom { id: AudioId(50), config });
    let codecs = [Codec::Pcma, OPUS, Codec::G722];
    let hz = [440.0, 700.0, 1_150.0];
    for n in 0..3_u32 {
        let codec = codecs[n as usize];
        let outputs = vec![listen(&mut world, n, codec)];
        let config = Box::new(ParticipantConfig {
            receives: receives(codec),
            sends: Some(sends(codec)),
            start: Start::default(),
            auto_level: false,
            detect_tones: false,
            keys: SendKeys::Never,
            delay_ms_min: 10,
        });
        let (room, id, input) = (AudioId(50), AudioId(n), Some(LinkId(u64::from(n))));
        tell(&world, AudioCommand::Join { room, id, input, outputs, config });
    }
    world.until_secured(3);
    let mut talkers: Vec<Talker> =
        (0..3).map(|n| Talker::new(n, 1_000 + n as u32, codecs[n], hz[n])).collect();
    talk(&mut world, &mut talkers, 100);
    for (n, codec) in codecs.into_iter().enumerate() {
        let packets = world.clients[n].packets.len();
        let sound = heard(&world, n, 2_000 + n as u32, codec, packets - 40);
        for (other, hz) in hz.into_iter().enumerate() {
            let part = purity(codec.rate_max(), hz, &sound);
            assert_eq!(part > 0.2, other != n, "{n} of {other}: {part}");
        }
    }
    let speaks =
        |event: &EngineEvent| matches!(event, EngineEvent::Audio(AudioEvent::Speaking { on: true, .. }));
    assert_eq!(world.count(speaks), 3);
    assert_eq!(world.count(refused), 0, "{:?}", world.seen);
    // The figures are published once a second.
    world.until("figures", |world| world.engine.audio_counters(0).get("audio_busy_permille") > 0);
    let counters = world.engine.audio_counters(0);
    assert_eq!((counters.get("audio_participants"), counters.get("audio_items")), (3, 1));
    assert!(counters.get("audio_packets_in") >= 290 && counters.get("audio_packets_out") >= 290);
}
