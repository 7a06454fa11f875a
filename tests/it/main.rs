//! Integration tests of the crate with stores in memory: no clock, no network, in any order.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a wrong fixture must fail the test, and clippy.toml exempts no helper function"
)]

mod account;
mod active_entitlements;
mod activity;
mod authorize;
mod catalog;
mod checks;
mod columns;
mod cors;
mod ed25519;
mod fast_path;
mod feature_cache;
mod gate;
mod http;
mod invalid_tokens;
mod issuer;
mod jwks_cache;
mod layers;
mod ledger;
mod model;
mod mutated_bytes;
mod ofrep;
mod openapi;
mod paused;
mod reach;
mod recent;
mod record;
mod roster;
mod settings;
mod signature;
mod snapshots;
mod source;
mod store_contract;
mod stories;
mod stream;
mod stream_auth;
mod stripe_event;
mod support;
mod sync;
mod token_fixtures;
mod token_settings;
mod tokens;
