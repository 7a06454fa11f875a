//! Renders a subscription as Stripe's JSON, with its items and their prices.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/object>.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::{
    catalog::{
        error::Error,
        objects::{
            json::merge_into,
            price::Price,
            subscription::{Subscription, SubscriptionItem},
        },
        tx::{RenderedPrice, Tx},
    },
    json,
};

/// The members about money, with their values at Stripe when no money moves.
const BILLING_DEFAULTS: &str = r#"{
    "application": null,
    "application_fee_percent": null,
    "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
    "billing_cycle_anchor_config": null,
    "billing_mode": { "flexible": null, "type": "flexible" },
    "billing_schedules": [],
    "billing_thresholds": null,
    "customer_account": null,
    "default_source": null,
    "discounts": [],
    "invoice_settings": {
        "account_tax_ids": null,
        "custom_fields": null,
        "description": null,
        "footer": null,
        "issuer": { "type": "self" }
    },
    "latest_invoice": null,
    "managed_payments": null,
    "next_pending_invoice_item_invoice": null,
    "on_behalf_of": null,
    "payment_settings": {
        "payment_method_options": null,
        "payment_method_types": null,
        "save_default_payment_method": "off"
    },
    "pending_invoice_item_interval": null,
    "pending_setup_intent": null,
    "pending_update": null,
    "schedule": null,
    "transfer_data": null
}"#;

/// Stripe's JSON.
pub(crate) fn to_json(tx: &Tx<'_>, subscription: &Subscription) -> Result<Value, Error> {
    let livemode = bool::from(tx.livemode);
    let id = &subscription.id;
    let items = subscription.items.iter().map(|item| item_to_json(tx, subscription, item));
    let items: Vec<Value> = items.collect::<Result<_, _>>()?;
    let mut rendered = json!({
        "id": id,
        "object": "subscription",
        "billing_cycle_anchor": subscription.billing_cycle_anchor,
        "cancel_at": subscription.cancel_at,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "canceled_at": subscription.canceled_at,
        "cancellation_details": subscription.cancellation_details,
        "collection_method": "charge_automatically",
        "created": subscription.created,
        "currency": subscription.billing_terms.currency,
        "customer": subscription.customer,
        "days_until_due": null,
        "default_payment_method": subscription.payment_method,
        "description": null,
        "ended_at": subscription.ended_at,
        "items": {
            "object": "list",
            "data": items,
            "has_more": false,
            "url": format!("/v1/subscription_items?subscription={id}"),
        },
        "livemode": livemode,
        "metadata": subscription.metadata,
        "pause_collection": subscription.pause_collection,
        "start_date": subscription.created,
        "status": subscription.status,
        "test_clock": subscription.test_clock,
        "trial_end": subscription.trial.map(|trial| trial.end),
        "trial_settings": {
            "end_behavior": {
                "billing_cycle_anchor": null,
                "missing_payment_method": subscription.missing_payment_method,
            },
        },
        "trial_start": subscription.trial.map(|trial| trial.start),
    });
    if let (Some(pause), Value::Object(members)) = (subscription.pause, &mut rendered) {
        members.insert("status_details".to_owned(), pause.to_status_details());
    }
    merge_into(&mut rendered, &json::from_slice(BILLING_DEFAULTS.as_bytes()).unwrap_or_default());
    merge_into(&mut rendered, &subscription.passthrough);
    Ok(rendered)
}

/// Stripe's JSON of one item.
pub(crate) fn item_to_json(
    tx: &Tx<'_>,
    subscription: &Subscription,
    item: &SubscriptionItem,
) -> Result<Value, Error> {
    let price = render_price(tx, &item.price)?;
    let period = subscription.item_period(item);
    Ok(json!({
        "id": item.id,
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": item.created,
        "current_period_end": period.end,
        "current_period_start": period.start,
        "current_trial": null,
        "discounts": [],
        "metadata": item.metadata,
        "plan": price.plan,
        "price": price.price,
        "quantity": item.quantity,
        "subscription": subscription.id,
        "tax_rates": [],
    }))
}

fn render_price(tx: &Tx<'_>, id: &str) -> Result<Rc<RenderedPrice>, Error> {
    if let Some(rendered) = tx.rendered_prices.borrow().get(id) {
        return Ok(Rc::clone(rendered));
    }
    let price: Price = tx.load(id, "price")?;
    let livemode = tx.livemode;
    let rendered = Rc::new(RenderedPrice {
        price: price.to_json(livemode),
        plan: price.to_plan_json(livemode),
    });
    tx.rendered_prices.borrow_mut().insert(id.to_owned(), Rc::clone(&rendered));
    Ok(rendered)
}
