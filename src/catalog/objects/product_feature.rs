//! That a product includes a feature.
//!
//! <https://docs.stripe.com/api/product-feature>. To attach or to detach one changes nobody's
//! entitlements: subscriptions take note at the start of their next period, or when `apply` tells
//! them to. So it costs the same however many there are.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    catalog::{
        Error, Tx,
        objects::{feature::Feature, product::Product},
        repository::Entity,
        storage::{IndexEntry, IndexRange},
    },
    id::{Livemode, Timestamp},
    json::impl_from_json,
};

/// The most features of one product. All of them are read for every subscription that begins.
const MAX_FEATURES: usize = 1_000;

/// A feature in a product.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct ProductFeature {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) product: String,
    pub(crate) feature: String,
}

impl_from_json! { struct ProductFeature { id, created, product, feature } }

impl Entity for ProductFeature {
    const TYPE: &'static str = "product feature";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index(&self.product), self.created)]
    }
}

/// The list of a product's features.
pub(crate) fn index(product: &str) -> String {
    format!("product_features product={product}")
}

impl ProductFeature {
    /// As Stripe shows it: with the feature in it.
    pub(crate) fn to_json(&self, feature: &Feature, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "product_feature",
            "entitlement_feature": feature.to_json(livemode),
            "livemode": bool::from(livemode),
        })
    }
}

impl Tx<'_> {
    /// The ids of a product's features, in the order in which they were attached.
    pub(crate) fn feature_ids_of(&self, product: &str) -> Result<Vec<String>, Error> {
        let mut attached: Vec<ProductFeature> =
            self.list(&index(product), IndexRange::newest_first(MAX_FEATURES))?;
        attached.reverse();
        Ok(attached.into_iter().map(|attached| attached.feature).collect())
    }
}

pub(crate) fn attach(
    catalog: &Tx<'_>,
    product: &str,
    feature: &str,
) -> Result<(ProductFeature, Feature), Error> {
    let product: Product = catalog.load(product, "id")?;
    let feature: Feature = catalog.load(feature, "entitlement_feature")?;
    if !feature.active {
        return Err(Error::invalid_parameter(
            "entitlement_feature",
            format!("The feature '{}' is archived: it can be attached to no product.", feature.id),
        ));
    }
    let attached: Vec<ProductFeature> =
        catalog.list(&index(&product.id), IndexRange::newest_first(MAX_FEATURES))?;
    if let Some(before) = attached.iter().find(|attached| attached.feature == feature.id) {
        return Err(Error::AlreadyExists {
            param: "entitlement_feature",
            message: format!(
                "The feature '{}' is attached to this product already: {}.",
                feature.id, before.id
            ),
        });
    }
    if attached.len() >= MAX_FEATURES {
        return Err(Error::InvalidState(format!(
            "A product can have up to {MAX_FEATURES} features."
        )));
    }
    let attached = ProductFeature {
        id: catalog.new_id("prodft_", 14),
        created: catalog.now,
        product: product.id,
        feature: feature.id.clone(),
    };
    catalog.insert(&attached)?;
    Ok((attached, feature))
}

/// A feature of this product, and no other's.
pub(crate) fn load(catalog: &Tx<'_>, product: &str, id: &str) -> Result<ProductFeature, Error> {
    let product: Product = catalog.load(product, "id")?;
    let attached: ProductFeature = catalog.load(id, "id")?;
    if attached.product == product.id {
        return Ok(attached);
    }
    let (kind, id) = (ProductFeature::TYPE, id.to_owned());
    Err(Error::NotFound { kind, id, param: "id".to_owned() })
}

pub(crate) fn detach(catalog: &Tx<'_>, product: &str, id: &str) -> Result<(), Error> {
    catalog.remove(&load(catalog, product, id)?)
}

pub(crate) fn detach_all(catalog: &Tx<'_>, product: &str) -> Result<(), Error> {
    let attached: Vec<ProductFeature> =
        catalog.list(&index(product), IndexRange::newest_first(MAX_FEATURES))?;
    attached.iter().try_for_each(|attached| catalog.remove(attached))
}
