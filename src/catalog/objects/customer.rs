//! A customer: who subscribes, and holds entitlements.
//!
//! <https://docs.stripe.com/api/customers>. A deleted one is remembered by its id.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        error::Error,
        objects::{json::merge_into, metadata::Metadata},
        repository::Entity,
        storage::IndexEntry,
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// A customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) email: Option<String>,
    /// The test clock that the customer lives by.
    pub(crate) test_clock: Option<String>,
    /// How the customer pays, if that is known.
    pub(crate) payment_method: Option<String>,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) passthrough: Map<String, Value>,
    pub(crate) deleted: bool,
}

impl_from_json! {
    struct Customer {
        id, created, email, test_clock, payment_method, metadata, passthrough, deleted,
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
        let clock = self.test_clock.as_deref();
        let email = self.email.as_deref();
        let lists = [Some(index(clock, None)), email.map(|email| index(clock, Some(email)))];
        lists.into_iter().flatten().map(|list| IndexEntry::new(list, self.created)).collect()
    }
}

/// The list of the customers on a test clock, or on none; of one address, or all.
pub(crate) fn index(clock: Option<&str>, email: Option<&str>) -> String {
    let clock = clock.unwrap_or_default();
    match email {
        None => format!("customers clock={clock}"),
        Some(email) => format!("customers clock={clock} email={email}"),
    }
}

impl Customer {
    /// As Stripe shows it.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        if self.deleted {
            return json!({ "id": self.id, "object": "customer", "deleted": true });
        }
        let mut shown = json!({
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
        merge_into(&mut shown, &self.passthrough);
        shown
    }
}

/// A customer who was not deleted.
pub(crate) fn load_existing(tx: &Tx<'_>, id: &str, param: &str) -> Result<Customer, Error> {
    let customer: Customer = tx.load(id, param)?;
    if customer.deleted {
        let (kind, id, param) = (Customer::TYPE, id.to_owned(), param.to_owned());
        return Err(Error::NotFound { kind, id, param });
    }
    Ok(customer)
}
