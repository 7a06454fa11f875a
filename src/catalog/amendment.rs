//! What requests change about a subscription that is there.
//!
//! <https://docs.stripe.com/api/subscriptions/update>. An item whose price is another one takes what
//! its product has now, at once; the others keep what they were granted until the next period.

use serde_json::{Map, Value};

use super::{
    Catalog, Error,
    customer::Customer,
    event::Kind,
    lifecycle::{Charge, charge},
    metadata,
    price::Price,
    purchase::{self, NewItem},
    status::Status,
    subscription::{Cancellation, MissingPaymentMethod, PauseCollection, Period, Subscription},
};
use crate::id::Timestamp;

/// What a request changes.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) items: Vec<ItemChange>,
    pub(crate) trial_end: Option<Moment>,
    pub(crate) anchor_now: bool,
    pub(crate) cancel_at: Option<Assign<Timestamp>>,
    pub(crate) cancel_at_period_end: Option<bool>,
    pub(crate) payment_method: Option<String>,
    pub(crate) at_trial_end: Option<MissingPaymentMethod>,
    pub(crate) pause_collection: Option<Assign<PauseCollection>>,
    pub(crate) status: Option<Told>,
    pub(crate) metadata: metadata::Change,
    pub(crate) cancellation: Option<Cancellation>,
    pub(crate) details: Map<String, Value>,
}

/// What a member is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Assign<T> {
    To(T),
    Nothing,
}

impl<T> Assign<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::To(value) => Some(value),
            Self::Nothing => None,
        }
    }
}

/// A moment, or the present one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    Now,
    At(Timestamp),
}

/// What another system says of the payments. Stripe takes no such parameter: it sees them itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    Paid,
    PastDue,
    Unpaid,
}

/// What a request does to the items.
#[derive(Debug)]
pub(crate) enum ItemChange {
    Add(NewItem),
    Change {
        param: String,
        id: String,
        price: Option<String>,
        quantity: Option<u64>,
        metadata: metadata::Change,
    },
    Remove {
        param: String,
        id: String,
    },
}

impl Subscription {
    /// Notes why somebody cancels, where they say so. What it comes to is another matter.
    pub(super) fn explain(&mut self, cancellation: Option<Cancellation>) {
        if let Some(told) = cancellation {
            self.cancellation = Cancellation { reason: self.cancellation.reason, ..told };
        }
    }
}

impl Catalog<'_> {
    /// A subscription that a path names, and what time it is for it.
    pub(super) fn amendable(&self, id: &str) -> Result<(Subscription, Timestamp), Error> {
        let subscription: Subscription = self.load(id, "id")?;
        let clock = subscription.clock.as_deref();
        if subscription.status.is_final() {
            return Ok((subscription.clone(), self.moment(clock)?));
        }
        let now = self.time(clock)?;
        Ok((self.up_to_date(subscription, now)?, now))
    }
}

pub(crate) fn update(
    catalog: &Catalog<'_>,
    id: &str,
    update: Update,
) -> Result<Subscription, Error> {
    let (before, now) = catalog.amendable(id)?;
    let only_notes = update.items.is_empty()
        && update.trial_end.is_none()
        && !update.anchor_now
        && update.cancel_at.is_none()
        && update.cancel_at_period_end.is_none()
        && update.payment_method.is_none()
        && update.pause_collection.is_none()
        && update.at_trial_end.is_none()
        && update.details.is_empty()
        && update.status.is_none();
    if before.status.is_final() && !only_notes {
        return Err(Error::State(
            "A canceled subscription can only update its cancellation_details and metadata."
                .to_owned(),
        ));
    }
    let mut after = before.clone();
    after.metadata = before.metadata.changed(update.metadata)?;
    after.details.extend(update.details);
    after.explain(update.cancellation);
    after.at_trial_end = update.at_trial_end.unwrap_or(before.at_trial_end);
    let pays_anew = update.payment_method.is_some();
    if let Some(method) = update.payment_method {
        after.payment_method = Some(method).filter(|method| !method.is_empty());
    }
    if let Some(pause) = update.pause_collection {
        after.pause_collection = pause.value();
    }
    amend_items(catalog, &mut after, update.items, now)?;
    let on_trial = after.status == Status::Trialing;
    if update.anchor_now && on_trial && update.trial_end != Some(Moment::Now) {
        return Err(Error::parameter(
            "billing_cycle_anchor",
            "The billing cycle of a subscription on trial begins when the trial ends. To end it now, \
             send trial_end=now.",
        ));
    }
    if !on_trial && (after.terms.cycle != before.terms.cycle || update.anchor_now) {
        after.begin_anew(now);
        catalog.look(&mut after.items)?;
    }
    if let Some(end) = update.trial_end {
        amend_trial(catalog, &mut after, end, now)?;
    }
    if update.cancel_at.is_some() || update.cancel_at_period_end.is_some() {
        let at = update.cancel_at.and_then(Assign::value);
        purchase::end_at(&mut after, at, update.cancel_at_period_end.unwrap_or(false), now)?;
    }
    if pays_anew {
        pay(catalog, &mut after, now)?;
    }
    if let Some(told) = update.status {
        believe(catalog, &mut after, told, now)?;
    }
    catalog.keep(Some(&before), &after, Kind::SubscriptionUpdated, now)?;
    Ok(after)
}

fn amend_items(
    catalog: &Catalog<'_>,
    after: &mut Subscription,
    changes: Vec<ItemChange>,
    now: Timestamp,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    if after.status == Status::Incomplete {
        return Err(Error::State(
            "The items of an incomplete subscription cannot be changed before it is paid."
                .to_owned(),
        ));
    }
    for change in changes {
        match change {
            ItemChange::Add(new) => {
                let (mut item, _) = catalog.item(new, now)?;
                catalog.look(std::slice::from_mut(&mut item))?;
                after.items.push(item);
            }
            ItemChange::Change { param, id, price, quantity, metadata } => {
                let found = after.items.iter_mut().find(|item| item.id == id);
                let item = found.ok_or_else(|| no_such_item(&id, &param))?;
                item.metadata = item.metadata.changed(metadata)?;
                match price.filter(|price| *price != item.price) {
                    None => {
                        let price: Price = catalog.load(&item.price, "price")?;
                        item.quantity = purchase::quantity(&price, quantity.or(item.quantity));
                    }
                    Some(price) => {
                        let price = catalog.sold(&price, &format!("{param}[price]"))?;
                        item.quantity = purchase::quantity(&price, quantity.or(item.quantity));
                        item.price = price.id;
                        item.product = price.product;
                        catalog.look(std::slice::from_mut(item))?;
                    }
                }
            }
            ItemChange::Remove { param, id } => {
                let place = after.items.iter().position(|item| item.id == id);
                after.items.remove(place.ok_or_else(|| no_such_item(&id, &param))?);
            }
        }
    }
    let prices = after.items.iter().map(|item| catalog.load(&item.price, "price"));
    let prices: Vec<Price> = prices.collect::<Result<_, _>>()?;
    after.terms = purchase::alike(&prices)?;
    Ok(())
}

fn no_such_item(id: &str, param: &str) -> Error {
    let (id, param) = (id.to_owned(), format!("{param}[id]"));
    Error::NoSuch { kind: "subscription item", id, param }
}

/// Ends a trial now, or at another moment; a subscription without one goes on trial.
fn amend_trial(
    catalog: &Catalog<'_>,
    after: &mut Subscription,
    end: Moment,
    now: Timestamp,
) -> Result<(), Error> {
    match end {
        Moment::Now if after.status == Status::Trialing => {
            after.trial = after.trial.map(|trial| Period { end: now, ..trial });
            after.begin_anew(now);
            after.charged(catalog.charge(after)?, now);
            catalog.look(&mut after.items)
        }
        Moment::Now => Ok(()),
        Moment::At(_) if matches!(after.status, Status::Incomplete | Status::Paused) => {
            let message = "Only an active subscription, or one on trial, can be given a trial.";
            Err(Error::parameter("trial_end", message))
        }
        Moment::At(end) => {
            let end = purchase::trial_until(end, now)?;
            let begun = after.status == Status::Trialing;
            let start = after.trial.filter(|_| begun).map_or(now, |trial| trial.start);
            after.status = Status::Trialing;
            after.trial = Some(Period { start, end });
            after.period = Period { start, end };
            after.anchor = end;
            after.failing_since = None;
            if after.cancel_at_period_end {
                after.cancel_at = Some(end);
            }
            if begun { Ok(()) } else { catalog.look(&mut after.items) }
        }
    }
}

/// Tries the payment that is owed, now that there is another method.
fn pay(catalog: &Catalog<'_>, after: &mut Subscription, now: Timestamp) -> Result<(), Error> {
    let owes = matches!(after.status, Status::Incomplete | Status::PastDue | Status::Unpaid);
    if !owes || catalog.charge(after)? != Charge::Paid {
        return Ok(());
    }
    activate(catalog, after, now)
}

fn activate(catalog: &Catalog<'_>, after: &mut Subscription, now: Timestamp) -> Result<(), Error> {
    let first = after.status == Status::Incomplete;
    after.charged(Charge::Paid, now);
    if first { catalog.look(&mut after.items) } else { Ok(()) }
}

/// Takes what another system says of the payments for true.
fn believe(
    catalog: &Catalog<'_>,
    after: &mut Subscription,
    told: Told,
    now: Timestamp,
) -> Result<(), Error> {
    match (after.status, told) {
        (Status::Incomplete | Status::PastDue | Status::Unpaid, Told::Paid) => {
            activate(catalog, after, now)
        }
        (Status::Active, Told::Paid)
        | (Status::PastDue, Told::PastDue)
        | (Status::Unpaid, Told::Unpaid) => Ok(()),
        (Status::Active | Status::Trialing | Status::Unpaid, Told::PastDue) => {
            after.status = Status::PastDue;
            leave_trial(catalog, after, now)
        }
        (Status::Active | Status::Trialing | Status::PastDue, Told::Unpaid) => {
            after.status = Status::Unpaid;
            after.failing_since = None;
            leave_trial(catalog, after, now)
        }
        (status, _) => Err(Error::parameter(
            "status",
            format!("A subscription that is `{}` cannot become this.", status.name()),
        )),
    }
}

/// Ends a trial that is not over: a period begins.
pub(super) fn leave_trial(
    catalog: &Catalog<'_>,
    after: &mut Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    match &mut after.trial {
        Some(trial) if trial.end > now => trial.end = now,
        _ => return Ok(()),
    }
    after.begin_anew(now);
    catalog.look(&mut after.items)
}

/// Tries what a customer owes, now that there is another method to pay with.
pub(crate) fn pay_anew(
    catalog: &Catalog<'_>,
    customer: &Customer,
    now: Timestamp,
) -> Result<(), Error> {
    if charge(customer.payment_method.as_deref()) != Charge::Paid {
        return Ok(());
    }
    for before in catalog.subscriptions_of(&customer.id)? {
        if before.payment_method.is_some() {
            continue;
        }
        let mut after = before.clone();
        pay(catalog, &mut after, now)?;
        catalog.keep(Some(&before), &after, Kind::SubscriptionUpdated, now)?;
    }
    Ok(())
}
