//! Does each work some times, so that callgrind can count its instructions: all that [`measured()`]
//! does is the work. `instructions.mjs` runs this, and knows the works by the lines it prints.

use entgate_bench::{record_formats, workload::Work, workloads};

/// How often each work is done while it is counted.
const CALLS: usize = 10;

/// How often it is done before, so that what is set up once is.
const BEFORE: usize = 3;

fn main() {
    for (name, bytes) in record_formats::sizes() {
        println!("bytes\t{bytes}\t{name}");
    }
    for mut work in workloads::works().into_iter().chain(record_formats::works()) {
        for _ in 0..BEFORE {
            work.once();
        }
        measured(&mut work);
        println!("calls\t{CALLS}\t{}", work.name);
    }
}

/// The work, and nothing else: callgrind counts from here on, and writes down at the end.
#[inline(never)]
fn measured(work: &mut Work) {
    for _ in 0..CALLS {
        work.once();
    }
}
