//! One system's turn: made ready, fed, listened to, judged by the clock of its own process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::load::Load;
use super::plan::Plan;
use super::scenario::Scenario;
use super::sink::Sink;
use super::tally::{Tally, percentiles};
use crate::demo::cpu::cpu_time;
use crate::rivals::{Placement, RivalError, Stage, Suite, System};

/// Media ahead of what counts: caches warm, jitter of starting gone.
const WARM_UP: Duration = Duration::from_secs(1);
/// Media after what counts, so that the last counted packets meet the same load.
const TAIL: Duration = Duration::from_millis(200);
/// How long the last packets may take.
const DRAIN: Duration = Duration::from_secs(1);
/// Between readiness and the first packet.
const LEAD: Duration = Duration::from_millis(50);
/// The longest wait, so that progress shows on an idle run.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Feeds begin spread over this, a voice packet's time.
const SPREAD: Duration = Duration::from_millis(20);

/// What a turn tells whoever watches.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Packets that came.
    pub(super) came: AtomicU64,
    /// Packets that the source sent.
    pub(super) sent: AtomicU64,
}

/// What is asked of one turn.
pub(super) struct Turn<'a> {
    pub(super) system: &'a dyn System,
    pub(super) scenario: &'a Scenario,
    pub(super) suite: Suite,
    pub(super) seconds: u32,
}

/// What came of one turn.
pub(super) struct Taken {
    pub(super) tally: Tally,
    pub(super) payload: u32,
    pub(super) note: String,
}

impl Turn<'_> {
    /// Carries it out; `watch` runs meanwhile on the caller's thread until the closure it gets says that it is over.
    pub(super) fn take(
        &self,
        place: &Placement,
        watch: impl FnOnce(&Progress, &dyn Fn() -> bool),
    ) -> Result<Taken, RivalError> {
        let stage = self.system.stage(self.scenario, self.suite, place)?;
        let note = stage.note.clone();
        let counted = Duration::from_secs(self.seconds.into());
        let plan = Plan::new(self.scenario.traffic, WARM_UP + counted + TAIL);
        let progress = Progress::default();
        let tally = std::thread::scope(|scope| {
            let harness = scope.spawn(|| {
                place.enter_harness()?;
                drive(stage, &plan, counted, &progress)
            });
            watch(&progress, &|| harness.is_finished());
            harness.join().unwrap_or_else(|_| Err(RivalError::Setup("the harness panicked".into())))
        })?;
        Ok(Taken { tally, payload: plan.mean_payload(), note })
    }
}

/// Feeds and listens until everything due has come or the time for it is over.
fn drive(stage: Stage, plan: &Plan, counted: Duration, progress: &Progress) -> Result<Tally, RivalError> {
    let Stage { mut process, feeds, taps, .. } = stage;
    let pid = process.pid();
    let resident_bytes = resident(pid);
    let begin = Instant::now() + LEAD;
    let mut sink = Sink::new(taps, plan)?;
    let mut load = Load::new(feeds, SPREAD, begin)?;
    let numbers_at = |time: Duration| plan.packets.partition_point(|packet| packet.at < time);
    sink.count(numbers_at(WARM_UP)..numbers_at(WARM_UP + counted));
    let (from, to) = (begin + WARM_UP, begin + WARM_UP + counted);
    let (mut at_begin, mut at_end) = (None, None);
    let mut drained_by = None;
    loop {
        let next = load.send_due(plan)?;
        sink.take(plan, &load.sent_ns)?;
        let now = Instant::now();
        if at_begin.is_none() && now >= from {
            at_begin = Some((now, cpu_time(pid), sink.came_total));
        }
        if at_end.is_none() && now >= to {
            at_end = Some((now, cpu_time(pid), sink.came_total));
        }
        progress.came.store(sink.came_total, Ordering::Relaxed);
        progress.sent.store(load.sent, Ordering::Relaxed);
        let until = next.unwrap_or_else(|| *drained_by.get_or_insert(now + DRAIN));
        if next.is_none() && (sink.tally.came == sink.tally.due || now >= until) {
            break;
        }
        wait(&sink, until.saturating_duration_since(now).min(LOOK_EVERY))?;
    }
    if !process.is_alive() {
        return Err(process.explain(RivalError::Setup("it ended while it was measured".into())));
    }
    let mut tally = sink.tally;
    tally.resident_bytes = resident_bytes;
    tally.late_us = percentiles(&load.late).p99;
    if let (Some((from, cpu_from, came_from)), Some((to, cpu_to, came_to))) = (at_begin, at_end) {
        tally.seconds = (to - from).as_secs_f64();
        tally.came_meanwhile = came_to - came_from;
        tally.cpu_us = cpu_from.zip(cpu_to).map(|(from, to)| to.saturating_sub(from).as_secs_f64() * 1e6);
    }
    Ok(tally)
}

/// Until a packet comes or the time is over, to the nanosecond: sources of 500 calls send each 40 microseconds.
fn wait(sink: &Sink, time: Duration) -> Result<(), RivalError> {
    let mut fds = [PollFd::new(sink.readiness(), PollFlags::POLLIN)];
    match ppoll(&mut fds, Some(TimeSpec::from_duration(time)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(RivalError::Io(error.into())),
    }
}

/// Resident memory of a process.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
