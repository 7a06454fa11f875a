//! A decision as an OpenFeature flag: a boolean with a reason.

use serde::Serialize;

use super::super::error::{Error, evaluation::ErrorCode};
use crate::{
    entitlement::{self, Decision, Entitlements, Version},
    id::{CustomerKey, LookupKey},
};

/// A flag in a response.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Flag<'a> {
    /// The decision is known.
    Evaluated(EvaluatedFlag<'a>),
    /// The decision is unknown. Only a bulk evaluation contains such a flag.
    Failed(FlagError<'a>),
}

/// A flag with a known decision.
#[derive(Serialize)]
pub(super) struct EvaluatedFlag<'a> {
    key: &'a str,
    value: bool,
    /// OpenFeature's reason. Every evaluation depends on the customer.
    reason: &'static str,
    variant: &'static str,
    metadata: FlagMetadata,
}

#[derive(Serialize)]
struct FlagMetadata {
    /// The reason of the decision, as in a check.
    reason: &'static str,
    /// Absent in a bulk evaluation: a client treats any difference in a flag as a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
}

/// A flag with an unknown decision.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlagError<'a> {
    key: &'a str,
    error_code: ErrorCode,
    error_details: String,
}

/// Evaluates a feature against a customer's entitlements.
pub(super) fn evaluate<'a>(
    entitlements: Option<&Entitlements>,
    customer: &CustomerKey,
    feature: &'a LookupKey,
) -> Flag<'a> {
    let key = feature.as_str();
    let decision = entitlement::check(entitlements, feature);
    let Some(reason) = decision.reason() else {
        let error_details = Error::incomplete(&customer.id).body().message().to_owned();
        return Flag::Failed(FlagError { key, error_code: ErrorCode::General, error_details });
    };
    let value = decision == Decision::Grant;
    Flag::Evaluated(EvaluatedFlag {
        key,
        value,
        reason: "TARGETING_MATCH",
        variant: if value { "entitled" } else { "not_entitled" },
        metadata: FlagMetadata { reason, version: None },
    })
}

impl EvaluatedFlag<'_> {
    /// The same flag with the version of the set.
    pub(super) fn with_version(mut self, version: Version) -> Self {
        self.metadata.version = Some(version);
        self
    }
}
