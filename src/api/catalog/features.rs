//! Features, and the features of products.
//!
//! <https://docs.stripe.com/api/entitlements/feature>, <https://docs.stripe.com/api/product-feature>;
//! `apply` is ours.

use serde_json::{Value, json};

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        engine::bulk_jobs::{self, JobProgress},
        objects::{
            feature::{self, Feature},
            product::Product,
            product_feature::{self, ProductFeature},
        },
        operations::{
            features::{self, FeatureUpdate},
            product_features,
        },
    },
    id::LookupKey,
};

/// The most characters of a feature's name and of its key, by Stripe's API.
const MAX_NAME_LEN: usize = 80;

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let archived = visit.params.take_flag("archived")?;
    let lookup_key = visit.params.non_empty("lookup_key", MAX_STRING_LEN)?;
    let page = visit.params.list_query()?;
    visit.reject_unknown()?;
    let livemode = visit.tx.livemode;
    let list = feature::index(!archived, lookup_key.as_deref());
    visit.page_response(&[list], &page, |_| true, |feature: &Feature| Ok(feature.to_json(livemode)))
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let lookup_key = visit.params.required_non_empty("lookup_key", MAX_NAME_LEN)?;
    // What the edge cannot take as a key must not become one.
    LookupKey::try_from(lookup_key.as_str())
        .map_err(|error| Error::invalid_id("lookup_key", &error))?;
    let name = visit.params.required_non_empty("name", MAX_NAME_LEN)?;
    let metadata = visit.params.metadata()?;
    visit.reject_unknown()?;
    let feature = features::create(&visit.tx, lookup_key, name, metadata)?;
    Ok(feature.to_json(visit.tx.livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let feature: Feature = visit.tx.load(visit.id(), "id")?;
    Ok(feature.to_json(visit.tx.livemode))
}

pub(super) fn update(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let update = FeatureUpdate {
        active: visit.params.optional_bool("active")?,
        name: visit.params.non_empty("name", MAX_NAME_LEN)?,
        metadata: visit.params.metadata()?,
    };
    visit.reject_unknown()?;
    let feature = features::update(&visit.tx, visit.id(), update)?;
    Ok(feature.to_json(visit.tx.livemode))
}

pub(super) fn list_for_product(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = visit.params.list_query()?;
    visit.reject_unknown()?;
    let product: Product = visit.tx.load(visit.id(), "id")?;
    let list = product_feature::index(&product.id);
    visit.page_response(&[list], &page, |_| true, |attached| to_json(visit, attached))
}

pub(super) fn attach(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let feature = visit.params.required_non_empty("entitlement_feature", MAX_STRING_LEN)?;
    visit.reject_unknown()?;
    let (attached, feature) = product_features::attach(&visit.tx, visit.id(), &feature)?;
    Ok(attached.to_json(&feature, visit.tx.livemode))
}

pub(super) fn retrieve_for_product(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let attached = product_features::load(&visit.tx, visit.first_id(), visit.id())?;
    to_json(visit, &attached)
}

pub(super) fn detach(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    product_features::detach(&visit.tx, visit.first_id(), visit.id())?;
    Ok(deleted_object(visit.id(), "product_feature"))
}

pub(super) fn apply(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let status = match bulk_jobs::apply_product_features(&visit.tx, visit.id())? {
        JobProgress::Done => "applied",
        JobProgress::InProgress => "applying",
    };
    Ok(json!({
        "object": "product_feature_application",
        "livemode": bool::from(visit.tx.livemode),
        "product": visit.id(),
        "status": status,
    }))
}

fn to_json(visit: &RequestContext<'_>, attached: &ProductFeature) -> Result<Value, Error> {
    let feature: Feature = visit.tx.load(&attached.feature, "id")?;
    Ok(attached.to_json(&feature, visit.tx.livemode))
}
