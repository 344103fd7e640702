//! All calls, and who waits for what.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kaname_engine::core::Command;
use kaname_engine::core::event::LegStats;
use tokio::sync::mpsc;

use super::actor::Now;
use super::asker::Asker;
use super::config::CallsConfig;
use super::counters::CallsCounters;
use super::door::DoorPrompts;
use super::engine::CallEngine;
use super::forwarding;
use super::ids;
use super::limits::STATS_PATIENCE;
use super::model::Call;
use super::plan::SideKey;
use super::random::Random;
use super::record::Records;
use super::recording;
use super::room::RoomWish;
use super::sound::Loaded;
use super::tools::Tools;
use crate::ng::Replies;

/// A call's name within this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct CallKey(pub(super) u64);

/// Everything that the actor owns.
pub(super) struct State {
    pub(super) tools: Tools,
    pub(super) calls: HashMap<CallKey, Call>,
    /// By call-id.
    pub(super) names: HashMap<String, CallKey>,
    /// Whose legs, streams and workers' things are.
    pub(super) owners: HashMap<u32, (CallKey, SideKey)>,
    pub(super) replies: Replies,
    pub(super) counters: CallsCounters,
    pub(super) draining: bool,
    pub(super) records: Records,
    pub(super) jobs: HashMap<u64, Job>,
    /// Questions that shards have not answered yet.
    pub(super) questions: HashMap<u64, Question>,
    pub(super) rate: Rate,
    /// Where prompts arrive that were read aside.
    pub(super) loaded: mpsc::UnboundedSender<Loaded>,
    /// What callers hear at the door of a room with a PIN.
    pub(super) door: DoorPrompts,
    /// Where telephones go that call a room.
    pub(super) rooms: Option<mpsc::UnboundedSender<RoomWish>>,
    began: Instant,
    next: u64,
}

/// How many calls began in the second that runs.
#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Option<Instant>,
    begun: usize,
}

impl Rate {
    /// Counts one more, if the second has room for it.
    pub(super) fn take(&mut self, now: Instant, most: Option<usize>) -> bool {
        let over = self.since.is_none_or(|since| now.saturating_duration_since(since).as_secs() >= 1);
        if over {
            *self = Rate { since: Some(now), begun: 0 };
        }
        let fits = most.is_none_or(|most| self.begun < most);
        self.begun += usize::from(fits);
        fits
    }
}

/// Something that needs the figures of legs first.
pub(super) struct Job {
    pub(super) task: Task,
    /// Answers that are still to come.
    pub(super) waits: usize,
    pub(super) deadline: Instant,
}

/// What a job is for.
pub(super) enum Task {
    /// Tell the figures of a call that goes on.
    Query {
        call: CallKey,
        asker: Asker,
        /// Of one party only.
        tags: Vec<String>,
        warning: Option<String>,
    },
    /// Tell the figures of a call that is over, and keep its record.
    End { call: Box<Call>, reason: &'static str, asker: Option<Asker>, ended: Now },
}

/// A question to a shard.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// Whether anything came from this side of late.
    Look(CallKey, SideKey),
    /// For a job.
    Job(u64, SideKey),
}

impl State {
    pub(super) fn new(
        engine: Arc<dyn CallEngine>,
        config: CallsConfig,
        random: Random,
        loaded: mpsc::UnboundedSender<Loaded>,
    ) -> State {
        let records = Records::open(config.records_file.as_deref());
        let door = DoorPrompts::load(config.prompts.as_deref());
        State {
            tools: Tools::new(engine, config, random),
            calls: HashMap::new(),
            names: HashMap::new(),
            owners: HashMap::new(),
            replies: Replies::default(),
            counters: CallsCounters::default(),
            draining: false,
            records,
            jobs: HashMap::new(),
            questions: HashMap::new(),
            rate: Rate::default(),
            loaded,
            door,
            rooms: None,
            began: Instant::now(),
            next: 0,
        }
    }

    /// A number that was not used before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Seconds since the calls were started.
    pub(super) fn uptime(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    pub(super) fn has_backlog(&self) -> bool {
        self.tools.outbox.waits()
    }

    pub(super) fn flush(&mut self) {
        self.tools.outbox.flush();
    }

    pub(super) fn drain(&mut self, draining: bool) {
        if self.draining != draining {
            tracing::info!(draining, calls = self.calls.len(), "new calls are refused, or no longer");
        }
        self.draining = draining;
    }

    pub(super) fn counters(&self) -> CallsCounters {
        let waits = |call: &&Call| call.answered.is_none() || call.is_held();
        let (ports, ports_resting) = self.tools.ports.counts();
        let mut counters = CallsCounters {
            calls: self.calls.len() as u64,
            calls_waiting: self.calls.values().filter(waits).count() as u64,
            transcoded: self.calls.values().map(|call| call.told.transcoded() as u64).sum(),
            ports,
            ports_resting,
            draining: self.draining,
            records_lost_total: self.records.lost,
            ..self.counters.clone()
        };
        if let Some(forwarder) = &self.tools.forwarder {
            forwarder.count(&mut counters);
        }
        counters
    }

    /// Tells the engine what a call is now, and remembers whose its legs are.
    pub(super) fn replan(&mut self, key: CallKey, fresh: bool) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        for (number, _) in call.numbers() {
            self.owners.remove(&number);
        }
        self.tools.replan(call, fresh);
        recording::follow(&mut self.tools, call);
        forwarding::follow(&mut self.tools, call);
        self.owners.extend(call.numbers().map(|(number, side)| (number, (key, side))));
    }

    /// Asks for the figures of all legs of a call; gives how many answers are to come.
    pub(super) fn ask(&mut self, call: &Call, question: impl Fn(SideKey) -> Question) -> usize {
        let legs: Vec<_> = call.told.legs().collect();
        for (side, leg) in &legs {
            let number = self.fresh();
            let token = ids::token(number);
            self.questions.insert(token, question(*side));
            self.tools.outbox.command(call.shard(), Command::QueryStats { leg: *leg, token });
        }
        legs.len()
    }

    /// A shard told the figures of a leg.
    pub(super) fn figures(&mut self, now: Now, token: u64, stats: Box<LegStats>) {
        match self.questions.remove(&token) {
            Some(Question::Look(key, side)) => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.take_figures(now.at, side, stats);
                }
            }
            Some(Question::Job(number, side)) => self.job_figures(now, number, side, stats),
            None => {}
        }
    }

    fn job_figures(&mut self, now: Now, number: u64, side: SideKey, stats: Box<LegStats>) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        match &mut job.task {
            Task::Query { call, .. } => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.take_figures(now.at, side, stats);
                }
            }
            Task::End { call, .. } => call.take_figures(now.at, side, stats),
        }
        job.waits = job.waits.saturating_sub(1);
        if job.waits == 0
            && let Some(job) = self.jobs.remove(&number)
        {
            self.finish(now, job.task);
        }
    }

    /// Begins a job; one that waits for nothing is done at once.
    pub(super) fn begin(&mut self, now: Now, number: u64, task: Task, waits: usize) {
        if waits == 0 {
            self.finish(now, task);
            return;
        }
        self.jobs.insert(number, Job { task, waits, deadline: now.at + STATS_PATIENCE });
    }

    /// Does what can be done of jobs whose answers did not come.
    pub(super) fn expire_jobs(&mut self, now: Now) {
        let late: Vec<u64> =
            self.jobs.iter().filter(|(_, job)| now.at >= job.deadline).map(|(number, _)| *number).collect();
        for number in late {
            if let Some(job) = self.jobs.remove(&number) {
                self.finish(now, job.task);
            }
        }
    }
}
