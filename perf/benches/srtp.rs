//! Criterion groups: one for each suite, operation and payload, with the rivals beside us. The table that is recorded comes
//! from the `srtp` program; these are for looking at one cell closely.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaname_perf::case::{Case, Plain, SUITES};
use kaname_perf::systems::{AwsLcRaw, IpsecMb, Kaname, Libsrtp, Operation, RtcSrtp, System};
use kaname_perf::timing::once;

/// Sessions of every group.
const SESSIONS: usize = 100;

fn systems(case: &Case) -> Vec<Box<dyn System>> {
    let mut systems: Vec<Box<dyn System>> = vec![
        Box::new(Kaname::new(case)),
        Box::new(Libsrtp::new(case)),
        Box::new(RtcSrtp::new(case)),
        Box::new(IpsecMb::new(case)),
    ];
    systems.extend(AwsLcRaw::new(case).map(|raw| Box::new(raw) as Box<dyn System>));
    systems
}

/// The time of so many packets: whole samples, of which the first round is not counted.
fn time(system: &mut dyn System, operation: Operation, case: &Case, plain: &Plain, packets: u64) -> Duration {
    let (mut done, mut spent) = (0, Duration::ZERO);
    while done < packets {
        spent += once(case, operation, system, plain);
        done += ((case.rounds - 1) * case.sessions) as u64;
    }
    spent.mul_f64(packets as f64 / done as f64)
}

fn packets(criterion: &mut Criterion) {
    for (profile, suite) in SUITES {
        for operation in [Operation::Protect, Operation::Unprotect] {
            for payload in [20, 160, 1100] {
                let case = Case::new(profile, 12, payload, SESSIONS);
                let plain = Plain::new(&case);
                let mut group = criterion.benchmark_group(format!("{suite}/{}/{payload}", operation.name()));
                group.throughput(Throughput::Elements(1));
                for mut system in systems(&case) {
                    let name = BenchmarkId::from_parameter(system.name());
                    group.bench_function(name, |bench| {
                        bench.iter_custom(|packets| time(&mut *system, operation, &case, &plain, packets));
                    });
                }
                group.finish();
            }
        }
    }
}

criterion_group!(benches, packets);
criterion_main!(benches);
