//! Contestants of one shape take turns, so that what disturbs one disturbs all, and each is compared with its
//! neighbours of the same round.

use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::net::Link;
use super::plan::label;
use super::sink::Sink;
use crate::room::Shape;

/// Who is measured. Fields as in the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// `raw` or `node`.
    pub path: &'static str,
    /// Such as `sendmmsg`.
    pub io: &'static str,
    /// SRTP suite; `none` where nothing is protected.
    pub suite: &'static str,
    /// Threads, each with a shard and a room of its own.
    pub shards: usize,
    /// Whether the device takes runs of segments whole.
    pub offload: bool,
}

/// What a turn cost and did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Processor time, system calls and the way to the sink included.
    pub cpu: Duration,
    /// Packets that it was spent on.
    pub packets: u64,
    /// Packets that must reach the sink, those ahead of the timed part included.
    pub sent: u64,
    /// Packets that are known to be missing already.
    pub missing: u64,
    /// Allocations in the timed part.
    pub allocations: u64,
    /// Packets that another packet io sent than the one that is measured.
    pub detoured: u64,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Spent) {
        self.cpu += other.cpu;
        self.packets += other.packets;
        self.sent += other.sent;
        self.missing += other.missing;
        self.allocations += other.allocations;
        self.detoured += other.detoured;
    }
}

/// One that can be measured.
pub trait Contestant {
    /// Who it is.
    fn name(&self) -> Name;

    /// What it sends or receives.
    fn shape(&self) -> Shape;

    /// So many frames, after some that are not timed.
    ///
    /// # Errors
    /// Those of the system; the run ends.
    fn turn(&mut self, frames: usize) -> io::Result<Spent>;
}

/// A contestant with the link that is its own; the link goes last.
pub struct Linked<C>(pub C, pub Link);

impl<C: Contestant> Contestant for Linked<C> {
    fn name(&self) -> Name {
        self.0.name()
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        self.0.turn(frames)
    }
}

/// Two that share nothing, each on a processor of its own.
pub struct Pair<C>(pub [C; 2]);

impl<C: Contestant + Send> Contestant for Pair<C> {
    fn name(&self) -> Name {
        Name { shards: 2, ..self.0[0].name() }
    }

    fn shape(&self) -> Shape {
        self.0[0].shape()
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        let start = Barrier::new(2);
        let results = thread::scope(|scope| {
            let threads = self.0.iter_mut().enumerate().map(|(index, shard)| {
                let start = &start;
                scope.spawn(move || {
                    kaname_io::pin_current_thread(index)?;
                    start.wait();
                    shard.turn(frames)
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        let mut spent = Spent::default();
        for result in results {
            spent += result.map_err(|_| io::Error::other("a shard's thread panicked"))??;
        }
        Ok(spent)
    }
}

/// What is known of one contestant after all rounds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who.
    pub name: Name,
    /// What was sent.
    pub shape: Shape,
    /// Nanoseconds a packet, one a round.
    pub ns: Vec<f64>,
    /// Packets that did not reach the sink.
    pub lost: u64,
    /// Packets that were to reach it.
    pub sent: u64,
    /// Allocations while it was timed.
    pub allocations: u64,
}

/// One packet in so many may take a detour: routes are asked for anew from time to time.
const DETOURS: u64 = 10;

/// Lets all of them take turns of about so many packets.
///
/// # Errors
/// Those of the contestants.
pub fn run(
    contestants: &mut [Box<dyn Contestant>],
    sink: &Sink,
    packets: usize,
    rounds: usize,
) -> io::Result<Vec<Outcome>> {
    let begin = |it: &dyn Contestant| Outcome {
        name: it.name(),
        shape: it.shape(),
        ns: Vec::with_capacity(rounds),
        lost: 0,
        sent: 0,
        allocations: 0,
    };
    let mut results: Vec<Outcome> = contestants.iter().map(|it| begin(&**it)).collect();
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            // Nobody is always first, or always behind the same neighbour's traces in the cache.
            let who = if round % 2 == 0 { turn } else { contestants.len() - 1 - turn };
            let before = sink.count()?;
            let frames = packets.div_ceil(results[who].shape.copies()).max(2);
            let spent = contestants[who].turn(frames)?;
            let arrived = sink.wait_for(before.packets + spent.sent)?;
            let result = &mut results[who];
            if spent.detoured * DETOURS > spent.sent {
                let who = label(&result.name, &result.shape);
                return Err(io::Error::other(format!(
                    "{who}: the kernel's sockets sent {} packets",
                    spent.detoured
                )));
            }
            result.ns.push(spent.cpu.as_nanos() as f64 / spent.packets.max(1) as f64);
            result.sent += spent.sent;
            result.lost += spent.missing + (before.packets + spent.sent).saturating_sub(arrived);
            result.allocations += spent.allocations;
        }
    }
    Ok(results)
}
