//! A decision as a flag: a boolean, and why.

use serde::Serialize;

use super::super::error::{Error, evaluation::Code};
use crate::{
    entitlement::{self, Decision, Denial, Entitlements, Version},
    id::{Customer, LookupKey},
};

/// A flag as it is told.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Flag<'a> {
    /// It is known.
    Evaluated(Evaluated<'a>),
    /// It is not known, and stands among others.
    Unknown(Unknown<'a>),
}

/// A flag that is known.
#[derive(Serialize)]
pub(super) struct Evaluated<'a> {
    key: &'a str,
    value: bool,
    /// OpenFeature's word for why. Each answer is about this one customer.
    reason: &'static str,
    variant: &'static str,
    metadata: Metadata,
}

/// What is told beside a flag.
#[derive(Serialize)]
struct Metadata {
    /// Why, in the words of a check.
    reason: &'static str,
    /// Not among others: a client takes a flag that is told in other words for one that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
}

/// A flag that is not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unknown<'a> {
    key: &'a str,
    error_code: Code,
    error_details: String,
}

/// May the customer use the feature, by what is held?
pub(super) fn of<'a>(
    held: Option<&Entitlements>,
    customer: &Customer,
    feature: &'a LookupKey,
) -> Flag<'a> {
    let key = feature.as_str();
    let (value, reason) = match entitlement::check(held, feature) {
        Decision::Grant => (true, "active_entitlement"),
        Decision::Deny(Denial::NotEntitled) => (false, "not_entitled"),
        Decision::Deny(Denial::UnknownCustomer) => (false, "unknown_customer"),
        Decision::Undecided => {
            let error_details = Error::undecided(&customer.id).told().message().to_owned();
            return Flag::Unknown(Unknown { key, error_code: Code::General, error_details });
        }
    };
    Flag::Evaluated(Evaluated {
        key,
        value,
        reason: "TARGETING_MATCH",
        variant: if value { "entitled" } else { "not_entitled" },
        metadata: Metadata { reason, version: None },
    })
}

impl Evaluated<'_> {
    /// The same, and which version of the set says so.
    pub(super) fn with_version(mut self, version: Version) -> Self {
        self.metadata.version = Some(version);
        self
    }
}
