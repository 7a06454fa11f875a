//! A decision as a flag: a boolean, and why.

use serde::Serialize;

use super::super::error::{Error, evaluation::ErrorCode};
use crate::{
    entitlement::{self, Decision, DenyReason, Entitlements, Version},
    id::{CustomerKey, LookupKey},
};

/// A flag as it is told.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Flag<'a> {
    /// It is known.
    Evaluated(EvaluatedFlag<'a>),
    /// It is not known, and stands among others.
    Failed(FlagError<'a>),
}

/// A flag that is known.
#[derive(Serialize)]
pub(super) struct EvaluatedFlag<'a> {
    key: &'a str,
    value: bool,
    /// OpenFeature's word for why. Each answer is about this one customer.
    reason: &'static str,
    variant: &'static str,
    metadata: FlagMetadata,
}

/// What is told beside a flag.
#[derive(Serialize)]
struct FlagMetadata {
    /// Why, in the words of a check.
    reason: &'static str,
    /// Not among others: a client takes a flag that is told in other words for one that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
}

/// A flag that is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlagError<'a> {
    key: &'a str,
    error_code: ErrorCode,
    error_details: String,
}

/// May the customer use the feature, by what is held?
pub(super) fn evaluate<'a>(
    held: Option<&Entitlements>,
    customer: &CustomerKey,
    feature: &'a LookupKey,
) -> Flag<'a> {
    let key = feature.as_str();
    let (value, reason) = match entitlement::check(held, feature) {
        Decision::Grant => (true, "active_entitlement"),
        Decision::Deny(DenyReason::NotEntitled) => (false, "not_entitled"),
        Decision::Deny(DenyReason::UnknownCustomer) => (false, "unknown_customer"),
        Decision::Indeterminate => {
            let error_details = Error::incomplete(&customer.id).body().message().to_owned();
            return Flag::Failed(FlagError { key, error_code: ErrorCode::General, error_details });
        }
    };
    Flag::Evaluated(EvaluatedFlag {
        key,
        value,
        reason: "TARGETING_MATCH",
        variant: if value { "entitled" } else { "not_entitled" },
        metadata: FlagMetadata { reason, version: None },
    })
}

impl EvaluatedFlag<'_> {
    /// The same, and which version of the set says so.
    pub(super) fn with_version(mut self, version: Version) -> Self {
        self.metadata.version = Some(version);
        self
    }
}
