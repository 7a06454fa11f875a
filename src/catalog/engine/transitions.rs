//! What time does to a subscription.
//!
//! | it is                          | at                              | what happens                          |
//! |--------------------------------|---------------------------------|---------------------------------------|
//! | incomplete                     | 23 hours after it was made      | it expires                            |
//! | trialing                       | the end of the trial            | a first period begins, or it is paused or canceled |
//! | active, past due, unpaid       | the end of the period           | the next one begins                   |
//! | past due                       | 14 days after payments first failed | it is canceled                    |
//! | anything that is not over      | `cancel_at`                     | it is canceled                        |
//! | paused in collection           | `resumes_at`                    | it is collected again                 |
//!
//! <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>. The 14 days are how
//! long Stripe's recommended retries take
//! (<https://docs.stripe.com/billing/revenue-recovery/smart-retries>). No money moves: whether a charge
//! fails is told by the payment method, of which Stripe's own failing test methods fail.

use crate::{
    catalog::{
        engine::{
            payments,
            save::{save, snapshot_features},
        },
        error::Error,
        objects::{
            customer::{self, Customer},
            event::EventType,
            status::Status,
            subscription::{
                self, CancellationReason, MissingPaymentMethod, Subscription, Transition,
            },
            test_clock,
        },
        storage::IndexRange,
        tx::Tx,
    },
    id::Timestamp,
};

/// Does to a subscription what time brings.
pub(crate) fn apply(
    tx: &Tx<'_>,
    before: &Subscription,
    turn: Transition,
    at: Timestamp,
) -> Result<(), Error> {
    let mut after = before.clone();
    let mut kind = EventType::SubscriptionUpdated;
    match turn {
        Transition::Cancel => after.cancel(at, CancellationReason::CancellationRequested),
        Transition::CancelUnpaid => after.cancel(at, CancellationReason::PaymentFailed),
        Transition::Expire => {
            after.status = Status::IncompleteExpired;
            after.ended_at = Some(at);
        }
        Transition::ResumeCollection => after.pause_collection = None,
        Transition::EndTrial => {
            match (payments::needs_payment_method(tx, before)?, before.missing_payment_method) {
                (true, MissingPaymentMethod::Cancel) => {
                    after.cancel(at, CancellationReason::PaymentFailed);
                }
                (true, MissingPaymentMethod::Pause) => {
                    after.status = Status::Paused;
                    kind = EventType::SubscriptionPaused;
                }
                _ => {
                    after.begin_period(at);
                    after.apply_charge(payments::try_charge(tx, before)?, at);
                    snapshot_features(tx, &mut after.items)?;
                }
            }
        }
        Transition::Renew => {
            after.begin_period(at);
            if before.status != Status::Unpaid {
                after.apply_charge(payments::try_charge(tx, before)?, at);
            }
            snapshot_features(tx, &mut after.items)?;
        }
    }
    if after.status == Status::Canceled {
        kind = EventType::SubscriptionDeleted;
    }
    save(tx, Some(before), &after, kind, at)
}

/// Does to subscriptions what falls due until a moment, in its order, and tells to how many.
pub(crate) fn run_transitions(
    tx: &Tx<'_>,
    clock: Option<&str>,
    until: Timestamp,
    limit: usize,
) -> Result<usize, Error> {
    let mut turned = 0;
    while turned < limit {
        // Read anew each time, since what was done may be due again before the others.
        let due: Vec<Subscription> =
            tx.list(&subscription::due_index(clock), IndexRange::due_until(until, 1))?;
        let Some(subscription) = due.first() else { break };
        let Some((at, what)) = subscription.next_transition() else { break };
        apply(tx, subscription, what, at)?;
        turned += 1;
    }
    Ok(turned)
}

/// A subscription as it is once what is due by now has happened to it.
pub(crate) fn with_due_applied(
    tx: &Tx<'_>,
    subscription: Subscription,
    now: Timestamp,
) -> Result<Subscription, Error> {
    let mut present = subscription;
    while let Some((at, what)) = present.next_transition().filter(|(at, _)| *at <= now) {
        apply(&tx.without_request(), &present, what, at)?;
        present = tx.load(&present.id, "id")?;
    }
    Ok(present)
}

/// Has all that is due by now happen to what a customer has.
pub(crate) fn apply_due(tx: &Tx<'_>, customer: &Customer) -> Result<(), Error> {
    if customer.test_clock.is_some() {
        return Ok(());
    }
    // One after the other, in the order in which they fall due: each change is told.
    loop {
        let all = subscription::list_live(tx, &customer.id)?.into_iter();
        let due = all.filter_map(|it| it.next_transition().map(|(at, what)| (at, what, it)));
        let first = due.filter(|(at, ..)| *at <= tx.now).min_by_key(|(at, ..)| *at);
        let Some((at, what, subscription)) = first else { return Ok(()) };
        apply(&tx.without_request(), &subscription, what, at)?;
    }
}

/// A subscription that a path names, and what time it is for it.
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

/// A customer who can be dealt with: present, not on a test clock that is under way, and with all
/// that was due.
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
