//! A decision as an OpenFeature flag: a boolean with a reason.

use serde::Serialize;

use super::super::{customer_set::CustomerSet, error::Error};
use crate::{entitlement::Version, id::LookupKey};

/// A flag in a response.
#[derive(Serialize)]
pub(super) struct Flag<'a> {
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

/// Evaluates a feature against a customer's entitlements.
///
/// # Errors
///
/// When what is known does not decide it.
pub(super) fn evaluate<'a>(
    set: &CustomerSet<'_>,
    feature: &'a LookupKey,
) -> Result<Flag<'a>, Error> {
    let key = feature.as_str();
    let decision = set.decide(feature)?;
    let (value, reason) = (decision.is_grant(), decision.reason());
    Ok(Flag {
        key,
        value,
        reason: "TARGETING_MATCH",
        variant: if value { "entitled" } else { "not_entitled" },
        metadata: FlagMetadata { reason, version: None },
    })
}

impl Flag<'_> {
    /// The same flag with the version of the set.
    pub(super) fn with_version(mut self, version: Version) -> Self {
        self.metadata.version = Some(version);
        self
    }
}
