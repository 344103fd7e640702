//! A shard with a room in it: one publisher, many subscribers, and time that runs as in a call. The same room serves the
//! fan-out table, the stage benches and the instruction counts.

mod peers;
mod publisher;
mod shape;
mod slots;

use std::net::SocketAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use kaname_core::command::{Command, LegId, PayloadMap, SenderId, StreamId};
use kaname_core::limits::BATCH;
use kaname_core::{Datagram, Drained, Event, Shard, ShardConfig, Time, TxSlots};
use kaname_srtp::{Backend, Keying, Profile};
use kaname_wire::path::Path;

pub use peers::Subscriber;
pub use publisher::Publisher;
pub use shape::{Shape, Sizes};
pub use slots::Memory;

/// The publisher's leg and stream; subscribers count up from one above.
const PUBLISHER: u32 = 1;

/// Consent lasts thirty seconds (RFC 7675 section 5.1); browsers renew it every five.
const CONSENT_EVERY: Duration = Duration::from_secs(5);

/// What a room is made of.
pub struct Plan<'a> {
    /// Protects all legs, each with a key of its own.
    pub profile: Profile,
    /// Sizes and number of packets.
    pub shape: Shape,
    /// Where the publisher sends from.
    pub publisher: Path,
    /// Where the subscribers are, one for each destination of the shape.
    pub subscribers: &'a [SocketAddr],
    /// What encrypts and decrypts.
    pub backend: Backend,
}

/// A shard, its peers, and the time of the call.
pub struct Room {
    /// The shard.
    pub shard: Shard,
    /// The time of the call.
    pub now: Time,
    /// Makes what comes in.
    pub publisher: Publisher,
    /// What each subscriber needs to read what it gets.
    pub subscribers: Vec<Subscriber>,
    shape: Shape,
    next_tick: Option<Time>,
    checks: Vec<(Path, Vec<u8>)>,
    check_at: Time,
}

impl Room {
    /// Everybody has joined, and has keys. The first frame is a key frame.
    ///
    /// # Panics
    /// If the shard refuses something.
    pub fn new(plan: &Plan<'_>) -> Room {
        let config = ShardConfig { backend: plan.backend, seed: [7; 32] };
        let publisher = Publisher::new(plan, &keying(plan.profile, 2 * PUBLISHER));
        let now = Time::from_nanos(1_000_000_000_000);
        let mut room = Room {
            shard: Shard::new(config),
            now,
            publisher,
            subscribers: Vec::with_capacity(plan.subscribers.len()),
            shape: plan.shape,
            next_tick: None,
            checks: Vec::new(),
            check_at: now,
        };
        room.join(plan, PUBLISHER, plan.publisher);
        let stream = peers::stream(&plan.shape);
        room.must(Command::AddStream {
            leg: LegId(PUBLISHER),
            stream: StreamId(PUBLISHER),
            config: Box::new(stream),
        });
        for (number, remote) in (PUBLISHER + 1..).zip(plan.subscribers) {
            let path = Path::udp(plan.publisher.local, *remote);
            room.join(plan, number, path);
            room.subscribe(number);
            room.subscribers.push(Subscriber::new(plan, number, *remote));
        }
        room.renew_consent();
        room
    }

    fn join(&mut self, plan: &Plan<'_>, number: u32, path: Path) {
        let leg = LegId(number);
        self.must(Command::AddLeg(Box::new(peers::leg(number))));
        self.checks.push((path, peers::check(number)));
        let (inbound, outbound) = (keying(plan.profile, 2 * number), keying(plan.profile, 2 * number + 1));
        self.must(Command::SetKeys { leg, inbound: Box::new(inbound), outbound: Box::new(outbound) });
    }

    fn subscribe(&mut self, number: u32) {
        let (leg, sender) = (LegId(number), SenderId(number));
        self.must(Command::AddSender { leg, sender, config: Box::new(peers::sender(&self.shape, number)) });
        let payload_types =
            vec![PayloadMap { from: peers::PAYLOAD_TYPE, to: peers::PAYLOAD_TYPE, rtx: None }];
        self.must(Command::Route { sender, stream: StreamId(PUBLISHER), payload_types });
    }

    /// Carries out a command.
    ///
    /// # Panics
    /// If it fails.
    pub fn must(&mut self, command: Command) {
        self.shard.command(self.now, command);
        self.drain_to_nowhere();
    }

    fn drain_to_nowhere(&mut self) {
        let mut memory = Memory::new();
        let mut failed = None;
        let mut see = |event| {
            if let Event::CommandFailed { .. } = event {
                failed = Some(event);
            }
        };
        while self.shard.drain(self.now, &mut memory.slots(), &mut see) == Drained::Full {}
        assert!(failed.is_none(), "{failed:?}");
    }

    fn renew_consent(&mut self) {
        for some in self.checks.chunks(BATCH) {
            let batch: Vec<_> = some.iter().map(|(path, bytes)| Datagram { path: *path, bytes }).collect();
            self.shard.ingest(self.now, &batch);
        }
        self.drain_to_nowhere();
        self.check_at = self.now + CONSENT_EVERY;
    }

    /// Lets the time to the next frame pass, and makes the frame.
    pub fn next_frame(&mut self) {
        self.now = self.now + self.shape.interval();
        if self.now >= self.check_at {
            self.renew_consent();
        }
        self.publisher.next_frame();
    }

    /// Hands datagrams to the shard.
    pub fn ingest<'a>(&mut self, datagrams: impl Iterator<Item = (Path, &'a [u8])>) -> usize {
        let mut batch = ArrayVec::<Datagram<'_>, BATCH>::new();
        batch.extend(datagrams.map(|(path, bytes)| Datagram { path, bytes }));
        self.shard.ingest(self.now, &batch);
        batch.len()
    }

    /// Drains once into these slots.
    pub fn drain<'a>(&mut self, slots: &mut impl TxSlots<'a>) -> Drained {
        let drained = self.shard.drain(self.now, slots, &mut |_| {});
        if let Drained::Done(next) = drained {
            self.next_tick = next;
        }
        drained
    }

    /// Does what is due; whether anything was.
    pub fn tick(&mut self) -> bool {
        let due = self.next_tick.is_some_and(|at| at <= self.now);
        if due {
            self.shard.tick(self.now);
        }
        due
    }
}

/// A key of its own for each number.
fn keying(profile: Profile, number: u32) -> Keying {
    let bytes: Vec<u8> = (0..64u32).map(|i| (i * 37 ^ number ^ number >> 8) as u8).collect();
    let (key, salt) = (&bytes[..profile.key_len()], &bytes[40..40 + profile.salt_len()]);
    Keying::new(profile, key, salt).expect("the profile's own lengths")
}
