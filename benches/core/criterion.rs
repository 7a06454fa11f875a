//! The works of the core, and those of the forms, timed: `cargo bench` in this folder.

use criterion::{Criterion, criterion_group, criterion_main};
use entgate_bench::{forms, works};

fn all(criterion: &mut Criterion) {
    for mut work in works::works().into_iter().chain(forms::works()) {
        criterion.bench_function(&work.name.clone(), |bencher| bencher.iter(|| work.once()));
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
