//! What follows from a change: entitlements, events, deliveries and transitions.

pub(crate) mod bulk_jobs;
pub mod deliveries;
pub(crate) mod entitlements;
mod granted;
pub(crate) mod idempotency;
pub(crate) mod transitions;
