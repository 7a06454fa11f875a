//! The works of the core, and those of the forms, timed: `cargo bench` in this folder.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use entgate_bench::{record_formats, workloads};

fn all(criterion: &mut Criterion) {
    for mut work in workloads::works().into_iter().chain(record_formats::works()) {
        criterion.bench_function(&work.name.clone(), |bencher| bencher.iter(|| work.once()));
    }
}

/// All of them in some minutes: instructions are counted elsewhere, and more exactly.
fn briefly() -> Criterion {
    let (before, measured) = (Duration::from_millis(300), Duration::from_secs(1));
    Criterion::default().warm_up_time(before).measurement_time(measured).sample_size(50)
}

criterion_group! { name = benches; config = briefly(); targets = all }
criterion_main!(benches);
