//! Features, and the features of products.
//!
//! <https://docs.stripe.com/api/entitlements/feature>, <https://docs.stripe.com/api/product-feature>;
//! `apply` is ours.

use serde_json::{Value, json};

use super::{super::error::Error, Visit, deleted, fields::TEXT};
use crate::{
    catalog::{
        application::{self, Progress},
        feature::{self, Feature},
        product::Product,
        product_feature::{self, ProductFeature},
    },
    id::LookupKey,
};

/// The most characters of a feature's name and of its key, by Stripe's API.
const NAME: usize = 80;

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let archived = visit.params.flag("archived")?;
    let lookup_key = visit.params.filled("lookup_key", TEXT)?;
    let page = visit.params.page()?;
    visit.finish()?;
    let livemode = visit.catalog.livemode;
    let list = feature::list(!archived, lookup_key.as_deref());
    visit.page(&[list], &page, |_| true, |feature: &Feature| Ok(feature.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let lookup_key = visit.params.needed("lookup_key", NAME)?;
    // What the edge cannot take as a key must not become one.
    LookupKey::try_from(lookup_key.as_str())
        .map_err(|error| Error::unnameable("lookup_key", &error))?;
    let name = visit.params.needed("name", NAME)?;
    let metadata = visit.params.metadata()?;
    visit.finish()?;
    let feature = feature::create(&visit.catalog, lookup_key, name, metadata)?;
    Ok(feature.shown(visit.catalog.livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let feature: Feature = visit.catalog.load(visit.id(), "id")?;
    Ok(feature.shown(visit.catalog.livemode))
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let update = feature::Update {
        active: visit.params.boolean("active")?,
        name: visit.params.filled("name", NAME)?,
        metadata: visit.params.metadata()?,
    };
    visit.finish()?;
    let feature = feature::update(&visit.catalog, visit.id(), update)?;
    Ok(feature.shown(visit.catalog.livemode))
}

pub(super) fn list_of_product(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let page = visit.params.page()?;
    visit.finish()?;
    let product: Product = visit.catalog.load(visit.id(), "id")?;
    let list = product_feature::list(&product.id);
    visit.page(&[list], &page, |_| true, |attached| shown(visit, attached))
}

pub(super) fn attach(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let feature = visit.params.needed("entitlement_feature", TEXT)?;
    visit.finish()?;
    let (attached, feature) = product_feature::attach(&visit.catalog, visit.id(), &feature)?;
    Ok(attached.shown(&feature, visit.catalog.livemode))
}

pub(super) fn retrieve_of_product(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let attached = product_feature::load(&visit.catalog, visit.first_id(), visit.id())?;
    shown(visit, &attached)
}

pub(super) fn detach(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    product_feature::detach(&visit.catalog, visit.first_id(), visit.id())?;
    Ok(deleted(visit.id(), "product_feature"))
}

pub(super) fn apply(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let status = match application::apply(&visit.catalog, visit.id())? {
        Progress::Done => "applied",
        Progress::UnderWay => "applying",
    };
    Ok(json!({
        "object": "product_feature_application",
        "livemode": bool::from(visit.catalog.livemode),
        "product": visit.id(),
        "status": status,
    }))
}

fn shown(visit: &Visit<'_>, attached: &ProductFeature) -> Result<Value, Error> {
    let feature: Feature = visit.catalog.load(&attached.feature, "id")?;
    Ok(attached.shown(&feature, visit.catalog.livemode))
}
