//! A worker driven by hand: time is what the test says, and the test is the shards.

mod faults;
mod keys;
mod recording;
mod rooms;
mod streams;

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use kaname_core::command::LinkId;
use kaname_core::{Clocks, Links, Note, ParcelPacket, Time, Told};
use kaname_media::codec::{Decoder, Encoder};

use super::port::AudioPort;
use super::record::{Desk, Writer, WriterSurroundings};
use super::worker::{Surroundings, Worker};
use super::*;
use crate::mesh::Mesh;
use crate::{EngineEvent, ShardId};

/// The worker's place behind two shards.
const WORKER: usize = 2;

const OPUS: Codec = Codec::Opus(OpusConfig { bitrate: 24_000, complexity: 5, dtx: false, fec: false });

/// What came out at a shard.
#[derive(Clone, Debug)]
struct Heard {
    link: LinkId,
    sequence: u64,
    timestamp: u32,
    payload_type: u8,
    marker: bool,
    level: Option<(u8, bool)>,
    payload: Vec<u8>,
}

struct Scene {
    worker: Worker,
    mesh: Arc<Mesh>,
    writer: Writer,
    /// The disk does not answer.
    stalled: bool,
    events: Arc<ArrayQueue<AudioEvent>>,
    now: Time,
    /// What came to each shard.
    heard: [Vec<Heard>; 2],
    clocks: Vec<(LinkId, Clocks)>,
}

impl Scene {
    fn new() -> Scene {
        let mesh = Arc::new(Mesh::with_audio(2, 1));
        (0..=WORKER).for_each(|place| mesh.furnish(place));
        let events = Arc::new(ArrayQueue::new(65_536));
        let (kept, desk) = (events.clone(), Arc::new(Desk::new()));
        let sink: Arc<crate::port::Sink> = Arc::new(move |place, event| {
            assert_eq!(place, ShardId(WORKER));
            let EngineEvent::Audio(event) = event else { panic!("{event:?}") };
            assert!(kept.push(event).is_ok(), "few events");
        });
        let stop = Arc::new(AtomicBool::new(false));
        let writer = WriterSurroundings { desk: desk.clone(), sink: sink.clone(), stop: stop.clone() };
        let around = Surroundings {
            worker: 0,
            index: WORKER,
            ports: [AudioPort::new()].into(),
            mesh: mesh.clone(),
            desk,
            sink,
            stop,
            codecs: Codecs::built_in(),
            epoch: Instant::now(),
        };
        Scene {
            worker: Worker::new(around),
            mesh,
            writer: Writer::new(writer),
            stalled: false,
            events,
            now: Time::from_nanos(1_000_000_000),
            heard: [Vec::new(), Vec::new()],
            clocks: Vec::new(),
        }
    }

    fn tell(&mut self, command: AudioCommand) {
        assert!(self.worker.around.ports[0].command(command).is_ok());
        self.round();
    }

    /// Tells, and takes that nothing is refused.
    fn told(&mut self, command: AudioCommand) {
        self.tell(command);
        let events = self.events();
        let refused = |event: &&AudioEvent| matches!(event, AudioEvent::Refused { .. });
        assert_eq!(events.iter().find(refused).map(|event| format!("{event:?}")), None);
    }

    fn refused(&mut self, command: AudioCommand) -> String {
        self.tell(command);
        match self.events().pop() {
            Some(AudioEvent::Refused { why, .. }) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn events(&mut self) -> Vec<AudioEvent> {
        std::iter::from_fn(|| self.events.pop()).collect()
    }

    /// A packet comes from a shard.
    fn packet(&mut self, link: u64, packet: &ParcelPacket<'_>) {
        let mut links = self.mesh.links();
        let mut parcel = links.room(WORKER).expect("room");
        assert!(parcel.write(LinkId(link), packet));
        links.send(WORKER, parcel);
    }

    fn note(&mut self, note: Note) {
        assert!(self.mesh.links().note(WORKER, note));
    }

    /// Lets so much time pass, in steps of a millisecond.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms {
            self.now = self.now + Duration::from_millis(1);
            self.round();
        }
    }

    fn round(&mut self) {
        while self.worker.round(self.now).is_none() {}
        if !self.stalled {
            self.writer.write();
        }
        for shard in 0..2 {
            let inbox = self.mesh.inbox(shard).expect("there are two");
            while let Some(parcel) = inbox.take_parcel() {
                let packet = parcel.packet();
                self.heard[shard].push(Heard {
                    link: parcel.link(),
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    payload_type: packet.payload_type,
                    marker: packet.marker,
                    level: packet.level,
                    payload: packet.payload.to_vec(),
                });
                inbox.return_parcel(parcel);
            }
            while let Some(note) = inbox.take_note() {
                let Told::Report(clocks) = note.told() else { panic!("{note:?}") };
                self.clocks.push((note.link(), clocks));
            }
        }
    }

    /// What came over a link, in order.
    fn over(&self, link: u64) -> Vec<Heard> {
        self.heard.iter().flatten().filter(|heard| heard.link == LinkId(link)).cloned().collect()
    }

    fn figure(&self, name: &str) -> u64 {
        let all = self.worker.figures().snapshot();
        let named = |values: &[(&'static str, u64)]| values.iter().find(|it| it.0 == name).map(|it| it.1);
        named(&all.values).or_else(|| named(&all.drops)).expect("there is such a figure")
    }
}

/// Somebody with a codec, who says a tone in packets of 20 ms.
struct Talker {
    link: u64,
    codec: Codec,
    encoder: Box<dyn Encoder>,
    hz: f32,
    sent: u64,
    /// Silent otherwise.
    speaks: bool,
}

impl Talker {
    fn new(link: u64, codec: Codec, hz: f32) -> Talker {
        let encoder = Codecs::built_in().encoder(codec, codec.rate_max()).expect("built in");
        Talker { link, codec, encoder, hz, sent: 0, speaks: true }
    }

    fn say(&mut self, scene: &mut Scene) {
        let rate = self.codec.rate_max();
        let peak = if self.speaks { 8_000.0 } else { 0.0 };
        let frame = tone(rate, self.hz, peak, self.sent as usize * rate.samples(20), rate.samples(20));
        let mut payload = [0; 1_500];
        let len = self.encoder.encode(&frame, &mut payload).expect("a frame");
        let packet = ParcelPacket {
            sequence: 70_000 + self.sent,
            timestamp: 5_000 + self.sent as u32 * (self.codec.clock_hz() / 50),
            payload_type: 96,
            marker: self.sent == 0,
            level: None,
            arrival: scene.now,
            payload: &payload[..len],
        };
        scene.packet(self.link, &packet);
        self.sent += 1;
    }
}

fn tone(rate: Rate, hz: f32, peak: f32, from: usize, samples: usize) -> Vec<i16> {
    (from..from + samples).map(|n| (peak * (TAU * hz * n as f32 / rate.hz() as f32).sin()) as i16).collect()
}

/// What a listener decodes.
fn decoded(codec: Codec, packets: &[Heard]) -> Vec<i16> {
    let rate = codec.rate_max();
    let mut decoder: Box<dyn Decoder> = Codecs::built_in().decoder(codec, rate).expect("built in");
    let mut sound = Vec::new();
    for packet in packets {
        let mut frame = [0; 5_760];
        let len = decoder.decode(&packet.payload, &mut frame).expect("a payload");
        sound.extend(&frame[..len]);
    }
    sound
}

/// How much of a sound's energy is one tone's, in pieces of 50 ms: what changes the delay moves the tone's phase.
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
    vec![
        StreamFormat { payload_type: 96, receives: Receives::Audio(codec) },
        StreamFormat { payload_type: 101, receives: Receives::Events },
    ]
}

fn sends(codec: Codec, payload_type: u8) -> SendFormat {
    SendFormat { codec, payload_type, ptime_ms: 20 }
}

fn transcoder(from: Codec, to: Codec) -> Box<TranscoderConfig> {
    Box::new(TranscoderConfig {
        receives: receives(from),
        sends: sends(to, 97),
        noise_type: None,
        detect_tones: false,
        keys: SendKeys::Events(102),
        auto_level: false,
        delay_ms_min: 10,
        start: Start { sequence: 65_500, timestamp: u32::MAX - 2_000 },
    })
}

fn output(shard: usize, link: u64) -> Output {
    Output { shard: ShardId(shard), link: LinkId(link) }
}

fn add(id: u32, from: u64, to: &[Output], config: Box<TranscoderConfig>) -> AudioCommand {
    let input = Some(LinkId(from));
    AudioCommand::AddTranscoder { id: AudioId(id), input, outputs: to.to_vec(), config }
}

fn participant(codec: Codec) -> Box<ParticipantConfig> {
    Box::new(ParticipantConfig {
        receives: receives(codec),
        sends: Some(sends(codec, 97)),
        start: Start { sequence: 65_500, timestamp: 9 },
        auto_level: false,
        detect_tones: false,
        keys: SendKeys::Events(102),
        delay_ms_min: 10,
    })
}

fn remove(id: u32) -> AudioCommand {
    AudioCommand::Remove { id: AudioId(id) }
}

fn play(to: u32, token: u64, prompt: &Prompt, manner: Manner) -> AudioCommand {
    AudioCommand::Play { to: AudioId(to), token, prompt: prompt.clone(), times: Some(1), gain: 1.0, manner }
}
