//! A customer: the owner of subscriptions and entitlements.
//!
//! A deleted customer stays stored under its id, as at Stripe, and is in no index.
//!
//! Specification: <https://docs.stripe.com/api/customers>.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        error::Error, objects::json::merge_into, repository::Entity, storage::IndexEntry, tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::json_type,
    metadata::Metadata,
};

json_type! {
    /// A customer.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Customer {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) email: Option<String>,
        /// The customer's test clock.
        pub(crate) test_clock: Option<String>,
        /// The default payment method.
        pub(crate) payment_method: Option<String>,
        pub(crate) metadata: Metadata,
        /// Members that are stored only to be returned.
        pub(crate) passthrough: Map<String, Value>,
        pub(crate) deleted: bool,
    }
}

impl Entity for Customer {
    const TYPE: &'static str = "customer";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        if self.deleted {
            return Vec::new();
        }
        let (clock, email) = (self.test_clock.as_deref(), self.email.as_deref());
        let mut indexes = vec![index(clock, None), search_index(None)];
        if let Some(email) = email {
            indexes.extend([index(clock, Some(email)), search_index(Some(email))]);
        }
        indexes.extend(self.payment_method.as_deref().map(payment_method_index));
        indexes.into_iter().map(|index| IndexEntry::new(index, self.created)).collect()
    }
}

/// The index of the customers on a test clock, or without one; of one email address, or of all.
pub(crate) fn index(clock: Option<&str>, email: Option<&str>) -> String {
    let clock = clock.unwrap_or_default();
    match email {
        None => format!("customers clock={clock}"),
        Some(email) => format!("customers clock={clock} email={email}"),
    }
}

/// The index of the customers with a payment method.
pub(crate) fn payment_method_index(method: &str) -> String {
    format!("customers payment_method={method}")
}

/// The index of the customers on every test clock and without one; of one email address in any case,
/// or of all.
pub(crate) fn search_index(email: Option<&str>) -> String {
    match email {
        None => "customers".to_owned(),
        Some(email) => format!("customers email={}", email.to_ascii_lowercase()),
    }
}

impl Customer {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        let mut rendered = json!({
            "id": self.id,
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": self.created,
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": null,
            "email": self.email,
            "invoice_settings": {
                "custom_fields": null,
                "default_payment_method": self.payment_method,
                "footer": null,
                "rendering_options": null,
            },
            "livemode": bool::from(livemode),
            "metadata": self.metadata,
            "name": null,
            "phone": null,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": self.test_clock,
        });
        merge_into(&mut rendered, &self.passthrough);
        rendered
    }
}

/// Loads a customer that is not deleted.
pub(crate) fn load_existing(tx: &Tx<'_>, id: &str, param: &str) -> Result<Customer, Error> {
    let customer: Customer = tx.load(id, param)?;
    if customer.deleted {
        return Err(Error::not_found(Customer::TYPE, id, param));
    }
    Ok(customer)
}
