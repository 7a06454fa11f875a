//! A payment method: a card, rendered from its id.
//!
//! No money moves, so that the catalog stores no payment methods: any id of a customer or of a
//! subscription is one. Stripe's test methods have the details of their cards, every other id has
//! those of the first one. Whether a charge succeeds is in [`charge`](super::charge).
//!
//! Specification: <https://docs.stripe.com/api/payment_methods/object>,
//! <https://docs.stripe.com/testing>.

use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error,
        objects::{customer, json::merge_into, subscription},
        repository::deserialize,
        storage::IndexRange,
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::{self, json_type},
};

/// The name of the type in messages, as at Stripe.
pub(crate) const TYPE: &str = "PaymentMethod";

/// The prefixes of the ids of Stripe's test methods. They can be retrieved without a customer.
const TEST_PREFIX: &str = "pm_card_";

/// Stripe's test cards: the id without its prefix, the brand, the funding and the last digits.
/// Of two that match, the longer id is first. One string is smaller than a table of strings.
const TEST_CARDS: &str = "\
visa_debit visa debit 5556
visa_chargeDeclined visa credit 0002
visa visa credit 4242
mastercard_debit mastercard debit 3222
mastercard_prepaid mastercard prepaid 5100
mastercard mastercard credit 4444
amex amex credit 8431
discover discover credit 9424
diners diners credit 4675
jcb jcb credit 0000
unionpay unionpay credit 0005
threeDSecure visa credit 3155
authenticationRequired visa credit 3184
chargeCustomerFail visa credit 0341
chargeDeclinedInsufficientFunds visa credit 9995
chargeDeclinedLostCard visa credit 9987
chargeDeclinedStolenCard visa credit 9979
chargeDeclinedExpiredCard visa credit 0069
chargeDeclinedIncorrectCvc visa credit 0127
chargeDeclinedProcessingError visa credit 0119
chargeDeclinedVelocityLimitExceeded visa credit 6975
chargeDeclined visa credit 0002";

/// The members of a payment method. Those that differ are set for each.
const TEMPLATE: &str = r#"{
    "id": null,
    "object": "payment_method",
    "allow_redisplay": "unspecified",
    "billing_details": {
        "address": {
            "city": null,
            "country": null,
            "line1": null,
            "line2": null,
            "postal_code": null,
            "state": null
        },
        "email": null,
        "name": null,
        "phone": null,
        "tax_id": null
    },
    "card": {
        "brand": null,
        "checks": {
            "address_line1_check": null,
            "address_postal_code_check": null,
            "cvc_check": null
        },
        "country": "US",
        "display_brand": null,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": null,
        "funding": null,
        "generated_from": null,
        "last4": null,
        "networks": null,
        "regulated_status": "unregulated",
        "three_d_secure_usage": { "supported": true },
        "wallet": null
    },
    "created": null,
    "customer": null,
    "customer_account": null,
    "livemode": null,
    "metadata": {},
    "type": "card"
}"#;

/// A payment method that a customer or a subscription names.
#[derive(Debug)]
pub(crate) struct PaymentMethod {
    pub(crate) id: String,
    pub(crate) customer: Option<String>,
    pub(crate) created: Timestamp,
}

json_type! {
    /// The members of a customer or of a subscription that its payment method has too.
    struct OwnerFields {
        id: String,
        created: Timestamp,
        /// The customer of a subscription.
        customer: Option<String>,
    }
}

/// The payment method with an id: of its newest owner, or one of Stripe's test methods.
pub(crate) fn load(tx: &Tx<'_>, id: &str) -> Result<PaymentMethod, Error> {
    let mut newest: Option<OwnerFields> = None;
    for index in [customer::payment_method_index(id), subscription::payment_method_index(id)] {
        for object in tx.storage.list(&index, IndexRange::newest_first(1))? {
            let owner: OwnerFields = deserialize(TYPE, &object.body)?;
            if newest.as_ref().is_none_or(|newest| newest.created <= owner.created) {
                newest = Some(owner);
            }
        }
    }
    let (customer, created) = match newest {
        Some(owner) => (Some(owner.customer.unwrap_or(owner.id)), owner.created),
        None if tx.livemode == Livemode::Test && is_test_method(id) => (None, tx.now),
        None => return Err(not_found(id)),
    };
    Ok(PaymentMethod { id: id.to_owned(), customer, created })
}

/// The error for an id in the path that no payment method has.
pub(crate) fn not_found(id: &str) -> Error {
    Error::not_found(TYPE, id, "id")
}

/// Whether an id is one of Stripe's test methods.
fn is_test_method(id: &str) -> bool {
    id.strip_prefix(TEST_PREFIX).is_some_and(|name| test_card(name).is_some())
}

/// The brand, the funding and the last digits of a test card. `None` if the id is not one.
fn test_card(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let mut cards = TEST_CARDS.split('\n').map(|card| card.split(' '));
    cards.find_map(|mut card| {
        let is_card = name.starts_with(card.next()?);
        let card = (card.next()?, card.next()?, card.next()?);
        is_card.then_some(card)
    })
}

impl PaymentMethod {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        to_json(&self.id, self.customer.as_deref(), self.created, livemode)
    }
}

/// Stripe's JSON.
pub(crate) fn to_json(
    id: &str,
    customer: Option<&str>,
    created: Timestamp,
    livemode: Livemode,
) -> Value {
    let name = id.strip_prefix(TEST_PREFIX).or_else(|| id.strip_prefix("tok_")).unwrap_or_default();
    let (brand, funding, last4) = test_card(name).unwrap_or(("visa", "credit", "4242"));
    let mut rendered: Value = json::from_slice(TEMPLATE.as_bytes()).unwrap_or_default();
    let networks = json!({ "available": [brand], "preferred": null });
    if let Some(Value::Object(card)) = rendered.get_mut("card") {
        for (name, value) in [("brand", brand), ("display_brand", brand), ("funding", funding)] {
            card.insert(name.to_owned(), value.into());
        }
        card.insert("last4".to_owned(), last4.into());
        card.insert("networks".to_owned(), networks);
    }
    let own = json!({
        "id": id,
        "created": created,
        "customer": customer,
        "livemode": bool::from(livemode),
    });
    if let Value::Object(own) = own {
        merge_into(&mut rendered, &own);
    }
    rendered
}
