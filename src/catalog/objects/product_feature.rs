//! A product feature: the attachment of a feature to a product.
//!
//! Attaching or detaching changes no entitlement by itself, so that its cost does not depend on the
//! number of subscriptions. A subscription reads the features at the start of each period, or when
//! the product's features are applied.
//!
//! Specification: <https://docs.stripe.com/api/product-feature>.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error,
        objects::feature::Feature,
        repository::Entity,
        storage::{IndexEntry, IndexRange},
        tx::Tx,
    },
    id::{Livemode, Timestamp},
    json::json_type,
};

/// The most features of one product. Each new subscription reads them all.
pub(crate) const MAX_FEATURES: usize = 1_000;

json_type! {
    /// The attachment of a feature to a product.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct ProductFeature {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) product: String,
        pub(crate) feature: String,
    }
}

impl Entity for ProductFeature {
    const TYPE: &'static str = "product feature";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index(&self.product), self.created)]
    }
}

/// The index of a product's features.
pub(crate) fn index(product: &str) -> String {
    format!("product_features product={product}")
}

impl ProductFeature {
    /// Stripe's JSON, with the feature in it.
    pub(crate) fn to_json(&self, feature: &Feature, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "product_feature",
            "entitlement_feature": feature.to_json(livemode),
            "livemode": bool::from(livemode),
        })
    }
}

/// The ids of a product's features, in the order of attachment.
pub(crate) fn feature_ids_of(tx: &Tx<'_>, product: &str) -> Result<Vec<String>, Error> {
    let mut attached: Vec<ProductFeature> =
        tx.list(&index(product), IndexRange::newest_first(MAX_FEATURES))?;
    attached.reverse();
    Ok(attached.into_iter().map(|attached| attached.feature).collect())
}
