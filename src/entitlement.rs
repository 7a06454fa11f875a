//! THE noun and THE question: what a customer holds, and whether that includes a feature.
//!
//! | type                  | is                                                              |
//! |-----------------------|-----------------------------------------------------------------|
//! | [`ActiveEntitlement`] | one feature that one customer may use now                       |
//! | [`Entitlements`]      | all that a customer holds, as far as known: [`Coverage`] says   |
//! | [`Summary`]           | what one event says about that: a [`Page`], perhaps not all     |
//! | [`Decision`]          | the answer to [`check()`]                                       |
//!
//! Where a set is stored and how it changes is not here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{CustomerKey, EntitlementId, EventId, FeatureId, LookupKey, Timestamp},
    json::impl_from_json,
};

/// One feature that one customer may use now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ActiveEntitlement {
    /// Stripe's id of this grant, unique within a set; it changes when the feature is granted anew.
    pub id: EntitlementId,
    /// The feature granted, unique within a set: what makes two grants the same one.
    pub feature: FeatureId,
    /// The feature's name in the product's code. Two features share one where the first is archived.
    pub lookup_key: LookupKey,
}

impl_from_json! { struct ActiveEntitlement { id, feature, lookup_key } }

/// How many times a customer's set has changed. It travels with every answer.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

impl_from_json! { struct Version(u64) }

impl Version {
    /// The version after this one.
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

/// How much of what the customer holds a set is known to contain.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// All of it: what is missing here is not granted.
    Complete,
    /// A part: what is missing here may be granted all the same.
    Partial,
}

impl_from_json! { enum Completeness { Complete = "complete", Partial = "partial" } }

/// All that one customer holds, newest grant first, as far as [`Coverage`] says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entitlements {
    /// +1 on every change of `data` or `coverage`.
    pub version: Version,
    /// When the source said so: `created` of the newest event in it.
    pub as_of: Timestamp,
    /// Whether `data` is all.
    pub completeness: Completeness,
    /// The grants: no feature twice, and in an order that stays, because lists are read in pages.
    pub data: Vec<ActiveEntitlement>,
}

impl Entitlements {
    /// The most grants in one set. A grant is stored in some 120 bytes, a value in KV ends at
    /// 25 MiB, and no plan sells this many features.
    pub const MAX_LEN: usize = 100_000;

    /// Whether this set decides about each of these features; about all there are if none is named.
    #[must_use]
    pub fn can_answer(&self, features: &[LookupKey]) -> bool {
        let decided = |feature| check(Some(self), feature) != Decision::Indeterminate;
        match self.completeness {
            Completeness::Complete => true,
            Completeness::Partial => !features.is_empty() && features.iter().all(decided),
        }
    }
}

/// What an event says of a customer's entitlements: Stripe's
/// `entitlements.active_entitlement_summary.updated`, or another one that changes them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Summary {
    /// The event's id: an event that comes twice says nothing new.
    pub event: EventId,
    /// Whose entitlements changed.
    pub customer: CustomerKey,
    /// When the event was made, to the second. Events arrive in any order.
    pub created: Timestamp,
    /// What the customer holds since, or none if the event does not say.
    pub page: Option<SummaryPage>,
}

impl_from_json! { struct Summary { event, customer, created, page } }

/// The list inside a summary. Stripe puts at most ten entitlements in it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryPage {
    /// `has_more: false`: this is all that the customer holds.
    Complete(Vec<ActiveEntitlement>),
    /// `has_more: true`: the customer holds these, and others that are not told.
    Truncated(Vec<ActiveEntitlement>),
}

impl_from_json! { enum SummaryPage { Complete(_) = "complete", Truncated(_) = "truncated" } }

/// May the customer use the feature?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Yes.
    Grant,
    /// No.
    Deny(DenyReason),
    /// Not known: the set is known in part, and the known part lacks the feature. Never a no.
    Indeterminate,
}

/// Why the customer may not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DenyReason {
    /// The whole set is known and lacks the feature.
    NotEntitled,
    /// Nothing was ever heard of this customer.
    UnknownCustomer,
}

/// May the customer whose set this is use `feature`?
#[must_use]
pub fn check(held: Option<&Entitlements>, feature: &LookupKey) -> Decision {
    let Some(held) = held else {
        return Decision::Deny(DenyReason::UnknownCustomer);
    };
    if held.data.iter().any(|granted| granted.lookup_key == *feature) {
        return Decision::Grant;
    }
    match held.completeness {
        Completeness::Complete => Decision::Deny(DenyReason::NotEntitled),
        Completeness::Partial => Decision::Indeterminate,
    }
}

impl Decision {
    /// The reason in a response. `None` if the decision is unknown.
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
