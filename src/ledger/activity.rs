//! What was decided about a customer's set, for people who want to see what happens.
//!
//! | what happened                  | gives                                                          |
//! |--------------------------------|----------------------------------------------------------------|
//! | an event was taken in          | [`Activity::of()`]: the event, and what became of it           |
//! | the source's list was compared | [`Activity::found()`], where that came to something            |
//!
//! Nothing is decided by what is told here, and nothing is owed for it.

use serde::Serialize;

use super::{
    reconcile::Reconciliation,
    state::{ApplyOutcome, ApplyReceipt},
};
use crate::{
    entitlement::{Summary, Version},
    id::{EventId, Timestamp, UnixMillis},
    json::impl_from_json,
};

/// How many decisions of one mode are remembered: some pages for a person to look through.
pub const ACTIVITY_RETENTION: usize = 1_000;

/// One decision about a customer's set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Activity {
    /// What was decided.
    pub kind: ActivityKind,
    /// The version held since.
    pub version: Version,
    /// When it was decided.
    pub at: UnixMillis,
}

impl_from_json! { struct Activity { kind, version, at } }

/// What was decided.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// What becomes of an event.
    Event {
        /// Which event.
        id: EventId,
        /// When it was made, by its own account.
        created: Timestamp,
        /// What became of it.
        outcome: ApplyOutcome,
    },
    /// The source's list is what is held, since now at the latest.
    Confirmed,
    /// The source's list was another one, and no event told of that. It is what is held since.
    Drift,
}

impl_from_json! {
    enum ActivityKind {
        Event { id, created, outcome } = "event", Confirmed = "confirmed", Drift = "drift",
    }
}

impl Activity {
    /// What became of an event.
    #[must_use]
    pub fn from_event(summary: &Summary, receipt: ApplyReceipt, at: UnixMillis) -> Self {
        let ApplyReceipt { outcome: effect, version } = receipt;
        let decided = ActivityKind::Event {
            id: summary.event.clone(),
            created: summary.created,
            outcome: effect,
        };
        Self { kind: decided, version, at }
    }

    /// What a read of the source's list came to, unless it came to nothing.
    #[must_use]
    pub fn from_reconciliation(
        finding: &Reconciliation,
        version: Version,
        at: UnixMillis,
    ) -> Option<Self> {
        let decided = match finding {
            Reconciliation::InSync | Reconciliation::Updated => ActivityKind::Confirmed,
            Reconciliation::Drifted(_) => ActivityKind::Drift,
            Reconciliation::Superseded
            | Reconciliation::UnknownCustomer
            | Reconciliation::NotFoundAtSource => return None,
        };
        Some(Self { kind: decided, version, at })
    }
}
