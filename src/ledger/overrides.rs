//! The overrides of a customer: the object that operators manage, and what a ledger is asked to do.
//!
//! Only the operator or its end ends an override. An event, a list of the source or a deletion of the
//! customer does not. A ledger keeps an override for a year after its end.
//!
//! Not here: what an active override means for a check ([`crate::override_period`]).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    entitlement::Version,
    id::{CustomerKey, LookupKey, OverrideId, Timestamp},
    json::json_type,
    override_period::{OverrideEffect, OverridePeriod, OverrideStatus},
};

/// The most overrides of a customer that have not ended.
pub const MAX_OVERRIDES: usize = 100;

/// How long an override is kept after its end, in seconds: a year.
pub const OVERRIDE_RETENTION: i64 = 365 * 24 * 60 * 60;

/// How long a response to a request with an idempotency key is repeated, in seconds: a day.
pub const OVERRIDE_IDEMPOTENCY_RETENTION: i64 = 24 * 60 * 60;

json_type! {
    /// An override, as it is stored.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Override {
        /// The id, the feature, the effect and the times.
        pub period: OverridePeriod,
        /// Why the operator made it.
        pub reason: String,
        /// Who made it.
        pub actor: String,
        /// When it was made.
        pub created: Timestamp,
        /// Stripe's metadata: keys and values of the operator.
        pub metadata: BTreeMap<String, String>,
        /// The version of the customer's record after the last change of this override.
        pub version: Version,
        /// Who deleted it; `None` if nobody did.
        pub deletion: Option<OverrideDeletion>,
    }

    /// The deletion of an override.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct OverrideDeletion {
        /// When it was deleted.
        pub at: Timestamp,
        /// Why.
        pub reason: Option<String>,
        /// Who deleted it.
        pub actor: String,
    }

    /// A request to create an override.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct NewOverride {
        /// The id that the caller has drawn.
        pub id: OverrideId,
        /// The lookup key of the feature.
        pub feature: LookupKey,
        /// What the override does.
        pub effect: OverrideEffect,
        /// The first second; `None` is now, by the clock of the ledger.
        pub starts_at: Option<Timestamp>,
        /// When it ends.
        pub end: OverrideEnd,
        /// Why.
        pub reason: String,
        /// Who makes it.
        pub actor: String,
        /// The metadata.
        pub metadata: BTreeMap<String, String>,
        /// The idempotency key, and the hash of the request that it belongs to.
        pub idempotency: Option<OverrideIdempotency>,
    }

    /// The idempotency key of a request.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct OverrideIdempotency {
        /// The key.
        pub key: String,
        /// The hash of the request: equal for equal requests.
        pub fingerprint: String,
    }

    /// When an override ends.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideEnd {
        /// Never.
        Never = "never",
        /// Now, by the clock of the ledger.
        Now = "now",
        /// At this time.
        At(Timestamp) = "at",
        /// So many seconds after its start.
        After(i64) = "after",
    }

    /// A request to update an override. What is `None` stays.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct OverrideUpdate {
        /// The override.
        pub id: OverrideId,
        /// The first second. It is fixed once the override has started.
        pub starts_at: Option<Timestamp>,
        /// When it ends.
        pub end: Option<OverrideEnd>,
        /// Why.
        pub reason: Option<String>,
        /// Who updates it: the actor of the change in the history.
        pub actor: String,
        /// The members to set, and those to remove (an empty value), of the metadata.
        pub metadata: BTreeMap<String, String>,
        /// Whether the metadata is emptied first.
        pub clears_metadata: bool,
    }

    /// What a ledger is asked to do with the overrides of its customer.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideCommand {
        /// Create one.
        Create(NewOverride) = "create",
        /// Return one.
        Retrieve(OverrideId) = "retrieve",
        /// Update one.
        Update(OverrideUpdate) = "update",
        /// End one now, or remove it before it starts.
        Delete {
            /// The override.
            id: OverrideId,
            /// Why.
            reason: Option<String>,
            /// Who deletes it.
            actor: String,
        } = "delete",
        /// Return all that have not ended, or all of the last year, newest first.
        List {
            /// Whether those that have ended are returned too.
            includes_ended: bool,
        } = "list",
    }

    /// The response of a ledger to a command.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideReply {
        /// The override, at a time of the ledger's clock.
        One {
            /// The override.
            value: Override,
            /// The ledger's time, for the status.
            at: Timestamp,
        } = "one",
        /// The overrides, newest first.
        List {
            /// The overrides.
            data: Vec<Override>,
            /// The ledger's time, for the status of each.
            at: Timestamp,
        } = "list",
        /// There is no such override.
        NotFound = "not_found",
        /// The command is refused. Nothing changed.
        Refused(OverrideRefusal) = "refused",
    }

    /// Why a command is refused.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum OverrideRefusal {
        /// The customer has [`MAX_OVERRIDES`] that have not ended.
        TooMany = "too_many",
        /// The override has ended, so only its metadata can be changed.
        Ended = "ended",
        /// The override has started, so its start is fixed.
        Started = "started",
        /// The override would end before it starts, or in the past.
        EndNotAfterStart = "end_not_after_start",
        /// The idempotency key was used with another request.
        OtherRequest = "other_request",
    }
}

impl Override {
    /// Returns the status at a time. A deletion ends the period, so the period decides alone.
    #[must_use]
    pub fn status_at(&self, at: Timestamp) -> OverrideStatus {
        match &self.deletion {
            Some(deletion) if deletion.at <= at => OverrideStatus::Ended,
            _ => self.period.status_at(at),
        }
    }
}

json_type! {
    /// A command for the overrides of one customer.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct OverrideRequest {
        /// The customer.
        pub customer: CustomerKey,
        /// The command.
        pub command: OverrideCommand,
    }
}
