//! Why a customer has a feature or does not, now or at a past time.
//!
//! Not here: what only the source knows, such as subscriptions, and what the replica says. The API adds
//! both.

use serde::Serialize;

use super::{history::ChangeCause, overrides::Override};
use crate::{
    entitlement::{Completeness, Version},
    id::{CustomerKey, EntitlementId, LookupKey, Timestamp},
    json::json_type,
};

json_type! {
    /// A request for an explanation.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ExplainQuery {
        /// The customer.
        pub customer: CustomerKey,
        /// The lookup key of the feature.
        pub feature: LookupKey,
        /// The time of the answer that is explained; `None` is now.
        pub at: Option<Timestamp>,
    }

    /// The response of a ledger to an [`ExplainQuery`].
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum ExplainReply {
        /// The explanation.
        Explained(Explanation) = "explained",
        /// The history begins later than the time of the query.
        TooOld {
            /// The creation of the oldest entry.
            oldest: Timestamp,
        } = "too_old",
    }

    /// What a ledger knows of one feature at one time.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Explanation {
        /// The time.
        pub at: Timestamp,
        /// The version at that time.
        pub version: Version,
        /// When the source reported its set; `None` if nothing was reported, or for a past time.
        pub as_of: Option<Timestamp>,
        /// Whether the customer had the feature; `None` if that was unknown.
        pub entitled: Option<bool>,
        /// The reason, as in a check.
        pub reason: Option<String>,
        /// What the source says.
        pub source: SourceEvidence,
        /// The overrides of the feature that were made before that time, newest first.
        pub overrides: Vec<Override>,
        /// Whether the feature was a default feature; `None` if that is not known.
        pub is_default: Option<bool>,
        /// The change that led to the answer: the last one of the feature before that time.
        pub last_change: Option<FeatureChange>,
    }

    /// The last change of one feature.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct FeatureChange {
        /// The version after the change.
        pub version: Version,
        /// When it took effect.
        pub created: Timestamp,
        /// What caused it.
        pub cause: ChangeCause,
    }

    /// What the source says of one feature.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct SourceEvidence {
        /// How much of the set was known; `None` if the source has not been read, or has no such
        /// customer.
        pub completeness: Option<Completeness>,
        /// Whether the set has the feature.
        pub grants: bool,
        /// The active entitlement, if it is known.
        pub entitlement: Option<EntitlementId>,
        /// When the set was last equal to the source's list.
        pub confirmed_at: Option<Timestamp>,
        /// The change that brought the feature into the set, or out of it.
        pub last_change: Option<FeatureChange>,
    }
}
