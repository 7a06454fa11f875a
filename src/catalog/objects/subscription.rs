//! A subscription: what a customer has bought, since when and until when.
//!
//! <https://docs.stripe.com/api/subscriptions>. This is the object, the lists that it stands in and
//! how a change of it is kept; what requests do to it is in `purchase` and `amendment`, what time
//! does in `lifecycle`.

use std::{collections::BTreeSet, rc::Rc};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        Error, Tx,
        engine::entitlements::recompute,
        objects::{
            calendar::BillingCycle,
            event::{self, EventType},
            metadata::Metadata,
            price::Price,
            status::Status,
        },
        repository::Entity,
        storage::IndexEntry,
    },
    id::Timestamp,
    json::impl_from_json,
};

/// The members that are about money, as they are where none moves.
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

/// A subscription.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) customer: String,
    /// The test clock that it lives by.
    pub(crate) test_clock: Option<String>,
    pub(crate) status: Status,
    pub(crate) items: Vec<SubscriptionItem>,
    pub(crate) billing_terms: BillingTerms,
    /// The moment that its periods are counted from.
    pub(crate) billing_cycle_anchor: Timestamp,
    pub(crate) period: Period,
    pub(crate) trial: Option<Period>,
    pub(crate) missing_payment_method: MissingPaymentMethod,
    pub(crate) cancel_at: Option<Timestamp>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) canceled_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) payment_method: Option<String>,
    /// Since when payments have been failing.
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) pause_collection: Option<PauseCollection>,
    pub(crate) cancellation_details: CancellationDetails,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) passthrough: Map<String, Value>,
}

impl_from_json! {
    struct Subscription {
        id, created, customer, test_clock, status, items, billing_terms, billing_cycle_anchor, period, trial, missing_payment_method,
        cancel_at, cancel_at_period_end, canceled_at, ended_at, payment_method, failing_since,
        pause_collection, cancellation_details, metadata, passthrough,
    }
}

/// Why it was canceled, or will be.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct CancellationDetails {
    pub(crate) comment: Option<String>,
    pub(crate) feedback: Option<String>,
    pub(crate) feedback_option: Option<String>,
    pub(crate) reason: Option<CancellationReason>,
}

impl_from_json! { struct CancellationDetails { comment, feedback, feedback_option, reason } }

/// The cause of a cancellation that Stripe tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancellationReason {
    CancellationRequested,
    PaymentFailed,
}

impl_from_json! {
    enum CancellationReason {
        CancellationRequested = "cancellation_requested", PaymentFailed = "payment_failed",
    }
}

/// What all its prices have in common.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct BillingTerms {
    pub(crate) currency: String,
    pub(crate) cycle: BillingCycle,
    /// Whether all of them are nothing, so that there is nothing to charge.
    pub(crate) free: bool,
}

impl_from_json! { struct BillingTerms { currency, cycle, free } }

/// One product in a subscription.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct SubscriptionItem {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) price: String,
    pub(crate) product: String,
    pub(crate) quantity: Option<u64>,
    pub(crate) metadata: Metadata,
    /// The features that the product had when this was last looked at.
    pub(crate) features: Vec<String>,
}

impl_from_json! { struct SubscriptionItem { id, created, price, product, quantity, metadata, features } }

/// From a moment until just before another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Period {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl_from_json! { struct Period { start, end } }

/// What the end of a trial does when nothing is known to pay with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MissingPaymentMethod {
    Cancel,
    #[default]
    CreateInvoice,
    Pause,
}

impl_from_json! {
    enum MissingPaymentMethod {
        Cancel = "cancel", CreateInvoice = "create_invoice", Pause = "pause",
    }
}

/// That invoices are not collected for a while. It changes no status.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct PauseCollection {
    pub(crate) behavior: String,
    pub(crate) resumes_at: Option<Timestamp>,
}

impl_from_json! { struct PauseCollection { behavior, resumes_at } }

/// Which of a customer's subscriptions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Liveness {
    Any,
    /// Those that are not over.
    Live,
}

/// A price as a subscription shows it: itself, and in the form that it had before there were prices.
#[derive(Debug)]
pub(crate) struct RenderedPrice {
    price: Value,
    plan: Value,
}

/// The list of a customer's subscriptions.
pub(crate) fn customer_index(customer: &str, group: Liveness) -> String {
    let live = if group == Liveness::Live { " live" } else { "" };
    format!("subscriptions customer={customer}{live}")
}

/// The list of the subscriptions with a price, on a test clock or on none.
pub(crate) fn price_index(price: &str, clock: Option<&str>) -> String {
    format!("subscriptions price={price} clock={}", clock.unwrap_or_default())
}

/// The list of the subscriptions with a product that are not over.
pub(crate) fn product_index(product: &str) -> String {
    format!("subscriptions product={product}")
}

/// The list of the subscriptions on a test clock, or on none; of one status, or of all.
pub(crate) fn clock_index(clock: Option<&str>, status: Option<Status>) -> String {
    let (clock, status) = (clock.unwrap_or_default(), status.map_or("", Status::as_str));
    format!("subscriptions clock={clock} status={status}")
}

/// The list of the subscriptions of a status, whatever their clock.
pub(crate) fn status_index(status: Status) -> String {
    format!("subscriptions status={}", status.as_str())
}

/// The list of those that time will change, by when; on a test clock, or on none.
pub(crate) fn due_index(clock: Option<&str>) -> String {
    format!("due clock={}", clock.unwrap_or_default())
}

impl Entity for Subscription {
    const TYPE: &'static str = "subscription";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let clock = self.test_clock.as_deref();
        let mut lists = BTreeSet::new();
        lists.extend([
            clock_index(clock, None),
            clock_index(clock, Some(self.status)),
            status_index(self.status),
            customer_index(&self.customer, Liveness::Any),
        ]);
        lists.extend(self.items.iter().map(|item| price_index(&item.price, clock)));
        if !self.status.is_final() {
            lists.insert(customer_index(&self.customer, Liveness::Live));
            lists.extend(self.items.iter().map(|item| product_index(&item.product)));
        }
        let entries = lists.into_iter().map(|list| IndexEntry::new(list, self.created));
        let due = self.next_transition().map(|(at, _)| IndexEntry::new(due_index(clock), at));
        entries.chain(due).collect()
    }
}

impl Subscription {
    /// The features that each of its items grants, if its status does.
    fn features(&self) -> Vec<&[String]> {
        self.items.iter().map(|item| item.features.as_slice()).collect()
    }
}

impl Tx<'_> {
    /// A subscription as Stripe shows it.
    pub(crate) fn subscription_to_json(&self, subscription: &Subscription) -> Result<Value, Error> {
        let livemode = bool::from(self.livemode);
        let Subscription { id, period, .. } = subscription;
        let mut items = Vec::with_capacity(subscription.items.len());
        for item in &subscription.items {
            let shown = self.render_price(&item.price)?;
            items.push(json!({
                "id": item.id,
                "object": "subscription_item",
                "billing_thresholds": null,
                "created": item.created,
                "current_period_end": period.end,
                "current_period_start": period.start,
                "current_trial": null,
                "discounts": [],
                "metadata": item.metadata,
                "plan": shown.plan,
                "price": shown.price,
                "quantity": item.quantity,
                "subscription": id,
                "tax_rates": [],
            }));
        }
        let mut shown = json!({
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
        event::merge_into(
            &mut shown,
            &serde_json::from_slice(BILLING_DEFAULTS.as_bytes()).unwrap_or_default(),
        );
        event::merge_into(&mut shown, &subscription.passthrough);
        Ok(shown)
    }

    fn render_price(&self, id: &str) -> Result<Rc<RenderedPrice>, Error> {
        if let Some(known) = self.rendered_prices.borrow().get(id) {
            return Ok(Rc::clone(known));
        }
        let price: Price = self.load(id, "price")?;
        let livemode = self.livemode;
        let shown = Rc::new(RenderedPrice {
            price: price.to_json(livemode),
            plan: price.to_plan_json(livemode),
        });
        self.rendered_prices.borrow_mut().insert(id.to_owned(), Rc::clone(&shown));
        Ok(shown)
    }

    /// Looks at what the products of these items have now.
    pub(crate) fn snapshot_features(&self, items: &mut [SubscriptionItem]) -> Result<(), Error> {
        for item in items {
            item.features = self.feature_ids_of(&item.product)?;
        }
        Ok(())
    }

    /// Keeps a subscription that is new, or another one than before, with all that follows from it.
    pub(crate) fn save(
        &self,
        before: Option<&Subscription>,
        after: &Subscription,
        kind: EventType,
        at: Timestamp,
    ) -> Result<(), Error> {
        let shown = self.subscription_to_json(after)?;
        match before {
            None => {
                self.insert(after)?;
                self.emit(kind, shown, None)?;
            }
            Some(before) if before == after => return Ok(()),
            Some(before) => {
                self.update(before, after)?;
                match kind {
                    EventType::SubscriptionUpdated => {
                        self.emit_update(kind, &self.subscription_to_json(before)?, shown)?;
                    }
                    kind => self.emit(kind, shown, None)?,
                }
            }
        }
        // Not by what it grants: the policy may be another one than when the set was settled.
        match before {
            Some(before)
                if before.status == after.status && before.features() == after.features() =>
            {
                Ok(())
            }
            _ => recompute(self, &after.customer, at),
        }
    }
}
