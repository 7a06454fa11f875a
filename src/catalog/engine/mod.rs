//! What follows from a change, for requests and background work alike.
//!
//! | file           | what it does                                                       |
//! |----------------|--------------------------------------------------------------------|
//! | `emit`         | stores events and their deliveries                                 |
//! | `deliveries`   | leases webhook deliveries, and records their outcomes              |
//! | `ledger_updates` | stores and leases updates of ledgers, and records their outcomes |
//! | `job_queue`    | stores bulk jobs, and detects a changed policy                     |
//! | `entitlements` | recomputes a customer's active entitlements                        |
//! | `save`         | stores a subscription, with its event and entitlements             |
//! | `payments`     | charges, retries payments, applies reported payments               |
//! | `transitions`  | applies what is due to subscriptions                               |
//! | `bulk_jobs`    | runs bulk jobs                                                     |
//! | `idempotency`  | stores and replays responses                                       |
//!
//! A file imports only files above it in this table, and the objects.

pub(crate) mod emit;

pub mod deliveries;
pub mod ledger_updates;

pub(crate) mod entitlements;
pub(crate) mod job_queue;
pub(crate) mod save;

pub(crate) mod bulk_jobs;
pub(crate) mod payments;
pub(crate) mod transitions;

pub(crate) mod idempotency;
