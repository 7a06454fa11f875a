//! The built-in catalog: Stripe's objects around entitlements, with entgate as the source.
//!
//! | module           | what it is                                                          |
//! |------------------|---------------------------------------------------------------------|
//! | [`storage`]      | the port: objects by key, and ordered indexes                       |
//! | [`memory`]       | a storage for tests                                                 |
//! | `error` · `tx`   | why an operation fails · the context of one transaction             |
//! | `ids`            | new ids                                                             |
//! | `repository` · `page` | typed objects over the storage · pages of an index             |
//! | `objects`        | one Stripe object a file: fields, index entries, JSON               |
//! | `engine`         | consequences: entitlements, events, payments, transitions, deliveries |
//! | `operations`     | what a request does to one resource                                 |
//! | [`scheduler`]    | what is due without a request                                       |
//! | `limiter`        | concurrent deliveries                                               |
//! | [`ports`]        | what a process runs on                                              |
//! | [`process`]      | when requests, due work and deliveries run                          |
//!
//! Imports go up in this table, never down. The functions above `ports` take a [`Tx`]: storage, time
//! and randomness are parameters. No money moves. Parsing parameters and assigning HTTP statuses is the
//! task of [`crate::api::catalog`].
//!
//! Specification: <https://docs.stripe.com/billing/entitlements>.

pub mod storage;

pub mod memory;

mod error;

mod tx;

mod ids;

pub(crate) mod repository;

pub(crate) mod page;

pub(crate) mod objects;

pub(crate) mod engine;

pub(crate) mod operations;

pub mod scheduler;

mod limiter;

pub mod ports;

pub mod process;

pub use self::{
    engine::{deliveries, ledger_updates},
    error::Error,
    storage::Storage,
    tx::{RequestInfo, Tx},
};
