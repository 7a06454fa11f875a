//! Creates a subscription.
//!
//! Its first period starts now, as a trial or with a charge. Its items store the features that
//! their products have now. The rules for items, trials and cancellation are shared with
//! [`update`](super::update).
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/create>.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::{
            save::{save, snapshot_features},
            transitions,
        },
        error::Error,
        objects::{
            calendar::{BillingCycle, SECONDS_PER_DAY},
            charge::ChargeResult,
            price::Price,
            product::Product,
            status::Status,
            subscription::{
                self, BillingTerms, CancellationDetails, CancellationReason, MAX_SUBSCRIPTIONS,
                MissingPaymentMethod, Period, Subscription, SubscriptionItem,
            },
        },
        repository::Entity as _,
        tx::Tx,
    },
    id::{Timestamp, Utc},
    metadata::{Metadata, MetadataPatch},
};

/// The most items of one subscription, as at Stripe.
pub(crate) const MAX_ITEMS: usize = 20;

/// The longest trial, in days, as at Stripe: two years.
pub(crate) const MAX_TRIAL_DAYS: u64 = 730;

/// A new subscription.
#[derive(Debug)]
pub(crate) struct NewSubscription {
    pub(crate) customer: String,
    pub(crate) items: Vec<NewSubscriptionItem>,
    pub(crate) trial: Trial,
    pub(crate) billing_cycle_anchor: Option<Timestamp>,
    pub(crate) cancel_at: Option<CancelAt>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) payment_method: Option<String>,
    pub(crate) payment_behavior: PaymentBehavior,
    pub(crate) missing_payment_method: MissingPaymentMethod,
    pub(crate) metadata: MetadataPatch,
    pub(crate) passthrough: Map<String, Value>,
}

/// A new item.
#[derive(Debug)]
pub(crate) struct NewSubscriptionItem {
    /// The parameter with its price: `items[0][price]`.
    pub(crate) price_param: String,
    pub(crate) price: String,
    pub(crate) quantity: Option<u64>,
    pub(crate) metadata: MetadataPatch,
}

/// When a subscription is to be canceled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CancelAt {
    Time(Timestamp),
    /// When the period of the first item ends.
    MinPeriodEnd,
    /// When the period of the last item ends.
    MaxPeriodEnd,
}

/// The trial of a new subscription.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Trial {
    #[default]
    None,
    /// As many days as the price has.
    FromPrice,
    Days(u32),
    Until(Timestamp),
}

/// Stripe's `payment_behavior`: the effect of the first charge.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::enum_variant_names, reason = "these are the names of Stripe's values")]
pub(crate) enum PaymentBehavior {
    /// If it is declined, the subscription is incomplete.
    #[default]
    AllowIncomplete,
    /// The subscription is incomplete until it is paid.
    DefaultIncomplete,
    /// If it is declined, the request fails.
    ErrorIfIncomplete,
}

pub(crate) fn create(tx: &Tx<'_>, new: NewSubscription) -> Result<Subscription, Error> {
    let (customer, now) = transitions::load_current_customer(tx, &new.customer, "customer")?;
    if subscription::list_live(tx, &customer.id)?.len() >= MAX_SUBSCRIPTIONS {
        return Err(Error::InvalidState(format!(
            "The customer '{}' has reached the maximum of {MAX_SUBSCRIPTIONS} subscriptions.",
            customer.id
        )));
    }
    let mut items = Vec::with_capacity(new.items.len());
    let mut prices = Vec::with_capacity(new.items.len());
    for item in new.items {
        let (item, price) = new_item(tx, item, now)?;
        items.push(item);
        prices.push(price);
    }
    let terms = common_terms(&prices)?;
    let trial = resolve_trial_end(new.trial, &prices, now)?;
    let anchor = resolve_anchor(new.billing_cycle_anchor, trial, &items, now)?;
    let method = new.payment_method.filter(|method| !method.is_empty());
    let mut subscription = Subscription {
        id: tx.new_id("sub_1", 23),
        created: now,
        customer: customer.id,
        test_clock: customer.test_clock,
        status: Status::Trialing,
        items,
        billing_terms: terms,
        billing_cycle_anchor: anchor,
        period: Period { start: now, end: trial.unwrap_or(now) },
        trial: trial.map(|end| Period { start: now, end }),
        announced_trial_end: None,
        missing_payment_method: new.missing_payment_method,
        cancel_at: None,
        cancel_at_period_end: new.cancel_at_period_end,
        canceled_at: None,
        ended_at: None,
        payment_method: method,
        failing_since: None,
        pause: None,
        pending_resume: None,
        pause_collection: None,
        cancellation_details: CancellationDetails::default(),
        metadata: Metadata::default().apply(new.metadata)?,
        passthrough: new.passthrough,
    };
    validate_collection(&mut subscription)?;
    if trial.is_none() {
        subscription.begin_period(now);
        let charge = subscription.try_charge(customer.payment_method.as_deref());
        let is_declined = charge == ChargeResult::Declined;
        let awaits_payment = !subscription.billing_terms.free && !subscription.sends_invoices();
        subscription.status = match new.payment_behavior {
            PaymentBehavior::ErrorIfIncomplete if is_declined => return Err(Error::CardDeclined),
            PaymentBehavior::DefaultIncomplete if awaits_payment => Status::Incomplete,
            _ if is_declined => Status::Incomplete,
            _ => Status::Active,
        };
    }
    schedule_cancellation(&mut subscription, new.cancel_at, new.cancel_at_period_end, now)?;
    if subscription.status != Status::Incomplete {
        snapshot_features(tx, &mut subscription.items)?;
    }
    save(tx, None, subscription, now)
}

/// A new item of a price that can be bought.
pub(crate) fn new_item(
    tx: &Tx<'_>,
    new: NewSubscriptionItem,
    now: Timestamp,
) -> Result<(SubscriptionItem, Price), Error> {
    let param = new.price_param;
    let price = load_active_price(tx, &new.price, &param)?;
    let item = SubscriptionItem {
        id: tx.new_id("si_", 14),
        created: now,
        price: price.id.clone(),
        product: price.product.clone(),
        cycle: billing_cycle(&price, &param)?,
        quantity: effective_quantity(&price, new.quantity),
        metadata: Metadata::default().apply(new.metadata)?,
        features: Vec::new(),
    };
    Ok((item, price))
}

/// Loads a price that can be bought: it and its product are active, and it is recurring.
pub(crate) fn load_active_price(tx: &Tx<'_>, id: &str, param: &str) -> Result<Price, Error> {
    let price: Price = tx.load(id, param)?;
    if !price.active {
        return Err(Error::invalid_parameter(
            param,
            "The price specified is inactive. This field only accepts active prices.",
        ));
    }
    billing_cycle(&price, param)?;
    let product: Product = tx.load(&price.product, param)?;
    if !product.active {
        return Err(Error::invalid_parameter(
            param,
            format!(
                "Price `{}` is not available to be purchased because its product is not active. To \
                 sell it, set `active` of the product '{}' to true.",
                price.id, product.id
            ),
        ));
    }
    Ok(price)
}

/// How often a price is billed.
pub(crate) fn billing_cycle(price: &Price, param: &str) -> Result<BillingCycle, Error> {
    let recurring = price.recurring.as_ref().map(|recurring| recurring.billing_cycle);
    recurring.ok_or_else(|| {
        Error::invalid_parameter(
            param,
            "The price specified is set to `type=one_time` but this field only accepts prices \
             with `type=recurring`.",
        )
    })
}

/// The quantity of an item: one by default, `None` for a metered price.
pub(crate) fn effective_quantity(price: &Price, requested: Option<u64>) -> Option<u64> {
    let is_metered =
        price.recurring.as_ref().is_some_and(|recurring| recurring.usage_type == "metered");
    if is_metered { None } else { Some(requested.unwrap_or(1)) }
}

/// What all prices of a subscription must have in common.
pub(crate) fn common_terms(prices: &[Price]) -> Result<BillingTerms, Error> {
    let Some(first) = prices.first() else {
        return Err(Error::invalid_parameter(
            "items",
            "A subscription has at least one item. To end a subscription, cancel it.",
        ));
    };
    if prices.len() > MAX_ITEMS {
        let message = format!("A subscription can have up to {MAX_ITEMS} items.");
        return Err(Error::invalid_parameter("items", message));
    }
    if prices.iter().any(|price| price.currency != first.currency) {
        let message = "All prices on a subscription must use the same currency.";
        return Err(Error::invalid_parameter("items", message));
    }
    let mut seen = HashSet::new();
    if !prices.iter().all(|price| seen.insert(price.id())) {
        return Err(Error::invalid_parameter(
            "items",
            "Two items have the same price. Give one item a quantity instead.",
        ));
    }
    let free = prices.iter().all(|price| price.unit_amount == Some(0));
    Ok(BillingTerms { currency: first.currency.clone(), free })
}

/// Checks that invoices have a due date, and removes the one of a subscription without invoices.
pub(crate) fn validate_collection(subscription: &mut Subscription) -> Result<(), Error> {
    if !subscription.sends_invoices() {
        if let Some(days) = subscription.passthrough.get_mut("days_until_due") {
            *days = Value::Null;
        }
        return Ok(());
    }
    match subscription.passthrough.get("days_until_due") {
        None | Some(Value::Null) => Err(Error::MissingParameter { param: "days_until_due" }),
        Some(_) => Ok(()),
    }
}

/// The end of the trial, if there is one.
fn resolve_trial_end(
    trial: Trial,
    prices: &[Price],
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let days = |days: u32| now.saturating_add(i64::from(days).saturating_mul(SECONDS_PER_DAY));
    match trial {
        Trial::None | Trial::Days(0) => Ok(None),
        Trial::Days(count) => Ok(Some(days(count))),
        Trial::FromPrice => {
            let trial_days =
                prices.iter().filter_map(|price| price.recurring.as_ref()?.trial_period_days);
            Ok(trial_days.max().filter(|count| *count > 0).map(days))
        }
        Trial::Until(end) => validate_trial_end(end, now).map(Some),
    }
}

/// Checks the end of a trial that a request sets.
pub(crate) fn validate_trial_end(end: Timestamp, now: Timestamp) -> Result<Timestamp, Error> {
    let max_seconds =
        i64::try_from(MAX_TRIAL_DAYS).unwrap_or(i64::MAX).saturating_mul(SECONDS_PER_DAY);
    if end <= now {
        return Err(Error::invalid_parameter(
            "trial_end",
            format!(
                "`trial_end` must be in the future, or `now`; it is {}, and now is {}.",
                Utc(end),
                Utc(now)
            ),
        ));
    }
    if end.seconds_since(now) > max_seconds {
        let message = format!("`trial_end` can be at most {MAX_TRIAL_DAYS} days from now.");
        return Err(Error::invalid_parameter("trial_end", message));
    }
    Ok(end)
}

/// The time from which periods are counted.
fn resolve_anchor(
    requested: Option<Timestamp>,
    trial: Option<Timestamp>,
    items: &[SubscriptionItem],
    now: Timestamp,
) -> Result<Timestamp, Error> {
    let natural = trial.unwrap_or(now);
    let Some(requested) = requested else { return Ok(natural) };
    let next = items.iter().map(|item| item.cycle.next_after(natural, natural));
    let latest = next.min().unwrap_or(natural);
    if requested < natural || requested <= now || requested > latest {
        return Err(Error::invalid_parameter(
            "billing_cycle_anchor",
            format!(
                "`billing_cycle_anchor` must be in the future, not before the end of the trial, and \
                 not after the next natural billing date, {latest}."
            ),
        ));
    }
    Ok(requested)
}

/// Sets or removes the scheduled cancellation.
pub(crate) fn schedule_cancellation(
    subscription: &mut Subscription,
    cancel_at: Option<CancelAt>,
    at_period_end: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let cancel_at = cancel_at.map(|at| match at {
        CancelAt::Time(at) => at,
        CancelAt::MinPeriodEnd => subscription.period.end,
        CancelAt::MaxPeriodEnd => subscription.last_period_end(),
    });
    if at_period_end && cancel_at.is_some() {
        return Err(Error::invalid_parameter(
            "cancel_at",
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
        ));
    }
    if let Some(at) = cancel_at.filter(|at| *at <= now) {
        return Err(Error::invalid_parameter(
            "cancel_at",
            format!(
                "`cancel_at` must be in the future; it is {}, and now is {}.",
                Utc(at),
                Utc(now)
            ),
        ));
    }
    if at_period_end && subscription.period.end <= now {
        return Err(Error::invalid_parameter(
            "cancel_at_period_end",
            "The subscription is paused, and its period is over: cancel it now, or give `cancel_at`.",
        ));
    }
    let end = if at_period_end { Some(subscription.period.end) } else { cancel_at };
    subscription.cancel_at_period_end = at_period_end;
    subscription.cancel_at = end;
    subscription.canceled_at = end.map(|_| now);
    subscription.cancellation_details.reason =
        end.map(|_| CancellationReason::CancellationRequested);
    Ok(())
}
