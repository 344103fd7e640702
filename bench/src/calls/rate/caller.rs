//! A proxy in a hurry: begins calls at their times, follows each from offer to delete, and takes down what is left.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::super::CallError;
use super::super::case::Case;
use super::super::limits::{ANSWER_WITHIN, IN_FLIGHT, TRIES};
use super::super::ng::{Answer, Client, NgError, Request};
use super::super::sdp::{Node, Own, Types};
use super::super::switchboard::offer_request;
use super::Step;
use crate::compare::tally::{enter, histogram};
use crate::demo::cpu::cpu_time;

/// Call-ids asked for at once: with their lengths they fill half a datagram.
const LISTED: i64 = 1_000;
/// Looks at the node's list before calls that stay on it count as a fault.
const LOOKS: u32 = 10;

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
pub(super) struct Caller {
    client: Client,
    case: Case,
    at: SocketAddr,
    run: u32,
    offer: String,
    waiting: HashMap<u64, Waiting>,
    /// Calls that were offered and not seen to be deleted: whatever became of them, the node may still have them.
    open: BTreeSet<u64>,
    /// When which request is repeated, in order.
    repeats: VecDeque<(Instant, u64)>,
    times: Histogram<u64>,
    step: Step,
}

impl Caller {
    pub(super) fn new(client: Client, case: Case, at: SocketAddr) -> Result<Caller, CallError> {
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
            open: BTreeSet::new(),
            repeats: VecDeque::new(),
            times: histogram(),
            step: Step::default(),
        })
    }

    pub(super) fn run(mut self, rate: u32, time: Duration, pid: Option<u32>) -> Result<Step, CallError> {
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
        self.clear()?;
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
        self.open.insert(call);
        self.post(call, Stage::Offer, &request)
    }

    /// Takes down what the node may still have, and waits until it lists no call of this run: a call that was given up keeps
    /// its ports until it has long been silent, and the next step would be measured on what is left of them.
    fn clear(&mut self) -> Result<(), CallError> {
        self.client.wait_for_answers()?;
        for call in std::mem::take(&mut self.open) {
            self.delete(&self.id(call))?;
        }
        let run = self.id_of_run();
        for _ in 0..LOOKS {
            let listed = self.client.ask("list", &Request::new("list").number("limit", LISTED))?;
            let own: Vec<String> =
                listed.texts("calls").into_iter().filter(|id| id.starts_with(&run)).collect();
            if own.is_empty() {
                return Ok(());
            }
            for id in own {
                self.delete(&id)?;
            }
        }
        Err(CallError::Setup(format!("the node still lists calls after {LOOKS} rounds of deleting them")))
    }

    /// Deletes a call that the node may not know.
    fn delete(&mut self, id: &str) -> Result<(), CallError> {
        match self.client.ask("delete", &delete_request(id)) {
            Ok(_) | Err(NgError::Refused { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What call-ids of this run begin with.
    fn id_of_run(&self) -> String {
        format!("{:08x}-", self.run)
    }

    fn id(&self, call: u64) -> String {
        format!("{}{call}@rate", self.id_of_run())
    }

    fn of_call(&self, command: &str, call: u64) -> Request {
        of_call(command, &self.id(call))
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
                let request = delete_request(&self.id(call));
                self.post(call, Stage::Delete, &request)
            }
            Stage::Delete => {
                self.step.done += 1;
                self.open.remove(&call);
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
                self.step.late += 1;
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

fn of_call(command: &str, id: &str) -> Request {
    Request::new(command).text("call-id", id).text("from-tag", "caller")
}

/// At once: nodes keep deleted calls for a while, and others need their ports.
fn delete_request(id: &str) -> Request {
    of_call("delete", id).number("delete-delay", 0)
}
