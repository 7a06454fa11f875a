//! Cancels, pauses and resumes a subscription.
//!
//! What a paused subscription grants is in [`status`](crate::catalog::objects::status).
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/cancel>,
//! <https://docs.stripe.com/billing/subscriptions/pause>.

use crate::{
    catalog::{
        engine::{
            payments,
            save::{save, snapshot_features},
            transitions,
        },
        error::Error,
        objects::{
            status::Status,
            subscription::{CancellationDetails, CancellationReason, Subscription},
        },
        repository::Entity as _,
        tx::Tx,
    },
    id::Timestamp,
};

/// Cancels a subscription immediately.
pub(crate) fn cancel(
    tx: &Tx<'_>,
    id: &str,
    details: Option<CancellationDetails>,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status.is_final() {
        return Err(Error::not_found(Subscription::TYPE, id, "id"));
    }
    let mut after = before.clone();
    after.set_cancellation_details(details);
    after.cancel(now, CancellationReason::CancellationRequested);
    save(tx, Some(&before), after, now)
}

/// Cancels a subscription of a customer that is being deleted.
pub(crate) fn cancel_loaded(
    tx: &Tx<'_>,
    before: &Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = before.clone();
    after.cancel(now, CancellationReason::CancellationRequested);
    save(tx, Some(before), after, now).map(drop)
}

/// Pauses a subscription: no period starts until it is resumed.
pub(crate) fn pause(tx: &Tx<'_>, id: &str) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if !matches!(before.status, Status::Active | Status::Trialing | Status::PastDue) {
        return Err(invalid_state(&before, "paused"));
    }
    let mut after = before.clone();
    after.status = Status::Paused;
    after.failing_since = None;
    save(tx, Some(&before), after, now)
}

/// Resumes a paused subscription, with a period that starts now or with the period that contains
/// now.
pub(crate) fn resume(tx: &Tx<'_>, id: &str, reset_cycle: bool) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status != Status::Paused {
        return Err(invalid_state(&before, "resumed"));
    }
    let mut after = before.clone();
    if reset_cycle {
        after.reset_cycle(now);
    } else {
        after.advance_period(now);
    }
    payments::end_trial(tx, &mut after, now)?;
    after.apply_charge(payments::try_charge(tx, &after)?, now);
    snapshot_features(tx, &mut after.items)?;
    save(tx, Some(&before), after, now)
}

fn invalid_state(subscription: &Subscription, verb: &str) -> Error {
    Error::InvalidState(format!(
        "A subscription that is `{}` cannot be {verb}.",
        subscription.status.as_str()
    ))
}
