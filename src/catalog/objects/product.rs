//! A product: the owner of prices and of attached features.
//!
//! Specification: <https://docs.stripe.com/api/products>.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{objects::json::merge_into, repository::Entity, storage::IndexEntry},
    id::{Livemode, Timestamp},
    json::json_type,
    metadata::Metadata,
};

json_type! {
    /// A product.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Product {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) updated: Timestamp,
        pub(crate) active: bool,
        pub(crate) name: String,
        pub(crate) default_price: Option<String>,
        pub(crate) metadata: Metadata,
        /// Members that are stored only to be returned.
        pub(crate) passthrough: Map<String, Value>,
    }
}

impl Entity for Product {
    const TYPE: &'static str = "product";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        [index(None), index(Some(self.active))]
            .map(|index| IndexEntry::new(index, self.created))
            .into()
    }
}

/// The index of all products, or of the active or the inactive ones.
pub(crate) fn index(active: Option<bool>) -> &'static str {
    match active {
        None => "products",
        Some(true) => "products active",
        Some(false) => "products inactive",
    }
}

impl Product {
    /// Stripe's JSON.
    pub(crate) fn to_json(&self, livemode: Livemode) -> Value {
        let mut rendered = json!({
            "id": self.id,
            "object": "product",
            "active": self.active,
            "created": self.created,
            "default_price": self.default_price,
            "description": null,
            "images": [],
            "livemode": bool::from(livemode),
            "marketing_features": [],
            "metadata": self.metadata,
            "name": self.name,
            "package_dimensions": null,
            "shippable": null,
            "statement_descriptor": null,
            "tax_code": null,
            "tax_details": null,
            "type": "service",
            "unit_label": null,
            "updated": self.updated,
            "url": null,
        });
        merge_into(&mut rendered, &self.passthrough);
        rendered
    }
}
