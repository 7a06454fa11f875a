//! Handlers of features, and of the features of products.
//!
//! `apply` is an extension of entgate.
//!
//! Specification: <https://docs.stripe.com/api/entitlements/feature>,
//! <https://docs.stripe.com/api/product-feature>.

use serde_json::{Value, json};

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
    params::MAX_STRING_LEN,
};
use crate::{
    catalog::{
        self,
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
        page::ListConditions,
    },
    id::LookupKey,
};

/// The most characters of a feature's name and lookup key, by Stripe's API.
const MAX_NAME_LEN: usize = 80;

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let archived = context.params.take_flag("archived")?;
    let lookup_key = context.params.non_empty("lookup_key", MAX_STRING_LEN)?;
    let page = context.params.list_query()?;
    context.reject_unknown()?;
    let livemode = context.tx.livemode;
    let index = feature::index(!archived, lookup_key.as_deref());
    context.page_response(
        &[index],
        &page,
        &ListConditions {
            belongs: &|it: &Feature| lookup_key.as_ref().is_none_or(|key| it.lookup_key == *key),
            ..ListConditions::default()
        },
        &|feature: &Feature| Ok(feature.to_json(livemode)),
    )
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let lookup_key = context.params.required_non_empty("lookup_key", MAX_NAME_LEN)?;
    // A key that the edge cannot accept must not be created.
    LookupKey::try_from(lookup_key.as_str())
        .map_err(|error| Error::invalid_id("lookup_key", &error))?;
    let name = context.params.required_non_empty("name", MAX_NAME_LEN)?;
    let metadata = context.params.metadata()?;
    context.reject_unknown()?;
    let feature = features::create(&context.tx, lookup_key, name, metadata)?;
    Ok(feature.to_json(context.tx.livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let feature: Feature = context.tx.load(context.id(), "id")?;
    Ok(feature.to_json(context.tx.livemode))
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let update = FeatureUpdate {
        active: context.params.optional_bool("active")?,
        name: context.params.non_empty("name", MAX_NAME_LEN)?,
        metadata: context.params.metadata()?,
    };
    context.reject_unknown()?;
    let feature = features::update(&context.tx, context.id(), update)?;
    Ok(feature.to_json(context.tx.livemode))
}

pub(super) fn list_for_product(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let page = context.params.list_query()?;
    context.reject_unknown()?;
    let product: Product = context.tx.load(context.id(), "id")?;
    let index = product_feature::index(&product.id);
    context.page_response(
        &[index],
        &page,
        &ListConditions {
            belongs: &|it: &ProductFeature| it.product == product.id,
            ..ListConditions::default()
        },
        &|product_feature| to_json(context, product_feature),
    )
}

pub(super) fn attach(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let feature = context.params.required_non_empty("entitlement_feature", MAX_STRING_LEN)?;
    context.reject_unknown()?;
    let (product_feature, feature) = product_features::attach(&context.tx, context.id(), &feature)?;
    Ok(product_feature.to_json(&feature, context.tx.livemode))
}

pub(super) fn retrieve_for_product(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let product_feature = product_features::load(&context.tx, context.first_id(), context.id())?;
    Ok(to_json(context, &product_feature)?)
}

pub(super) fn detach(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    product_features::detach(&context.tx, context.first_id(), context.id())?;
    Ok(deleted_object(context.id(), "product_feature"))
}

pub(super) fn apply(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let status = match bulk_jobs::apply_product_features(&context.tx, context.id())? {
        JobProgress::Done => "applied",
        JobProgress::InProgress => "applying",
    };
    Ok(json!({
        "object": "product_feature_application",
        "livemode": bool::from(context.tx.livemode),
        "product": context.id(),
        "status": status,
    }))
}

fn to_json(
    context: &RequestContext<'_>,
    product_feature: &ProductFeature,
) -> Result<Value, catalog::Error> {
    let feature: Feature = context.tx.load(&product_feature.feature, "id")?;
    Ok(product_feature.to_json(&feature, context.tx.livemode))
}
