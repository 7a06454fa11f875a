//! Integration tests over in-memory stores: no clock, no network, in any order.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a wrong setup must fail the test, and clippy.toml does not exempt helper functions"
)]

mod activity;
mod authorize;
mod catalog;
mod checks;
mod cors;
mod ed25519;
mod end_to_end;
mod features;
mod gate;
mod hot;
mod http;
mod isolation;
mod invalid_tokens;
mod issuer;
mod jwks_cache;
mod layers;
mod ledger_rules;
mod ledger_state;
mod listening;
mod lists;
mod model;
mod mutated_bytes;
mod ofrep;
mod openapi;
mod paused;
mod record;
mod record_cache;
mod settings;
mod signature;
mod snapshots;
mod source;
mod store_contract;
mod stream;
mod stripe_event;
mod support;
mod sync;
mod sync_status;
mod token_fixtures;
mod token_settings;
mod tokens;
