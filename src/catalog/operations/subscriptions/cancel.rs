//! What ends a subscription, or interrupts it, at a request.
//!
//! <https://docs.stripe.com/api/subscriptions/cancel>,
//! <https://docs.stripe.com/billing/subscriptions/pause>. What grants while it is paused is in
//! `status`.

use crate::{
    catalog::{
 repository::Entity as _,
        engine::{
            payments,
            save::{save, snapshot_features},
            transitions,
        },
        error::Error,
        objects::{
            event::EventType,
            status::Status,
            subscription::{CancellationDetails, CancellationReason, Subscription},
        },
        tx::Tx,
    },
    id::Timestamp,
};

/// Cancels now.
pub(crate) fn cancel(
    tx: &Tx<'_>,
    id: &str,
    cancellation: Option<CancellationDetails>,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status.is_final() {
        let (kind, id) = (Subscription::TYPE, id.to_owned());
        return Err(Error::NotFound { kind, id, param: "id".to_owned() });
    }
    let mut after = before.clone();
    after.set_cancellation_details(cancellation);
    after.cancel(now, CancellationReason::CancellationRequested);
    save(tx, Some(&before), &after, EventType::SubscriptionDeleted, now)?;
    Ok(after)
}

/// Cancels a subscription of a customer who goes.
pub(crate) fn cancel_loaded(
    tx: &Tx<'_>,
    before: &Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = before.clone();
    after.cancel(now, CancellationReason::CancellationRequested);
    save(tx, Some(before), &after, EventType::SubscriptionDeleted, now)
}

/// Pauses: no period begins until it is resumed.
pub(crate) fn pause(tx: &Tx<'_>, id: &str) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if !matches!(before.status, Status::Active | Status::Trialing | Status::PastDue) {
        return Err(invalid_state(&before, "paused"));
    }
    let mut after = before.clone();
    after.status = Status::Paused;
    after.failing_since = None;
    save(tx, Some(&before), &after, EventType::SubscriptionPaused, now)?;
    Ok(after)
}

/// Resumes: with a period that begins now, or the one that would be under way.
pub(crate) fn resume(tx: &Tx<'_>, id: &str, anchor_now: bool) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status != Status::Paused {
        return Err(invalid_state(&before, "resumed"));
    }
    let mut after = before.clone();
    if anchor_now {
        after.reset_cycle(now);
    } else {
        after.advance_period(now);
    }
    payments::end_trial(tx, &mut after, now)?;
    after.apply_charge(payments::try_charge(tx, &after)?, now);
    snapshot_features(tx, &mut after.items)?;
    save(tx, Some(&before), &after, EventType::SubscriptionResumed, now)?;
    Ok(after)
}

fn invalid_state(subscription: &Subscription, verb: &str) -> Error {
    Error::InvalidState(format!(
        "A subscription that is `{}` cannot be {verb}.",
        subscription.status.as_str()
    ))
}
