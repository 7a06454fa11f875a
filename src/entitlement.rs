//! The entitlements of one customer: what is known, in layers, and the result of a check.
//!
//! | type                  | what it is                                                           |
//! |-----------------------|----------------------------------------------------------------------|
//! | [`ActiveEntitlement`] | one feature that one customer may use now                            |
//! | [`SourceSet`]         | what the source grants; [`Completeness`] says how much of it is known |
//! | [`Entitlements`]      | the record of a customer: the source set and the overrides           |
//! | [`Summary`]           | the content of one event: a [`SummaryPage`], perhaps truncated       |
//! | [`Decision`]          | the result of a check                                                |
//!
//! What the layers mean together is in [`crate::effective_set`]. How a record is stored and how it
//! changes is not here.

use std::fmt;

use serde::Serialize;

use crate::{
    id::{CustomerKey, EntitlementId, EventId, FeatureId, LookupKey, Timestamp},
    json::{json_type, string_enum},
    override_period::OverridePeriod,
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

    /// The number of changes of a customer's record. Every answer includes it.
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

string_enum! {
    /// Whether a set is known to contain all entitlements of the customer.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub enum Completeness {
        /// The set contains all entitlements: a feature that is missing is not granted.
        Complete = "complete",
        /// The set contains some entitlements: a feature that is missing may be granted.
        Partial = "partial",
    }
}

/// What the source grants a customer, as far as it is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceSet {
    /// `created` of the newest event that the set includes.
    pub as_of: Timestamp,
    /// Whether `data` is complete.
    pub completeness: Completeness,
    /// The source of `data`, and the status policy under which it was read.
    pub policy: SourcePolicy,
    /// The entitlements, newest first: each feature once, in a stable order, because lists are
    /// paginated.
    pub data: Vec<ActiveEntitlement>,
}

impl SourceSet {
    /// The maximum number of entitlements in one set. One is stored in about 120 bytes, and a value
    /// in KV has at most 25 MiB.
    pub const MAX_LEN: usize = 100_000;

    /// Returns whether the set contains a feature with this lookup key.
    #[must_use]
    pub fn contains(&self, feature: &LookupKey) -> bool {
        self.data.iter().any(|entitlement| entitlement.lookup_key == *feature)
    }

    /// Returns whether the customer is known to have no entitlements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.completeness == Completeness::Complete
    }
}

/// The record of one customer: what is known about the customer, in layers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entitlements {
    /// Incremented by 1 on every change of the layers, and on every start and end of an override.
    pub version: Version,
    /// What the source grants; `None` if the source has not reported a set.
    pub source: Option<SourceSet>,
    /// The overrides that had not ended at `advanced_to`, oldest first.
    pub overrides: Vec<OverridePeriod>,
    /// The starts and ends of `overrides` up to this time are counted in `version`. The least time if
    /// there are no overrides.
    pub advanced_to: Timestamp,
}

impl Default for Entitlements {
    fn default() -> Self {
        Self {
            version: Version::default(),
            source: None,
            overrides: Vec::new(),
            advanced_to: Timestamp::MIN,
        }
    }
}

impl Entitlements {
    /// When the source reported its set.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.source.as_ref().map(|set| set.as_of)
    }

    /// Returns whether the record grants and denies nothing, and no feature may be missing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.overrides.is_empty() && self.source.as_ref().is_none_or(SourceSet::is_empty)
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

impl Summary {
    /// Returns whether the event has all entitlements of the customer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self.page {
            Some(SummaryPage::Complete(_) | SummaryPage::Deleted) => true,
            Some(SummaryPage::Truncated(_)) | None => false,
        }
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The customer may use the feature.
    Grant(GrantReason),
    /// The customer may not use the feature.
    Deny(DenyReason),
    /// What is known does not decide it. This is never a denial.
    Indeterminate,
}

/// Why the customer may use the feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantReason {
    /// The source grants it.
    ActiveEntitlement,
    /// An override grants it.
    Override,
    /// Every customer has it.
    DefaultFeature,
}

/// Why the customer may not use the feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DenyReason {
    /// An override denies it.
    DeniedByOverride,
    /// The source set is complete and does not contain the feature.
    NotEntitled,
    /// As [`NotEntitled`](Self::NotEntitled), and the source has no feature with this lookup key. Only
    /// [`known_features`](crate::api) finds that out: a set does not know which features exist.
    UnknownFeature,
    /// The source has no such customer.
    UnknownCustomer,
}

impl Decision {
    /// Returns whether the customer may use the feature.
    #[must_use]
    pub fn is_grant(self) -> bool {
        self.entitled() == Some(true)
    }

    /// Returns whether the customer may use the feature; `None` if what is known does not decide it.
    #[must_use]
    pub fn entitled(self) -> Option<bool> {
        match self {
            Self::Grant(_) => Some(true),
            Self::Deny(_) => Some(false),
            Self::Indeterminate => None,
        }
    }

    /// The reason in a response; `None` if what is known does not decide it.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Grant(reason) => Some(reason.as_str()),
            Self::Deny(reason) => Some(reason.as_str()),
            Self::Indeterminate => None,
        }
    }
}

impl GrantReason {
    /// The reason in a response.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveEntitlement => "active_entitlement",
            Self::Override => "override",
            Self::DefaultFeature => "default_feature",
        }
    }
}

impl DenyReason {
    /// The reason in a response.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeniedByOverride => "denied_by_override",
            Self::NotEntitled => "not_entitled",
            Self::UnknownFeature => "unknown_feature",
            Self::UnknownCustomer => "unknown_customer",
        }
    }
}
