//! The overrides of a customer: the object that operators manage, and what a ledger is asked to do.
//!
//! Only the operator or its end ends an override. An event, a list of the source or a deletion of the
//! customer does not. A ledger keeps an override for a year after its end.
//!
//! A start in the past is now: an override never changes what was answered before it was made. So the
//! overrides that were active at a past time are known from their periods.
//!
//! Not here: what an active override means for a check ([`crate::effective_set`]).

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

/// The most overrides of a customer that are kept, with those that have ended.
pub const MAX_STORED_OVERRIDES: usize = 1_000;

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
        /// Who deleted it, and why; `None` if it was not deleted.
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
        /// The override would have too many metadata keys.
        TooManyMetadataKeys = "too_many_metadata_keys",
        /// The idempotency key was used with another request.
        OtherRequest = "other_request",
    }
}

impl Override {
    /// Returns the status at a time. A deletion ends the override.
    #[must_use]
    pub fn status_at(&self, at: Timestamp) -> OverrideStatus {
        if self.ends_at().is_some_and(|end| end <= at) {
            OverrideStatus::Ended
        } else {
            self.period.status_at(at)
        }
    }

    /// Returns whether the override was made by this time and was active then.
    #[must_use]
    pub fn was_active_at(&self, at: Timestamp) -> bool {
        self.created <= at && self.status_at(at) == OverrideStatus::Active
    }

    /// Returns when the override ends: by its deletion, or else at the end of its period.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.deletion.as_ref().map(|deletion| deletion.at).or(self.period.expires_at)
    }
}

/// An override with the idempotency key of the request that created it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredOverride {
    /// The override.
    pub value: Override,
    /// The idempotency key, and the hash of the request.
    pub idempotency: Option<OverrideIdempotency>,
}

/// The overrides that a ledger reads from its tables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OverrideSelection {
    /// The one with this id.
    Id(OverrideId),
    /// The one that was created with this idempotency key at this time or later.
    IdempotencyKey(String, Timestamp),
    /// All that have not ended at this time.
    NotEndedAt(Timestamp),
    /// All.
    All,
}

impl OverrideSelection {
    /// Returns whether an override is selected.
    #[must_use]
    pub fn matches(&self, stored: &StoredOverride) -> bool {
        let StoredOverride { value, idempotency } = stored;
        match self {
            Self::Id(id) => value.period.id == *id,
            Self::IdempotencyKey(key, since) => {
                value.created >= *since
                    && idempotency.as_ref().is_some_and(|idempotency| idempotency.key == *key)
            }
            Self::NotEndedAt(at) => value.status_at(*at) != OverrideStatus::Ended,
            Self::All => true,
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
