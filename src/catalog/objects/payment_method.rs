//! A payment method: a card, rendered from its id.
//!
//! No money moves, so that the catalog stores no payment methods: any id of a customer or of a
//! subscription is one. Stripe's test methods have the details of their cards, every other id has
//! those of the first one. Whether a charge succeeds is in [`charge`](super::charge).
//!
//! Specification: <https://docs.stripe.com/api/payment_methods/object>,
//! <https://docs.stripe.com/testing>.

use serde_json::{Value, json};

use crate::id::{Livemode, Timestamp};

/// The name of the type in messages, as at Stripe.
pub(crate) const TYPE: &str = "PaymentMethod";

/// The prefixes of the ids of Stripe's test methods. They can be retrieved without a customer.
const TEST_PREFIX: &str = "pm_card_";

/// Stripe's test cards: the id without its prefix, the brand, the funding and the last digits.
/// Of two that match, the longer id is first.
const TEST_CARDS: [(&str, &str, &str, &str); 22] = [
    ("visa_debit", "visa", "debit", "5556"),
    ("visa_chargeDeclined", "visa", "credit", "0002"),
    ("visa", "visa", "credit", "4242"),
    ("mastercard_debit", "mastercard", "debit", "3222"),
    ("mastercard_prepaid", "mastercard", "prepaid", "5100"),
    ("mastercard", "mastercard", "credit", "4444"),
    ("amex", "amex", "credit", "8431"),
    ("discover", "discover", "credit", "9424"),
    ("diners", "diners", "credit", "4675"),
    ("jcb", "jcb", "credit", "0000"),
    ("unionpay", "unionpay", "credit", "0005"),
    ("threeDSecure", "visa", "credit", "3155"),
    ("authenticationRequired", "visa", "credit", "3184"),
    ("chargeCustomerFail", "visa", "credit", "0341"),
    ("chargeDeclinedInsufficientFunds", "visa", "credit", "9995"),
    ("chargeDeclinedLostCard", "visa", "credit", "9987"),
    ("chargeDeclinedStolenCard", "visa", "credit", "9979"),
    ("chargeDeclinedExpiredCard", "visa", "credit", "0069"),
    ("chargeDeclinedIncorrectCvc", "visa", "credit", "0127"),
    ("chargeDeclinedProcessingError", "visa", "credit", "0119"),
    ("chargeDeclinedVelocityLimitExceeded", "visa", "credit", "6975"),
    ("chargeDeclined", "visa", "credit", "0002"),
];

/// Whether an id is one of Stripe's test methods.
pub(crate) fn is_test_method(id: &str) -> bool {
    id.strip_prefix(TEST_PREFIX)
        .is_some_and(|card| TEST_CARDS.iter().any(|(name, ..)| card.starts_with(name)))
}

/// Stripe's JSON.
pub(crate) fn to_json(
    id: &str,
    customer: Option<&str>,
    created: Timestamp,
    livemode: Livemode,
) -> Value {
    let name = id.strip_prefix(TEST_PREFIX).or_else(|| id.strip_prefix("tok_")).unwrap_or_default();
    let card = TEST_CARDS.iter().find(|(prefix, ..)| name.starts_with(prefix));
    let (_, brand, funding, last4) = card.unwrap_or(&("", "visa", "credit", "4242"));
    json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": {
                "city": null,
                "country": null,
                "line1": null,
                "line2": null,
                "postal_code": null,
                "state": null,
            },
            "email": null,
            "name": null,
            "phone": null,
            "tax_id": null,
        },
        "card": {
            "brand": brand,
            "checks": {
                "address_line1_check": null,
                "address_postal_code_check": null,
                "cvc_check": null,
            },
            "country": "US",
            "display_brand": brand,
            "exp_month": 12,
            "exp_year": 2040,
            "fingerprint": null,
            "funding": funding,
            "generated_from": null,
            "last4": last4,
            "networks": { "available": [brand], "preferred": null },
            "regulated_status": "unregulated",
            "three_d_secure_usage": { "supported": true },
            "wallet": null,
        },
        "created": created,
        "customer": customer,
        "customer_account": null,
        "livemode": bool::from(livemode),
        "metadata": {},
        "type": "card",
    })
}
