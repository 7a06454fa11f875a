//! A feature: a capability that products can include.
//!
//! Its `lookup_key` never changes, and is unique among the active features. Archiving is permanent:
//! it frees the key, and does not change any entitlement.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/feature>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{repository::Entity, storage::IndexEntry},
    id::{Livemode, Timestamp},
    json::json_type,
    metadata::Metadata,
};

json_type! {
    /// A feature.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Feature {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) active: bool,
        pub(crate) lookup_key: String,
        pub(crate) name: String,
        pub(crate) metadata: Metadata,
    }
}

impl Entity for Feature {
    const TYPE: &'static str = "feature";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        [index(self.active, None), index(self.active, Some(&self.lookup_key))]
            .map(|index| IndexEntry::new(index, self.created))
            .into()
    }
}

/// The index of the active or the archived features, of one key or of all.
pub(crate) fn index(active: bool, lookup_key: Option<&str>) -> String {
    let state = if active { "active" } else { "archived" };
    match lookup_key {
        None => format!("features {state}"),
        Some(key) => format!("features {state} key={key}"),
    }
}

impl Feature {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "entitlements.feature",
            "active": self.active,
            "livemode": bool::from(livemode),
            "lookup_key": self.lookup_key,
            "metadata": self.metadata,
            "name": self.name,
        })
    }
}
