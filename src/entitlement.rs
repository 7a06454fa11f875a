//! The entitlements of one customer, and [`check()`]: whether they include a feature.
//!
//! | type                  | what it is                                                           |
//! |-----------------------|----------------------------------------------------------------------|
//! | [`ActiveEntitlement`] | one feature that one customer may use now                            |
//! | [`Entitlements`]      | the known entitlements of a customer; [`Completeness`] says how many |
//! | [`Summary`]           | the content of one event: a [`SummaryPage`], perhaps truncated       |
//! | [`Decision`]          | the result of [`check()`]                                            |
//!
//! How a set is stored and how it changes is not here.

use std::fmt;

use serde::Serialize;

use crate::{
    id::{CustomerKey, EntitlementId, EventId, FeatureId, LookupKey, Timestamp},
    json::json_type,
    policy::SourcePolicy,
};

json_type! {
    /// One feature that one customer may use now.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct ActiveEntitlement {
        /// Stripe's id, unique within a set. Another grant of the same feature has another id.
        pub id: EntitlementId,
        /// The id of the feature, unique within a set: it identifies the entitlement.
        pub feature: FeatureId,
        /// The feature's key in the application's code. An archived feature may have the same key.
        pub lookup_key: LookupKey,
    }

    /// The number of changes of a customer's set. Every answer includes it.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
    pub struct Version(pub u64);
}

impl Version {
    /// The next version.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

json_type! {
    /// Whether a set is known to contain all entitlements of the customer.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum Completeness {
        /// The set contains all entitlements: a feature that is missing is not granted.
        Complete = "complete",
        /// The set contains some entitlements: a feature that is missing may be granted.
        Partial = "partial",
    }
}

/// The known entitlements of one customer, newest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entitlements {
    /// Incremented by 1 on every change of `data` or `completeness`.
    pub version: Version,
    /// `created` of the newest event that the set includes.
    pub as_of: Timestamp,
    /// Whether `data` is complete.
    pub completeness: Completeness,
    /// The source of `data`, and the status policy under which it was read.
    pub policy: SourcePolicy,
    /// The entitlements: each feature once, in a stable order, because lists are paginated.
    pub data: Vec<ActiveEntitlement>,
}

impl Entitlements {
    /// The maximum number of entitlements in one set. One is stored in about 120 bytes, and a value
    /// in KV has at most 25 MiB.
    pub const MAX_LEN: usize = 100_000;

    /// Whether this set gives a decision for each of these features. An empty slice means every
    /// feature.
    #[must_use]
    pub fn can_answer(&self, features: &[LookupKey]) -> bool {
        let is_decided = |feature| check(Some(self), feature) != Decision::Indeterminate;
        match self.completeness {
            Completeness::Complete => true,
            Completeness::Partial => !features.is_empty() && features.iter().all(is_decided),
        }
    }
}

json_type! {
    /// An event that changes a customer's entitlements: Stripe's
    /// `entitlements.active_entitlement_summary.updated` or another one.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub struct Summary {
        /// The event's id, to ignore duplicates.
        pub event: EventId,
        /// The customer whose entitlements changed.
        pub customer: CustomerKey,
        /// The event's creation time. Events arrive in any order.
        pub created: Timestamp,
        /// The customer's entitlements after the event; `None` if the event does not include them.
        pub page: Option<SummaryPage>,
    }

    /// The entitlements in an event. Stripe puts at most ten of them in a summary.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub enum SummaryPage {
        /// `has_more: false`: these are all entitlements of the customer.
        Complete(Vec<ActiveEntitlement>) = "complete",
        /// `has_more: true`: the customer has these entitlements and others.
        Truncated(Vec<ActiveEntitlement>) = "truncated",
        /// The customer was deleted and has no entitlements. Of one second, this counts and not a list.
        Deleted = "deleted",
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The customer may use the feature.
    Grant,
    /// The customer may not use the feature.
    Deny(DenyReason),
    /// The set is partial and does not contain the feature. This is never a denial.
    Indeterminate,
}

/// Why the customer may not use the feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DenyReason {
    /// The set is complete and does not contain the feature.
    NotEntitled,
    /// There is no stored set of this customer.
    UnknownCustomer,
}

/// Checks whether the customer with these entitlements may use `feature`. `None` is an unknown
/// customer.
#[must_use]
pub fn check(entitlements: Option<&Entitlements>, feature: &LookupKey) -> Decision {
    let Some(set) = entitlements else {
        return Decision::Deny(DenyReason::UnknownCustomer);
    };
    if set.data.iter().any(|entitlement| entitlement.lookup_key == *feature) {
        return Decision::Grant;
    }
    match set.completeness {
        Completeness::Complete => Decision::Deny(DenyReason::NotEntitled),
        Completeness::Partial => Decision::Indeterminate,
    }
}

impl Decision {
    /// The reason in a response; `None` if the set cannot decide.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Grant => Some("active_entitlement"),
            Self::Deny(reason) => Some(reason.as_str()),
            Self::Indeterminate => None,
        }
    }
}

impl DenyReason {
    /// The reason in a response.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotEntitled => "not_entitled",
            Self::UnknownCustomer => "unknown_customer",
        }
    }
}
