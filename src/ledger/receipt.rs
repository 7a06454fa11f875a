//! The result of applying an event to a ledger.
//!
//! The caller receives it once the change is stored. It is part of the webhook response and of the
//! activity log.

use serde::Serialize;

use crate::{entitlement::Version, json::impl_from_json};

/// The result of applying an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ApplyReceipt {
    /// What happened to the event.
    pub outcome: ApplyOutcome,
    /// The version after it.
    pub version: Version,
}

impl_from_json! { struct ApplyReceipt { outcome, version } }

/// What happened to an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// The set changed.
    Applied,
    /// The set was the same already.
    Unchanged,
    /// The event was applied before.
    Duplicate,
    /// The current set is newer.
    Stale,
    /// The event has no list: the source is read.
    Deferred,
}

impl_from_json! {
    enum ApplyOutcome {
        Applied = "applied", Unchanged = "unchanged", Duplicate = "duplicate", Stale = "stale",
        Deferred = "deferred",
    }
}
