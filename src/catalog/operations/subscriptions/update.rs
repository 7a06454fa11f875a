//! What requests change about a subscription that is there.
//!
//! <https://docs.stripe.com/api/subscriptions/update>. An item whose price is another one takes what
//! its product has now, at once; the others keep what they were granted until the next period.

use serde_json::{Map, Value};

use crate::{
    catalog::{
        engine::{
            payments::{self, ReportedPayment},
            save::{save, snapshot_features},
            transitions,
        },
        error::Error,
        objects::{
            event::EventType,
            metadata,
            price::Price,
            status::Status,
            subscription::{
                CancellationDetails, MissingPaymentMethod, PauseCollection, Period, Subscription,
            },
        },
        operations::subscriptions::create::{self, NewSubscriptionItem},
        tx::Tx,
    },
    id::Timestamp,
};

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionUpdate {
    pub(crate) items: Vec<ItemUpdate>,
    pub(crate) trial_end: Option<When>,
    pub(crate) reset_cycle: bool,
    pub(crate) cancel_at: Option<Patch<Timestamp>>,
    pub(crate) cancel_at_period_end: Option<bool>,
    pub(crate) payment_method: Option<String>,
    pub(crate) missing_payment_method: Option<MissingPaymentMethod>,
    pub(crate) pause_collection: Option<Patch<PauseCollection>>,
    pub(crate) reported_payment: Option<ReportedPayment>,
    pub(crate) metadata: metadata::MetadataPatch,
    pub(crate) cancellation_details: Option<CancellationDetails>,
    pub(crate) passthrough: Map<String, Value>,
}

/// What a member is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patch<T> {
    Set(T),
    Clear,
}

impl<T> Patch<T> {
    fn into_option(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Clear => None,
        }
    }
}

/// A moment, or the present one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    Now,
    At(Timestamp),
}

/// What a request does to the items.
#[derive(Debug)]
pub(crate) enum ItemUpdate {
    Add(NewSubscriptionItem),
    Modify {
        param: String,
        id: String,
        price: Option<String>,
        quantity: Option<u64>,
        metadata: metadata::MetadataPatch,
    },
    Remove {
        param: String,
        id: String,
    },
}

pub(crate) fn update(
    tx: &Tx<'_>,
    id: &str,
    update: SubscriptionUpdate,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    let only_notes = update.items.is_empty()
        && update.trial_end.is_none()
        && !update.reset_cycle
        && update.cancel_at.is_none()
        && update.cancel_at_period_end.is_none()
        && update.payment_method.is_none()
        && update.pause_collection.is_none()
        && update.missing_payment_method.is_none()
        && update.passthrough.is_empty()
        && update.reported_payment.is_none();
    if before.status.is_final() && !only_notes {
        return Err(Error::InvalidState(
            "A canceled subscription can only update its cancellation_details and metadata."
                .to_owned(),
        ));
    }
    let mut after = before.clone();
    after.metadata = before.metadata.apply(update.metadata)?;
    after.passthrough.extend(update.passthrough);
    after.set_cancellation_details(update.cancellation_details);
    after.missing_payment_method =
        update.missing_payment_method.unwrap_or(before.missing_payment_method);
    let pays_anew = update.payment_method.is_some();
    if let Some(method) = update.payment_method {
        after.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    if let Some(pause) = update.pause_collection {
        after.pause_collection = pause.into_option();
    }
    update_items(tx, &mut after, update.items, now)?;
    let on_trial = after.status == Status::Trialing;
    if update.reset_cycle && on_trial && update.trial_end != Some(When::Now) {
        return Err(Error::invalid_parameter(
            "billing_cycle_anchor",
            "The billing cycle of a subscription on trial begins when the trial ends. To end it now, \
             send trial_end=now.",
        ));
    }
    if !on_trial && (after.billing_terms.cycle != before.billing_terms.cycle || update.reset_cycle)
    {
        after.reset_cycle(now);
        snapshot_features(tx, &mut after.items)?;
    }
    if let Some(end) = update.trial_end {
        update_trial(tx, &mut after, end, now)?;
    }
    if update.cancel_at.is_some() || update.cancel_at_period_end.is_some() {
        let at = update.cancel_at.and_then(Patch::into_option);
        create::schedule_cancellation(
            &mut after,
            at,
            update.cancel_at_period_end.unwrap_or(false),
            now,
        )?;
    }
    if pays_anew {
        payments::retry_payment(tx, &mut after, now)?;
    }
    if let Some(told) = update.reported_payment {
        payments::apply_reported_payment(tx, &mut after, told, now)?;
    }
    save(tx, Some(&before), &after, EventType::SubscriptionUpdated, now)?;
    Ok(after)
}

fn update_items(
    tx: &Tx<'_>,
    after: &mut Subscription,
    changes: Vec<ItemUpdate>,
    now: Timestamp,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    if after.status == Status::Incomplete {
        return Err(Error::InvalidState(
            "The items of an incomplete subscription cannot be changed before it is paid."
                .to_owned(),
        ));
    }
    for change in changes {
        match change {
            ItemUpdate::Add(new) => {
                let (mut item, _) = create::new_item(tx, new, now)?;
                snapshot_features(tx, std::slice::from_mut(&mut item))?;
                after.items.push(item);
            }
            ItemUpdate::Modify { param, id, price, quantity, metadata } => {
                let found = after.items.iter_mut().find(|item| item.id == id);
                let item = found.ok_or_else(|| item_not_found(&id, &param))?;
                item.metadata = item.metadata.apply(metadata)?;
                match price.filter(|price| *price != item.price) {
                    None => {
                        let price: Price = tx.load(&item.price, "price")?;
                        item.quantity =
                            create::effective_quantity(&price, quantity.or(item.quantity));
                    }
                    Some(price) => {
                        let price =
                            create::load_active_price(tx, &price, &format!("{param}[price]"))?;
                        item.quantity =
                            create::effective_quantity(&price, quantity.or(item.quantity));
                        item.price = price.id;
                        item.product = price.product;
                        snapshot_features(tx, std::slice::from_mut(item))?;
                    }
                }
            }
            ItemUpdate::Remove { param, id } => {
                let place = after.items.iter().position(|item| item.id == id);
                after.items.remove(place.ok_or_else(|| item_not_found(&id, &param))?);
            }
        }
    }
    let prices = after.items.iter().map(|item| tx.load(&item.price, "price"));
    let prices: Vec<Price> = prices.collect::<Result<_, _>>()?;
    after.billing_terms = create::common_terms(&prices)?;
    Ok(())
}

fn item_not_found(id: &str, param: &str) -> Error {
    let (id, param) = (id.to_owned(), format!("{param}[id]"));
    Error::NotFound { kind: "subscription item", id, param }
}

/// Ends a trial now, or at another moment; a subscription without one goes on trial.
fn update_trial(
    tx: &Tx<'_>,
    after: &mut Subscription,
    end: When,
    now: Timestamp,
) -> Result<(), Error> {
    match end {
        When::Now if after.status == Status::Trialing => {
            after.trial = after.trial.map(|trial| Period { end: now, ..trial });
            after.reset_cycle(now);
            after.apply_charge(payments::try_charge(tx, after)?, now);
            snapshot_features(tx, &mut after.items)
        }
        When::Now => Ok(()),
        When::At(_) if matches!(after.status, Status::Incomplete | Status::Paused) => {
            let message = "Only an active subscription, or one on trial, can be given a trial.";
            Err(Error::invalid_parameter("trial_end", message))
        }
        When::At(end) => {
            let end = create::validate_trial_end(end, now)?;
            let begun = after.status == Status::Trialing;
            let start = after.trial.filter(|_| begun).map_or(now, |trial| trial.start);
            after.status = Status::Trialing;
            after.trial = Some(Period { start, end });
            after.period = Period { start, end };
            after.billing_cycle_anchor = end;
            after.failing_since = None;
            if after.cancel_at_period_end {
                after.cancel_at = Some(end);
            }
            if begun { Ok(()) } else { snapshot_features(tx, &mut after.items) }
        }
    }
}
