//! The fields of each object that can be searched, by Stripe's documentation. In addition `created`
//! can be searched for every object.
//!
//! Stripe documents `email`, `phone`, `url` and others as strings whose words are compared. Here a
//! `:` compares them as a whole, so that no other customer is found.
//!
//! Specification: <https://docs.stripe.com/search#supported-query-fields-for-each-resource>.

use serde_json::Value;

use super::query::{
    FieldType::{Number, Text, Token, Words},
    SearchFields, Searchable,
};
use crate::{
    catalog::{
        self, Tx,
        objects::{
            customer::Customer, price::Price, product::Product, subscription::Subscription,
            subscription_json,
        },
    },
    metadata::Metadata,
};

pub(super) const CUSTOMER_FIELDS: SearchFields = SearchFields {
    resource: "customers",
    fields: &[("created", Number), ("email", Text), ("name", Words), ("phone", Text)],
};

pub(super) const PRODUCT_FIELDS: SearchFields = SearchFields {
    resource: "products",
    fields: &[
        ("active", Token),
        ("created", Number),
        ("description", Words),
        ("name", Words),
        ("shippable", Token),
        ("url", Text),
    ],
};

pub(super) const PRICE_FIELDS: SearchFields = SearchFields {
    resource: "prices",
    fields: &[
        ("active", Token),
        ("created", Number),
        ("currency", Token),
        ("lookup_key", Text),
        ("product", Text),
        ("type", Token),
    ],
};

pub(super) const SUBSCRIPTION_FIELDS: SearchFields = SearchFields {
    resource: "subscriptions",
    fields: &[("canceled_at", Number), ("created", Number), ("status", Token)],
};

impl Searchable for Customer {
    fn field(&self, name: &str) -> Option<String> {
        match name {
            "created" => Some(self.created.to_string()),
            "email" => self.email.clone(),
            name => text(self.passthrough.get(name)),
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn render(&self, tx: &Tx<'_>) -> Result<Value, catalog::Error> {
        Ok(self.to_json(tx.livemode))
    }
}

impl Searchable for Product {
    fn field(&self, name: &str) -> Option<String> {
        match name {
            "active" => Some(self.active.to_string()),
            "created" => Some(self.created.to_string()),
            "name" => Some(self.name.clone()),
            name => text(self.passthrough.get(name)),
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn render(&self, tx: &Tx<'_>) -> Result<Value, catalog::Error> {
        Ok(self.to_json(tx.livemode))
    }
}

impl Searchable for Price {
    fn field(&self, name: &str) -> Option<String> {
        match name {
            "active" => Some(self.active.to_string()),
            "created" => Some(self.created.to_string()),
            "currency" => Some(self.currency.clone()),
            "lookup_key" => self.lookup_key.clone(),
            "product" => Some(self.product.clone()),
            "type" => Some(self.type_name().to_owned()),
            _ => None,
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn render(&self, tx: &Tx<'_>) -> Result<Value, catalog::Error> {
        Ok(self.to_json(tx.livemode))
    }
}

impl Searchable for Subscription {
    fn field(&self, name: &str) -> Option<String> {
        match name {
            "canceled_at" => self.canceled_at.map(|at| at.to_string()),
            "created" => Some(self.created.to_string()),
            "status" => Some(self.status.as_str().to_owned()),
            _ => None,
        }
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn render(&self, tx: &Tx<'_>) -> Result<Value, catalog::Error> {
        subscription_json::to_json(tx, self)
    }
}

/// A stored member as text; `None` if it is absent or null.
fn text(member: Option<&Value>) -> Option<String> {
    match member? {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
