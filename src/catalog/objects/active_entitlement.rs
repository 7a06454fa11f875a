//! An active entitlement.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{repository::Entity, storage::IndexEntry},
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// One feature that one customer may use now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct StoredEntitlement {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) customer: String,
    pub(crate) feature: String,
    pub(crate) lookup_key: String,
}

impl_from_json! { struct StoredEntitlement { id, created, customer, feature, lookup_key } }

impl Entity for StoredEntitlement {
    const TYPE: &'static str = "active entitlement";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index(&self.customer), self.created)]
    }
}

/// The list of what a customer holds.
pub(crate) fn index(customer: &str) -> String {
    format!("entitlements customer={customer}")
}

impl StoredEntitlement {
    /// As Stripe shows it.
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
