//! The entries of the activity log: decisions about customers' sets, for operators to read.
//!
//! | what happened                       | entry                                                     |
//! |-------------------------------------|-----------------------------------------------------------|
//! | an event was processed              | [`Activity::from_event()`]: the event and its outcome     |
//! | the source's list was compared      | [`Activity::from_reconciliation()`], if it had a result   |
//!
//! The log is best effort. No decision depends on an entry, and a lost entry is not sent again.

use serde::Serialize;

use super::{
    receipt::{ApplyOutcome, ApplyReceipt},
    reconcile::Reconciliation,
    request::UnreadableEvent,
};
use crate::{
    entitlement::{Summary, Version},
    id::{EventId, Timestamp, UnixMillis},
    json::json_type,
};

/// How many decisions of one mode are stored: some pages for a person to read.
pub const ACTIVITY_RETENTION: usize = 1_000;

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
    }

    /// How an event arrived.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum EventOrigin {
        /// It was delivered: by a webhook, or by the catalog.
        Delivery = "delivery",
        /// The event poll has found it.
        Poll = "poll",
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
        /// The set equals the source's list, or was updated to it as expected.
        Confirmed = "confirmed",
        /// The set differed from the source's list, and no event had announced that. It was corrected.
        Drift = "drift",
    }
}

impl Activity {
    /// Creates the entry for an event.
    #[must_use]
    pub fn from_event(
        summary: &Summary,
        receipt: ApplyReceipt,
        origin: EventOrigin,
        at: UnixMillis,
    ) -> Self {
        let ApplyReceipt { outcome, version } = receipt;
        let (id, created) = (summary.event.clone(), summary.created);
        Self { kind: ActivityKind::Event { id, created, outcome, origin }, version, at }
    }

    /// Creates the entry for an event that cannot be read.
    #[must_use]
    pub fn from_unreadable(event: &UnreadableEvent, version: Version, at: UnixMillis) -> Self {
        let (id, created) = (event.event.clone(), event.created);
        let (outcome, origin) = (ApplyOutcome::Failed, EventOrigin::Poll);
        Self { kind: ActivityKind::Event { id, created, outcome, origin }, version, at }
    }

    /// Creates the entry for a read of the source, or `None` if the read had no result.
    #[must_use]
    pub fn from_reconciliation(
        reconciliation: &Reconciliation,
        version: Version,
        at: UnixMillis,
    ) -> Option<Self> {
        let kind = match reconciliation {
            Reconciliation::InSync | Reconciliation::Updated => ActivityKind::Confirmed,
            Reconciliation::Drifted(_) => ActivityKind::Drift,
            Reconciliation::Superseded
            | Reconciliation::UnknownCustomer
            | Reconciliation::NotFoundAtSource => return None,
        };
        Some(Self { kind, version, at })
    }
}
