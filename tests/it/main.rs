//! The crate from outside, on stores in memory: no clock, no network, in any order.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "what a test sets up wrongly should stop it, and clippy.toml spares no helper function"
)]

mod activity;
mod authorize;
mod catalog;
mod changed;
mod checks;
mod client;
mod cors;
mod ed25519;
mod end_to_end;
mod features;
mod hot;
mod http;
mod isolation;
mod issuer;
mod keyring;
mod layers;
mod ledger_rules;
mod ledger_state;
mod listening;
mod lists;
mod minted;
mod model;
mod ofrep;
mod openapi;
mod paused;
mod record;
mod record_cache;
mod refusals;
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
mod token_settings;
mod tokens;
