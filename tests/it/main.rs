//! Integration tests over in-memory stores: no clock, no network, in any order.
#![cfg(not(target_arch = "wasm32"))]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a wrong fixture must fail the test, and clippy.toml exempts no helper function"
)]

mod active_entitlements;
mod activity;
mod authorize;
mod bodies;
mod catalog;
mod checks;
mod coordinator;
mod cors;
mod customer_ids;
mod customer_index;
mod development;
mod documentation;
mod ed25519;
mod effective_sets;
mod end_to_end;
mod error_messages;
mod explain_api;
mod fast_path;
mod feature_cache;
mod fuzz_corpus;
mod gate;
mod health;
mod history_api;
mod http;
mod invalid_tokens;
mod isolation;
mod issuer;
mod json;
mod jwks_cache;
mod layers;
mod ledger_contract;
mod ledger_process;
mod ledger_rows;
mod ledger_rules;
mod ledger_state;
mod model;
mod mutated_bytes;
mod ofrep;
mod openapi;
mod overrides;
mod overrides_api;
mod paused;
mod placement;
mod read_only_keys;
mod record;
mod record_cache;
mod service_binding;
mod settings;
mod signature;
mod snapshots;
mod source;
mod store_contract;
mod stream;
mod stream_auth;
mod stream_relay;
mod strict_features;
mod stripe_event;
mod support;
mod sync;
mod sync_status;
mod token_fixtures;
mod token_settings;
mod tokens;
mod unknown_customers;
mod unknown_features;
mod virtual_time;
mod webhook_modes;
