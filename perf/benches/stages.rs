//! Criterion groups for the stages of the core: what a packet, or one copy of it, costs in each.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaname_perf::case::SUITES;
use kaname_perf::stages::{Bench, Stage};

/// The time of so many packets.
fn time(bench: &mut Bench, packets: u64) -> Duration {
    let (mut done, mut spent) = (0, Duration::ZERO);
    while done < packets {
        spent += bench.run();
        done += bench.packets() as u64;
    }
    spent.mul_f64(packets as f64 / done as f64)
}

fn stages(criterion: &mut Criterion) {
    let [cm, gcm, _] = SUITES;
    for (profile, suite) in [cm, gcm] {
        for payload in [172, 1200] {
            let mut group = criterion.benchmark_group(format!("{suite}/{payload}"));
            group.throughput(Throughput::Elements(1));
            for stage in Stage::ALL {
                let mut bench = Bench::new(stage, profile, payload);
                group.bench_function(BenchmarkId::from_parameter(stage.name()), |criterion| {
                    criterion.iter_custom(|packets| time(&mut bench, packets));
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
