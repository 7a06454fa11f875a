//! The steps about subscriptions, on the reference model and as requests.

use serde_json::Value;

use super::{
    harness::{Harness, string},
    requests,
    steps::{
        Cancellation, Collection, ItemChange, NewSubscription, ResumeParams, SubscriptionAction,
        SubscriptionUpdate,
    },
    subscription::{MissingMethod, PaymentBehavior, PaymentMethod},
    updates,
};
use crate::catalog::fixture::{DECLINED_CARD, VALID_CARD};

pub(super) fn create_subscription(harness: &mut Harness, params: &NewSubscription) {
    let customer = params.customer % harness.customers.len();
    let prices: Vec<_> = params.prices.iter().map(|price| price % harness.prices.len()).collect();
    let mut form = vec![
        format!("customer={}", harness.customers[customer]),
        format!("trial_period_days={}", params.trial_days),
        format!("cancel_at_period_end={}", params.cancel_at_period_end),
        payment_method_param("default_payment_method", params.payment_method),
        missing_method_param(params.missing_method),
        collection_method_param(params.sends_invoices),
    ];
    let prices_sold = prices.iter().enumerate();
    form.extend(
        prices_sold.map(|(at, price)| format!("items[{at}][price]={}", harness.prices[*price])),
    );
    form.push(match params.payment_behavior {
        PaymentBehavior::AllowIncomplete => "payment_behavior=allow_incomplete".to_owned(),
        PaymentBehavior::DefaultIncomplete => "payment_behavior=default_incomplete".to_owned(),
        PaymentBehavior::ErrorIfIncomplete => "payment_behavior=error_if_incomplete".to_owned(),
    });
    let now = harness.model.time_of(customer).unwrap_or(harness.model.now);
    form.extend(params.cancel_in.map(|seconds| format!("cancel_at={}", now + seconds)));
    form.extend(params.anchor_in.map(|seconds| format!("billing_cycle_anchor={}", now + seconds)));
    let params = NewSubscription { customer, prices, ..params.clone() };
    let expected = requests::create_subscription(&mut harness.model, &params);
    let body = harness.request("POST", "/v1/subscriptions", &form.join("&"), expected);
    if expected.is_ok() {
        let id = string(&body["id"]);
        harness.observed.subscriptions.insert(id.clone(), harness.subscriptions.len());
        harness.subscriptions.push(id);
        harness.items.push(item_ids(&body));
    }
}

pub(super) fn act(harness: &mut Harness, index: usize, action: &SubscriptionAction) {
    let Some(index) = index.checked_rem(harness.subscriptions.len()) else { return };
    let expected = requests::act(&mut harness.model, index, action);
    let path = format!("/v1/subscriptions/{}", harness.subscriptions[index]);
    match *action {
        SubscriptionAction::Cancel => harness.request("DELETE", &path, "", expected),
        SubscriptionAction::Pause => {
            harness.request("POST", &format!("{path}/pause"), "", expected)
        }
        SubscriptionAction::Resume(ResumeParams { resets_cycle, requires_payment }) => {
            let anchor = if resets_cycle { "now" } else { "unchanged" };
            let behavior = if requires_payment { "success" } else { "attempt" };
            let behavior = format!("payment_behavior=resume_on_payment_{behavior}");
            let form = format!("billing_cycle_anchor[type]={anchor}&{behavior}");
            harness.request("POST", &format!("{path}/resume"), &form, expected)
        }
    };
}

pub(super) fn update_subscription(
    harness: &mut Harness,
    index: usize,
    update: &SubscriptionUpdate,
) {
    let Some(index) = index.checked_rem(harness.subscriptions.len()) else { return };
    let customer = harness.model.subscriptions[index].customer;
    let now = harness.model.time_of(customer).unwrap_or(harness.model.now);
    let (mut form, items) = item_changes(harness, index, &update.items);
    let resolved = SubscriptionUpdate { items, ..update.clone() };
    let expected = updates::update_subscription(&mut harness.model, index, &resolved);
    if let Some((method, path, form)) = item_request(harness, index, &resolved) {
        harness.request(method, &path, &form, expected);
        let path = format!("/v1/subscriptions/{}", harness.subscriptions[index]);
        let body = harness.request("GET", &path, "", Ok(()));
        harness.items[index] = item_ids(&body);
        return;
    }
    match update.cancellation {
        None => {}
        Some(Cancellation::AtPeriodEnd(value)) => {
            form.push(format!("cancel_at_period_end={value}"));
        }
        Some(Cancellation::In(None)) => form.push("cancel_at=".to_owned()),
        Some(Cancellation::In(Some(seconds))) => form.push(format!("cancel_at={}", now + seconds)),
    }
    form.extend(update.reported_status.map(|status| format!("status={}", status.name())));
    form.extend(update.trial_end_in.map(|seconds| match seconds {
        0 => "trial_end=now".to_owned(),
        seconds => format!("trial_end={}", now + seconds),
    }));
    form.extend(update.missing_method.map(missing_method_param));
    let method = update.payment_method;
    form.extend(method.map(|method| payment_method_param("default_payment_method", method)));
    form.extend(update.sends_invoices.map(collection_method_param));
    form.extend(update.collection.map(|collection| match collection {
        Collection::Active => "pause_collection=".to_owned(),
        Collection::PausedFor(seconds) => {
            let pause = "pause_collection[behavior]=void&pause_collection[resumes_at]";
            format!("{pause}={}", now + seconds)
        }
    }));
    if update.resets_cycle {
        form.push("billing_cycle_anchor=now".to_owned());
    }
    let path = format!("/v1/subscriptions/{}", harness.subscriptions[index]);
    let body = harness.request("POST", &path, &form.join("&"), expected);
    if expected.is_ok() {
        harness.items[index] = item_ids(&body);
    }
}

/// An update that is one change of an item, as a request about this item.
fn item_request(
    harness: &Harness,
    index: usize,
    update: &SubscriptionUpdate,
) -> Option<(&'static str, String, String)> {
    let [change] = update.items.as_slice() else { return None };
    let items = update.items.clone();
    let is_alone = *update == SubscriptionUpdate { items, ..SubscriptionUpdate::default() };
    let ids = &harness.items[index];
    let path = |item: &usize| format!("/v1/subscription_items/{}", ids[item % ids.len()]);
    let subscription = &harness.subscriptions[index];
    is_alone.then(|| match change {
        ItemChange::Add(price) => {
            let form = format!("subscription={subscription}&price={}", harness.prices[*price]);
            ("POST", "/v1/subscription_items".to_owned(), form)
        }
        ItemChange::SetPrice(item, price) => {
            ("POST", path(item), format!("price={}", harness.prices[*price]))
        }
        ItemChange::SetQuantity(item) => ("POST", path(item), "quantity=5".to_owned()),
        ItemChange::Remove(item) => ("DELETE", path(item), String::new()),
    })
}

/// The changes of the items as form parameters, and for the model with the indexes of their prices.
fn item_changes(
    harness: &Harness,
    index: usize,
    changes: &[ItemChange],
) -> (Vec<String>, Vec<ItemChange>) {
    let ids = &harness.items[index];
    let id = |at, item: &usize| format!("items[{at}][id]={}", ids[item % ids.len()]);
    let price = |at, price: &usize| format!("items[{at}][price]={}", harness.prices[*price]);
    let resolve = |change: &ItemChange| match *change {
        ItemChange::Add(price) => ItemChange::Add(price % harness.prices.len()),
        ItemChange::SetPrice(item, price) => {
            ItemChange::SetPrice(item, price % harness.prices.len())
        }
        ItemChange::SetQuantity(item) => ItemChange::SetQuantity(item),
        ItemChange::Remove(item) => ItemChange::Remove(item),
    };
    let changes: Vec<ItemChange> = changes.iter().map(resolve).collect();
    let form = changes.iter().enumerate().map(|(at, change)| match change {
        ItemChange::Add(added) => price(at, added),
        ItemChange::SetPrice(item, new) => format!("{}&{}", id(at, item), price(at, new)),
        ItemChange::SetQuantity(item) => format!("{}&items[{at}][quantity]=5", id(at, item)),
        ItemChange::Remove(item) => format!("{}&items[{at}][deleted]=true", id(at, item)),
    });
    (form.collect(), changes)
}

fn item_ids(subscription: &Value) -> Vec<String> {
    let items = subscription["items"]["data"].as_array().unwrap();
    items.iter().map(|item| string(&item["id"])).collect()
}

/// The form parameter of a payment method.
pub(super) fn payment_method_param(name: &str, method: PaymentMethod) -> String {
    let method = match method {
        PaymentMethod::None => "",
        PaymentMethod::Valid => VALID_CARD,
        PaymentMethod::Declined => DECLINED_CARD,
    };
    format!("{name}={method}")
}

fn collection_method_param(sends_invoices: bool) -> String {
    let method = if sends_invoices { "send_invoice" } else { "charge_automatically" };
    format!("collection_method={method}&days_until_due=30")
}

fn missing_method_param(missing_method: MissingMethod) -> String {
    let behavior = match missing_method {
        MissingMethod::CreateInvoice => "create_invoice",
        MissingMethod::Pause => "pause",
        MissingMethod::Cancel => "cancel",
    };
    format!("trial_settings[end_behavior][missing_payment_method]={behavior}")
}
