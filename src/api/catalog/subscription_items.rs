//! Parameters of subscription items, in requests for a subscription.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/update#update_subscription-items>.

use super::{
    super::{error::Error, form::Params},
    params::MAX_STRING_LEN,
    price_params,
};
use crate::catalog::{
    Tx,
    operations::{
        prices,
        subscriptions::{create::NewSubscriptionItem, update::ItemUpdate},
    },
};

/// The largest quantity. Stripe documents no limit; this is JavaScript's largest exact integer.
const MAX_QUANTITY: u64 = (1 << 53) - 1;

/// Parameters that only affect payments: accepted and ignored.
const IGNORED_PARAMS: [&str; 5] =
    ["billing_thresholds", "clear_usage", "current_trial", "discounts", "tax_rates"];

/// Parses a new item.
pub(super) fn parse_new(tx: &Tx<'_>, mut params: Params) -> Result<NewSubscriptionItem, Error> {
    params.ignore(&IGNORED_PARAMS);
    let quantity = params.take_integer("quantity", 0..=MAX_QUANTITY)?;
    let metadata = params.metadata()?;
    let price = resolve_price(tx, &mut params)?;
    let price = price.ok_or_else(|| Error::missing_param(&params.qualified("price")))?;
    let param = params.prefix.clone();
    params.reject_unknown()?;
    Ok(NewSubscriptionItem { param, price, quantity, metadata })
}

/// Parses a change of an item. An item without an id is a new one.
pub(super) fn parse_update(tx: &Tx<'_>, mut params: Params) -> Result<ItemUpdate, Error> {
    let Some(id) = params.non_empty("id", MAX_STRING_LEN)? else {
        params.ignore(&["deleted"]);
        return parse_new(tx, params).map(ItemUpdate::Add);
    };
    params.ignore(&IGNORED_PARAMS);
    let deleted = params.take_flag("deleted")?;
    let quantity = params.take_integer("quantity", 0..=MAX_QUANTITY)?;
    let metadata = params.metadata()?;
    let price = resolve_price(tx, &mut params)?;
    let param = params.prefix.clone();
    params.reject_unknown()?;
    Ok(if deleted {
        ItemUpdate::Remove { param, id }
    } else {
        ItemUpdate::Modify { param, id, price, quantity, metadata }
    })
}

/// The id of the item's price: `price`, the older `plan`, or a price that the request creates
/// inline.
fn resolve_price(tx: &Tx<'_>, params: &mut Params) -> Result<Option<String>, Error> {
    let plan = params.non_empty("plan", MAX_STRING_LEN)?;
    let price = params.non_empty("price", MAX_STRING_LEN)?.or(plan);
    let Some(mut data) = params.object("price_data")? else { return Ok(price) };
    if price.is_some() {
        return Err(Error::parameter(
            params.qualified("price_data"),
            "parameters_exclusive",
            "You may only specify one of these parameters: price, price_data.",
        ));
    }
    let product = data.required_non_empty("product", MAX_STRING_LEN)?;
    let new = price_params::parse_inline(data, product)?;
    Ok(Some(prices::create(tx, new)?.id))
}
