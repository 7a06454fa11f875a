//! Products: <https://docs.stripe.com/api/products>.

use serde_json::Value;

use super::{
    super::error::Error,
    context::{RequestContext, deleted_object},
    params::MAX_STRING_LEN,
    price_params, product_params,
};
use crate::catalog::{
    objects::product::{self, Product},
    operations::{
        prices,
        products::{self, ProductUpdate},
    },
};

pub(super) fn list(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let active = visit.params.optional_bool("active")?;
    let ids = visit.params.take_list("ids")?;
    let url = visit.params.non_empty("url", MAX_STRING_LEN)?;
    let shippable = visit.params.optional_bool("shippable")?;
    visit.params.ignore(&["type"]);
    let page = visit.params.list_query_with_created()?;
    visit.reject_unknown()?;
    let livemode = visit.tx.livemode;
    let keep = |product: &Product| {
        let detail = |name| product.passthrough.get(name);
        (ids.is_empty() || ids.contains(&product.id))
            && url.as_deref().is_none_or(|url| detail("url").and_then(Value::as_str) == Some(url))
            && shippable.is_none_or(|flag| {
                detail("shippable").and_then(Value::as_bool).unwrap_or(false) == flag
            })
    };
    let list = product::index(active).to_owned();
    visit.page_response(&[list], &page, keep, |product: &Product| Ok(product.to_json(livemode)))
}

pub(super) fn create(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let new = product_params::parse(&mut visit.params)?;
    let price = visit.params.object("default_price_data")?;
    let mut price =
        price.map(|params| price_params::parse_inline(params, String::new())).transpose()?;
    visit.reject_unknown()?;
    let mut product = products::create(&visit.tx, new)?;
    if let Some(mut price) = price.take() {
        price.product.clone_from(&product.id);
        let price = prices::create(&visit.tx, price)?;
        let update = ProductUpdate { default_price: Some(price.id), ..ProductUpdate::default() };
        product = products::update(&visit.tx, &product.id, update)?;
    }
    Ok(product.to_json(visit.tx.livemode))
}

pub(super) fn retrieve(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    let product: Product = visit.tx.load(visit.id(), "id")?;
    Ok(product.to_json(visit.tx.livemode))
}

pub(super) fn update(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&product_params::IGNORED_PARAMS);
    let update = ProductUpdate {
        active: params.optional_bool("active")?,
        name: params.non_empty("name", MAX_STRING_LEN)?,
        default_price: params.bounded_string("default_price", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&product_params::PASSTHROUGH)?,
    };
    visit.reject_unknown()?;
    let product = products::update(&visit.tx, visit.id(), update)?;
    Ok(product.to_json(visit.tx.livemode))
}

pub(super) fn delete(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    products::delete(&visit.tx, visit.id())?;
    Ok(deleted_object(visit.id(), "product"))
}
