//! When an override is active: the part of an override that a check needs.
//!
//! An override grants or denies one feature of one customer, from `starts_at` on and before
//! `expires_at`. The record of a customer has the periods of all overrides that have not ended. The
//! other members of an override, such as its reason, are in [`crate::ledger::Override`].

use serde::Serialize;

use crate::{
    id::{LookupKey, OverrideId, Timestamp},
    json::json_type,
};

json_type! {
    /// What an override does.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideEffect {
        /// The customer has the feature.
        Grant = "grant",
        /// The customer does not have the feature, whatever else grants it.
        Deny = "deny",
    }

    /// Whether an override is active.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideStatus {
        /// It starts later.
        Scheduled = "scheduled",
        /// It is active.
        Active = "active",
        /// It has expired, or was deleted.
        Ended = "ended",
    }

    /// The period of an override.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct OverridePeriod {
        /// The override.
        pub id: OverrideId,
        /// The lookup key of the feature.
        pub feature: LookupKey,
        /// What the override does.
        pub effect: OverrideEffect,
        /// The first second in which it is active.
        pub starts_at: Timestamp,
        /// The first second in which it is not active any more; `None` if it has no end.
        pub expires_at: Option<Timestamp>,
    }
}

impl OverridePeriod {
    /// Returns the status at a time. A period without a second ends when it starts.
    #[must_use]
    pub fn status_at(&self, at: Timestamp) -> OverrideStatus {
        if self.expires_at.is_some_and(|end| end <= at) {
            OverrideStatus::Ended
        } else if self.starts_at <= at {
            OverrideStatus::Active
        } else {
            OverrideStatus::Scheduled
        }
    }

    /// Returns whether the override is active at a time.
    #[must_use]
    pub fn is_active_at(&self, at: Timestamp) -> bool {
        self.status_at(at) == OverrideStatus::Active
    }
}
