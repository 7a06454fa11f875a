//! The engine.

pub(crate) mod emit;
pub(crate) mod entitlements;
pub(crate) mod job_queue;
pub(crate) mod save;

pub(crate) mod bulk_jobs;
pub(crate) mod payments;
pub(crate) mod transitions;

pub mod deliveries;
pub(crate) mod idempotency;
