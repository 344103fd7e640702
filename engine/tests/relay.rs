//! What relaying calls costs: one packet in, one out, many ports. Processor time of the shard's thread, the kernel's part
//! included, for packets that come one by one.
//!
//! `chrt -f 10 cargo test --release -p kaname-engine --test relay -- --ignored --nocapture`

#![allow(clippy::print_stdout, reason = "a measurement tells what it measured")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kaname_engine::core::Command;
use kaname_engine::core::command::{
    Codec, ExtensionIds, Learn, LegConfig, LegId, MediaKind, PayloadMap, PayloadType, Ports, Remote,
    SenderConfig, SenderId, StreamConfig, StreamId, Transport,
};
use kaname_engine::io::{FIRST_PORT, KernelUdp, PacketIo, Slots, UdpConfig, pin_current_thread};
use kaname_engine::srtp::{Backend, Keying, Outbound, Profile};
use kaname_engine::wire::path::Path;
use kaname_engine::{Engine, EngineConfig, ShardId};

const SHARD: ShardId = ShardId(0);

/// Packets of a leg a second, and their payload.
const RATE: u32 = 50;
const PAYLOAD: usize = 160;

/// One side of a call.
struct Side {
    /// From its own port to the engine's.
    path: Path,
    ssrc: u32,
    sequence: u16,
    keys: Option<Outbound>,
}

struct Calls {
    engine: Engine,
    sides: Vec<Side>,
    /// All ends are ports of one.
    ends: KernelUdp,
    received: u64,
    /// Of what was received in the clear, in nanoseconds.
    delays: Vec<u64>,
    epoch: Instant,
}

fn keying(seed: u8) -> Keying {
    let profile = Profile::Aes128CmSha1_80;
    Keying::new(profile, &vec![seed; profile.key_len()], &vec![seed; profile.salt_len()]).expect("lengths")
}

impl Calls {
    fn new(config: EngineConfig, calls: u32, secure: bool) -> Calls {
        let engine = Engine::start(config, |_, _| {}).expect("loopback");
        let ends = KernelUdp::new(&UdpConfig { tcp: false, ..UdpConfig::default() }).expect("loopback");
        let (sides, epoch) = (Vec::new(), Instant::now());
        let mut all = Calls { engine, sides, ends, received: 0, delays: Vec::new(), epoch };
        for number in 0..2 * calls {
            all.side(number, secure && number % 2 == 1);
        }
        for number in 0..2 * calls {
            all.route(number);
        }
        all
    }

    fn command(&self, command: Command) {
        let mut command = Some(command);
        while let Some(refused) = command.take().and_then(|c| self.engine.command(SHARD, c).err()) {
            std::thread::yield_now();
            command = Some(refused.command);
        }
    }

    fn side(&mut self, number: u32, secure: bool) {
        let (at, to) = (free(), free());
        let end = FIRST_PORT + number;
        let socket = self.ends.door().open(end, at).expect("free");
        self.ends.open_port(end, socket);
        let local = self.engine.open_port(SHARD, to).expect("free");
        let leg = LegId(number);
        let remote = Remote { rtp: Some(at), rtcp: None, learn: Learn::Window };
        let transport = Transport::Ports(Ports { rtp: local, rtcp: None, ice: None, remote });
        let extensions = ExtensionIds::default();
        self.command(Command::AddLeg(Box::new(LegConfig { leg, transport, extensions })));
        self.command(if secure {
            Command::SetKeys { leg, inbound: Box::new(keying(1)), outbound: Box::new(keying(2)) }
        } else {
            Command::SetPlain { leg }
        });
        let payload = PayloadType { number: 0, rtx: None, codec: Codec::Other, clock_rate: 8000 };
        let config = StreamConfig {
            kind: MediaKind::Audio,
            mid: None,
            rid: None,
            ssrc: None,
            rtx_ssrc: None,
            payload_types: vec![payload],
            nack: false,
            pli: false,
            fir: false,
            transport_cc: false,
        };
        self.command(Command::AddStream { leg, stream: StreamId(number), config: Box::new(config) });
        let config = SenderConfig {
            kind: MediaKind::Audio,
            ssrc: 50_000 + number,
            rtx_ssrc: None,
            cname: "relay".into(),
            mid: None,
        };
        self.command(Command::AddSender { leg, sender: SenderId(number), config: Box::new(config) });
        let keys = secure.then(|| Outbound::new(Backend::best(), &keying(1)));
        self.sides.push(Side { path: Path::udp(end, to), ssrc: 1000 + number, sequence: 0, keys });
    }

    /// To the other side of the call.
    fn route(&self, number: u32) {
        let payload_types = vec![PayloadMap { from: 0, to: 0, rtx: None }];
        let (sender, stream) = (SenderId(number ^ 1), StreamId(number));
        self.command(Command::Route { sender, stream, payload_types });
    }

    fn send(&mut self, side: usize) {
        let side = &mut self.sides[side];
        side.sequence = side.sequence.wrapping_add(1);
        let mut packet = [0_u8; 12 + PAYLOAD];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&side.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(side.sequence) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&side.ssrc.to_be_bytes());
        packet[12..20].copy_from_slice(&(self.epoch.elapsed().as_nanos() as u64).to_be_bytes());
        let mut protected = [0_u8; 12 + PAYLOAD + 16];
        let bytes = match &mut side.keys {
            Some(keys) => {
                let (header, payload) = packet.split_at(12);
                let len = keys.protect_rtp(header, payload, &mut protected).expect("room");
                &protected[..len]
            }
            None => &packet[..],
        };
        self.ends.tx().take(&side.path, bytes.len()).expect("room").copy_from_slice(bytes);
        self.ends.flush().expect("flushes");
    }

    fn receive(&mut self) {
        let Calls { ends, sides, received, delays, epoch, .. } = self;
        loop {
            let batch = ends.recv().expect("receives");
            if batch.is_empty() {
                return;
            }
            // RFC 5761 section 4: reports come on the same port.
            for (path, packet) in batch.iter().filter(|(_, packet)| !(192..224).contains(&packet[1])) {
                *received += 1;
                let is_plain = sides[(path.local - FIRST_PORT) as usize].keys.is_none();
                let sent = packet.get(12..20).and_then(|bytes| bytes.try_into().ok()).filter(|_| is_plain);
                delays.extend(sent.map(|sent: [u8; 8]| {
                    (epoch.elapsed().as_nanos() as u64).saturating_sub(u64::from_be_bytes(sent))
                }));
            }
        }
    }

    /// Sends at an even pace and receives, for so long; gives packets that came back and the shard's time.
    fn run(&mut self, time: Duration) -> (u64, Duration) {
        let count = self.sides.len();
        let gap = Duration::from_secs(1) / (RATE * count as u32);
        let (before, began) = (self.received, Instant::now());
        let busy = shard_time();
        let (mut due, mut next) = (began, 0);
        while began.elapsed() < time {
            let now = Instant::now();
            while due <= now {
                self.send(next);
                next = (next + 1) % count;
                due += gap;
            }
            self.ends.wait(Some(due.saturating_duration_since(Instant::now()))).expect("waits");
            self.receive();
        }
        (self.received - before, shard_time() - busy)
    }
}

/// An address that is free a moment from now.
fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback")
}

/// Processor time of the shard's thread.
fn shard_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux");
    for task in tasks.flatten() {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("kaname-shard") {
            let nanos =
                read("schedstat").split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
            return Duration::from_nanos(nanos);
        }
    }
    panic!("no shard");
}

#[test]
#[ignore = "full suite: a measurement"]
fn what_relaying_a_packet_costs() {
    let env = |name: &str, value: u32| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(value);
    let (calls, seconds, rounds) = (env("RELAY_CALLS", 100), env("RELAY_SECONDS", 2), env("RELAY_ROUNDS", 3));
    let secure = env("RELAY_SRTP", 0) == 1;
    let coalesce = Duration::from_micros(env("RELAY_COALESCE", 1000).into());
    let config = EngineConfig { workers: 1, tcp: false, coalesce, ..EngineConfig::default() };
    let mut relay = Calls::new(config, calls, secure);
    // The shard has the first processor.
    pin_current_thread(1).expect("there are two");
    relay.run(Duration::from_millis(500));
    for _ in 0..rounds {
        let before = relay.engine.counters(SHARD);
        let (packets, time) = relay.run(Duration::from_secs(seconds.into()));
        let after = relay.engine.counters(SHARD);
        relay.delays.sort_unstable();
        let delay =
            |permille| relay.delays.get(relay.delays.len() * permille / 1000).map_or(0, |ns| ns / 1000);
        let delays = (delay(500), delay(990), delay(999));
        relay.delays.clear();
        let rate = |name: &str| (after.get(name) - before.get(name)) / u64::from(seconds);
        println!(
            "{calls} calls, {coalesce:?}: {} packets, {:.2} us a packet; delay {delays:?} us; a second: {} rounds, {} wakeups, spins {} / {}, {} receives, {} sends",
            packets,
            time.as_secs_f64() * 1e6 / packets as f64,
            rate("shard_rounds"),
            rate("shard_wakeups"),
            rate("shard_spins_paid"),
            rate("shard_spins_vain"),
            rate("io_receive_calls"),
            rate("io_send_calls"),
        );
    }
}
