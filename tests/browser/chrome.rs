//! The suite in a browser: `wasm-pack test --headless --chrome -- --features browser --test chrome`.
#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed step of a test should stop it"
)]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

mod suite;
