//! The fuzzer: runs libFuzzer on the target that `FUZZ_TARGET` names. `scripts/fuzz.sh` builds and starts it.
//!
//! The targets are plain functions in [`targets`]. They compare the crate's parsers with slower ones, and
//! panic where the two differ. `tests/it/fuzz_corpus.rs` runs them without libFuzzer, on every input in
//! `fuzz/corpus`. The deployment in memory that some of them use is that of `tests/it`.
#![no_main]

use std::sync::OnceLock;

#[path = "../../tests/it/support.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses all of it")]
mod support;

#[path = "../../tests/it/token_fixtures.rs"]
#[expect(dead_code, reason = "shared with tests/it, which uses all of it")]
mod token_fixtures;

mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<targets::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let target = targets::TARGETS.iter().find(|(other, _)| *other == name);
        target.unwrap_or_else(|| panic!("FUZZ_TARGET is `{name}`, which is not a target")).1
    });
    target(data);
});
