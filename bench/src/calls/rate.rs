//! How fast calls are set up: offer, answer and delete of each call, at a rate that does not wait for the node.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use serde::Serialize;

use super::CallError;
use super::case::{Case, Guard};
use super::command::Asked;
use super::limits::{ANSWER_WITHIN, IN_FLIGHT, LATE_US, TRIES};
use super::ng::{Answer, Client, Request};
use super::node::{Running, System};
use super::sdp::{Node, Own, Types};
use super::switchboard::offer_request;
use crate::compare::tally::{enter, histogram};
use crate::demo::cpu::cpu_time;

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
    /// Calls of which a request was refused, or never answered.
    failed: u64,
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
            "{rate} calls/s: {} of {} done, answers {}/{}/{} us, {} repeated{}",
            step.done,
            step.begun,
            step.p50_us,
            step.p99_us,
            step.max_us,
            step.repeated,
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

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offer,
    Answer,
    Delete,
}

/// A request without its answer.
struct Waiting {
    call: u64,
    stage: Stage,
    first: Instant,
    tries: u32,
    datagram: Vec<u8>,
}

/// Sets up calls and takes them down.
struct Caller {
    client: Client,
    case: Case,
    at: SocketAddr,
    run: u32,
    offer: String,
    waiting: HashMap<u64, Waiting>,
    /// When which request is repeated, in order.
    repeats: VecDeque<(Instant, u64)>,
    times: Histogram<u64>,
    step: Step,
}

impl Caller {
    fn new(client: Client, case: Case, at: SocketAddr) -> Result<Caller, CallError> {
        let run = getrandom::u32().map_err(|error| std::io::Error::other(error.to_string()))?;
        let types = Types::offered(case.caller.sound);
        let offer = Own { at, side: case.caller, types, keys: None, fingerprint: "", setup: "" }.sdp();
        Ok(Caller {
            client,
            case,
            at,
            run,
            offer,
            waiting: HashMap::new(),
            repeats: VecDeque::new(),
            times: histogram(),
            step: Step::default(),
        })
    }

    fn run(mut self, rate: u32, time: Duration, pid: Option<u32>) -> Result<Step, CallError> {
        let begin = Instant::now();
        let cpu = pid.and_then(cpu_time);
        let calls = u64::from(rate) * time.as_secs();
        let mut late = histogram();
        let mut used = None;
        while self.step.begun < calls || !self.waiting.is_empty() {
            let now = Instant::now();
            let due = begin + Duration::from_nanos(self.step.begun * 1_000_000_000 / u64::from(rate));
            if self.step.begun < calls && now >= due {
                enter(&mut late, (now - due).as_nanos() as u64);
                self.begin()?;
            } else {
                let next = if self.step.begun < calls { due } else { now + ANSWER_WITHIN };
                let repeat = self.repeats.front().map_or(next, |(at, _)| *at);
                self.wait(next.min(repeat).saturating_duration_since(now))?;
            }
            while let Some((cookie, answer)) = self.client.take()? {
                self.answered(cookie, answer)?;
            }
            self.repeat(Instant::now())?;
            if self.step.begun >= calls && used.is_none() {
                let share = |us: Duration| us.as_secs_f64() / begin.elapsed().as_secs_f64();
                used = cpu.zip(pid.and_then(cpu_time)).map(|(from, to)| share(to.saturating_sub(from)));
            }
        }
        let at = |share| if self.times.is_empty() { 0 } else { self.times.value_at_quantile(share) };
        let late_us = if late.is_empty() { 0 } else { late.value_at_quantile(0.99) };
        let (p50_us, p99_us, max_us) = (at(0.5), at(0.99), self.times.max());
        Ok(Step { rate, p50_us, p99_us, max_us, cpu_share: used, late_us, ..self.step })
    }

    fn begin(&mut self) -> Result<(), CallError> {
        let call = self.step.begun;
        self.step.begun += 1;
        if self.waiting.len() >= IN_FLIGHT {
            self.failed(format!("{IN_FLIGHT} requests are without an answer"));
            return Ok(());
        }
        let request = offer_request(&self.case, self.of_call("offer", call).text("sdp", &self.offer));
        self.post(call, Stage::Offer, &request)
    }

    fn of_call(&self, command: &str, call: u64) -> Request {
        let id = format!("{:08x}-{call}@rate", self.run);
        Request::new(command).text("call-id", &id).text("from-tag", "caller")
    }

    fn post(&mut self, call: u64, stage: Stage, request: &Request) -> Result<(), CallError> {
        let first = Instant::now();
        let (cookie, datagram) = self.client.post(request)?;
        self.waiting.insert(cookie, Waiting { call, stage, first, tries: 1, datagram });
        self.repeats.push_back((first + ANSWER_WITHIN, cookie));
        Ok(())
    }

    fn answered(&mut self, cookie: u64, answer: Result<Answer, String>) -> Result<(), CallError> {
        // An answer to a request that was repeated, for the second time.
        let Some(Waiting { call, stage, first, .. }) = self.waiting.remove(&cookie) else { return Ok(()) };
        enter(&mut self.times, first.elapsed().as_nanos() as u64);
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => {
                self.failed(format!("{stage:?}: {why}"));
                return Ok(());
            }
        };
        match stage {
            Stage::Offer => {
                let side = self.case.callee;
                let node = Node::new(answer.text("sdp").unwrap_or_default());
                let types = match node.address().and_then(|_| node.types(side.sound)) {
                    Ok(types) => types,
                    Err(why) => {
                        self.failed(why);
                        return Ok(());
                    }
                };
                let at = SocketAddr::new(self.at.ip(), self.at.port() + 2);
                let sdp = Own { at, side, types, keys: None, fingerprint: "", setup: "" }.sdp();
                let request = self.of_call("answer", call).text("to-tag", "callee").text("sdp", &sdp);
                self.post(call, Stage::Answer, &request)
            }
            Stage::Answer => {
                let request = self.of_call("delete", call).number("delete-delay", 0);
                self.post(call, Stage::Delete, &request)
            }
            Stage::Delete => {
                self.step.done += 1;
                Ok(())
            }
        }
    }

    fn failed(&mut self, why: String) {
        self.step.failed += 1;
        self.step.why.get_or_insert(why);
    }

    fn repeat(&mut self, now: Instant) -> Result<(), CallError> {
        while let Some(&(at, cookie)) = self.repeats.front() {
            if at > now {
                break;
            }
            self.repeats.pop_front();
            let Some(waiting) = self.waiting.get_mut(&cookie) else { continue };
            if waiting.tries >= TRIES {
                let stage = waiting.stage;
                self.waiting.remove(&cookie);
                self.failed(format!("{stage:?}: no answer to {TRIES} requests"));
                continue;
            }
            waiting.tries += 1;
            self.step.repeated += 1;
            self.client.repeat(&waiting.datagram)?;
            self.repeats.push_back((now + ANSWER_WITHIN, cookie));
        }
        Ok(())
    }

    fn wait(&self, time: Duration) -> Result<(), CallError> {
        let mut fds = [PollFd::new(self.client.socket().as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut fds, Some(TimeSpec::from_duration(time)), None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }
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
