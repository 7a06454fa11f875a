//! Handlers of `/v1/products`.
//!
//! Specification: <https://docs.stripe.com/api/products>.

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
    page::ListConditions,
};

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let active = context.params.optional_bool("active")?;
    let ids = context.params.take_list("ids")?;
    let url = context.params.non_empty("url", MAX_STRING_LEN)?;
    let shippable = context.params.optional_bool("shippable")?;
    context.params.ignore(&["type"]);
    let page = context.params.list_query_with_created()?;
    context.reject_unknown()?;
    let livemode = context.tx.livemode;
    let is_listed = |product: &Product| {
        let member = |name| product.passthrough.get(name);
        url.as_deref().is_none_or(|url| member("url").and_then(Value::as_str) == Some(url))
            && shippable.is_none_or(|flag| {
                member("shippable").and_then(Value::as_bool).unwrap_or(false) == flag
            })
    };
    let conditions = ListConditions {
        belongs: &|product: &Product| ids.is_empty() || ids.contains(&product.id),
        is_listed: &is_listed,
    };
    let index = product::index(active).to_owned();
    context.page_response(&[index], &page, &conditions, &|product| Ok(product.to_json(livemode)))
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    rename_features(context);
    let new = product_params::parse(&mut context.params)?;
    let price = context.params.object("default_price_data")?;
    let mut price =
        price.map(|params| price_params::parse_inline(params, String::new())).transpose()?;
    context.reject_unknown()?;
    let mut product = products::create(&context.tx, new)?;
    if let Some(mut price) = price.take() {
        price.product.clone_from(&product.id);
        let price = prices::create(&context.tx, price)?;
        let update = ProductUpdate { default_price: Some(price.id), ..ProductUpdate::default() };
        product = products::update(&context.tx, &product.id, update)?;
    }
    Ok(product.to_json(context.tx.livemode))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let product: Product = context.tx.load(context.id(), "id")?;
    Ok(product.to_json(context.tx.livemode))
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    rename_features(context);
    let params = &mut context.params;
    params.ignore(&product_params::IGNORED_PARAMS);
    let update = ProductUpdate {
        active: params.optional_bool("active")?,
        name: params.non_empty("name", MAX_STRING_LEN)?,
        default_price: params.bounded_string("default_price", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&product_params::PASSTHROUGH)?,
    };
    context.reject_unknown()?;
    let product = products::update(&context.tx, context.id(), update)?;
    Ok(product.to_json(context.tx.livemode))
}

pub(super) fn delete(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    products::delete(&context.tx, context.id())?;
    Ok(deleted_object(context.id(), "product"))
}

/// Renames the parameter that older versions of Stripe's API have for `marketing_features`.
fn rename_features(context: &mut RequestContext<'_>) {
    if context.version.names_marketing_features_features() {
        context.params.rename("features", "marketing_features");
    }
}
