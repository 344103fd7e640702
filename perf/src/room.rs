//! A shard with a room in it: publishers (mostly one), many subscribers who get all of them, and time that runs as in a
//! call. The same room serves the fan-out table, the stage benches and the instruction counts.

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

/// Consent lasts thirty seconds (RFC 7675 section 5.1); browsers renew it every five.
const CONSENT_EVERY: Duration = Duration::from_secs(5);

/// What a room is made of.
pub struct Plan<'a> {
    /// Protects all legs, each with a key of its own.
    pub profile: Profile,
    /// Sizes and number of packets.
    pub shape: Shape,
    /// Where the publishers send from; all but one leg of a room of one speaker are subscribers.
    pub publishers: &'a [Path],
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
    /// Make what comes in.
    pub publishers: Vec<Publisher>,
    /// What each subscriber needs to read what it gets.
    pub subscribers: Vec<Subscriber>,
    shape: Shape,
    next_tick: Option<Time>,
    checks: Vec<(Path, Vec<u8>)>,
    check_at: Time,
    /// Where answers to checks and the like go.
    nowhere: Memory,
}

impl Room {
    /// Everybody has joined, and has keys. The first frame is a key frame.
    ///
    /// # Panics
    /// If the shard refuses something.
    pub fn new(plan: &Plan<'_>) -> Room {
        let config = ShardConfig { backend: plan.backend, seed: [7; 32] };
        let now = Time::from_nanos(1_000_000_000_000);
        let mut room = Room {
            shard: Shard::new(config),
            now,
            publishers: Vec::with_capacity(plan.publishers.len()),
            subscribers: Vec::with_capacity(plan.subscribers.len()),
            shape: plan.shape,
            next_tick: None,
            checks: Vec::new(),
            check_at: now,
            nowhere: Memory::new(),
        };
        // Legs count up from one: the publishers, with a stream of the same number, then the subscribers.
        let mut numbers = 1..;
        for (number, path) in numbers.by_ref().zip(plan.publishers) {
            room.join(plan.profile, number, *path);
            let (leg, stream) = (LegId(number), StreamId(number));
            room.must(Command::AddStream { leg, stream, config: Box::new(peers::stream(&plan.shape)) });
            room.publishers.push(Publisher::new(plan, *path, &keying(plan.profile, 2 * number)));
        }
        for (number, remote) in numbers.zip(plan.subscribers) {
            room.join(plan.profile, number, Path::udp(0, *remote));
            room.subscribe(number);
            room.subscribers.push(Subscriber::new(plan, &keying(plan.profile, 2 * number + 1), *remote));
        }
        room.renew_consent();
        room
    }

    fn join(&mut self, profile: Profile, number: u32, path: Path) {
        let leg = LegId(number);
        self.must(Command::AddLeg(Box::new(peers::leg(number))));
        self.checks.push((path, peers::check(number)));
        let (inbound, outbound) = (keying(profile, 2 * number), keying(profile, 2 * number + 1));
        self.must(Command::SetKeys { leg, inbound: Box::new(inbound), outbound: Box::new(outbound) });
    }

    /// The leg gets all that is published.
    fn subscribe(&mut self, number: u32) {
        let count = self.publishers.len() as u32;
        for publisher in 0..count {
            let (leg, sender) = (LegId(number), SenderId(number * count + publisher));
            let config = Box::new(peers::sender(&self.shape, publisher));
            self.must(Command::AddSender { leg, sender, config });
            let payload_types =
                vec![PayloadMap { from: peers::PAYLOAD_TYPE, to: peers::PAYLOAD_TYPE, rtx: None }];
            self.must(Command::Route { sender, stream: StreamId(publisher + 1), payload_types });
        }
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
        let mut failed = None;
        let mut see = |event| {
            if let Event::CommandFailed { .. } = event {
                failed = Some(event);
            }
        };
        while self.shard.drain(self.now, &mut self.nowhere.slots(), &mut see) == Drained::Full {}
        assert!(failed.is_none(), "{failed:?}");
    }

    fn renew_consent(&mut self) {
        for some in self.checks.chunks(BATCH) {
            let batch: Vec<_> = some.iter().map(|(path, bytes)| Datagram::new(*path, bytes)).collect();
            self.shard.ingest(self.now, &batch);
        }
        self.drain_to_nowhere();
        self.check_at = self.now + CONSENT_EVERY;
    }

    /// Lets the time to the next frame pass, and makes one of each publisher.
    pub fn next_frame(&mut self) {
        self.now = self.now + self.shape.interval();
        if self.now >= self.check_at {
            self.renew_consent();
        }
        self.publishers.iter_mut().for_each(Publisher::next_frame);
    }

    /// Hands datagrams to the shard.
    pub fn ingest<'a>(&mut self, datagrams: impl Iterator<Item = (Path, &'a [u8])>) -> usize {
        let mut batch = ArrayVec::<Datagram<'_>, BATCH>::new();
        batch.extend(datagrams.map(|(path, bytes)| Datagram::new(path, bytes)));
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
    let bytes: Vec<u8> = (0..64u32).map(|i| ((i * 37) ^ number ^ (number >> 8)) as u8).collect();
    let (key, salt) = (&bytes[..profile.key_len()], &bytes[40..40 + profile.salt_len()]);
    Keying::new(profile, key, salt).expect("the profile's own lengths")
}
