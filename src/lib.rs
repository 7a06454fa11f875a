//! entgate answers one question: may this customer use this feature?
//!
//! The modules, in reading order. Each may import only the modules above it.
//!
//! | module               | what it is                                                                   |
//! |----------------------|------------------------------------------------------------------------------|
//! | [`json`]             | declares types, decodes without a parser for each, scans for escapes         |
//! | [`id`]               | ids, lookup keys, timestamps, and live or test mode                          |
//! | [`pagination`]       | pages of a list: the cursor of a client, and of a store                      |
//! | `metadata`           | Stripe's metadata: keys and values of the caller, and their limits           |
//! | `waiting`            | shared futures, changes, and a limited time                                  |
//! | [`policy`]           | the settings that decide what a subscription status grants                   |
//! | [`override_period`]  | when an override of a feature is active                                      |
//! | [`entitlement`]      | the entitlements of one customer, in layers, and the result of a check       |
//! | [`effective_set`]    | what the layers mean together: checks, lists, the version of an answer       |
//! | [`entitlement_list`] | Stripe's list of active entitlements, in JSON                                |
//! | [`gate`]             | the browser core: builds a set from API responses and answers checks from it |
//! | [`token`]            | customer tokens and signed snapshots: JWS, claims, keys                      |
//! | [`webhook`]          | verifies and parses Stripe's events                                          |
//! | [`ledger`]           | the state of one customer: what an event changes, and the pending tasks      |
//! | [`source`]           | client for Stripe's API                                                      |
//! | [`coordinator`]      | the event poll, the budget of reads, and a watch over the ledgers            |
//! | [`customer_index`]   | the shards of the known customers, and one answer from all of them           |
//! | [`catalog`]          | the built-in source: a Stripe-compatible catalog with subscriptions          |
//! | [`store`]            | the storage ports, and how a set is loaded through them                      |
//! | [`api`]              | the HTTP API over any store                                                  |
//! | `fast_path`          | shell of the fast path: a wasm module of its own                             |
//! | `worker`             | shell for Cloudflare Workers: bindings, Durable Objects, KV, cron, clock     |
//! | `browser`            | shell of the npm package                                                     |
//!
//! Everything except the three shells is pure: time, randomness, secrets and stores are parameters.
//! The features `fast-path`, `worker` and `browser` each add one shell and change nothing else.
//! Without the feature `catalog` (on by default) Stripe is the only source, and the catalog's routes
//! do not exist.

pub mod json;

pub mod id;

pub mod pagination;

mod metadata;

mod waiting;

pub mod policy;

pub mod override_period;

pub mod entitlement;

pub mod effective_set;

pub mod entitlement_list;

pub mod gate;

pub mod token;

pub mod webhook;

pub mod ledger;

pub mod source;

pub mod coordinator;

pub mod customer_index;

#[cfg(feature = "catalog")]
pub mod catalog;

pub mod store;

pub mod api;

#[cfg(feature = "fast-path")]
pub mod fast_path;

#[cfg(feature = "worker")]
pub mod worker;

#[cfg(feature = "browser")]
pub mod browser;
