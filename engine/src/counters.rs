//! Figures that cross threads: written by their owner, read by anyone, no lock.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kaname_core::{Counters as CoreCounters, DropReason, Time};
use kaname_io::Counters as IoCounters;

use crate::shard::delay::{DELAY_NAMES, Delays};
use crate::steering::SteeringFigures;

/// Figures of one shard, at most a second old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountersSnapshot {
    /// Name and value; names are stable, in the metrics' style (`io_packets_received`).
    pub values: Vec<(&'static str, u64)>,
    /// Packets that the core did not forward, by the core's reason.
    pub drops: Vec<(&'static str, u64)>,
}

impl CountersSnapshot {
    /// The figure of that name, 0 if there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.values.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v)
    }
}

macro_rules! worker_counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happens to a shard's legs on the workers, and between.
        #[derive(Debug, Default)]
        pub(crate) struct WorkerCounters { $($(#[$doc])* pub(crate) $name: AtomicU64,)* }

        impl WorkerCounters {
            fn read(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*].into_iter()
            }
        }
    };
}

worker_counters! {
    /// Handshakes begun by a ClientHello.
    dtls_started,
    /// Handshakes that ended with keys.
    dtls_secured,
    /// Handshakes that ended without.
    dtls_failed,
    /// Handshakes begun anew by another ClientHello before the first had ended.
    dtls_restarted,
    /// Datagrams dropped: the worker's queue was full.
    dtls_dropped_queue_full,
    /// Datagrams dropped: nobody asked for the leg to be secured (yet), or it is gone.
    dtls_dropped_unknown_leg,
    /// Datagrams dropped: not a ClientHello, and there is no handshake.
    dtls_dropped_no_handshake,
    /// ClientHellos dropped: too many unfinished handshakes.
    dtls_dropped_half_open,
    /// Datagrams dropped: not from the leg's peer.
    dtls_dropped_stranger,
    /// ClientHellos answered with the question whether the sender is where it says.
    dtls_doubted,
    /// Handshakes ended because a newer one took their place, or because they did not prove themselves in time.
    dtls_displaced,
    /// Handshakes of a contest that broke: what came was no DTLS, or of nothing that both sides can do. Nothing is answered, since
    /// it need not be the peer's.
    dtls_broken,
    /// Handshakes with the peer's address that met another certificate than the signalled one; the leg goes on trying for a
    /// moment.
    dtls_refused,
    /// The same with other addresses; the leg goes on waiting for its peer.
    dtls_strangers_refused,
    /// ClientHellos dropped: the leg has begun too many handshakes.
    dtls_dropped_attempts,
    /// Our records dropped: the shard's queue was full. They are sent again.
    dtls_send_dropped,
    /// Faults of ours while handling one leg; only that leg was affected.
    dtls_faults,
    /// Messages received on data channels.
    data_messages_in,
    /// Messages sent on data channels.
    data_messages_out,
    /// Messages not sent: no such channel.
    data_dropped_no_channel,
    /// Messages not sent: longer than the peer takes.
    data_dropped_too_long,
    /// Channels closed because the peer read too slowly.
    data_closed_slow,
    /// Channels refused: too many, or a malformed opening.
    data_refused,
}

/// Counts one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

macro_rules! core_counters {
    ($($name:ident,)*) => {
        const CORE_NAMES: &[&str] = &[$(concat!("core_", stringify!($name)),)*];

        fn core_values(counters: &CoreCounters) -> [u64; CORE_NAMES.len()] {
            [$(counters.$name,)*]
        }
    };
}

core_counters! {
    packets_in,
    bytes_in,
    packets_out,
    bytes_out,
    media_in,
    forwarded,
    repaired,
    recovered,
    nacks_sent,
    key_frame_requests,
    checks_answered,
    arena_used,
    legs,
    crossed_out,
    crossed_in,
    handed_over,
}

const SHARD_NAMES: [&str; 13] = [
    "shard_cpu_us",
    "shard_rounds",
    "shard_faults",
    "shard_wakeups",
    "shard_spins_paid",
    "shard_spins_vain",
    "shard_rests",
    "shard_busy_us",
    BUSY_PERMILLE,
    "steer_learned",
    "steer_learn_failed",
    "steer_taken",
    "steer_dropped",
];

const BUSY_PERMILLE: &str = "shard_busy_permille";

/// Names of the published figures, in their order.
static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let names = IoCounters::NAMES.iter().chain(CORE_NAMES).chain(&SHARD_NAMES).chain(&DELAY_NAMES);
    names.copied().collect()
});

/// What a shard's own thread keeps count of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShardFigures {
    pub(crate) cpu_us: u64,
    pub(crate) rounds: u64,
    pub(crate) faults: u64,
    /// Sleeps, each ended by a wake-up.
    pub(crate) wakeups: u64,
    /// Looks for more ahead of a sleep: those that made it unnecessary, and those that did not.
    pub(crate) spins_paid: u64,
    pub(crate) spins_vain: u64,
    /// Rests for the sake of several packets at once.
    pub(crate) rests: u64,
    /// Packets by how long they stayed in the node.
    pub(crate) delays: Delays,
    /// Time not spent waiting.
    pub(crate) busy: Duration,
    /// The share of it in the latest interval.
    pub(crate) busy_permille: u64,
    settled: (Time, Duration),
    pub(crate) steering: SteeringFigures,
    /// Datagrams that others had for this shard, and for which there was no room.
    pub(crate) strays_dropped: u64,
}

impl ShardFigures {
    /// An interval ends.
    pub(crate) fn settle(&mut self, now: Time) {
        let (then, busy) = std::mem::replace(&mut self.settled, (now, self.busy));
        let interval = now.since(then).as_nanos().max(1);
        let share = (self.busy - busy).as_nanos() * 1000 / interval;
        self.busy_permille = u64::try_from(share.min(1000)).unwrap_or(1000);
    }

    fn values(&self) -> [u64; SHARD_NAMES.len()] {
        [
            self.cpu_us,
            self.rounds,
            self.faults,
            self.wakeups,
            self.spins_paid,
            self.spins_vain,
            self.rests,
            u64::try_from(self.busy.as_micros()).unwrap_or(u64::MAX),
            self.busy_permille,
            self.steering.learned,
            self.steering.learn_failed,
            self.steering.taken,
            self.strays_dropped,
        ]
    }
}

/// Where a shard puts its figures once in a while.
#[derive(Debug)]
pub(crate) struct Published {
    values: Box<[AtomicU64]>,
    drops: Box<[AtomicU64]>,
}

impl Published {
    pub(crate) fn new() -> Published {
        Published {
            values: NAMES.iter().map(|_| AtomicU64::new(0)).collect(),
            drops: DropReason::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn publish(&self, io: &IoCounters, core: &CoreCounters, shard: ShardFigures) {
        let all = io.values().into_iter().chain(core_values(core)).chain(shard.values()).chain(shard.delays);
        for (to, value) in self.values.iter().zip(all) {
            to.store(value, Ordering::Relaxed);
        }
        for (to, reason) in self.drops.iter().zip(DropReason::ALL) {
            to.store(core.dropped(*reason), Ordering::Relaxed);
        }
    }

    /// How busy the shard was in the latest interval.
    pub(crate) fn busy_permille(&self) -> u32 {
        let at = NAMES.iter().position(|name| *name == BUSY_PERMILLE);
        let value = at.and_then(|at| self.values.get(at)).map_or(0, |value| value.load(Ordering::Relaxed));
        u32::try_from(value).unwrap_or(1000)
    }

    pub(crate) fn snapshot(&self, workers: &WorkerCounters) -> CountersSnapshot {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let published = NAMES.iter().copied().zip(self.values.iter().map(load));
        CountersSnapshot {
            values: published.chain(workers.read()).collect(),
            drops: DropReason::ALL.iter().map(|r| r.name()).zip(self.drops.iter().map(load)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_read_under_its_name() {
        let published = Published::new();
        let io = IoCounters { packets_sent: 7, receive_buffer_bytes: 9, ..IoCounters::default() };
        let mut core = CoreCounters::default();
        core.bytes_out = 8;
        published.publish(
            &io,
            &core,
            ShardFigures {
                rounds: 2,
                faults: 3,
                spins_vain: 4,
                delays: [5, 0, 0, 0, 0, 0, 6],
                ..ShardFigures::default()
            },
        );
        let workers = WorkerCounters::default();
        count(&workers.dtls_secured);
        let snapshot = published.snapshot(&workers);
        for (name, value) in [
            ("io_packets_sent", 7),
            ("io_receive_buffer_bytes", 9),
            ("core_bytes_out", 8),
            ("shard_faults", 3),
            ("shard_spins_vain", 4),
            ("shard_delay_below_50us", 5),
            ("shard_delay_longer", 6),
            ("dtls_secured", 1),
            ("no_such_name", 0),
        ] {
            assert_eq!(snapshot.get(name), value, "{name}");
        }
        assert_eq!(snapshot.drops.len(), DropReason::ALL.len());
    }
}
