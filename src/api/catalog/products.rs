//! Products: <https://docs.stripe.com/api/products>.

use serde_json::Value;

use super::{
    super::{error::Error, form::Params},
    Visit, deleted,
    fields::{Detail, TEXT},
    prices,
};
use crate::catalog::{
    Catalog,
    product::{self, New, Product, Update},
};

const DETAILS: [Detail; 8] = [
    Detail::Text("description"),
    Detail::List("images"),
    Detail::List("marketing_features"),
    Detail::Flag("shippable"),
    Detail::Text("statement_descriptor"),
    Detail::Text("tax_code"),
    Detail::Text("unit_label"),
    Detail::Text("url"),
];

/// What only moves money, or parcels.
const MONEY: [&str; 3] = ["package_dimensions", "tax_details", "type"];

pub(super) fn list(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let active = visit.params.boolean("active")?;
    let ids = visit.params.list("ids")?;
    let url = visit.params.filled("url", TEXT)?;
    let shippable = visit.params.boolean("shippable")?;
    visit.params.ignore(&["type"]);
    let page = visit.params.page_by_date()?;
    visit.finish()?;
    let livemode = visit.catalog.livemode;
    let keep = |product: &Product| {
        let detail = |name| product.details.get(name);
        (ids.is_empty() || ids.contains(&product.id))
            && url.as_deref().is_none_or(|url| detail("url").and_then(Value::as_str) == Some(url))
            && shippable.is_none_or(|flag| {
                detail("shippable").and_then(Value::as_bool).unwrap_or(false) == flag
            })
    };
    let list = product::list(active).to_owned();
    visit.page(&[list], &page, keep, |product: &Product| Ok(product.shown(livemode)))
}

pub(super) fn create(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let new = parse(&mut visit.params)?;
    let price = visit.params.map("default_price_data")?;
    let mut price = price.map(|params| prices::parse_inline(params, String::new())).transpose()?;
    visit.finish()?;
    let mut product = product::create(&visit.catalog, new)?;
    if let Some(mut price) = price.take() {
        price.product.clone_from(&product.id);
        let price = crate::catalog::price::create(&visit.catalog, price)?;
        let update = Update { default_price: Some(price.id), ..Update::default() };
        product = product::update(&visit.catalog, &product.id, update)?;
    }
    Ok(product.shown(visit.catalog.livemode))
}

pub(super) fn retrieve(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    let product: Product = visit.catalog.load(visit.id(), "id")?;
    Ok(product.shown(visit.catalog.livemode))
}

pub(super) fn update(visit: &mut Visit<'_>) -> Result<Value, Error> {
    let params = &mut visit.params;
    params.ignore(&MONEY);
    let update = Update {
        active: params.boolean("active")?,
        name: params.filled("name", TEXT)?,
        default_price: params.string("default_price", TEXT)?,
        metadata: params.metadata()?,
        details: params.details(&DETAILS)?,
    };
    visit.finish()?;
    let product = product::update(&visit.catalog, visit.id(), update)?;
    Ok(product.shown(visit.catalog.livemode))
}

pub(super) fn delete(visit: &mut Visit<'_>) -> Result<Value, Error> {
    visit.finish()?;
    product::delete(&visit.catalog, visit.id())?;
    Ok(deleted(visit.id(), "product"))
}

/// Makes the product that stands in another request, and tells its id.
pub(super) fn create_inline(catalog: &Catalog<'_>, mut params: Params) -> Result<String, Error> {
    let new = parse(&mut params)?;
    params.finish()?;
    Ok(product::create(catalog, new)?.id)
}

fn parse(params: &mut Params) -> Result<New, Error> {
    params.ignore(&MONEY);
    Ok(New {
        id: params.own_id()?,
        active: params.boolean("active")?,
        name: params.needed("name", TEXT)?,
        metadata: params.metadata()?,
        details: params.details(&DETAILS)?,
    })
}
