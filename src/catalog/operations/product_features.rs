//! Operations on product features: attach, load and detach.
//!
//! Specification: <https://docs.stripe.com/api/product-feature>.

use crate::catalog::{
    error::Error,
    objects::{
        feature::Feature,
        product::Product,
        product_feature::{self, MAX_FEATURES, ProductFeature},
    },
    repository::Entity as _,
    storage::IndexRange,
    tx::Tx,
};

pub(crate) fn attach(
    tx: &Tx<'_>,
    product: &str,
    feature: &str,
) -> Result<(ProductFeature, Feature), Error> {
    let product: Product = tx.load(product, "id")?;
    let feature: Feature = tx.load(feature, "entitlement_feature")?;
    if !feature.active {
        return Err(Error::invalid_parameter(
            "entitlement_feature",
            format!(
                "The feature '{}' is archived and cannot be attached to a product.",
                feature.id
            ),
        ));
    }
    let attached: Vec<ProductFeature> =
        tx.list(&product_feature::index(&product.id), IndexRange::newest_first(MAX_FEATURES))?;
    if let Some(existing) = attached.iter().find(|it| it.feature == feature.id) {
        return Err(Error::AlreadyExists {
            param: "entitlement_feature",
            message: format!(
                "The feature '{}' is attached to this product already: {}.",
                feature.id, existing.id
            ),
        });
    }
    if attached.len() >= MAX_FEATURES {
        return Err(Error::InvalidState(format!(
            "A product can have up to {MAX_FEATURES} features."
        )));
    }
    let attached = ProductFeature {
        id: tx.new_id("prodft_", 14),
        created: tx.now,
        product: product.id,
        feature: feature.id.clone(),
    };
    tx.insert(&attached)?;
    Ok((attached, feature))
}

/// Loads a feature of this product. A feature of another product does not exist here.
pub(crate) fn load(tx: &Tx<'_>, product: &str, id: &str) -> Result<ProductFeature, Error> {
    let product: Product = tx.load(product, "id")?;
    let attached: ProductFeature = tx.load(id, "id")?;
    if attached.product == product.id {
        return Ok(attached);
    }
    Err(Error::not_found(ProductFeature::TYPE, id, "id"))
}

pub(crate) fn detach(tx: &Tx<'_>, product: &str, id: &str) -> Result<(), Error> {
    tx.remove(&load(tx, product, id)?)
}

pub(crate) fn detach_all(tx: &Tx<'_>, product: &str) -> Result<(), Error> {
    let attached: Vec<ProductFeature> =
        tx.list(&product_feature::index(product), IndexRange::newest_first(MAX_FEATURES))?;
    attached.iter().try_for_each(|attached| tx.remove(attached))
}
