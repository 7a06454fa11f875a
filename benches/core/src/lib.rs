//! What the pure core of entgate costs, natively.
//!
//! | module     | what it is                                                                    |
//! |------------|-------------------------------------------------------------------------------|
//! | [`sample`] | the sets and the event that everything is measured with                       |
//! | [`deployment`]   | a deployment whose replica keeps records, as the edge's does                  |
//! | [`workload`]   | one thing that is measured                                                    |
//! | [`core`]   | the works of the core: verify, parse, decide, check, list                     |
//! | [`record_formats`]  | ways in which a set could be stored, beside the one in which it is: none of them is entgate's but the second |
//!
//! `main.rs` does each work so that callgrind can count its instructions (`instructions.mjs`), and
//! `criterion.rs` so that criterion can time it. Nothing here is part of entgate.

pub mod sample;

pub mod deployment;

pub mod workload;

pub mod workloads;

pub mod record_formats;
