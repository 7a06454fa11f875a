//! An active entitlement: one feature that one customer may use now.
//!
//! [`engine::entitlements`](crate::catalog::engine::entitlements) creates and removes them. No
//! request does.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/active-entitlement>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{repository::Entity, storage::IndexEntry},
    id::{Livemode, Timestamp},
    json::json_type,
};

json_type! {
    /// One feature of one customer.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct StoredEntitlement {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) customer: String,
        pub(crate) feature: String,
        pub(crate) lookup_key: String,
    }
}

impl Entity for StoredEntitlement {
    const TYPE: &'static str = "active entitlement";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index(&self.customer), self.created)]
    }
}

/// The index of a customer's active entitlements.
pub(crate) fn index(customer: &str) -> String {
    format!("entitlements customer={customer}")
}

impl StoredEntitlement {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "entitlements.active_entitlement",
            "feature": self.feature,
            "livemode": bool::from(livemode),
            "lookup_key": self.lookup_key,
        })
    }
}
