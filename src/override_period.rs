//! When an override is active: the part of an override that a check needs.
//!
//! An override grants or denies one feature of one customer, from `starts_at` on and before
//! `expires_at`. The record of a customer has the periods of all overrides that have not ended. The
//! other members of an override, such as its reason, are in [`crate::ledger::Override`]. What the active
//! overrides mean for an answer is in [`crate::effective_set`].

use serde::Serialize;

use crate::{
    id::{LookupKey, OverrideId, Timestamp},
    json::{json_type, string_enum},
};

string_enum! {
    /// What an override does.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideEffect {
        /// The customer has the feature.
        Grant = "grant",
        /// The customer does not have the feature, whatever else grants it.
        Deny = "deny",
    }
}

string_enum! {
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
}

json_type! {
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

impl OverrideStatus {
    /// Returns the status of a period at a time. A period without a second ends when it starts.
    #[must_use]
    pub fn of_period(starts_at: Timestamp, expires_at: Option<Timestamp>, at: Timestamp) -> Self {
        if expires_at.is_some_and(|end| end <= at) {
            Self::Ended
        } else if starts_at <= at {
            Self::Active
        } else {
            Self::Scheduled
        }
    }
}

impl OverridePeriod {
    /// Returns the status at a time.
    #[must_use]
    pub fn status_at(&self, at: Timestamp) -> OverrideStatus {
        OverrideStatus::of_period(self.starts_at, self.expires_at, at)
    }

    /// Returns whether the override is active at a time.
    #[must_use]
    pub fn is_active_at(&self, at: Timestamp) -> bool {
        self.status_at(at) == OverrideStatus::Active
    }

    /// Returns its start, and its end if it has one.
    pub fn edges(&self) -> impl Iterator<Item = OverrideEdge<'_>> {
        let start = OverrideEdge { at: self.starts_at, kind: EdgeKind::Start, period: self };
        let end = self.expires_at.map(|at| OverrideEdge { at, kind: EdgeKind::End, period: self });
        std::iter::once(start).chain(end)
    }
}

/// The start or the end of an override.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OverrideEdge<'a> {
    /// When the override starts or ends.
    pub at: Timestamp,
    /// Which of both it is.
    pub kind: EdgeKind,
    /// The override.
    pub period: &'a OverridePeriod,
}

/// Whether an override starts or ends. Of one second, starts come first: a feature that passes from one
/// override to the next one is not lost in between.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EdgeKind {
    /// It becomes active.
    Start,
    /// It expires.
    End,
}

/// Returns the starts and ends after a time, in order.
#[must_use]
pub fn edges_after(periods: &[OverridePeriod], after: Timestamp) -> Vec<OverrideEdge<'_>> {
    let edges = periods.iter().flat_map(OverridePeriod::edges);
    let mut edges: Vec<_> = edges.filter(|edge| edge.at > after).collect();
    edges.sort_by_key(|edge| (edge.at, edge.kind));
    edges
}
