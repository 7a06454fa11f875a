//! Products: <https://docs.stripe.com/api/products>.

use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    RequestContext, deleted_object,
    params::{MAX_STRING_LEN, Passthrough},
    prices,
};
use crate::catalog::{
    Tx,
    objects::product::{self, NewProduct, Product, ProductUpdate},
};

const PASSTHROUGH: [Passthrough; 8] = [
    Passthrough::String("description"),
    Passthrough::List("images"),
    Passthrough::List("marketing_features"),
    Passthrough::Bool("shippable"),
    Passthrough::String("statement_descriptor"),
    Passthrough::String("tax_code"),
    Passthrough::String("unit_label"),
    Passthrough::String("url"),
];

/// What only moves money, or parcels.
const IGNORED_PARAMS: [&str; 3] = ["package_dimensions", "tax_details", "type"];

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
    let new = parse(&mut visit.params)?;
    let price = visit.params.object("default_price_data")?;
    let mut price = price.map(|params| prices::parse_inline(params, String::new())).transpose()?;
    visit.reject_unknown()?;
    let mut product = product::create(&visit.tx, new)?;
    if let Some(mut price) = price.take() {
        price.product.clone_from(&product.id);
        let price = crate::catalog::objects::price::create(&visit.tx, price)?;
        let update = ProductUpdate { default_price: Some(price.id), ..ProductUpdate::default() };
        product = product::update(&visit.tx, &product.id, update)?;
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
    params.ignore(&IGNORED_PARAMS);
    let update = ProductUpdate {
        active: params.optional_bool("active")?,
        name: params.non_empty("name", MAX_STRING_LEN)?,
        default_price: params.bounded_string("default_price", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&PASSTHROUGH)?,
    };
    visit.reject_unknown()?;
    let product = product::update(&visit.tx, visit.id(), update)?;
    Ok(product.to_json(visit.tx.livemode))
}

pub(super) fn delete(visit: &mut RequestContext<'_>) -> Result<Value, Error> {
    visit.reject_unknown()?;
    product::delete(&visit.tx, visit.id())?;
    Ok(deleted_object(visit.id(), "product"))
}

/// Makes the product that stands in another request, and tells its id.
pub(super) fn create_inline(catalog: &Tx<'_>, mut params: Params) -> Result<String, Error> {
    let new = parse(&mut params)?;
    params.reject_unknown()?;
    Ok(product::create(catalog, new)?.id)
}

fn parse(params: &mut Params) -> Result<NewProduct, Error> {
    params.ignore(&IGNORED_PARAMS);
    Ok(NewProduct {
        id: params.client_id()?,
        active: params.optional_bool("active")?,
        name: params.required_non_empty("name", MAX_STRING_LEN)?,
        metadata: params.metadata()?,
        passthrough: params.passthrough(&PASSTHROUGH)?,
    })
}
