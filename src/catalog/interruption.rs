//! What ends a subscription, or interrupts it, at a request.
//!
//! <https://docs.stripe.com/api/subscriptions/cancel>,
//! <https://docs.stripe.com/billing/subscriptions/pause>. What grants while it is paused is in
//! `status`.

use super::{
    Catalog, Error, Object,
    amendment::leave_trial,
    event::Kind,
    status::Status,
    subscription::{Cancellation, Reason, Subscription},
};
use crate::id::Timestamp;

/// Cancels now.
pub(crate) fn cancel(
    catalog: &Catalog<'_>,
    id: &str,
    cancellation: Option<Cancellation>,
) -> Result<Subscription, Error> {
    let (before, now) = catalog.amendable(id)?;
    if before.status.is_final() {
        let (kind, id) = (Subscription::KIND, id.to_owned());
        return Err(Error::NoSuch { kind, id, param: "id".to_owned() });
    }
    let mut after = before.clone();
    after.explain(cancellation);
    after.cancel(now, Reason::CancellationRequested);
    catalog.keep(Some(&before), &after, Kind::SubscriptionDeleted, now)?;
    Ok(after)
}

/// Cancels a subscription of a customer who goes.
pub(crate) fn end(
    catalog: &Catalog<'_>,
    before: &Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = before.clone();
    after.cancel(now, Reason::CancellationRequested);
    catalog.keep(Some(before), &after, Kind::SubscriptionDeleted, now)
}

/// Pauses: no period begins until it is resumed.
pub(crate) fn pause(catalog: &Catalog<'_>, id: &str) -> Result<Subscription, Error> {
    let (before, now) = catalog.amendable(id)?;
    if !matches!(before.status, Status::Active | Status::Trialing | Status::PastDue) {
        return Err(not_now(&before, "paused"));
    }
    let mut after = before.clone();
    after.status = Status::Paused;
    after.failing_since = None;
    catalog.keep(Some(&before), &after, Kind::SubscriptionPaused, now)?;
    Ok(after)
}

/// Resumes: with a period that begins now, or the one that would be under way.
pub(crate) fn resume(
    catalog: &Catalog<'_>,
    id: &str,
    anchor_now: bool,
) -> Result<Subscription, Error> {
    let (before, now) = catalog.amendable(id)?;
    if before.status != Status::Paused {
        return Err(not_now(&before, "resumed"));
    }
    let mut after = before.clone();
    if anchor_now {
        after.begin_anew(now);
    } else {
        after.catch_up(now);
    }
    leave_trial(catalog, &mut after, now)?;
    after.charged(catalog.charge(&after)?, now);
    catalog.look(&mut after.items)?;
    catalog.keep(Some(&before), &after, Kind::SubscriptionResumed, now)?;
    Ok(after)
}

fn not_now(subscription: &Subscription, verb: &str) -> Error {
    Error::State(format!(
        "A subscription that is `{}` cannot be {verb}.",
        subscription.status.name()
    ))
}
