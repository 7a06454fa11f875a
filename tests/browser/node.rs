//! The suite in Node: `wasm-pack test --node -- --features browser --test node`.
#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed step of a test should stop it"
)]

mod suite;
