//! Applies to subscriptions what time makes due, and loads them up to date.
//!
//! When a transition is due is in [`subscription`](crate::catalog::objects::subscription). Requests
//! that read or change a subscription apply what is due first, so that the schedule of background
//! work is not visible.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>.

use crate::{
    catalog::{
        engine::{
            payments,
            save::{save, snapshot_features},
        },
        error::Error,
        objects::{
            customer::{self, Customer},
            status::Status,
            subscription::{self, CancellationReason, Subscription, Transition},
            test_clock,
        },
        storage::IndexRange,
        tx::Tx,
    },
    id::Timestamp,
};

/// Applies one transition to a subscription, and saves it.
pub(crate) fn apply(
    tx: &Tx<'_>,
    before: &Subscription,
    transition: Transition,
    at: Timestamp,
) -> Result<(), Error> {
    let mut after = before.clone();
    match transition {
        Transition::Cancel => after.cancel(at, CancellationReason::CancellationRequested),
        Transition::EndDunning => payments::end_dunning(tx, &mut after, at),
        Transition::Expire => {
            after.status = Status::IncompleteExpired;
            after.ended_at = Some(at);
        }
        Transition::ResumeCollection => after.pause_collection = None,
        // Saving announces it.
        Transition::AnnounceTrialEnd => {}
        Transition::EndTrial => payments::end_trial(tx, &mut after, at)?,
        Transition::Renew => {
            after.begin_period(at);
            if before.status != Status::Unpaid {
                let charge = payments::try_charge(tx, before)?;
                payments::apply_renewal_charge(tx, &mut after, charge, at);
            }
            let renewed: Vec<bool> =
                after.items.iter().map(|item| after.begins_item_period(item)).collect();
            for (item, is_renewed) in after.items.iter_mut().zip(renewed) {
                if is_renewed {
                    snapshot_features(tx, std::slice::from_mut(item))?;
                }
            }
        }
    }
    save(tx, Some(before), after, at).map(drop)
}

/// Applies the transitions that are due until a time, in order, and returns their number.
pub(crate) fn run_transitions(
    tx: &Tx<'_>,
    clock: Option<&str>,
    until: Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let mut applied = 0;
    while applied < limit {
        // Reads the index again each time: a subscription may be due again before the others.
        let due: Vec<Subscription> =
            tx.list(&subscription::due_index(clock), IndexRange::due_until(until, 1))?;
        let Some(subscription) = due.first() else { break };
        let Some((at, transition)) = subscription.next_transition() else { break };
        apply(tx, subscription, transition, at)?;
        applied += 1;
    }
    Ok(applied)
}

/// Applies what is due to a subscription, and returns its current state.
pub(crate) fn with_due_applied(
    tx: &Tx<'_>,
    subscription: Subscription,
    now: Timestamp,
) -> Result<Subscription, Error> {
    let mut current = subscription;
    while let Some((at, transition)) = current.next_transition().filter(|(at, _)| *at <= now) {
        apply(&tx.without_request(), &current, transition, at)?;
        current = tx.load(&current.id, "id")?;
    }
    Ok(current)
}

/// Applies what is due to all subscriptions of a customer.
pub(crate) fn apply_due(tx: &Tx<'_>, customer: &Customer) -> Result<(), Error> {
    if customer.test_clock.is_some() {
        return Ok(());
    }
    // In order of their due times, because each change emits an event.
    loop {
        let live = subscription::list_live(tx, &customer.id)?.into_iter();
        let due =
            live.filter_map(|it| it.next_transition().map(|(at, transition)| (at, transition, it)));
        let first = due.filter(|(at, ..)| *at <= tx.now).min_by_key(|(at, ..)| *at);
        let Some((at, transition, subscription)) = first else { return Ok(()) };
        apply(&tx.without_request(), &subscription, transition, at)?;
    }
}

/// Loads a subscription up to date, and the time on its clock.
pub(crate) fn load_current_subscription(
    tx: &Tx<'_>,
    id: &str,
) -> Result<(Subscription, Timestamp), Error> {
    let subscription: Subscription = tx.load(id, "id")?;
    let clock = subscription.test_clock.as_deref();
    if subscription.status.is_final() {
        return Ok((subscription.clone(), test_clock::now_on(tx, clock)?));
    }
    let now = test_clock::writable_now(tx, clock)?;
    Ok((with_due_applied(tx, subscription, now)?, now))
}

/// Loads a customer up to date, and the time on its clock. Fails if the customer is deleted, or its
/// test clock is advancing.
pub(crate) fn load_current_customer(
    tx: &Tx<'_>,
    id: &str,
    param: &str,
) -> Result<(Customer, Timestamp), Error> {
    let customer = customer::load_existing(tx, id, param)?;
    apply_due(tx, &customer)?;
    let now = test_clock::writable_now(tx, customer.test_clock.as_deref())?;
    Ok((customer, now))
}
