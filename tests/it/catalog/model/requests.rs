//! What each request does to the reference model, or the status of the response that rejects it.
//!
//! Updates of subscriptions are in [`super::updates`]. What time does is in [`super::reference`].

use std::collections::BTreeSet;

use super::{
    reference::{Clock, ClockState, Customer, Price, ReferenceModel},
    steps::{NewSubscription, ResumeParams, SubscriptionAction},
    subscription::{
        CancellationReason, ErrorStatus, Item, PauseReason, PaymentBehavior, PaymentMethod, Status,
        Subscription,
    },
};
use crate::catalog::fixture::DAY;

/// How long a clock exists, outside of all test clocks.
const CLOCK_RETENTION: i64 = 30 * DAY;

pub(super) fn create_feature(model: &mut ReferenceModel, key: &str) -> Result<(), ErrorStatus> {
    if model.features.iter().flatten().any(|used| used == key) {
        return Err(400);
    }
    model.features.push(Some(key.to_owned()));
    Ok(())
}

pub(super) fn archive_feature(
    model: &mut ReferenceModel,
    feature: usize,
) -> Result<(), ErrorStatus> {
    model.features[feature].take().map(drop).ok_or(400)
}

pub(super) fn attach(
    model: &mut ReferenceModel,
    product: usize,
    feature: usize,
) -> Result<(), ErrorStatus> {
    let is_archived = model.features[feature].is_none();
    if is_archived || !model.products[product].features.insert(feature) { Err(400) } else { Ok(()) }
}

pub(super) fn set_default_price(
    model: &mut ReferenceModel,
    price: usize,
) -> Result<(), ErrorStatus> {
    let Price { product, is_active, .. } = model.prices[price];
    if !is_active {
        return Err(400);
    }
    model.products[product].default_price = Some(price);
    Ok(())
}

pub(super) fn deactivate_price(
    model: &mut ReferenceModel,
    price: usize,
) -> Result<(), ErrorStatus> {
    if model.products[model.prices[price].product].default_price == Some(price) {
        return Err(400);
    }
    model.prices[price].is_active = false;
    Ok(())
}

/// Copies the features of a product to the items of its subscriptions.
pub(super) fn apply_features(model: &mut ReferenceModel, product: usize) {
    let features = model.products[product].features.clone();
    for index in 0..model.subscriptions.len() {
        let sells = |item: &Item| model.prices[item.price].product == product;
        if !model.subscriptions[index].items.iter().any(sells) {
            continue;
        }
        let subscription = &model.subscriptions[index];
        if model.customers[subscription.customer].clock.is_none() {
            for state in model.due_states(subscription, model.now) {
                model.save_unrequested(index, state);
            }
        }
        let mut subscription = model.subscriptions[index].clone();
        if subscription.status == Status::Incomplete || subscription.status.is_ended() {
            continue;
        }
        for item in &mut subscription.items {
            if model.prices[item.price].product == product {
                item.features.clone_from(&features);
            }
        }
        model.save(index, subscription);
    }
}

pub(super) fn create_clock(model: &mut ReferenceModel) {
    let (time, expires_at) = (model.now, model.now + CLOCK_RETENTION);
    model.clocks.push(Clock { time, state: ClockState::Ready, expires_at });
}

pub(super) fn advance_clock(
    model: &mut ReferenceModel,
    clock: usize,
    by: i64,
) -> Result<(), ErrorStatus> {
    let clock = &mut model.clocks[clock];
    match clock.state {
        ClockState::Deleting | ClockState::Deleted => Err(404),
        ClockState::Ready if by > 0 => {
            clock.state = ClockState::Advancing(clock.time + by);
            Ok(())
        }
        ClockState::Ready | ClockState::Advancing(_) => Err(400),
    }
}

pub(super) fn delete_clock(model: &mut ReferenceModel, clock: usize) -> Result<(), ErrorStatus> {
    let state = &mut model.clocks[clock].state;
    if matches!(state, ClockState::Deleting | ClockState::Deleted) {
        return Err(404);
    }
    *state = ClockState::Deleting;
    Ok(())
}

pub(super) fn create_customer(
    model: &mut ReferenceModel,
    clock: Option<usize>,
    payment_method: PaymentMethod,
) -> Result<(), ErrorStatus> {
    if clock.is_some_and(|clock| model.clocks[clock].state != ClockState::Ready) {
        return Err(400);
    }
    let entitlements = BTreeSet::new();
    model.customers.push(Customer { clock, payment_method, is_deleted: false, entitlements });
    Ok(())
}

/// Replaces the payment method of a customer. A valid one retries the payments that are due.
pub(super) fn set_payment_method(
    model: &mut ReferenceModel,
    customer: usize,
    method: PaymentMethod,
) -> Result<(), ErrorStatus> {
    if model.customers[customer].is_deleted {
        return Err(404);
    }
    let now = model.time_of(customer)?;
    model.apply_due(customer);
    model.customers[customer].payment_method = method;
    for index in model.subscriptions_of(customer).collect::<Vec<_>>() {
        let mut subscription = model.subscriptions[index].clone();
        if subscription.payment_method == PaymentMethod::None && method == PaymentMethod::Valid {
            retry_payment(model, &mut subscription, now);
            model.save(index, subscription);
        }
    }
    Ok(())
}

/// Pays what is due, if the payment method is valid.
pub(super) fn retry_payment(model: &ReferenceModel, subscription: &mut Subscription, now: i64) {
    let is_due = subscription.is_payment_due(now);
    if is_due && model.charged_method(subscription) == PaymentMethod::Valid {
        mark_paid(model, subscription, now);
    }
}

/// Activates a subscription. A first payment takes a snapshot of the features, and so does the payment
/// of a resume.
pub(super) fn mark_paid(model: &ReferenceModel, subscription: &mut Subscription, now: i64) {
    if let Some((_, resets_cycle)) = subscription.pending_resume {
        end_pause(model, subscription, resets_cycle, PaymentMethod::Valid, now);
        return;
    }
    if subscription.status == Status::Incomplete {
        model.snapshot_features(subscription);
    }
    subscription.set_status(Status::Active);
}

pub(super) fn delete_customer(
    model: &mut ReferenceModel,
    customer: usize,
) -> Result<(), ErrorStatus> {
    if model.customers[customer].is_deleted {
        return Err(404);
    }
    let now = model.time_of(customer)?;
    model.apply_due(customer);
    for (index, canceled) in model.delete_customer(customer, now) {
        model.save(index, canceled);
    }
    Ok(())
}

/// A subscription has at least one item, and the prices of its items differ.
pub(super) fn validate_items(items: &[Item]) -> Result<(), ErrorStatus> {
    let prices: BTreeSet<_> = items.iter().map(|item| item.price).collect();
    if !items.is_empty() && prices.len() == items.len() { Ok(()) } else { Err(400) }
}

pub(super) fn new_item(model: &ReferenceModel, price: usize) -> Result<Item, ErrorStatus> {
    let Price { product, is_active, .. } = model.prices[price];
    if !is_active || !model.products[product].is_active {
        return Err(400);
    }
    let period_len = model.prices[price].period_len;
    Ok(Item { price, period_len, features: model.features_of(price) })
}

pub(super) fn create_subscription(
    model: &mut ReferenceModel,
    params: &NewSubscription,
) -> Result<(), ErrorStatus> {
    let customer = params.customer;
    if model.customers[customer].is_deleted {
        return Err(400);
    }
    let now = model.time_of(customer)?;
    let items = params.prices.iter().map(|price| new_item(model, *price));
    let items: Vec<_> = items.collect::<Result<_, _>>()?;
    validate_items(&items)?;
    let period_len = items.iter().map(|item| item.period_len).min().unwrap();
    let trial = (params.trial_days > 0).then_some((now, now + params.trial_days * DAY));
    let first_end = trial.map_or(now, |(_, end)| end);
    let anchor = params.anchor_in.map_or(first_end, |seconds| now + seconds);
    if params.anchor_in.is_some_and(|seconds| seconds <= 0)
        || anchor < first_end
        || anchor > first_end + period_len
    {
        return Err(400);
    }
    let mut subscription = Subscription {
        customer,
        status: Status::Trialing,
        items,
        created: now,
        billing_cycle_anchor: anchor,
        period_start: now,
        period_end: first_end,
        trial,
        announced_trial_end: None,
        trial_notices: 0,
        missing_method: params.missing_method,
        cancel_at: None,
        cancel_at_period_end: false,
        canceled_at: None,
        reason: None,
        ended_at: None,
        payment_method: params.payment_method,
        sends_invoices: params.sends_invoices,
        past_due_since: None,
        collection_resumes_at: None,
        pause: None,
        pending_resume: None,
    };
    if trial.is_none() {
        subscription.start_period(now);
        subscription.status = first_status(model, &subscription, params.payment_behavior)?;
    }
    if params.cancel_at_period_end && params.cancel_in.is_some() {
        return Err(400);
    }
    subscription.schedule_cancellation(params.cancel_at_period_end, params.cancel_in, now)?;
    subscription.announce_trial_end(None, now);
    model.apply_due(customer);
    model.changed_subscriptions.insert(model.subscriptions.len());
    model.subscriptions.push(subscription);
    model.recompute(customer);
    Ok(())
}

/// The status of a subscription after its first charge.
fn first_status(
    model: &ReferenceModel,
    subscription: &Subscription,
    behavior: PaymentBehavior,
) -> Result<Status, ErrorStatus> {
    use PaymentBehavior::{AllowIncomplete, DefaultIncomplete, ErrorIfIncomplete};
    let is_charged = !subscription.sends_invoices && !model.is_free(subscription);
    match (behavior, model.charged_method(subscription)) {
        (ErrorIfIncomplete, PaymentMethod::Declined) => Err(402),
        (AllowIncomplete | DefaultIncomplete, PaymentMethod::Declined) => Ok(Status::Incomplete),
        (DefaultIncomplete, _) if is_charged => Ok(Status::Incomplete),
        (_, PaymentMethod::Valid | PaymentMethod::None) => Ok(Status::Active),
    }
}

/// Runs the due transitions of a subscription, and then changes it. A rejected change stores nothing.
pub(super) fn change_subscription(
    model: &mut ReferenceModel,
    index: usize,
    change: impl FnOnce(&ReferenceModel, &mut Subscription, i64) -> Result<(), ErrorStatus>,
) -> Result<(), ErrorStatus> {
    let stored = &model.subscriptions[index];
    if stored.status.is_ended() {
        return Err(400);
    }
    let now = model.time_of(stored.customer)?;
    let states = model.due_states(stored, now);
    let mut current = states.last().unwrap_or(stored).clone();
    if current.status.is_ended() {
        return Err(400);
    }
    let before = current.clone();
    change(model, &mut current, now)?;
    current.announce_trial_end(Some(&before), now);
    for state in states {
        model.save_unrequested(index, state);
    }
    model.save(index, current);
    Ok(())
}

pub(super) fn act(
    model: &mut ReferenceModel,
    index: usize,
    action: &SubscriptionAction,
) -> Result<(), ErrorStatus> {
    match *action {
        SubscriptionAction::Cancel => cancel(model, index),
        SubscriptionAction::Pause => change_subscription(model, index, |_, subscription, now| {
            let status = subscription.status;
            let can_pause = matches!(status, Status::Active | Status::PastDue | Status::Unpaid);
            if !can_pause || subscription.sends_invoices {
                return Err(400);
            }
            subscription.pause(PauseReason::Requested, now);
            Ok(())
        }),
        SubscriptionAction::Resume(params) => {
            change_subscription(model, index, |model, subscription, now| {
                resume(model, subscription, params, now)
            })
        }
    }
}

fn resume(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    params: ResumeParams,
    now: i64,
) -> Result<(), ErrorStatus> {
    if subscription.status != Status::Paused || subscription.sends_invoices {
        return Err(400);
    }
    let method = model.charged_method(subscription);
    if params.requires_payment {
        if model.lacks_method(subscription) {
            return Err(400);
        }
        if method == PaymentMethod::Declined {
            subscription.pending_resume = Some((now, params.resets_cycle));
            return Ok(());
        }
    }
    end_pause(model, subscription, params.resets_cycle, method, now);
    Ok(())
}

/// Ends a pause with the result of a charge.
fn end_pause(
    model: &ReferenceModel,
    subscription: &mut Subscription,
    resets_cycle: bool,
    method: PaymentMethod,
    now: i64,
) {
    if resets_cycle {
        subscription.reset_cycle(now);
    }
    while subscription.period_end <= now {
        subscription.start_period(subscription.period_end);
    }
    subscription.apply_charge(method, now);
    model.snapshot_features(subscription);
}

fn cancel(model: &mut ReferenceModel, index: usize) -> Result<(), ErrorStatus> {
    let stored = &model.subscriptions[index];
    let is_ended = |it: &Subscription| it.status.is_ended();
    if is_ended(stored)
        || model.due_states(stored, model.time_of(stored.customer)?).last().is_some_and(is_ended)
    {
        return Err(404);
    }
    change_subscription(model, index, |_, subscription, now| {
        subscription.cancel(now, CancellationReason::Requested);
        Ok(())
    })
}
