//! How many calls a node carries: more and more until quality fails, and then the gap halved.

use serde::Serialize;

use super::CallError;
use super::case::Case;
use super::command::Asked;
use super::node::{Running, System};
use super::outcome::{Bounds, Outcome};
use crate::fleet::process::Look;
use crate::stamp::clock_ns;

/// The gap between what held and what did not, as a part of what held, at which the search ends.
const FINE: u32 = 20;
/// The node's share of its core from which on that is the limit.
const SATURATED: f64 = 0.95;

/// What stopped a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Limit {
    /// Its core was full.
    NodeCpu,
    /// Its sockets ran over.
    NodeSocket,
    /// Calls could not be set up: the node's words.
    Setup(String),
    /// Something else was wrong with the calls.
    Quality(String),
    /// The generator was short of time, or something else had the node's processor: the node may carry more.
    Machine,
    /// As many calls as the generator makes, or was asked for.
    Most,
}

/// One number of calls.
#[derive(Clone, Debug, Serialize)]
struct Step {
    calls: u32,
    outcome: Option<Outcome>,
    limit: Option<Limit>,
}

/// What a search came to.
#[derive(Clone, Debug, Serialize)]
struct Capacity {
    system: String,
    version: String,
    case: String,
    /// Calls that the node carried well.
    calls: u32,
    limited_by: Limit,
    steps: Vec<Step>,
}

/// Tries more at a number of calls at which the generator was late or something else had the node's processor.
const TRIES_MORE: u32 = 2;

/// A search in each case.
pub(super) fn run(asked: &mut Asked<'_>) -> Result<bool, CallError> {
    let system = asked.systems[0].clone();
    for case in asked.cases.clone() {
        let capacity = capacity(asked, &system, case)?;
        let text = format!(
            "{} carries {} calls of {}, limited by {:?}\n",
            capacity.system, capacity.calls, capacity.case, capacity.limited_by
        );
        asked.print(&text, &capacity)?;
    }
    Ok(true)
}

/// How many calls of a case a system carries, started for it.
fn capacity(asked: &mut Asked<'_>, system: &System, case: Case) -> Result<Capacity, CallError> {
    asked.bench.check_sources(&case)?;
    let mut node = system.start(&asked.bench.place)?;
    let (mut steps, mut best) = (Vec::new(), 0);
    let first = asked.options.calls.unwrap_or(case.calls);
    let limited_by = search(first, asked.options.most, |calls| {
        let mut tried = step(asked, &mut node, case, calls)?;
        for _ in 0..TRIES_MORE {
            if tried.limit != Some(Limit::Machine) {
                break;
            }
            tried = step(asked, &mut node, case, calls)?;
        }
        let limit = tried.limit.clone();
        if limit.is_none() {
            best = best.max(calls);
        }
        steps.push(tried);
        Ok(limit)
    })?;
    Ok(Capacity {
        system: system.name().into(),
        version: system.version()?,
        case: case.name.into(),
        calls: best,
        limited_by,
        steps,
    })
}

/// Doubles until something fails, then halves the gap. What failed last.
fn search(
    first: u32,
    most: u32,
    mut holds: impl FnMut(u32) -> Result<Option<Limit>, CallError>,
) -> Result<Limit, CallError> {
    let (mut good, mut next) = (0, first.clamp(1, most));
    let (mut bad, mut limit) = loop {
        match holds(next)? {
            Some(limit) => break (next, limit),
            None if next >= most => return Ok(Limit::Most),
            None => (good, next) = (next, (next * 2).min(most)),
        }
    };
    while bad - good > (good / FINE).max(1) {
        let middle = good + (bad - good) / 2;
        match holds(middle)? {
            Some(why) => (bad, limit) = (middle, why),
            None => good = middle,
        }
    }
    Ok(limit)
}

fn step(asked: &mut Asked<'_>, node: &mut Running, case: Case, calls: u32) -> Result<Step, CallError> {
    let turn = asked.turn(case, calls, asked.options.seconds);
    let look = |node: &Running| node.pid.and_then(|pid| Look::at(pid, clock_ns()));
    let before = look(node);
    let taken = asked.bench.take(node, &turn, &mut |_, _| ());
    let between = before.zip(look(node)).map(|(before, after)| after.since(&before));
    let outcome = match taken {
        Ok(outcome) => outcome,
        Err(CallError::Setup(why)) if node.is_alive() => {
            asked.say(&format!("{calls} calls: {why}"));
            return Ok(Step { calls, outcome: None, limit: Some(Limit::Setup(why)) });
        }
        Err(CallError::Node(why)) if node.is_alive() => {
            asked.say(&format!("{calls} calls: {why}"));
            return Ok(Step { calls, outcome: None, limit: Some(Limit::Setup(why.to_string())) });
        }
        Err(error) => return Err(error),
    };
    let faults = outcome.faults(&Bounds::default());
    let limit = faults.first().map(|fault| {
        if outcome.is_late() || outcome.is_disturbed() {
            Limit::Machine
        } else if outcome.cpu_share.is_some_and(|share| share >= SATURATED) {
            Limit::NodeCpu
        } else if between.is_some_and(|between| between.drops > 0) {
            Limit::NodeSocket
        } else {
            Limit::Quality(fault.clone())
        }
    });
    let share = outcome.cpu_share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0));
    let verdict = limit.as_ref().map_or("good".into(), |limit| format!("{limit:?}: {}", faults.join("; ")));
    asked.say(&format!("{calls} calls: {share} of a core, {verdict}"));
    Ok(Step { calls, outcome: Some(outcome), limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::command::Options;
    use crate::calls::limits::MAX_CALLS;

    fn found(capacity: u32, first: u32) -> (u32, Limit, usize) {
        let (mut best, mut asked) = (0, 0);
        let limit = search(first, MAX_CALLS, |calls| {
            asked += 1;
            if calls <= capacity {
                best = best.max(calls);
                return Ok(None);
            }
            Ok(Some(Limit::NodeCpu))
        });
        (best, limit.unwrap(), asked)
    }

    #[test]
    fn the_capacity_is_found_to_a_twentieth() {
        for capacity in [0, 1, 3, 57, 261, 1_500] {
            for first in [1, 16, 100] {
                let (best, limit, asked) = found(capacity, first);
                assert!(best <= capacity && best + best / 20 + 1 >= capacity, "{best} of {capacity}");
                assert_eq!(limit, Limit::NodeCpu);
                assert!(asked < 25, "{asked}");
            }
        }
    }

    /// Steps, set-ups, hanging up and judging, at a relay that is not ours.
    #[test]
    #[ignore = "full suite: rtpengine-daemon, two processors"]
    fn a_relay_is_loaded_step_by_step_up_to_the_bound() {
        let bounded =
            Options { ramp: true, most: 5, seconds: 1, ..Options::of("rtpengine", &["rtp-rtp"], 2) };
        let mut asked = Asked::of(&bounded).expect("two processors");
        let (system, case) = (asked.systems[0].clone(), asked.cases[0]);
        let found = capacity(&mut asked, &system, case).expect("a capacity");
        let outcome = found.steps[0].outcome.as_ref().expect("two calls were made");
        assert_eq!((outcome.calls, outcome.due, outcome.lost), (2, 2 * 2 * 50, 0));
        let tried: Vec<u32> = found.steps.iter().map(|step| step.calls).collect();
        // A busy machine is named as the limit, and is nothing that the relay could help.
        match found.limited_by {
            Limit::Most => assert_eq!((found.calls, tried), (5, vec![2, 4, 5])),
            ref limit => assert_eq!(*limit, Limit::Machine, "{found:?}"),
        }
    }

    #[test]
    fn a_node_that_carries_everything_is_not_to_blame() {
        assert_eq!(found(u32::MAX, 100).1, Limit::Most);
    }
}
