//! Measures the time of every workload: `cargo bench` in this folder.
//!
//! Not here: instructions, whose counts are the same in every run (`instructions.mjs`).

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use entgate_bench::{record_formats, workloads};

fn bench_all(criterion: &mut Criterion) {
    for mut workload in workloads::all().into_iter().chain(record_formats::workloads()) {
        criterion.bench_function(&workload.name.clone(), |bencher| bencher.iter(|| workload.run()));
    }
}

/// Short times, so that all workloads together take a few minutes.
fn config() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
}

criterion_group! { name = benches; config = config(); targets = bench_all }
criterion_main!(benches);
