//! How fast calls are set up: offer, answer and delete of each call, at a rate that does not wait for the node.

mod caller;

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use self::caller::Caller;
use super::CallError;
use super::case::{Case, Guard};
use super::command::Asked;
use super::limits::LATE_US;
use super::node::{Running, System};

/// The rate at which the answer time has a goal.
const FIRST: u32 = 500;
/// The highest rate that is tried: ten times any proxy's.
const MOST: u32 = 32_000;
/// Steps that halve the gap between what held and what did not.
const HALVINGS: u32 = 4;
/// An answer slower than this, 99th percentile, and the node is behind: a proxy's users notice.
const BEHIND_US: u64 = 50_000;
/// Goals: answer time at [`FIRST`], and calls a second.
const GOALS: (u64, u32) = (5_000, 1_000);
/// Of the ends that are spoken of and do not exist.
const PORT: u16 = 20_000;

/// What was done at one rate.
#[derive(Clone, Debug, Default, Serialize)]
struct Step {
    /// Calls a second that were begun.
    rate: u32,
    begun: u64,
    /// Calls that were offered, answered and deleted.
    done: u64,
    /// Calls of which a request was refused, or not answered in time.
    failed: u64,
    /// Of those, calls that were given up because an answer did not come in time.
    late: u64,
    /// Requests that were repeated.
    repeated: u64,
    /// Time from a request to its answer, of all three requests, in microseconds.
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    /// CPU of the node as a share of one core.
    cpu_share: Option<f64>,
    /// How late the generator was: 99th percentile in microseconds.
    late_us: u64,
    /// The first refusal.
    why: Option<String>,
}

impl Step {
    fn holds(&self) -> bool {
        self.failed == 0 && self.repeated == 0 && self.p99_us <= BEHIND_US && !self.is_late()
    }

    fn is_late(&self) -> bool {
        self.late_us > LATE_US
    }
}

/// What a search came to.
#[derive(Clone, Debug, Serialize)]
struct Rates {
    system: String,
    version: String,
    case: String,
    /// Answer time at 500 calls a second.
    p50_us: u64,
    p99_us: u64,
    /// The highest rate that held.
    calls_per_second: u32,
    steps: Vec<Step>,
}

/// Searches in each case; only the first if none was asked for.
pub(super) fn run(asked: &mut Asked<'_>) -> Result<bool, CallError> {
    let system = asked.systems[0].clone();
    let version = system.version()?;
    if asked.options.case.is_empty() {
        asked.cases.truncate(1);
    }
    for case in asked.cases.clone() {
        if [case.caller, case.callee].iter().any(|side| side.guard != Guard::Plain) {
            let why = format!(
                "{case}: set-ups without media are of calls without keys, such as rtp-rtp or pcma-opus"
            );
            return Err(CallError::Asked(why));
        }
        let steps = search(asked, &system, case)?;
        let best = steps.iter().filter(|step| step.holds()).map(|step| step.rate).max().unwrap_or(0);
        let first = steps.first().cloned().unwrap_or_default();
        let rates = Rates {
            system: system.name().into(),
            version: version.clone(),
            case: case.name.into(),
            p50_us: first.p50_us,
            p99_us: first.p99_us,
            calls_per_second: best,
            steps,
        };
        asked.print(&text(&rates), &rates)?;
    }
    Ok(true)
}

fn search(asked: &Asked<'_>, system: &System, case: Case) -> Result<Vec<Step>, CallError> {
    let mut node = system.start(&asked.bench.place)?;
    let (mut steps, mut good, mut bad, mut rate) = (Vec::new(), 0, None, FIRST);
    let mut halvings = 0;
    while halvings < HALVINGS && rate <= MOST && rate > 0 {
        let step = step(asked, &mut node, case, rate)?;
        let holds = step.holds();
        asked.say(&format!(
            "{rate} calls/s: {} of {} done, answers {}/{}/{} us, {} repeated, {} late{}",
            step.done,
            step.begun,
            step.p50_us,
            step.p99_us,
            step.max_us,
            step.repeated,
            step.late,
            step.why.as_ref().map_or(String::new(), |why| format!(", {why}"))
        ));
        steps.push(step);
        if holds {
            good = rate
        } else {
            bad = Some(rate)
        }
        rate = match bad {
            None => rate * 2,
            Some(bad) => {
                halvings += 1;
                good + (bad - good) / 2
            }
        };
    }
    Ok(steps)
}

fn step(asked: &Asked<'_>, node: &mut Running, case: Case, rate: u32) -> Result<Step, CallError> {
    let (place, pid) = (&asked.bench.place, node.pid);
    let client = node.client()?.without_waiting()?;
    let time = Duration::from_secs(asked.options.seconds.into());
    let at = SocketAddr::new(asked.host, PORT);
    let step = std::thread::scope(|scope| {
        let calling = scope.spawn(move || {
            place.enter_harness()?;
            Caller::new(client, case, at)?.run(rate, time, pid)
        });
        calling.join().unwrap_or_else(|_| Err(CallError::Setup("the generator's thread panicked".into())))
    });
    step.map_err(|error| node.explain(error))
}

fn text(rates: &Rates) -> String {
    let reached = |reached: bool| if reached { "reached" } else { "MISSED" };
    format!(
        "{} {}: answers at {FIRST} calls/s in {} us (p99 {} us; goal: at most {} us, {}); {} calls/s held (goal: at least {}, {})\n",
        rates.system,
        rates.case,
        rates.p50_us,
        rates.p99_us,
        GOALS.0,
        reached(rates.p99_us <= GOALS.0),
        rates.calls_per_second,
        GOALS.1,
        reached(rates.calls_per_second >= GOALS.1)
    )
}

#[cfg(test)]
mod tests;
