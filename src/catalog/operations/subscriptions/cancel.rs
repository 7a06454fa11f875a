//! Cancels, pauses and resumes a subscription.
//!
//! What a paused subscription grants is in [`pause`](crate::catalog::objects::pause).
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
            charge::ChargeResult,
            pause::PauseReason,
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

/// Pauses a subscription: it grants nothing, and no period starts until it is resumed. As at
/// Stripe, a trial cannot be paused: resuming would end it.
pub(crate) fn pause(tx: &Tx<'_>, id: &str) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if !matches!(before.status, Status::Active | Status::PastDue) {
        return Err(invalid_state(&before, "paused"));
    }
    let mut after = before.clone();
    after.pause(PauseReason::Requested, now);
    save(tx, Some(&before), after, now)
}

/// Stripe's `payment_behavior` of a resume: the effect of the charge.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ResumeBehavior {
    /// The subscription is resumed. If the charge is declined, it is past due.
    #[default]
    OnPaymentAttempt,
    /// The subscription stays paused unless the charge succeeds.
    OnPaymentSuccess,
}

/// Resumes a paused subscription, with a period that starts now or with the period that contains
/// now.
pub(crate) fn resume(
    tx: &Tx<'_>,
    id: &str,
    reset_cycle: bool,
    behavior: ResumeBehavior,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status != Status::Paused {
        return Err(invalid_state(&before, "resumed"));
    }
    let charge = payments::try_charge(tx, &before)?;
    if behavior == ResumeBehavior::OnPaymentSuccess {
        if payments::needs_payment_method(tx, &before)? {
            return Err(Error::invalid_parameter(
                "payment_behavior",
                "`resume_on_payment_success` requires a payment method. Set `default_payment_method` \
                 of the subscription or of its customer first.",
            ));
        }
        if charge == ChargeResult::Declined {
            return Ok(before);
        }
    }
    let mut after = before.clone();
    after.pause = None;
    if reset_cycle {
        after.reset_cycle(now);
    } else {
        after.advance_period(now);
    }
    after.apply_charge(charge, now);
    snapshot_features(tx, &mut after.items)?;
    save(tx, Some(&before), after, now)
}

fn invalid_state(subscription: &Subscription, verb: &str) -> Error {
    let is_trialing = subscription.status == Status::Trialing;
    let advice = if is_trialing { " End its trial first, with `trial_end=now`." } else { "" };
    Error::InvalidState(format!(
        "A subscription that is `{}` cannot be {verb}.{advice}",
        subscription.status.as_str()
    ))
}
