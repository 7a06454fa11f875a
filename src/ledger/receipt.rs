//! The result of applying an event to a ledger.
//!
//! The caller receives it once the change is stored. It is part of the webhook response and of the
//! activity.

use serde::Serialize;

use super::change::KeyChange;
use crate::{entitlement::Version, json::json_type};

json_type! {
    /// How an event arrived.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum EventOrigin {
        /// It was delivered: by a webhook, or by the catalog.
        Delivery = "delivery",
        /// The event poll has found it.
        Poll = "poll",
    }

    /// The result of applying an event.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub struct ApplyReceipt {
        /// What happened to the event.
        pub outcome: ApplyOutcome,
        /// The version after it.
        pub version: Version,
    }

    /// What happened to an event.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum ApplyOutcome {
        /// The set changed.
        Applied = "applied",
        /// The set was the same already.
        Unchanged = "unchanged",
        /// The event was applied before.
        Duplicate = "duplicate",
        /// The current set is newer.
        Stale = "stale",
        /// The event has no list: the source is read.
        Deferred = "deferred",
        /// The event cannot be read: the source is read.
        Failed = "failed",
    }
}

/// An event that a ledger has processed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppliedEvent {
    /// The result for the sender.
    pub receipt: ApplyReceipt,
    /// What the event changed; `None` if nothing.
    pub change: Option<KeyChange>,
}
