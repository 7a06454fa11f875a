//! Runs each workload a few times for callgrind, which counts only what [`measured()`] executes.
//!
//! Prints `bytes<tab>size<tab>name` for each record format and size, then
//! `calls<tab>number of calls<tab>name` for each workload. `instructions.mjs` reads these lines, and
//! depends on the name `entgate_bench::measured`.

use entgate_bench::{record_formats, workload::Workload, workloads};

/// The measured calls of each workload.
const CALLS: usize = 10;

/// The calls before those, for one-time setup.
const WARM_UP_CALLS: usize = 3;

fn main() {
    for (name, bytes) in record_formats::sizes() {
        println!("bytes\t{bytes}\t{name}");
    }
    for mut workload in workloads::all().into_iter().chain(record_formats::workloads()) {
        for _ in 0..WARM_UP_CALLS {
            workload.run();
        }
        measured(&mut workload);
        println!("calls\t{CALLS}\t{}", workload.name);
    }
}

/// Runs the workload and nothing else. Callgrind resets its counters when this function starts, and
/// writes a profile when it returns.
#[inline(never)]
fn measured(workload: &mut Workload) {
    for _ in 0..CALLS {
        workload.run();
    }
}
