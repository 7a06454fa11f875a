//! The answer to a check, as JSON. What is in it needs no escape.

use super::digits::Digits;
use crate::{
    id::{CustomerId, LookupKey},
    store::{ServedBy, record::Glance},
};

/// An `entitlement_check`.
pub(super) fn object(
    customer: &CustomerId,
    feature: &LookupKey,
    glance: &Glance,
    served_by: ServedBy,
) -> String {
    let (entitled, reason) =
        if glance.entitled { ("true", "active_entitlement") } else { ("false", "not_entitled") };
    let (customer, feature) = (customer.as_str(), feature.as_str());
    let mut text = String::with_capacity(200 + customer.len() + feature.len());
    let version = Digits::of(glance.version.0);
    let as_of = Digits::of(glance.as_of.0.unsigned_abs());
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
        version.text(),
        ",\"as_of\":",
        if glance.as_of.0 < 0 { "-" } else { "" },
        as_of.text(),
        ",\"served_by\":\"",
        served_by.name(),
        "\"}",
    ] {
        text.push_str(part);
    }
    text
}
