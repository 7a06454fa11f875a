//! The activity: decisions about customers' sets, for operators to read.
//!
//! | what happened                       | entry                                                     |
//! |-------------------------------------|-----------------------------------------------------------|
//! | an event was processed              | [`Activity::from_event()`]: the event and its outcome     |
//! | the source's list was compared      | [`Activity::from_reconciliation()`], if it had a result   |
//!
//! The customer index keeps it, on a best-effort basis: no decision depends on an entry, and a lost entry
//! is not sent again.

use serde::Serialize;

use super::{
    change::KeyChange,
    receipt::{AppliedEvent, ApplyOutcome, EventOrigin},
    reconcile::Reconciliation,
    request::UnreadableEvent,
};
use crate::{
    entitlement::{Summary, Version},
    id::{EventId, LookupKey, Timestamp, UnixMillis},
    json::{json_type, string_enum},
};

json_type! {
    /// One decision about a customer's set.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Activity {
        /// What was decided.
        pub kind: ActivityKind,
        /// The version after the decision.
        pub version: Version,
        /// When it was decided.
        pub at: UnixMillis,
        /// What the decision changed; `None` if nothing.
        pub change: Option<KeyChange>,
    }

    /// What was decided.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum ActivityKind {
        /// An event was processed.
        Event {
            /// The id of the event.
            id: EventId,
            /// When the event was created, according to the event.
            created: Timestamp,
            /// The outcome.
            outcome: ApplyOutcome,
            /// How the event arrived.
            origin: EventOrigin,
        } = "event",
        /// The set equals the source's list. Nothing changed.
        Confirmed = "confirmed",
        /// The set was corrected to the source's list, as was to be expected: after a tie, a late event
        /// or a truncated page, or in a read for a request.
        Corrected = "corrected",
        /// The set was corrected to the source's list, and no event had announced the difference.
        Drift = "drift",
    }
}

string_enum! {
    /// The result of a decision, for people.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum ActivityOutcome {
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
        /// The set equals the source's list.
        Confirmed = "confirmed",
        /// The set was corrected to the source's list, as was to be expected.
        Corrected = "corrected",
        /// The set was corrected to the source's list, and no event had announced the difference.
        Drift = "drift",
    }
}

impl From<ApplyOutcome> for ActivityOutcome {
    fn from(outcome: ApplyOutcome) -> Self {
        match outcome {
            ApplyOutcome::Applied => Self::Applied,
            ApplyOutcome::Unchanged => Self::Unchanged,
            ApplyOutcome::Duplicate => Self::Duplicate,
            ApplyOutcome::Stale => Self::Stale,
            ApplyOutcome::Deferred => Self::Deferred,
            ApplyOutcome::Failed => Self::Failed,
        }
    }
}

impl Activity {
    /// Creates the entry for an event.
    #[must_use]
    pub fn from_event(
        summary: &Summary,
        applied: AppliedEvent,
        origin: EventOrigin,
        at: UnixMillis,
    ) -> Self {
        let AppliedEvent { receipt, change } = applied;
        let (id, created, outcome) = (summary.event.clone(), summary.created, receipt.outcome);
        let kind = ActivityKind::Event { id, created, outcome, origin };
        Self { kind, version: receipt.version, at, change }
    }

    /// Creates the entry for an event that cannot be read.
    #[must_use]
    pub fn from_unreadable(event: &UnreadableEvent, version: Version, at: UnixMillis) -> Self {
        let (id, created) = (event.event.clone(), event.created);
        let (outcome, origin) = (ApplyOutcome::Failed, EventOrigin::Poll);
        let kind = ActivityKind::Event { id, created, outcome, origin };
        Self { kind, version, at, change: None }
    }

    /// Creates the entry for a read of the source, or `None` if the read had no result.
    #[must_use]
    pub fn from_reconciliation(
        reconciliation: &Reconciliation,
        version: Version,
        at: UnixMillis,
    ) -> Option<Self> {
        let (kind, change) = match reconciliation {
            Reconciliation::InSync => (ActivityKind::Confirmed, None),
            Reconciliation::Corrected(change) => (ActivityKind::Corrected, Some(change.clone())),
            Reconciliation::Drifted(change) => (ActivityKind::Drift, Some(change.clone())),
            Reconciliation::Superseded
            | Reconciliation::UnknownCustomer
            | Reconciliation::NotFoundAtSource => return None,
        };
        Some(Self { kind, version, at, change })
    }

    /// The result.
    #[must_use]
    pub fn outcome(&self) -> ActivityOutcome {
        match self.kind {
            ActivityKind::Event { outcome, .. } => outcome.into(),
            ActivityKind::Confirmed => ActivityOutcome::Confirmed,
            ActivityKind::Corrected => ActivityOutcome::Corrected,
            ActivityKind::Drift => ActivityOutcome::Drift,
        }
    }

    /// The features that were added or removed. A change that is only counted has none.
    pub fn features(&self) -> impl Iterator<Item = &LookupKey> {
        let (added, removed) = match &self.change {
            Some(KeyChange::Keys { added, removed }) => (&added[..], &removed[..]),
            Some(KeyChange::Counts { .. }) | None => (&[][..], &[][..]),
        };
        added.iter().chain(removed)
    }
}
