//! Updates a subscription.
//!
//! An item with a new price reads its product's current features at once. The other items keep
//! theirs until the next period.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/update>.

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
            calendar::BillingCycle,
            pause::PauseCollection,
            price::Price,
            status::Status,
            subscription::{CancellationDetails, MissingPaymentMethod, Period, Subscription},
        },
        operations::subscriptions::create::{
            self, CancelAt, NewSubscriptionItem, validate_collection,
        },
        tx::Tx,
    },
    id::Timestamp,
    metadata::MetadataPatch,
};

/// A change of a subscription.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionUpdate {
    pub(crate) items: Vec<ItemUpdate>,
    pub(crate) trial_end: Option<When>,
    pub(crate) reset_cycle: bool,
    pub(crate) cancel_at: Option<Patch<CancelAt>>,
    pub(crate) cancel_at_period_end: Option<bool>,
    pub(crate) payment_method: Option<String>,
    pub(crate) missing_payment_method: Option<MissingPaymentMethod>,
    pub(crate) pause_collection: Option<Patch<PauseCollection>>,
    pub(crate) reported_payment: Option<ReportedPayment>,
    pub(crate) metadata: MetadataPatch,
    pub(crate) cancellation_details: Option<CancellationDetails>,
    pub(crate) passthrough: Map<String, Value>,
}

impl SubscriptionUpdate {
    /// Whether it changes nothing but metadata and cancellation details.
    fn is_metadata_only(&self) -> bool {
        self.items.is_empty()
            && self.trial_end.is_none()
            && !self.reset_cycle
            && self.cancel_at.is_none()
            && self.cancel_at_period_end.is_none()
            && self.payment_method.is_none()
            && self.pause_collection.is_none()
            && self.missing_payment_method.is_none()
            && self.passthrough.is_empty()
            && self.reported_payment.is_none()
    }
}

/// A change of an optional member.
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

/// Now, or a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum When {
    Now,
    At(Timestamp),
}

/// A change of an item.
#[derive(Debug)]
pub(crate) enum ItemUpdate {
    Add(NewSubscriptionItem),
    Modify {
        id_param: String,
        id: String,
        price_param: String,
        price: Option<String>,
        quantity: Option<u64>,
        metadata: MetadataPatch,
    },
    Remove {
        id_param: String,
        id: String,
    },
}

pub(crate) fn update(
    tx: &Tx<'_>,
    id: &str,
    update: SubscriptionUpdate,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status.is_final() && !update.is_metadata_only() {
        return Err(Error::InvalidState(
            "A canceled subscription can only update its cancellation_details and metadata."
                .to_owned(),
        ));
    }
    let mut after = before.clone();
    after.metadata = before.metadata.apply(update.metadata)?;
    let collection_changes = update.passthrough.contains_key("collection_method")
        || update.passthrough.contains_key("days_until_due");
    after.passthrough.extend(update.passthrough);
    after.set_cancellation_details(update.cancellation_details);
    after.missing_payment_method =
        update.missing_payment_method.unwrap_or(before.missing_payment_method);
    let retries_payment = update.payment_method.is_some();
    if let Some(method) = update.payment_method {
        after.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    if let Some(pause) = update.pause_collection {
        after.pause_collection = pause.into_option();
    }
    update_items(tx, &mut after, update.items, now)?;
    if collection_changes {
        validate_collection(&mut after)?;
    }
    let is_trialing = after.status == Status::Trialing;
    if update.reset_cycle && is_trialing && update.trial_end != Some(When::Now) {
        return Err(Error::invalid_parameter(
            "billing_cycle_anchor",
            "The billing cycle of a subscription on trial begins when the trial ends. To end it now, \
             send trial_end=now.",
        ));
    }
    let (cycles, previous_cycles) = (cycles_of(&after), cycles_of(&before));
    match (cycles.as_slice(), previous_cycles.as_slice()) {
        _ if is_trialing => {}
        // One billing cycle replaces another one: it begins now.
        ([cycle], [previous]) if cycle != previous || update.reset_cycle => {
            reset_cycle(tx, &mut after, now)?;
        }
        _ if update.reset_cycle => reset_cycle(tx, &mut after, now)?,
        _ if cycles != previous_cycles => after.align_period(now),
        _ => {}
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
    if let Some(end) = update.trial_end {
        update_trial(tx, &mut after, end, now)?;
    }
    if retries_payment {
        payments::retry_payment(tx, &mut after, now)?;
    }
    if let Some(reported) = update.reported_payment {
        payments::apply_reported_payment(tx, &mut after, reported, now)?;
    }
    save(tx, Some(&before), after, now)
}

fn reset_cycle(tx: &Tx<'_>, after: &mut Subscription, now: Timestamp) -> Result<(), Error> {
    after.reset_cycle(now);
    snapshot_features(tx, &mut after.items)
}

/// The billing cycles of the items, each once.
fn cycles_of(subscription: &Subscription) -> Vec<BillingCycle> {
    let mut cycles: Vec<BillingCycle> = Vec::new();
    for item in &subscription.items {
        if !cycles.contains(&item.cycle) {
            cycles.push(item.cycle);
        }
    }
    cycles
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
            ItemUpdate::Modify { id_param, id, price_param, price, quantity, metadata } => {
                let found = after.items.iter_mut().find(|item| item.id == id);
                let item = found.ok_or_else(|| item_not_found(&id, &id_param))?;
                item.metadata = item.metadata.apply(metadata)?;
                match price.filter(|price| *price != item.price) {
                    None => {
                        let price: Price = tx.load(&item.price, "price")?;
                        item.quantity =
                            create::effective_quantity(&price, quantity.or(item.quantity));
                    }
                    Some(price) => {
                        let price = create::load_active_price(tx, &price, &price_param)?;
                        item.cycle = create::billing_cycle(&price, &price_param)?;
                        item.quantity =
                            create::effective_quantity(&price, quantity.or(item.quantity));
                        item.price = price.id;
                        item.product = price.product;
                        snapshot_features(tx, std::slice::from_mut(item))?;
                    }
                }
            }
            ItemUpdate::Remove { id_param, id } => {
                let position = after.items.iter().position(|item| item.id == id);
                after.items.remove(position.ok_or_else(|| item_not_found(&id, &id_param))?);
            }
        }
    }
    let prices = after.items.iter().map(|item| tx.load(&item.price, "price"));
    let prices: Vec<Price> = prices.collect::<Result<_, _>>()?;
    after.billing_terms = create::common_terms(&prices)?;
    Ok(())
}

fn item_not_found(id: &str, param: &str) -> Error {
    Error::not_found("subscription item", id, param)
}

/// Ends a trial now, moves its end, or starts a trial.
fn update_trial(
    tx: &Tx<'_>,
    after: &mut Subscription,
    end: When,
    now: Timestamp,
) -> Result<(), Error> {
    match end {
        When::Now if after.status == Status::Trialing => payments::end_trial(tx, after, now),
        When::Now => Ok(()),
        When::At(_) if matches!(after.status, Status::Incomplete | Status::Paused) => {
            let message = "Only an active subscription, or one on trial, can be given a trial.";
            Err(Error::invalid_parameter("trial_end", message))
        }
        When::At(end) => {
            let end = create::validate_trial_end(end, now)?;
            let is_trialing = after.status == Status::Trialing;
            let start = after.trial.filter(|_| is_trialing).map_or(now, |trial| trial.start);
            after.status = Status::Trialing;
            after.trial = Some(Period { start, end });
            after.period = Period { start, end };
            after.billing_cycle_anchor = end;
            after.failing_since = None;
            if after.cancel_at_period_end {
                after.cancel_at = Some(end);
            }
            if is_trialing { Ok(()) } else { snapshot_features(tx, &mut after.items) }
        }
    }
}
