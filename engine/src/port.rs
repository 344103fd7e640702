//! Where threads meet: the bounded queues of a shard and of a worker, each with its way to be woken.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;
use kaname_core::Command;
use kaname_core::command::LegId;
use kaname_io::Waker;
use kaname_wire::path::Path;

use crate::counters::{Published, WorkerCounters, count};
use crate::limits::{
    COMMAND_QUEUE, DATAGRAM_QUEUE, LANE_QUEUE, MESSAGE_QUEUE, MESSAGE_QUEUE_BYTES, ORDER_QUEUE,
};
use crate::ports::PortOrder;
use crate::{DataKind, DtlsParams, EngineBusy, EngineEvent, Refused, ShardId};

/// Where news goes.
pub(crate) type Sink = dyn Fn(ShardId, EngineEvent) + Send + Sync;

/// What the control plane wants of a shard.
#[derive(Debug)]
pub(crate) enum Instruction {
    /// Of its core.
    Core(Command),
    /// Of its packet io.
    Port(PortOrder),
}

/// The way into a shard's thread.
pub(crate) struct ShardPort {
    /// From the control plane, in order. Lossless: refused when full.
    pub(crate) commands: ArrayQueue<Instruction>,
    /// Keys from the workers: carried out before the packets that they may be for.
    pub(crate) keys: ArrayQueue<Command>,
    /// Everything else from the workers, in order.
    pub(crate) lane: ArrayQueue<Command>,
    pub(crate) waker: Waker,
    pub(crate) down: AtomicBool,
    /// Ports of single legs that are open or on their way.
    pub(crate) open_ports: Arc<AtomicUsize>,
    pub(crate) published: Published,
    pub(crate) workers: WorkerCounters,
}

impl ShardPort {
    pub(crate) fn new(waker: Waker) -> ShardPort {
        ShardPort {
            commands: ArrayQueue::new(COMMAND_QUEUE),
            keys: ArrayQueue::new(LANE_QUEUE),
            lane: ArrayQueue::new(LANE_QUEUE),
            waker,
            down: AtomicBool::new(false),
            open_ports: Arc::new(AtomicUsize::new(0)),
            published: Published::new(),
            workers: WorkerCounters::default(),
        }
    }

    /// Gives the command back when it is refused.
    pub(crate) fn command(&self, command: Command) -> Result<(), Refused> {
        self.instruct(Instruction::Core(command)).map_err(|(why, instruction)| match instruction {
            Instruction::Core(command) => Refused { why, command },
            Instruction::Port(_) => unreachable!("what comes back is what was given"),
        })
    }

    /// The same about ports; a socket that is refused is closed.
    pub(crate) fn port_order(&self, order: PortOrder) -> Result<(), EngineBusy> {
        self.instruct(Instruction::Port(order)).map_err(|(why, _)| why)
    }

    fn instruct(&self, instruction: Instruction) -> Result<(), (EngineBusy, Instruction)> {
        if self.down.load(Ordering::Acquire) {
            return Err((EngineBusy::Down, instruction));
        }
        self.commands.push(instruction).map_err(|instruction| (EngineBusy::Full, instruction))?;
        self.waker.wake();
        Ok(())
    }

    /// From a worker: gives the command back when there is no room. Call the waker after the last one.
    pub(crate) fn push_lane(&self, command: Command) -> Result<(), Command> {
        match command {
            Command::SetKeys { .. } => self.keys.push(command),
            _ => self.lane.push(command),
        }
    }

    /// Something of the workers waits.
    pub(crate) fn lane_waits(&self) -> bool {
        !self.keys.is_empty() || !self.lane.is_empty()
    }
}

impl fmt::Debug for ShardPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardPort").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

/// A leg of the whole engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LegKey {
    pub(crate) shard: ShardId,
    pub(crate) leg: LegId,
}

/// What a worker is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Answer the leg's handshake.
    Secure(LegKey, Box<DtlsParams>),
    /// The leg is gone.
    Forget(LegKey),
    /// Say goodbye, then remove the leg.
    Close(LegKey),
    /// The shard lost all its legs.
    ForgetShard(ShardId),
}

/// A message for a data channel.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) key: LegKey,
    pub(crate) channel: u16,
    pub(crate) kind: DataKind,
    pub(crate) data: Vec<u8>,
}

/// The way into a worker's thread.
pub(crate) struct WorkerPort {
    pub(crate) orders: ArrayQueue<Order>,
    pub(crate) datagrams: ArrayQueue<(LegKey, Path, Box<[u8]>)>,
    messages: ArrayQueue<Message>,
    message_bytes: AtomicUsize,
    thread: OnceLock<Thread>,
}

impl WorkerPort {
    pub(crate) fn new() -> WorkerPort {
        WorkerPort {
            orders: ArrayQueue::new(ORDER_QUEUE),
            datagrams: ArrayQueue::new(DATAGRAM_QUEUE),
            messages: ArrayQueue::new(MESSAGE_QUEUE),
            message_bytes: AtomicUsize::new(0),
            thread: OnceLock::new(),
        }
    }

    /// The worker says who it is, so that it can be woken.
    pub(crate) fn attach(&self, thread: Thread) {
        // Only the one worker of this port calls, once.
        let _ = self.thread.set(thread);
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Gives the order back when the queue is full.
    pub(crate) fn order(&self, order: Order) -> Result<(), Order> {
        self.orders.push(order)?;
        self.wake();
        Ok(())
    }

    /// Lossy: DTLS and SCTP send again.
    pub(crate) fn datagram(&self, key: LegKey, path: Path, data: Box<[u8]>, counters: &WorkerCounters) {
        match self.datagrams.push((key, path, data)) {
            Ok(()) => self.wake(),
            Err(_) => count(&counters.dtls_dropped_queue_full),
        }
    }

    pub(crate) fn message(&self, message: Message) -> Result<(), EngineBusy> {
        let len = message.data.len();
        if self.message_bytes.fetch_add(len, Ordering::AcqRel) + len > MESSAGE_QUEUE_BYTES {
            self.message_bytes.fetch_sub(len, Ordering::AcqRel);
            return Err(EngineBusy::Full);
        }
        if self.messages.push(message).is_err() {
            self.message_bytes.fetch_sub(len, Ordering::AcqRel);
            return Err(EngineBusy::Full);
        }
        self.wake();
        Ok(())
    }

    pub(crate) fn next_message(&self) -> Option<Message> {
        let message = self.messages.pop()?;
        self.message_bytes.fetch_sub(message.data.len(), Ordering::AcqRel);
        Some(message)
    }
}

impl fmt::Debug for WorkerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPort").field("datagrams", &self.datagrams.len()).finish_non_exhaustive()
    }
}

/// Which worker has a leg: always the same, so that all of a leg happens in order.
pub(crate) fn worker_of(key: LegKey, workers: usize) -> usize {
    (key.leg.0 as usize).wrapping_add(key.shard.0) % workers.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> Message {
        let key = LegKey { shard: ShardId(0), leg: LegId(1) };
        Message { key, channel: 0, kind: DataKind::Binary, data: vec![0; len] }
    }

    #[test]
    fn messages_are_bounded_by_bytes_and_by_number() {
        let port = WorkerPort::new();
        assert_eq!(port.message(message(MESSAGE_QUEUE_BYTES)), Ok(()));
        assert_eq!(port.message(message(1)), Err(EngineBusy::Full));
        assert_eq!(port.next_message().map(|m| m.data.len()), Some(MESSAGE_QUEUE_BYTES));
        for _ in 0..MESSAGE_QUEUE {
            assert_eq!(port.message(message(1)), Ok(()));
        }
        assert_eq!(port.message(message(0)), Err(EngineBusy::Full));
        assert_eq!(port.message_bytes.load(Ordering::Acquire), MESSAGE_QUEUE);
    }

    #[test]
    fn a_leg_has_one_worker() {
        let key = LegKey { shard: ShardId(3), leg: LegId(u32::MAX) };
        assert!(worker_of(key, 4) < 4);
        assert_eq!(worker_of(key, 4), worker_of(key, 4));
    }
}
