//! What is told to the engine, in order, and what waits because a queue is full.

use std::collections::VecDeque;
use std::sync::Arc;

use kaname_engine::audio::AudioCommand;
use kaname_engine::core::Command;
use kaname_engine::core::command::LegId;
use kaname_engine::{DtlsParams, EngineBusy, ShardId};

use super::engine::{CallEngine, Refused};
use super::limits::BACKLOG;
use super::plan::Step;

/// Something for a shard, its handshake workers or its sockets.
#[derive(Debug)]
enum Order {
    Core(Command),
    Secure(LegId, Box<DtlsParams>),
    Close(u32),
}

/// All queues.
pub(super) struct Outbox {
    engine: Arc<dyn CallEngine>,
    shards: Vec<VecDeque<Order>>,
    workers: Vec<VecDeque<AudioCommand>>,
}

impl Outbox {
    pub(super) fn new(engine: Arc<dyn CallEngine>) -> Outbox {
        let shards = (0..engine.shards()).map(|_| VecDeque::new()).collect();
        let workers = (0..engine.audio_workers()).map(|_| VecDeque::new()).collect();
        Outbox { engine, shards, workers }
    }

    /// Tells what a call's plan says.
    pub(super) fn tell(&mut self, shard: ShardId, worker: usize, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Core(command) => self.push(shard, Order::Core(command)),
                Step::Secure(leg, params) => self.push(shard, Order::Secure(leg, Box::new(params))),
                Step::Audio(command) => self.audio(worker, command),
            }
        }
    }

    /// Tells a shard.
    pub(super) fn command(&mut self, shard: ShardId, command: Command) {
        self.push(shard, Order::Core(command));
    }

    /// Tells an audio worker.
    pub(super) fn audio(&mut self, worker: usize, command: AudioCommand) {
        let Some(waiting) = self.workers.get_mut(worker) else { return };
        waiting.push_back(command);
        self.flush_worker(worker);
    }

    /// Closes a port behind all that was told of it.
    pub(super) fn close(&mut self, shard: ShardId, local: u32) {
        self.push(shard, Order::Close(local));
    }

    fn push(&mut self, shard: ShardId, order: Order) {
        let Some(waiting) = self.shards.get_mut(shard.0) else { return };
        waiting.push_back(order);
        self.flush_shard(shard);
    }

    /// Tries again what waits.
    pub(super) fn flush(&mut self) {
        (0..self.shards.len()).for_each(|shard| self.flush_shard(ShardId(shard)));
        (0..self.workers.len()).for_each(|worker| self.flush_worker(worker));
    }

    fn flush_shard(&mut self, shard: ShardId) {
        let Some(waiting) = self.shards.get_mut(shard.0) else { return };
        while let Some(order) = waiting.pop_front() {
            let back = match order {
                Order::Core(command) => match self.engine.command(shard, command) {
                    Err(Refused::Full(command)) => Some(Order::Core(*command)),
                    // What it was about is gone with its shard.
                    Ok(()) | Err(Refused::Gone) => None,
                },
                Order::Secure(leg, params) => match self.engine.secure(shard, leg, (*params).clone()) {
                    Err(EngineBusy::Full) => Some(Order::Secure(leg, params)),
                    _ => None,
                },
                Order::Close(local) => match self.engine.close_port(shard, local) {
                    Err(EngineBusy::Full) => Some(Order::Close(local)),
                    _ => None,
                },
            };
            if let Some(order) = back {
                waiting.push_front(order);
                return;
            }
        }
    }

    fn flush_worker(&mut self, worker: usize) {
        let Some(waiting) = self.workers.get_mut(worker) else { return };
        while let Some(command) = waiting.pop_front() {
            if let Err(Refused::Full(command)) = self.engine.audio(worker, command) {
                waiting.push_front(*command);
                return;
            }
        }
    }

    /// Whether anything waits.
    pub(super) fn waits(&self) -> bool {
        self.shards.iter().any(|queue| !queue.is_empty())
            || self.workers.iter().any(|queue| !queue.is_empty())
    }

    /// Whether so much waits that nothing new should begin.
    pub(super) fn is_behind(&self) -> bool {
        self.shards.iter().any(|queue| queue.len() > BACKLOG)
            || self.workers.iter().any(|queue| queue.len() > BACKLOG)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting: usize = self.shards.iter().map(VecDeque::len).sum();
        f.debug_struct("Outbox").field("waiting", &waiting).finish_non_exhaustive()
    }
}
