//! A shard's thread: it owns packet io and the core's state machine, and does nothing but carry between them.

pub(crate) mod delay;
mod moderation;
mod patience;
mod visits;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kaname_core::command::LegId;
use kaname_core::limits::BATCH;
use kaname_core::{Command, Datagram, Drained, Event, Shard, ShardConfig, Time, TxSlots};
use kaname_io::{PacketIo, RX_BATCH, Slots, pause, pin_current_thread, thread_cpu_time, wait_precisely};
use kaname_srtp::Backend;
use kaname_wire::path::Path;

use crate::audio::AudioPort;
use crate::counters::ShardFigures;
use crate::limits::{COMMAND_TURN, MAX_SHARD_FAULTS, NO_SLEEP, PUBLISH_TIME};
use crate::mesh::{Mesh, Stray};
use crate::port::{Instruction, LegKey, Order, ShardPort, Sink, WorkerPort, worker_of};
use crate::ports::PortOrder;
use crate::spin::Spin;
use crate::steering::{Kernel, Steer};
use crate::{EngineEvent, ShardId};
use delay::Looks;
use moderation::Moderation;
use patience::Patience;

const _: () = assert!(RX_BATCH <= BATCH, "the core takes a whole receive batch");

/// What a shard's thread shares with the rest of the engine.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) id: ShardId,
    pub(crate) port: Arc<ShardPort>,
    pub(crate) workers: Arc<[WorkerPort]>,
    pub(crate) audio: Arc<[AudioPort]>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) mesh: Arc<Mesh>,
    /// Who steers datagrams to their shards, where the kernel does.
    pub(crate) kernel: Option<Arc<Kernel>>,
    /// Time zero of the engine.
    pub(crate) epoch: Instant,
    pub(crate) habits: Habits,
}

/// How a shard's thread runs.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// On a processor of its own.
    pub(crate) pin: bool,
    /// From one look to the next while it is busy with calls.
    pub(crate) coalesce: Duration,
}

/// Runs the shard until the engine stops. A fault of ours ends its legs, not the thread, nor any other shard.
pub(crate) fn run<I: PacketIo>(mut io: I, around: Surroundings) {
    if around.habits.pin
        && let Err(error) = pin_current_thread(around.id.0)
    {
        (around.sink)(around.id, EngineEvent::PinFailed { error: error.to_string() });
    }
    wait_precisely();
    let mut figures = ShardFigures::default();
    loop {
        let mut round = Round::new(&mut io, &around, figures);
        let message = match catch_unwind(AssertUnwindSafe(|| round.run())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("packet io failed: {error}"),
            Err(panic) => panic_message(&*panic),
        };
        figures = round.figures;
        round.give_back();
        figures.faults += 1;
        // Slots may be half-filled, or hold what is not encrypted yet.
        io.discard();
        let last = figures.faults >= u64::from(MAX_SHARD_FAULTS);
        around.port.down.store(last, Ordering::Release);
        if let Some(inbox) = around.mesh.inbox(around.id.0).filter(|_| last) {
            inbox.close();
        }
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
    steer: Steer,
    /// Of other shards, being looked at.
    strays: Vec<Stray>,
    next_tick: Option<Time>,
    /// The worker's order queue was full.
    forget: VecDeque<LegId>,
    /// About a port; what is in hand must be done with first, and no command overtakes it.
    aside: Option<PortOrder>,
    publish_at: Time,
    spin: Spin,
    moderation: Moderation,
    looks: Looks,
    patience: Patience,
    /// What audio workers know of it.
    told_looked: Option<Time>,
    /// Packets received so far on ports of single legs, those of them that waited for a look, and all.
    received: (u64, u64, u64),
    figures: ShardFigures,
}

impl<'e, I: PacketIo> Round<'e, I> {
    fn new(io: &'e mut I, around: &'e Surroundings, figures: ShardFigures) -> Self {
        let mut shard = Shard::new(ShardConfig { seed: seed(), backend: Backend::best() });
        shard.set_turns_from(around.mesh.shards());
        Round {
            io,
            shard,
            around,
            batch: Vec::with_capacity(BATCH),
            steer: Steer::new(around.id.0, around.mesh.clone(), around.kernel.clone(), steering_seed()),
            strays: Vec::with_capacity(BATCH),
            next_tick: None,
            forget: VecDeque::new(),
            aside: None,
            publish_at: Time::ZERO,
            looks: Looks::new(Time::ZERO),
            moderation: Moderation::new(around.habits.coalesce),
            patience: Patience::new(Time::ZERO),
            told_looked: None,
            received: (0, 0, 0),
            // With one processor whoever would end the wait cannot run meanwhile.
            spin: Spin::new(std::thread::available_parallelism().is_ok_and(|count| count.get() > 1)),
            figures,
        }
    }

    fn run(&mut self) -> std::io::Result<()> {
        while !self.around.stop.load(Ordering::Acquire) {
            self.figures.rounds += 1;
            let now = self.now();
            self.look_at_patient_ports(now)?;
            self.receive(now)?;
            self.visits(now)?;
            let more = self.commands(now)?;
            if self.next_tick.is_some_and(|at| at <= now) {
                self.shard.tick(now);
                self.drain(now)?;
            }
            self.io.flush()?;
            self.tell_looked();
            self.publish(now);
            let timeout = if more { Duration::ZERO } else { self.timeout() };
            self.figures.busy += self.now().since(now);
            self.wait(timeout)?;
        }
        Ok(())
    }

    fn now(&self) -> Time {
        let nanos = self.around.epoch.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn receive(&mut self, now: Time) -> std::io::Result<()> {
        let Round { io, shard, steer, batch, around, forget, aside, looks, .. } = self;
        let since = looks.look(now);
        let received = io.recv()?;
        if received.is_empty() {
            return Ok(());
        }
        let count = received.len() as u64;
        // Commands first: what came may be caused by the answer that one of them was queued ahead of, or be media
        // right behind a handshake.
        carry_out_waiting(shard, around, (forget, aside), now);
        let mut taken = recycle(std::mem::take(batch));
        taken.extend(received.iter().zip(received.packets()).map(|((path, bytes), packet)| {
            let waited = Patience::late(packet.waited);
            Datagram { path, bytes, waited }
        }));
        shard.ingest_or(now, &taken, &mut |datagram| steer.stray(datagram));
        *batch = recycle(taken);
        steer.settle(*io);
        let waited = self.note_arrivals(now);
        self.drain(now)?;
        // What was forwarded leaves before anything else is begun.
        self.io.flush()?;
        let done = self.now();
        delay::note(&mut self.figures.delays, count.saturating_sub(waited), since, done);
        Ok(())
    }

    /// Counts what came; gives how many had to wait for an audio worker's turn anyhow.
    fn note_arrivals(&mut self, now: Time) -> u64 {
        let counters = self.io.counters();
        let received = (counters.ports_received, counters.ports_waited, counters.packets_received);
        let before = std::mem::replace(&mut self.received, received);
        let (on_ports, waited) = (received.0 - before.0, received.1 - before.1);
        let all = received.2 - before.2;
        self.moderation.received(now, on_ports - waited, all - on_ports);
        waited
    }

    /// What is for an audio worker's next turn is taken in ahead of it.
    fn look_at_patient_ports(&mut self, now: Time) -> std::io::Result<()> {
        if self.patient_look().is_some_and(|due| Patience::is_due(now, due)) {
            self.patience.look(now);
            self.io.look_at_patient_ports()?;
        }
        Ok(())
    }

    /// Audio workers may take their turns: what was looked at is with them.
    fn tell_looked(&mut self) {
        let patient = self.io.counters().ports_patient > 0;
        if patient && self.io.has_more() {
            return;
        }
        let looked = patient.then(|| self.patience.looked());
        if looked != self.told_looked {
            self.told_looked = looked;
            if let Some(inbox) = self.around.mesh.inbox(self.around.id.0) {
                inbox.tell_looked(looked);
            }
        }
    }

    /// When to look at the ports that wait; `None`: there are none.
    fn patient_look(&self) -> Option<Time> {
        let turns = self.around.audio.iter().flat_map(AudioPort::next_turns);
        (self.io.counters().ports_patient > 0).then(|| self.patience.due(turns))
    }

    /// Ports begin or cease to wait for looks.
    fn settle_patience(&mut self) {
        while let Some((local, waits)) = self.shard.next_patience() {
            // One that the system does not let wait is looked at as all others are.
            self.io.set_port_patient(local, waits);
        }
    }

    /// Carries out what is queued, within its share of time; says whether more waits.
    fn commands(&mut self, now: Time) -> std::io::Result<bool> {
        for _ in 0..COMMAND_TURN {
            if let Some(order) = self.aside.take() {
                // What was sent through a port that is now closed.
                self.io.flush()?;
                self.obey(order);
            }
            let Round { shard, around, forget, aside, .. } = self;
            if !carry_out_next(shard, around, (forget, aside), now) {
                break;
            }
            self.drain(now)?;
        }
        self.settle_patience();
        self.tell_workers();
        let port = &self.around.port;
        Ok(self.aside.is_some() || port.lane_waits() || !port.commands.is_empty())
    }

    fn obey(&mut self, order: PortOrder) {
        match order {
            PortOrder::Open { local, socket } => self.io.open_port(local, socket),
            PortOrder::Close(local) => {
                if self.io.close_port(local) {
                    self.around.port.open_ports.fetch_sub(1, Ordering::AcqRel);
                }
            }
            PortOrder::SetTos { local, tos } => {
                // A port that is gone needs none.
                self.io.set_port_tos(local, tos);
            }
        }
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
        self.hand_over(now);
        let Round { io, shard, around, steer, .. } = self;
        let mut events = |event| {
            if let Event::PathValidated { path, .. } = &event {
                steer.validated(path);
            }
            hand_on(event, around);
        };
        loop {
            let drained = shard.drain(now, &mut CoreSlots(io.tx()), &mut events);
            if let Drained::Done(next) = drained {
                self.next_tick = next;
                break;
            }
            io.flush()?;
        }
        // Forwarding may have ended what another shard was asked for.
        self.hand_over(now);
        Ok(())
    }

    /// Looks for more, then looks again for a moment if that has paid lately, then sleeps.
    fn wait(&mut self, timeout: Duration) -> std::io::Result<()> {
        let rest = self.moderation.rest(self.now()).filter(|_| !self.io.has_more());
        if let Some(rest) = rest {
            self.figures.rests += 1;
            pause(rest.min(timeout));
        }
        // Behind a rest there is something, as a rule.
        let budget = if rest.is_some() { Duration::ZERO } else { self.spin.budget().min(timeout) };
        // A sleep looks first, too.
        let looks = rest.is_some() || !budget.is_zero() || timeout.is_zero();
        if looks && (self.io.wait(Some(Duration::ZERO))? || timeout.is_zero()) {
            return Ok(());
        }
        let began = Instant::now();
        while began.elapsed() < budget {
            std::hint::spin_loop();
            if self.has_mail() || self.io.wait(Some(Duration::ZERO))? {
                self.figures.spins_paid += 1;
                self.spin.paid();
                return Ok(());
            }
        }
        self.figures.spins_vain += u64::from(!budget.is_zero());
        let left = timeout.saturating_sub(began.elapsed());
        if !left.is_zero() && self.lie_down() {
            let slept = self.io.wait(Some(left));
            self.get_up();
            slept?;
            let waited = began.elapsed();
            if waited > NO_SLEEP {
                self.looks.slept();
                self.figures.wakeups += 1;
                self.spin.slept(waited);
            }
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        let wishes = [self.next_tick, self.patient_look()].into_iter().flatten();
        wishes.fold(self.publish_at, Time::min).since(self.now())
    }

    fn publish(&mut self, now: Time) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_TIME;
        self.figures.settle(now);
        self.figures.steering = self.steer.figures;
        if let Some(inbox) = self.around.mesh.inbox(self.around.id.0) {
            self.figures.strays_dropped = inbox.strays_dropped.load(Ordering::Relaxed);
        }
        self.figures.cpu_us = u64::try_from(thread_cpu_time().as_micros()).unwrap_or(u64::MAX);
        self.around.port.published.publish(self.io.counters(), self.shard.counters(), self.figures);
        if let Some(message) = self.io.notice() {
            (self.around.sink)(self.around.id, EngineEvent::IoChanged { message });
        }
    }
}

/// What carrying out a command leaves to be done: legs to forget, and what is for packet io.
type Left<'a> = (&'a mut VecDeque<LegId>, &'a mut Option<PortOrder>);

/// Carries out what is queued, within its share and up to the first about a port; to be drained after.
fn carry_out_waiting(shard: &mut Shard, around: &Surroundings, (forget, aside): Left<'_>, now: Time) {
    for _ in 0..COMMAND_TURN {
        if !carry_out_next(shard, around, (forget, aside), now) {
            break;
        }
    }
}

/// Carries out the command whose turn it is; false: none waits.
fn carry_out_next(shard: &mut Shard, around: &Surroundings, (forget, aside): Left<'_>, now: Time) -> bool {
    let ShardPort { keys, lane, commands, .. } = &*around.port;
    // The handshakes first: without keys there is no media.
    let next = keys.pop().or_else(|| lane.pop()).map(Instruction::Core);
    let command = match next.or_else(|| aside.is_none().then(|| commands.pop()).flatten()) {
        Some(Instruction::Core(command)) => command,
        Some(Instruction::Port(order)) => {
            *aside = Some(order);
            return true;
        }
        None => return false,
    };
    match command {
        Command::RemoveLeg { leg } => forget.push_back(leg),
        Command::ExportStream { to, .. } => around.mesh.furnish(to),
        _ => {}
    }
    shard.command(now, command);
    true
}

/// Records go to the leg's worker, the rest to the embedder.
fn hand_on(event: Event, around: &Surroundings) {
    match event {
        Event::Datagram { leg, path, data } => {
            let key = LegKey { shard: around.id, leg };
            let worker = &around.workers[worker_of(key, around.workers.len())];
            worker.datagram(key, path, data, &around.port.workers);
        }
        // The core hands out records of validated paths only, where ICE validates any.
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

fn steering_seed() -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = seed();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
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
        borrowing.push(Datagram::new(Path::udp(0, ([127, 0, 0, 1], 9).into()), &bytes));
        let again: Vec<Datagram<'static>> = recycle(borrowing);
        assert!(again.is_empty() && again.capacity() >= BATCH);
        assert_eq!(again.as_ptr(), memory);
    }
}
