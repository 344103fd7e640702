//! Timing that holds on a shared machine: the systems take turns within each sample, and medians are compared.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::case::{Case, Plain};
use crate::systems::{Operation, System};

/// Nanoseconds a packet of each system, in their order: the median over the samples.
pub fn compare(
    case: &Case,
    operation: Operation,
    systems: &mut [Box<dyn System>],
    samples: usize,
) -> Vec<f64> {
    let plain = Plain::new(case);
    let mut ns: Vec<Vec<f64>> = vec![Vec::with_capacity(samples); systems.len()];
    for sample in 0..=samples {
        for (index, system) in systems.iter_mut().enumerate() {
            let elapsed = once(case, operation, &mut **system, &plain);
            // The first sample warms caches and branch predictors; it does not count.
            if sample > 0 {
                ns[index].push(elapsed.as_nanos() as f64 / ((case.rounds - 1) * case.sessions) as f64);
            }
        }
    }
    ns.into_iter().map(median).collect()
}

/// How long a system works on all rounds of a case but the first: the first packet of an SSRC makes its state, which may
/// allocate, and that is a session's cost and not a packet's. What arrives is put into its buffers outside of the time taken:
/// a received packet was written just before by whoever received it.
pub fn once(case: &Case, operation: Operation, system: &mut dyn System, plain: &Plain) -> Duration {
    system.reset(operation);
    let mut elapsed = Duration::ZERO;
    for (rounds, counts) in [(0..1, false), (1..case.rounds, true)] {
        for burst in case.bursts(rounds) {
            if operation == Operation::Unprotect {
                system.arrive(&burst);
            }
            let start = Instant::now();
            system.run(operation, &burst, plain);
            if counts {
                elapsed += start.elapsed();
            }
            black_box(system.output(0));
        }
    }
    elapsed
}

/// The middle value; of an even number the upper of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
