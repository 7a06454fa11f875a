//! The answer to a check, as JSON. What is in it needs no escape.

use super::digits::DecimalBuffer;
use crate::{
    id::{CustomerId, LookupKey},
    store::{ServedBy, record::FeatureLookup},
};

/// An `entitlement_check`.
pub(super) fn check_json(
    customer: &CustomerId,
    feature: &LookupKey,
    glance: &FeatureLookup,
    served_by: ServedBy,
) -> String {
    let (entitled, reason) =
        if glance.entitled { ("true", "active_entitlement") } else { ("false", "not_entitled") };
    let (customer, feature) = (customer.as_str(), feature.as_str());
    let mut text = String::with_capacity(200 + customer.len() + feature.len());
    let version = DecimalBuffer::new(glance.version.0);
    let as_of = DecimalBuffer::new(glance.as_of.0.unsigned_abs());
    for part in [
        "{\"object\":\"entitlement_check\",\"customer\":\"",
        customer,
        "\",\"feature\":\"",
        feature,
        "\",\"entitled\":",
        entitled,
        ",\"reason\":\"",
        reason,
        "\",\"version\":",
        version.as_str(),
        ",\"as_of\":",
        if glance.as_of.0 < 0 { "-" } else { "" },
        as_of.as_str(),
        ",\"served_by\":\"",
        served_by.as_str(),
        "\"}",
    ] {
        text.push_str(part);
    }
    text
}
