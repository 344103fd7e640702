//! A handshake worker's thread: DTLS and data channels of the legs that fall to it. A shard never waits for one.

mod channels;
mod contest;
mod context;
mod dcep;
mod dtls;
mod hello;
mod identity;
mod records;
mod session;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kaname_core::Command;

use crate::counters::count;
use crate::limits::MAX_LEGS;
use crate::port::{LegKey, Order, ShardPort, Sink, WorkerPort};
use crate::{EngineEvent, SecureError, ShardId};

use context::Context;
use dtls::Room;
pub(crate) use identity::Identity;
use session::Session;

/// How many entries of each queue are taken before timers are looked at.
const TURN: usize = 64;

/// How long a worker sleeps at most: it then looks whether the engine stops.
const NAP: Duration = Duration::from_secs(1);

/// How soon a worker tries again when a shard's queue was full.
const RETRY: Duration = Duration::from_millis(1);

/// What a worker shares with the rest of the engine.
pub(crate) struct Surroundings {
    pub(crate) index: usize,
    pub(crate) workers: Arc<[WorkerPort]>,
    pub(crate) shards: Arc<[Arc<ShardPort>]>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) identity: Arc<Identity>,
}

/// Runs until the engine stops.
pub(crate) fn run(around: Surroundings) {
    around.workers[around.index].attach(thread::current());
    let mut worker = Worker::new(around);
    while !worker.around.stop.load(Ordering::Acquire) {
        if !worker.round(Instant::now()) {
            worker.nap();
        }
    }
}

struct Worker {
    around: Surroundings,
    sessions: HashMap<LegKey, Session>,
    /// When each session wants to be called; the same time stands in the session.
    timers: BTreeSet<(Instant, LegKey)>,
    /// Sessions whose handshake has begun and not ended.
    half_open: usize,
    /// Handshakes that have yet to show that their sender is where it says.
    unproven: usize,
    room: Room,
    /// Commands that must not be lost and found their shard's queue full. At most a few a session: a session
    /// whose keys wait here sends nothing else that is lossless.
    kept: VecDeque<(ShardId, Command)>,
}

impl Worker {
    fn new(around: Surroundings) -> Worker {
        Worker {
            around,
            sessions: HashMap::new(),
            timers: BTreeSet::new(),
            half_open: 0,
            unproven: 0,
            room: Room::new(),
            kept: VecDeque::new(),
        }
    }

    /// Takes a share of what waits; says whether there was anything.
    fn round(&mut self, now: Instant) -> bool {
        let mut busy = false;
        for _ in 0..TURN {
            let Some(order) = self.port().orders.pop() else { break };
            busy = true;
            self.obey(order, now);
        }
        for _ in 0..TURN {
            let Some((key, path, data)) = self.port().datagrams.pop() else { break };
            busy = true;
            self.with_session(key, |session, context| session.datagram(path, &data, context), now);
        }
        for _ in 0..TURN {
            let Some(message) = self.port().next_message() else { break };
            busy = true;
            if self.sessions.contains_key(&message.key) {
                self.with_session(message.key, |session, context| session.send(&message, context), now);
            } else if let Some(port) = self.around.shards.get(message.key.shard.0) {
                count(&port.workers.data_dropped_no_channel);
            }
        }
        busy |= self.fire(now);
        self.send_kept();
        busy
    }

    fn port(&self) -> &WorkerPort {
        &self.around.workers[self.around.index]
    }

    /// Sleeps until the next timer or a call. A call since the queues were looked at ends the nap at once.
    fn nap(&self) {
        let now = Instant::now();
        let next = self.timers.first().map_or(NAP, |(at, _)| at.saturating_duration_since(now));
        let retry = if self.kept.is_empty() { NAP } else { RETRY };
        thread::park_timeout(next.min(retry).min(NAP));
    }

    fn obey(&mut self, order: Order, now: Instant) {
        match order {
            Order::Secure(key, params) => {
                if !self.sessions.contains_key(&key) {
                    if self.sessions.len() >= MAX_LEGS {
                        let reason = SecureError::Busy;
                        (self.around.sink)(key.shard, EngineEvent::SecureFailed { leg: key.leg, reason });
                        return;
                    }
                    self.sessions.insert(key, Session::new());
                }
                self.with_session(key, |session, context| session.secure(*params, context), now);
            }
            Order::Forget(key) => self.remove(key),
            Order::Close(key) => {
                self.with_session(key, |session, context| session.close(context), now);
                self.remove(key);
                self.kept.push_back((key.shard, Command::RemoveLeg { leg: key.leg }));
            }
            Order::ForgetShard(shard) => {
                let gone: Vec<LegKey> =
                    self.sessions.keys().filter(|key| key.shard == shard).copied().collect();
                gone.into_iter().for_each(|key| self.remove(key));
                self.kept.retain(|(of, _)| *of != shard);
            }
        }
    }

    fn fire(&mut self, now: Instant) -> bool {
        let mut fired = false;
        for _ in 0..TURN {
            let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) else { break };
            fired = true;
            self.timers.remove(&(at, key));
            if let Some(session) = self.sessions.get_mut(&key) {
                session.timer = None;
            }
            self.with_session(key, Session::timeout, now);
        }
        fired
    }

    /// Does something with one session and keeps the books. A panic in there ends that session only.
    fn with_session(&mut self, key: LegKey, act: impl FnOnce(&mut Session, &mut Context<'_>), now: Instant) {
        let Some(port) = self.around.shards.get(key.shard.0) else { return };
        let Some(session) = self.sessions.get_mut(&key) else {
            count(&port.workers.dtls_dropped_unknown_leg);
            return;
        };
        let was_open = session.open();
        let mut context = Context {
            now,
            key,
            identity: &self.around.identity,
            port,
            sink: &*self.around.sink,
            kept: &mut self.kept,
            half_open: self.half_open,
            unproven: self.unproven,
            room: &mut self.room,
        };
        let fault = catch_unwind(AssertUnwindSafe(|| {
            act(session, &mut context);
            session.deadline()
        }));
        if port.lane_waits() {
            port.waker.wake();
        }
        let is_open = session.open();
        self.half_open = self.half_open + is_open.0 - was_open.0;
        self.unproven = self.unproven + is_open.1 - was_open.1;
        match fault {
            Ok(deadline) => {
                if deadline != session.timer {
                    session.timer.take().map(|at| self.timers.remove(&(at, key)));
                    deadline.map(|at| self.timers.insert((at, key)));
                    session.timer = deadline;
                }
            }
            Err(_) => {
                count(&port.workers.dtls_faults);
                self.remove(key);
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    let reason = SecureError::Internal;
                    (self.around.sink)(key.shard, EngineEvent::SecureFailed { leg: key.leg, reason });
                }));
            }
        }
    }

    fn remove(&mut self, key: LegKey) {
        if let Some(session) = self.sessions.remove(&key) {
            let (half_open, unproven) = session.open();
            self.half_open -= half_open;
            self.unproven -= unproven;
            session.timer.map(|at| self.timers.remove(&(at, key)));
        }
    }

    /// Hands over what must not be lost, in order for each shard.
    fn send_kept(&mut self) {
        let mut full: Vec<ShardId> = Vec::new();
        for _ in 0..self.kept.len() {
            let Some((shard, command)) = self.kept.pop_front() else { break };
            let Some(port) = self.around.shards.get(shard.0).filter(|p| !p.down.load(Ordering::Acquire))
            else {
                continue;
            };
            if full.contains(&shard) {
                self.kept.push_back((shard, command));
            } else if let Err(command) = port.push_lane(command) {
                full.push(shard);
                self.kept.push_back((shard, command));
            } else {
                port.waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests;
