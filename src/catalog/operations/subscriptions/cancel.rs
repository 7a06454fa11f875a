//! Cancels a subscription.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/cancel>.

use crate::{
    catalog::{
        engine::{save::save, transitions},
        error::Error,
        objects::subscription::{CancellationDetails, CancellationReason, Subscription},
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
