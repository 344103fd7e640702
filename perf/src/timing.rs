//! Timing that holds on a shared machine: the systems take turns within each sample, and medians are compared.

use std::hint::black_box;
use std::time::Instant;

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
            system.reset(operation);
            // The first packet of an SSRC makes its state, which may allocate: that is a session's cost, not a packet's.
            system.run(operation, 0, &plain);
            let start = Instant::now();
            for round in 1..case.rounds {
                system.run(operation, round, &plain);
            }
            let elapsed = start.elapsed();
            black_box(system.output(0));
            // The first sample warms caches and branch predictors; it does not count.
            if sample > 0 {
                ns[index].push(elapsed.as_nanos() as f64 / ((case.rounds - 1) * case.sessions) as f64);
            }
        }
    }
    ns.into_iter().map(median).collect()
}

/// The middle value; of an even number the upper of the two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
