//! Serializes the response of a check. No value in it needs escaping.

use crate::{
    id::{CustomerId, LookupKey},
    store::{ServedBy, record::FeatureLookup},
};

/// The JSON of an `entitlement_check`.
pub(super) fn check_json(
    customer: &CustomerId,
    feature: &LookupKey,
    lookup: &FeatureLookup,
    served_by: ServedBy,
) -> String {
    let entitled = if lookup.decision.is_grant() { "true" } else { "false" };
    let reason = lookup.decision.reason().unwrap_or_default();
    let (customer, feature) = (customer.as_str(), feature.as_str());
    let mut json = String::with_capacity(200 + customer.len() + feature.len());
    let (mut version, mut as_of) = (itoa::Buffer::new(), itoa::Buffer::new());
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
        version.format(lookup.version.0),
        ",\"as_of\":",
        lookup.as_of.map_or("null", |time| as_of.format(time.0)),
        ",\"served_by\":\"",
        served_by.as_str(),
        "\"}",
    ] {
        json.push_str(part);
    }
    json
}
