//! The items of a subscription, as they stand in a request for it.
//!
//! <https://docs.stripe.com/api/subscriptions/update#update_subscription-items>

use super::{
    super::{error::Error, form::Params},
    fields::TEXT,
    prices,
};
use crate::catalog::{Catalog, amendment::ItemChange, price, purchase::NewItem};

/// The largest quantity. Stripe tells no limit; this one is exact in JavaScript.
const QUANTITY: u64 = (1 << 53) - 1;

/// What only moves money.
const MONEY: [&str; 5] =
    ["billing_thresholds", "clear_usage", "current_trial", "discounts", "tax_rates"];

/// An item to be.
pub(super) fn parse_new(catalog: &Catalog<'_>, mut params: Params) -> Result<NewItem, Error> {
    params.ignore(&MONEY);
    let quantity = params.integer("quantity", 0..=QUANTITY)?;
    let metadata = params.metadata()?;
    let price = price(catalog, &mut params)?;
    let price = price.ok_or_else(|| Error::missing(&params.full("price")))?;
    let param = params.prefix.clone();
    params.finish()?;
    Ok(NewItem { param, price, quantity, metadata })
}

/// What is to become of an item: one that has an id is there already.
pub(super) fn parse_change(catalog: &Catalog<'_>, mut params: Params) -> Result<ItemChange, Error> {
    let Some(id) = params.filled("id", TEXT)? else {
        params.ignore(&["deleted"]);
        return parse_new(catalog, params).map(ItemChange::Add);
    };
    params.ignore(&MONEY);
    let deleted = params.flag("deleted")?;
    let quantity = params.integer("quantity", 0..=QUANTITY)?;
    let metadata = params.metadata()?;
    let price = price(catalog, &mut params)?;
    let param = params.prefix.clone();
    params.finish()?;
    Ok(if deleted {
        ItemChange::Remove { param, id }
    } else {
        ItemChange::Change { param, id, price, quantity, metadata }
    })
}

/// The id of the price: given, in its old name, or as that of a price made here.
fn price(catalog: &Catalog<'_>, params: &mut Params) -> Result<Option<String>, Error> {
    let plan = params.filled("plan", TEXT)?;
    let price = params.filled("price", TEXT)?.or(plan);
    let Some(mut data) = params.map("price_data")? else { return Ok(price) };
    if price.is_some() {
        return Err(Error::parameter(
            params.full("price_data"),
            "parameters_exclusive",
            "You may only specify one of these parameters: price, price_data.",
        ));
    }
    let product = data.needed("product", TEXT)?;
    let new = prices::parse_inline(data, product)?;
    Ok(Some(price::create(catalog, new)?.id))
}
