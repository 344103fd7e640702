//! The node's capacity, found by doubling and then halving the gap: the largest load at which a stated quality holds.

use serde::{Deserialize, Serialize};

use super::limits::SATURATED;
use super::outcome::{Bottleneck, Outcome};
use super::scenario::{Scenario, Shape};
use super::{FleetError, Observer, Target, run};

/// Share of a core above which a thread of the node explains what broke: queues grow well before all of it is used.
const BUSY: f64 = 0.85;

/// What must hold at a load for the load to count as carried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Packets lost of those due, at most: 0.001 is a thousandth.
    pub loss: f64,
    /// 99th percentile of the forwarding delay in microseconds, at most.
    pub p99_us: u64,
    /// Share of a core that the node's busiest thread may use.
    pub busiest: f64,
}

impl Default for Quality {
    fn default() -> Quality {
        Quality { loss: 0.0, p99_us: 20_000, busiest: SATURATED }
    }
}

impl Quality {
    /// What an outcome broke, the cause rather than the symptom; `None`: all held.
    pub fn broken(&self, outcome: &Outcome) -> Option<Bottleneck> {
        let (packets, harness, node) = (&outcome.packets, &outcome.harness, &outcome.node);
        let (lost, due) = (packets.lost + outcome.foreign.lost, packets.due + outcome.foreign.due);
        let loss = lost as f64 / due.max(1) as f64;
        let lossy = loss > self.loss || due == 0;
        let slow = outcome.delay_us.p99 > self.p99_us;
        let saturated = node.busiest_thread.is_some_and(|busy| busy > self.busiest);
        let busy = node.busiest_thread.is_some_and(|busy| busy > BUSY);
        // A harness that fell short spoils the figures, whatever they say of the node.
        if harness.socket_drops > 0 {
            return Some(Bottleneck::HarnessSocket);
        }
        if !harness.short_of.is_empty() && !busy {
            return Some(Bottleneck::HarnessCpu);
        }
        if outcome.joins.failed > 0 {
            return Some(Bottleneck::Joins);
        }
        match (lossy, slow, saturated) {
            (false, false, false) => None,
            (_, _, true) => Some(Bottleneck::NodeCpu),
            _ if busy => Some(Bottleneck::NodeCpu),
            (true, ..) if node.socket_drops.is_some_and(|drops| drops > 0) => Some(Bottleneck::NodeSocket),
            (true, ..) => Some(Bottleneck::Loss),
            (false, true, false) => Some(Bottleneck::Delay),
        }
    }
}

/// One try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Subscribers (of a meeting: peers) a room.
    pub size: u32,
    /// What broke, if anything.
    pub broken: Option<Bottleneck>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capacity {
    /// The largest size at which all held; 0: not even the smallest.
    pub size: u32,
    /// Packets a second that receivers got there.
    pub packets_per_second: f64,
    /// What broke at the smallest size at which something did; `None`: nothing did up to the bound.
    pub limited_by: Option<Bottleneck>,
    /// What had to hold.
    pub quality: Quality,
    /// All tries, in order.
    pub steps: Vec<Step>,
}

/// Searches between `from` and `to` until the gap is a twentieth.
///
/// # Errors
/// Those of [`run`] at the first size; at a larger one an error counts as broken.
pub fn find(
    scenario: &Scenario,
    target: &Target,
    quality: Quality,
    (from, to): (u32, u32),
    observer: &mut dyn Observer,
) -> Result<Capacity, FleetError> {
    search(quality, (from, to), |size| {
        let mut scenario = scenario.clone();
        scenario.shape = match scenario.shape {
            Shape::OneToMany { publishers, .. } => Shape::OneToMany { publishers, subscribers: size },
            Shape::Meeting { .. } => Shape::Meeting { peers: size },
        };
        observer.phase(&format!("trying {size}"));
        run(scenario, target.clone(), observer)
    })
}

fn search(
    quality: Quality,
    (from, to): (u32, u32),
    mut attempt: impl FnMut(u32) -> Result<Outcome, FleetError>,
) -> Result<Capacity, FleetError> {
    let mut found =
        Capacity { size: 0, packets_per_second: 0.0, limited_by: None, quality, steps: Vec::new() };
    let (mut good, mut bad) = (0, None);
    let mut size = from.max(1);
    loop {
        let outcome = match attempt(size) {
            Ok(outcome) => outcome,
            Err(error) if found.steps.is_empty() => return Err(error),
            Err(error) => Outcome { failures: vec![error.to_string()], ..Outcome::default() },
        };
        let broken = if outcome.failures.is_empty() || outcome.packets.due > 0 {
            quality.broken(&outcome)
        } else {
            Some(Bottleneck::Joins)
        };
        match broken {
            None => {
                good = size;
                (found.size, found.packets_per_second) = (size, outcome.packets_per_second);
            }
            Some(_) => {
                bad = Some(size);
                found.limited_by = broken;
            }
        }
        found.steps.push(Step { size, broken, outcome });
        size = match bad {
            None if size >= to => return Ok(found),
            None => (size * 2).min(to),
            Some(bad) if bad - good <= (bad / 20).max(1) => return Ok(found),
            Some(bad) => good + (bad - good) / 2,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::{Delay, Harness, NodeFigures, Packets};
    use super::*;

    fn good() -> Outcome {
        let packets = Packets { due: 1000, received: 1000, ..Packets::default() };
        let node = NodeFigures { busiest_thread: Some(0.5), socket_drops: Some(0), ..NodeFigures::default() };
        let delay_us = Delay { p99: 900, ..Delay::default() };
        Outcome { packets, node, delay_us, packets_per_second: 1.0, ..Outcome::default() }
    }

    #[test]
    fn each_cause_is_told_apart() {
        let quality = Quality { loss: 0.001, ..Quality::default() };
        let broken = |change: fn(&mut Outcome)| {
            let mut outcome = good();
            change(&mut outcome);
            quality.broken(&outcome)
        };
        assert_eq!(broken(|_| {}), None);
        assert_eq!(broken(|o| o.packets.lost = 1), None, "a thousandth is allowed");
        assert_eq!(broken(|o| o.packets.lost = 2), Some(Bottleneck::Loss));
        assert_eq!(broken(|o| o.packets.due = 0), Some(Bottleneck::Loss), "nothing at all is not perfect");
        assert_eq!(broken(|o| o.foreign.lost = 5), Some(Bottleneck::Loss), "foreign clients count");
        assert_eq!(broken(|o| o.delay_us.p99 = 20_001), Some(Bottleneck::Delay));
        assert_eq!(broken(|o| o.node.busiest_thread = Some(0.99)), Some(Bottleneck::NodeCpu));
        assert_eq!(
            broken(|o| {
                o.delay_us.p99 = 30_000;
                o.node.busiest_thread = Some(0.9);
            }),
            Some(Bottleneck::NodeCpu)
        );
        assert_eq!(broken(|o| o.joins.failed = 1), Some(Bottleneck::Joins));
        assert_eq!(broken(|o| o.harness.socket_drops = 1), Some(Bottleneck::HarnessSocket));
        assert_eq!(
            broken(|o| {
                o.packets.lost = 9;
                o.node.socket_drops = Some(9);
            }),
            Some(Bottleneck::NodeSocket)
        );
        assert_eq!(
            broken(|o| {
                o.packets.lost = 9;
                o.harness = Harness { short_of: vec!["CPU".into()], ..Harness::default() };
            }),
            Some(Bottleneck::HarnessCpu)
        );
    }

    #[test]
    fn the_search_ends_close_to_the_limit() {
        for limit in [1, 7, 150, 999, 4000] {
            let mut tries = 0;
            let found = search(Quality::default(), (10, 5000), |size| {
                tries += 1;
                let mut outcome = good();
                outcome.packets.lost = u64::from(size > limit);
                Ok(outcome)
            })
            .unwrap();
            assert!(
                found.size <= limit && found.size + (limit / 10).max(2) >= limit,
                "{limit}: {}",
                found.size
            );
            assert!(tries < 20 && found.limited_by == Some(Bottleneck::Loss));
        }
        let endless = search(Quality::default(), (10, 5000), |_| Ok(good())).unwrap();
        assert_eq!((endless.size, endless.limited_by), (5000, None));
    }
}
