//! A shard's thread: it owns packet io and the core's state machine, and does nothing but carry between them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kaname_core::command::LegId;
use kaname_core::limits::BATCH;
use kaname_core::{Command, Datagram, Drained, Event, Shard, ShardConfig, Time, TxSlots};
use kaname_io::{PacketIo, RX_BATCH, Slots, pin_current_thread, thread_cpu_time};
use kaname_srtp::Backend;
use kaname_wire::path::Path;

use crate::counters::ShardFigures;
use crate::limits::{COMMAND_TURN, MAX_SHARD_FAULTS, PUBLISH_TIME};
use crate::port::{LegKey, Order, ShardPort, Sink, WorkerPort, worker_of};
use crate::spin::Spin;
use crate::{EngineEvent, ShardId};

const _: () = assert!(RX_BATCH <= BATCH, "the core takes a whole receive batch");

/// What a shard's thread shares with the rest of the engine.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) id: ShardId,
    pub(crate) port: Arc<ShardPort>,
    pub(crate) workers: Arc<[WorkerPort]>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
    /// Time zero of the engine.
    pub(crate) epoch: Instant,
    pub(crate) pin: bool,
}

/// Runs the shard until the engine stops. A fault of ours ends its legs, not the thread, nor any other shard.
pub(crate) fn run<I: PacketIo>(mut io: I, around: Surroundings) {
    if around.pin
        && let Err(error) = pin_current_thread(around.id.0)
    {
        (around.sink)(around.id, EngineEvent::PinFailed { error: error.to_string() });
    }
    let mut figures = ShardFigures::default();
    loop {
        let mut round = Round::new(&mut io, &around, figures);
        let message = match catch_unwind(AssertUnwindSafe(|| round.run())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("packet io failed: {error}"),
            Err(panic) => panic_message(&*panic),
        };
        figures = round.figures;
        figures.faults += 1;
        // Slots may be half-filled, or hold what is not encrypted yet.
        io.discard();
        let last = figures.faults >= u64::from(MAX_SHARD_FAULTS);
        around.port.down.store(last, Ordering::Release);
        forget_all(&around);
        // The sink may be what is at fault.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            (around.sink)(around.id, EngineEvent::ShardFailed { message });
        }));
        if last {
            return;
        }
    }
}

fn forget_all(around: &Surroundings) {
    for worker in around.workers.iter() {
        // A full queue here leaves sessions of legs that are gone; they end with their time.
        let _ = worker.order(Order::ForgetShard(around.id));
    }
}

/// A panic's text.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without text".into())
}

/// The core's view of the backend's slots.
struct CoreSlots<S>(S);

impl<'a, S: Slots<'a>> TxSlots<'a> for CoreSlots<S> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        self.0.take(to, len)
    }
}

struct Round<'e, I> {
    io: &'e mut I,
    shard: Shard,
    around: &'e Surroundings,
    /// Memory for a batch's descriptors, between two batches.
    batch: Vec<Datagram<'static>>,
    next_tick: Option<Time>,
    /// The worker's order queue was full.
    forget: VecDeque<LegId>,
    publish_at: Time,
    spin: Spin,
    figures: ShardFigures,
}

impl<'e, I: PacketIo> Round<'e, I> {
    fn new(io: &'e mut I, around: &'e Surroundings, figures: ShardFigures) -> Self {
        Round {
            io,
            shard: Shard::new(ShardConfig { seed: seed(), backend: Backend::best() }),
            around,
            batch: Vec::with_capacity(BATCH),
            next_tick: None,
            forget: VecDeque::new(),
            publish_at: Time::ZERO,
            // With one processor whoever would end the wait cannot run meanwhile.
            spin: Spin::new(std::thread::available_parallelism().is_ok_and(|count| count.get() > 1)),
            figures,
        }
    }

    fn run(&mut self) -> std::io::Result<()> {
        while !self.around.stop.load(Ordering::Acquire) {
            self.figures.rounds += 1;
            let now = self.now();
            self.receive(now)?;
            let more = self.commands(now)?;
            if self.next_tick.is_some_and(|at| at <= now) {
                self.shard.tick(now);
                self.drain(now)?;
            }
            self.io.flush()?;
            self.publish(now);
            let timeout = if more { Duration::ZERO } else { self.timeout() };
            self.wait(timeout)?;
        }
        Ok(())
    }

    fn now(&self) -> Time {
        let nanos = self.around.epoch.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn receive(&mut self, now: Time) -> std::io::Result<()> {
        let received = self.io.recv()?;
        if received.is_empty() {
            return Ok(());
        }
        // Keys first: what a peer sends at once behind its handshake may be in this very batch.
        for _ in 0..COMMAND_TURN {
            let Some(keys) = self.around.port.keys.pop() else { break };
            self.shard.command(now, keys);
        }
        let mut batch = recycle(std::mem::take(&mut self.batch));
        batch.extend(received.iter().map(|(path, bytes)| Datagram { path, bytes }));
        self.shard.ingest(now, &batch);
        self.batch = recycle(batch);
        self.drain(now)?;
        // What was forwarded leaves before anything else is begun.
        self.io.flush()?;
        Ok(())
    }

    /// Carries out what is queued, within its share of time; says whether more waits.
    fn commands(&mut self, now: Time) -> std::io::Result<bool> {
        for _ in 0..COMMAND_TURN {
            // The handshakes first: without keys there is no media.
            let ShardPort { keys, lane, commands, .. } = &*self.around.port;
            let next = keys.pop().or_else(|| lane.pop()).or_else(|| commands.pop());
            let Some(command) = next else { break };
            if let Command::RemoveLeg { leg } = command {
                self.forget.push_back(leg);
            }
            self.shard.command(now, command);
            self.drain(now)?;
        }
        self.tell_workers();
        Ok(self.around.port.lane_waits() || !self.around.port.commands.is_empty())
    }

    /// The workers forget legs that were removed.
    fn tell_workers(&mut self) {
        while let Some(leg) = self.forget.pop_front() {
            let key = LegKey { shard: self.around.id, leg };
            let worker = &self.around.workers[worker_of(key, self.around.workers.len())];
            if worker.order(Order::Forget(key)).is_err() {
                self.forget.push_front(leg);
                return;
            }
        }
    }

    fn drain(&mut self, now: Time) -> std::io::Result<()> {
        let Round { io, shard, around, .. } = self;
        let mut events = |event| hand_on(event, around);
        loop {
            let drained = shard.drain(now, &mut CoreSlots(io.tx()), &mut events);
            if let Drained::Done(next) = drained {
                self.next_tick = next;
                return Ok(());
            }
            io.flush()?;
        }
    }

    /// Looks for more, then looks again for a moment if that has paid lately, then sleeps.
    fn wait(&mut self, timeout: Duration) -> std::io::Result<()> {
        if self.io.wait(Some(Duration::ZERO))? || timeout.is_zero() {
            return Ok(());
        }
        let began = Instant::now();
        let budget = self.spin.budget().min(timeout);
        while began.elapsed() < budget {
            std::hint::spin_loop();
            if self.io.wait(Some(Duration::ZERO))? {
                self.figures.spins_paid += 1;
                self.spin.paid();
                return Ok(());
            }
        }
        self.figures.spins_vain += u64::from(!budget.is_zero());
        let left = timeout.saturating_sub(began.elapsed());
        if !left.is_zero() {
            self.figures.wakeups += 1;
            self.io.wait(Some(left))?;
            self.spin.slept(began.elapsed());
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        let next = self.next_tick.map_or(self.publish_at, |at| at.min(self.publish_at));
        next.since(self.now())
    }

    fn publish(&mut self, now: Time) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_TIME;
        self.figures.cpu_us = u64::try_from(thread_cpu_time().as_micros()).unwrap_or(u64::MAX);
        self.around.port.published.publish(self.io.counters(), self.shard.counters(), self.figures);
    }
}

/// Records go to the leg's worker, the rest to the embedder.
fn hand_on(event: Event, around: &Surroundings) {
    match event {
        Event::Datagram { leg, data } => {
            let key = LegKey { shard: around.id, leg };
            let worker = &around.workers[worker_of(key, around.workers.len())];
            worker.datagram(key, data, &around.port.workers);
        }
        // The core hands out records of validated paths only, so the worker need not know the paths.
        Event::PathValidated { .. } => {}
        // A record of ours for a leg that is going: nobody waits for it.
        Event::CommandFailed { command: "SendDatagram", .. } => {}
        event => (around.sink)(around.id, EngineEvent::Core(event)),
    }
}

/// Keeps the memory of an emptied list for one of another lifetime (collecting in place).
fn recycle<'b>(mut batch: Vec<Datagram<'_>>) -> Vec<Datagram<'b>> {
    batch.clear();
    batch.into_iter().map(|_| unreachable!("the list was emptied")).collect()
}

/// Fresh for each shard and each start of it.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // The engine's start has asked the same source successfully; it does not fail later (getrandom(2)).
    if getrandom::fill(&mut seed).is_err() {
        unreachable!("the system's random source failed after it had worked");
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recycling_keeps_the_memory() {
        let batch: Vec<Datagram<'static>> = Vec::with_capacity(BATCH);
        let memory = batch.as_ptr();
        let bytes = vec![1, 2, 3];
        let mut borrowing = recycle(batch);
        borrowing.push(Datagram { path: Path::udp(0, ([127, 0, 0, 1], 9).into()), bytes: &bytes });
        let again: Vec<Datagram<'static>> = recycle(borrowing);
        assert!(again.is_empty() && again.capacity() >= BATCH);
        assert_eq!(again.as_ptr(), memory);
    }
}
