//! That a product includes a feature.
//!
//! <https://docs.stripe.com/api/product-feature>. To attach or to detach one changes nobody's
//! entitlements: subscriptions take note at the start of their next period, or when `apply` tells
//! them to. So it costs the same however many there are.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Catalog, Error, Object,
    feature::Feature,
    product::Product,
    shelf::{Entry, Range},
};
use crate::{
    id::{Livemode, Timestamp},
    json::readable,
};

/// The most features of one product. All of them are read for every subscription that begins.
const LIMIT: usize = 1_000;

/// A feature in a product.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct ProductFeature {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) product: String,
    pub(crate) feature: String,
}

readable! { struct ProductFeature { id, created, product, feature } }

impl Object for ProductFeature {
    const KIND: &'static str = "product feature";

    fn id(&self) -> &str {
        &self.id
    }

    fn entries(&self) -> Vec<Entry> {
        vec![Entry::new(list(&self.product), self.created)]
    }
}

/// The list of a product's features.
pub(crate) fn list(product: &str) -> String {
    format!("product_features product={product}")
}

impl ProductFeature {
    /// As Stripe shows it: with the feature in it.
    pub(crate) fn shown(&self, feature: &Feature, livemode: Livemode) -> Value {
        json!({
            "id": self.id,
            "object": "product_feature",
            "entitlement_feature": feature.shown(livemode),
            "livemode": bool::from(livemode),
        })
    }
}

impl Catalog<'_> {
    /// The ids of a product's features, in the order in which they were attached.
    pub(crate) fn features_of(&self, product: &str) -> Result<Vec<String>, Error> {
        let mut attached: Vec<ProductFeature> = self.list(&list(product), Range::newest(LIMIT))?;
        attached.reverse();
        Ok(attached.into_iter().map(|attached| attached.feature).collect())
    }
}

pub(crate) fn attach(
    catalog: &Catalog<'_>,
    product: &str,
    feature: &str,
) -> Result<(ProductFeature, Feature), Error> {
    let product: Product = catalog.load(product, "id")?;
    let feature: Feature = catalog.load(feature, "entitlement_feature")?;
    if !feature.active {
        return Err(Error::parameter(
            "entitlement_feature",
            format!("The feature '{}' is archived: it can be attached to no product.", feature.id),
        ));
    }
    let attached: Vec<ProductFeature> = catalog.list(&list(&product.id), Range::newest(LIMIT))?;
    if let Some(before) = attached.iter().find(|attached| attached.feature == feature.id) {
        return Err(Error::Exists {
            param: "entitlement_feature",
            message: format!(
                "The feature '{}' is attached to this product already: {}.",
                feature.id, before.id
            ),
        });
    }
    if attached.len() >= LIMIT {
        return Err(Error::State(format!("A product can have up to {LIMIT} features.")));
    }
    let attached = ProductFeature {
        id: catalog.name("prodft_", 14),
        created: catalog.now,
        product: product.id,
        feature: feature.id.clone(),
    };
    catalog.add(&attached)?;
    Ok((attached, feature))
}

/// A feature of this product, and no other's.
pub(crate) fn load(
    catalog: &Catalog<'_>,
    product: &str,
    id: &str,
) -> Result<ProductFeature, Error> {
    let product: Product = catalog.load(product, "id")?;
    let attached: ProductFeature = catalog.load(id, "id")?;
    if attached.product == product.id {
        return Ok(attached);
    }
    let (kind, id) = (ProductFeature::KIND, id.to_owned());
    Err(Error::NoSuch { kind, id, param: "id".to_owned() })
}

pub(crate) fn detach(catalog: &Catalog<'_>, product: &str, id: &str) -> Result<(), Error> {
    catalog.remove(&load(catalog, product, id)?)
}

pub(crate) fn detach_all(catalog: &Catalog<'_>, product: &str) -> Result<(), Error> {
    let attached: Vec<ProductFeature> = catalog.list(&list(product), Range::newest(LIMIT))?;
    attached.iter().try_for_each(|attached| catalog.remove(attached))
}
