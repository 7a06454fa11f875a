//! Serializes the response of a check. No value in it needs escaping.

use crate::{
    entitlement::{Decision, DenyReason},
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
    let (entitled, decision) = if lookup.entitled {
        ("true", Decision::Grant)
    } else {
        ("false", Decision::Deny(DenyReason::NotEntitled))
    };
    let reason = decision.reason().unwrap_or_default();
    let (customer, feature) = (customer.as_str(), feature.as_str());
    let mut json = String::with_capacity(200 + customer.len() + feature.len());
    let version = DecimalBuffer::new(lookup.version.0);
    let as_of = DecimalBuffer::new(lookup.as_of.0.unsigned_abs());
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
        if lookup.as_of.0 < 0 { "-" } else { "" },
        as_of.as_str(),
        ",\"served_by\":\"",
        served_by.as_str(),
        "\"}",
    ] {
        json.push_str(part);
    }
    json
}

/// A number in decimal, without the code size of `fmt`.
pub(super) struct DecimalBuffer {
    bytes: [u8; 20],
    start: usize,
}

impl DecimalBuffer {
    /// Formats a number.
    pub(super) fn new(mut number: u64) -> Self {
        let mut buffer = Self { bytes: [b'0'; 20], start: 20 };
        for digit in buffer.bytes.iter_mut().rev() {
            buffer.start -= 1;
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
            if number == 0 {
                break;
            }
        }
        buffer
    }

    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        self.bytes
            .get(self.start..)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .unwrap_or_default()
    }
}
