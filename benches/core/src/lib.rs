//! Benchmarks of the native build of entgate's core.
//!
//! | module             | contents                                                              |
//! |--------------------|-----------------------------------------------------------------------|
//! | [`sample`]         | the sets and the event of all workloads                               |
//! | [`deployment`]     | a deployment in memory whose replica decodes its record on each read   |
//! | [`workload`]       | a named function that can be measured                                 |
//! | [`workloads`]      | the workloads of the core: verify, parse, apply, check, list, encode  |
//! | [`record_formats`] | stored formats of a set: entgate's own and four alternatives          |
//!
//! `main.rs` runs each workload so that callgrind can count its instructions (`instructions.mjs`).
//! `criterion.rs` measures the time. Not here: the edge Worker as a whole (`benches/edge`).

pub mod sample;

pub mod deployment;

pub mod workload;

pub mod workloads;

pub mod record_formats;
