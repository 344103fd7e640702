//! A packet's way through an audio worker and back, and a room's ticks.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_engine::audio::{
    AudioCommand, AudioId, Codec, Codecs, OpusConfig, Output, ParticipantConfig, Receives, RoomConfig,
    SendFormat, SendKeys, Start, StreamFormat, TranscoderConfig,
};
use kaname_engine::core::Command;
use kaname_engine::core::command::{
    self, ExtensionIds, ImportConfig, Learn, LegConfig, LegId, LinkId, MediaKind, PayloadMap, PayloadType,
    Ports, Remote, SenderConfig, SenderId, StreamConfig, StreamId, Transport,
};
use kaname_engine::{Engine, EngineConfig, EngineEvent, ShardId};

use crate::allocations;

const SHARD: ShardId = ShardId(0);
const CLIENTS: u32 = 4;
const OPUS: Codec = Codec::Opus(OpusConfig { bitrate: 24_000, complexity: 5, fec: true, dtx: false });

/// The first two are in a call, the others in a room.
const CODECS: [Codec; CLIENTS as usize] = [Codec::Pcma, OPUS, Codec::G722, OPUS];

fn payload_type(codec: Codec, number: u8) -> PayloadType {
    PayloadType { number, rtx: None, codec: command::Codec::Other, clock_rate: codec.clock_hz() }
}

/// A telephone in the clear: it sends a packet each 20 ms and counts what comes.
struct Telephone {
    socket: UdpSocket,
    server: SocketAddr,
    codec: Codec,
    payloads: Vec<Vec<u8>>,
    packet: Vec<u8>,
    sent: u32,
    heard: u64,
}

impl Telephone {
    fn new(engine: &Engine, n: u32) -> Telephone {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_nonblocking(true).expect("an option");
        let remote = socket.local_addr().expect("bound");
        let (local, server) = (0..100)
            .find_map(|_| {
                let free = UdpSocket::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).ok()?;
                Some((engine.open_port(SHARD, free).ok()?, free))
            })
            .expect("a free port");
        let codec = CODECS[n as usize];
        let leg = LegId(n);
        let remote = Remote { rtp: Some(remote), rtcp: None, learn: Learn::Never };
        let transport = Transport::Ports(Ports { rtp: local, rtcp: None, ice: None, remote });
        let tell = |command| engine.command(SHARD, command).expect("room");
        tell(Command::AddLeg(Box::new(LegConfig { leg, transport, extensions: ExtensionIds::default() })));
        tell(Command::SetPlain { leg });
        let stream = StreamConfig {
            kind: MediaKind::Audio,
            mid: None,
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
            payload_types: vec![payload_type(codec, 96)],
            nack: false,
            pli: false,
            fir: false,
            transport_cc: false,
        };
        tell(Command::AddStream { leg, stream: StreamId(n), config: Box::new(stream) });
        let worker = engine.audio_index(0);
        tell(Command::ExportStream { stream: StreamId(n), link: LinkId(u64::from(n)), to: worker });
        let made = StreamId(100 + n);
        let config = ImportConfig { kind: MediaKind::Audio, payload_types: vec![payload_type(codec, 97)] };
        let link = LinkId(100 + u64::from(n));
        tell(Command::ImportStream { stream: made, link, from: worker, config: Box::new(config) });
        let sender = SenderConfig {
            kind: MediaKind::Audio,
            ssrc: 5_000 + n,
            rtx_ssrc: None,
            cname: "a telephone".into(),
            mid: None,
        };
        tell(Command::AddSender { leg, sender: SenderId(n), config: Box::new(sender) });
        let map = PayloadMap { from: 97, to: 96, rtx: None };
        tell(Command::Route { sender: SenderId(n), stream: made, payload_types: vec![map] });
        let (payloads, packet) = (payloads(codec), Vec::with_capacity(2_000));
        Telephone { socket, server, codec, payloads, packet, sent: 0, heard: 0 }
    }

    fn turn(&mut self, n: u32) {
        let payload = &self.payloads[self.sent as usize % self.payloads.len()];
        self.packet.clear();
        self.packet.extend([0x80, 96]);
        self.packet.extend((self.sent as u16).to_be_bytes());
        self.packet.extend((self.sent * (self.codec.clock_hz() / 50)).to_be_bytes());
        self.packet.extend((1_000 + n).to_be_bytes());
        self.packet.extend(payload);
        self.socket.send_to(&self.packet, self.server).expect("loopback");
        self.sent += 1;
        let mut bytes = [0; 2_000];
        while let Ok((len, _)) = self.socket.recv_from(&mut bytes) {
            // RTCP is no media.
            self.heard += u64::from(len > 12 && bytes[1] & 0x7f == 96);
        }
    }
}

/// A second of a voice that rises and falls.
fn payloads(codec: Codec) -> Vec<Vec<u8>> {
    let rate = codec.rate_max();
    let mut encoder = Codecs::built_in().encoder(codec, rate).expect("built in");
    let frame = rate.samples(20);
    (0..50)
        .map(|n| {
            let sample = |at: usize| {
                let seconds = (n * frame + at) as f32 / rate.hz() as f32;
                (6_000.0 * (1.0 + (seconds * 12.0).sin()) * (seconds * 1_900.0).sin()) as i16
            };
            let samples: Vec<i16> = (0..frame).map(sample).collect();
            let mut payload = vec![0; 1_500];
            let len = encoder.encode(&samples, &mut payload).expect("a frame");
            payload.truncate(len);
            payload
        })
        .collect()
}

fn receives(codec: Codec) -> Vec<StreamFormat> {
    vec![StreamFormat { payload_type: 96, receives: Receives::Audio(codec) }]
}

fn sends(codec: Codec) -> SendFormat {
    SendFormat { codec, payload_type: 97, ptime_ms: 20 }
}

fn begin(engine: &Engine) {
    let tell = |command| engine.audio(0, command).expect("room");
    for n in 0..2_u32 {
        let config = TranscoderConfig {
            receives: receives(CODECS[1 - n as usize]),
            sends: sends(CODECS[n as usize]),
            noise_type: None,
            detect_tones: true,
            keys: SendKeys::Tones,
            auto_level: false,
            delay_ms_min: 10,
            start: Start::default(),
        };
        let outputs = vec![Output { shard: SHARD, link: LinkId(100 + u64::from(n)) }];
        let input = Some(LinkId(1 - u64::from(n)));
        tell(AudioCommand::AddTranscoder { id: AudioId(n), input, outputs, config: Box::new(config) });
    }
    tell(AudioCommand::AddRoom { id: AudioId(50), config: RoomConfig::default() });
    for n in 2..CLIENTS {
        let codec = CODECS[n as usize];
        let config = ParticipantConfig {
            receives: receives(codec),
            sends: Some(sends(codec)),
            start: Start::default(),
            auto_level: true,
            detect_tones: false,
            keys: SendKeys::Never,
            delay_ms_min: 10,
        };
        tell(AudioCommand::Join {
            room: AudioId(50),
            id: AudioId(n),
            input: Some(LinkId(u64::from(n))),
            outputs: vec![Output { shard: SHARD, link: LinkId(100 + u64::from(n)) }],
            config: Box::new(config),
        });
    }
}

/// Allocations of four seconds of a call and of a room.
pub(crate) fn through_a_worker() -> u64 {
    let config = EngineConfig { pin: false, tcp: false, ..EngineConfig::default() };
    let engine = Engine::start(config, |_, event| {
        assert!(
            !matches!(event, EngineEvent::Core(kaname_engine::core::Event::CommandFailed { .. })),
            "{event:?}"
        );
    })
    .expect("loopback");
    let mut telephones: Vec<Telephone> = (0..CLIENTS).map(|n| Telephone::new(&engine, n)).collect();
    begin(&engine);
    let epoch = Instant::now();
    let (mut begun, mut heard) = (0, Vec::with_capacity(8));
    for tick in 0..400_u32 {
        // Twice round the places of the jitter buffers, and each has its memory.
        if tick == 200 {
            heard.extend(telephones.iter().map(|telephone| telephone.heard));
            begun = allocations();
        }
        for (n, telephone) in telephones.iter_mut().enumerate() {
            telephone.turn(n as u32);
        }
        let next = epoch + Duration::from_millis(20) * (tick + 1);
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    let allocated = allocations() - begun;
    // All of it goes to the worker, so it was taken in ahead of its turns; figures are a second old at most.
    let waited = engine.counters(SHARD).get("io_ports_waited");
    assert!(waited >= u64::from(CLIENTS) * 300, "{waited}");
    for (telephone, before) in telephones.iter().zip(heard) {
        assert!(telephone.heard - before >= 190, "{}", telephone.heard - before);
    }
    allocated
}
