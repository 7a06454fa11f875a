//! Handlers of `/v1/subscription_items`, and the parameters of items in requests for a subscription.
//!
//! An item is a part of its subscription. A change of an item is an update of the subscription.
//!
//! Specification: <https://docs.stripe.com/api/subscription_items>,
//! <https://docs.stripe.com/api/subscriptions/update#update_subscription-items>.

use serde_json::Value;

use super::{
    super::{error::Error, form::Params, page},
    context::{RequestContext, deleted_object, list_object},
    params::MAX_STRING_LEN,
    price_params,
};
use crate::catalog::{
    Tx,
    objects::{
        subscription::{self, Subscription},
        subscription_json,
    },
    operations::{
        prices,
        subscriptions::{
            create::NewSubscriptionItem,
            update::{self, ItemUpdate, SubscriptionUpdate},
        },
    },
};

/// The largest quantity. Stripe documents no limit; this is JavaScript's largest exact integer.
const MAX_QUANTITY: u64 = (1 << 53) - 1;

/// Parameters that only affect payments: accepted and ignored.
const IGNORED_PARAMS: [&str; 5] =
    ["billing_thresholds", "clear_usage", "current_trial", "discounts", "tax_rates"];

/// Parameters of a request for one item that only affect payments: accepted and ignored.
const IGNORED_REQUEST_PARAMS: [&str; 5] =
    ["clear_usage", "off_session", "payment_behavior", "proration_behavior", "proration_date"];

pub(super) fn list(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let id = context.params.required_non_empty("subscription", MAX_STRING_LEN)?;
    let page = page::take_page(&mut context.params)?;
    context.reject_unknown()?;
    let tx = &context.tx;
    let subscription: Subscription = tx.load(&id, "subscription")?;
    let items = &subscription.items;
    let (items, has_more) = page::slice(&page, items, "subscription item", |item| &item.id)?;
    let items = items.iter().map(|item| subscription_json::item_to_json(tx, &subscription, item));
    let items: Vec<Value> = items.collect::<Result<_, _>>()?;
    Ok(list_object(items, has_more, context.path))
}

pub(super) fn retrieve(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.reject_unknown()?;
    let subscription = subscription::load_by_item(&context.tx, context.id())?;
    render(context, &subscription, context.id())
}

pub(super) fn create(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let id = context.params.required_non_empty("subscription", MAX_STRING_LEN)?;
    let params = take_item_params(context);
    let item = parse_new(&context.tx, params)?;
    let _: Subscription = context.tx.load(&id, "subscription")?;
    let subscription = update_item(&context.tx, &id, ItemUpdate::Add(item))?;
    let item = subscription.items.last().map(|item| item.id.as_str()).unwrap_or_default();
    render(context, &subscription, item)
}

pub(super) fn update(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    let params = take_item_params(context);
    let change = parse_change(&context.tx, params, context.id().to_owned())?;
    let subscription = subscription::load_by_item(&context.tx, context.id())?;
    let subscription = update_item(&context.tx, &subscription.id, change)?;
    render(context, &subscription, context.id())
}

pub(super) fn delete(context: &mut RequestContext<'_>) -> Result<Value, Error> {
    context.params.ignore(&IGNORED_REQUEST_PARAMS);
    context.reject_unknown()?;
    let id = context.id().to_owned();
    let subscription = subscription::load_by_item(&context.tx, &id)?;
    let removal = ItemUpdate::Remove { id_param: "id".to_owned(), id };
    update_item(&context.tx, &subscription.id, removal)?;
    Ok(deleted_object(context.id(), "subscription_item"))
}

/// The parameters of a request for one item that describe the item.
fn take_item_params(context: &mut RequestContext<'_>) -> Params {
    context.params.ignore(&IGNORED_REQUEST_PARAMS);
    std::mem::take(&mut context.params)
}

fn update_item(tx: &Tx<'_>, id: &str, change: ItemUpdate) -> Result<Subscription, Error> {
    let update = SubscriptionUpdate { items: vec![change], ..SubscriptionUpdate::default() };
    Ok(update::update(tx, id, update)?)
}

fn render(
    context: &RequestContext<'_>,
    subscription: &Subscription,
    id: &str,
) -> Result<Value, Error> {
    let item = subscription.items.iter().find(|item| item.id == id);
    let item = item.map(|item| subscription_json::item_to_json(&context.tx, subscription, item));
    Ok(item.transpose()?.unwrap_or_default())
}

/// Parses a new item.
pub(super) fn parse_new(tx: &Tx<'_>, mut params: Params) -> Result<NewSubscriptionItem, Error> {
    params.ignore(&IGNORED_PARAMS);
    let quantity = params.take_integer("quantity", 0..=MAX_QUANTITY)?;
    let metadata = params.metadata()?;
    let price = resolve_price(tx, &mut params)?;
    let price_param = params.qualified("price");
    let price = price.ok_or_else(|| Error::missing_param(&price_param))?;
    params.reject_unknown()?;
    Ok(NewSubscriptionItem { price_param, price, quantity, metadata })
}

/// Parses a change of an item in a request for a subscription. An item without an id is a new one.
pub(super) fn parse_update(tx: &Tx<'_>, mut params: Params) -> Result<ItemUpdate, Error> {
    let Some(id) = params.non_empty("id", MAX_STRING_LEN)? else {
        params.ignore(&["deleted"]);
        return parse_new(tx, params).map(ItemUpdate::Add);
    };
    let deleted = params.take_flag("deleted")?;
    let id_param = params.qualified("id");
    match parse_change(tx, params, id)? {
        ItemUpdate::Modify { id, .. } if deleted => Ok(ItemUpdate::Remove { id_param, id }),
        change => Ok(change),
    }
}

/// Parses the members of a change of an item.
fn parse_change(tx: &Tx<'_>, mut params: Params, id: String) -> Result<ItemUpdate, Error> {
    params.ignore(&IGNORED_PARAMS);
    let quantity = params.take_integer("quantity", 0..=MAX_QUANTITY)?;
    let metadata = params.metadata()?;
    let price = resolve_price(tx, &mut params)?;
    let (id_param, price_param) = (params.qualified("id"), params.qualified("price"));
    params.reject_unknown()?;
    Ok(ItemUpdate::Modify { id_param, id, price_param, price, quantity, metadata })
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
