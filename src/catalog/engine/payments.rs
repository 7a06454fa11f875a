//! Payments of subscriptions: charges, retries, the end of a trial or a pause, and payments that another
//! system reports.
//!
//! No money moves. A charge succeeds or is declined by its payment method, see
//! [`charge`](crate::catalog::objects::charge). `save` is the caller's task, except in
//! [`retry_payments_of()`].

use crate::{
    catalog::{
        engine::save::{save, snapshot_features},
        error::Error,
        objects::{
            charge::{ChargeResult, charge_payment_method},
            customer::Customer,
            pause::PauseReason,
            status::Status,
            subscription::{self, CancellationReason, MissingPaymentMethod, Subscription},
        },
        tx::Tx,
    },
    id::Timestamp,
    policy::PauseOnPaymentFailure,
};

/// A payment state that another system reports. Stripe has no such parameter, because it collects
/// payments itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReportedPayment {
    Paid,
    PastDue,
    Unpaid,
}

/// The result of a charge of a subscription.
pub(crate) fn try_charge(tx: &Tx<'_>, subscription: &Subscription) -> Result<ChargeResult, Error> {
    if subscription.payment_method.is_some() {
        return Ok(subscription.try_charge(None));
    }
    let customer: Customer = tx.load(&subscription.customer, "customer")?;
    Ok(subscription.try_charge(customer.payment_method.as_deref()))
}

/// Whether a payment is required and no payment method is known.
pub(crate) fn needs_payment_method(
    tx: &Tx<'_>,
    subscription: &Subscription,
) -> Result<bool, Error> {
    if subscription.payment_method.is_some() || subscription.billing_terms.free {
        return Ok(false);
    }
    let customer: Customer = tx.load(&subscription.customer, "customer")?;
    Ok(customer.payment_method.is_none())
}

/// Retries a payment that is due, with a new payment method.
pub(crate) fn retry_payment(
    tx: &Tx<'_>,
    after: &mut Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    if !is_payment_due(after, now) || try_charge(tx, after)? != ChargeResult::Succeeded {
        return Ok(());
    }
    mark_paid(tx, after, now)
}

/// Whether a payment would change the status.
fn is_payment_due(subscription: &Subscription, now: Timestamp) -> bool {
    match subscription.status {
        Status::Incomplete | Status::PastDue | Status::Unpaid => true,
        Status::Paused => subscription.pending_resume.is_some_and(|resume| resume.is_valid(now)),
        Status::Active | Status::Trialing | Status::Canceled | Status::IncompleteExpired => false,
    }
}

fn mark_paid(tx: &Tx<'_>, after: &mut Subscription, now: Timestamp) -> Result<(), Error> {
    if let Some(resume) = after.pending_resume {
        return end_pause(tx, after, resume.resets_cycle, ChargeResult::Succeeded, now);
    }
    let is_first = after.status == Status::Incomplete;
    after.apply_charge(ChargeResult::Succeeded, now);
    if is_first { snapshot_features(tx, &mut after.items) } else { Ok(()) }
}

/// Ends a pause with the result of a charge: with a period that starts now, or with the period that
/// contains now.
pub(crate) fn end_pause(
    tx: &Tx<'_>,
    after: &mut Subscription,
    resets_cycle: bool,
    charge: ChargeResult,
    now: Timestamp,
) -> Result<(), Error> {
    after.end_pause();
    if resets_cycle {
        after.reset_cycle(now);
    } else {
        after.advance_period(now);
    }
    after.apply_charge(charge, now);
    snapshot_features(tx, &mut after.items)
}

/// Applies the charge of a renewal. If it is declined, the account's setting may pause the
/// subscription.
pub(crate) fn apply_renewal_charge(
    tx: &Tx<'_>,
    after: &mut Subscription,
    charge: ChargeResult,
    at: Timestamp,
) {
    let pauses = tx.pause_on_payment_failure == PauseOnPaymentFailure::First;
    if pauses && charge == ChargeResult::Declined {
        after.pause(PauseReason::FirstPaymentFailure, at);
    } else {
        after.apply_charge(charge, at);
    }
}

/// Ends the retries of a failed payment: cancels the subscription, or pauses it if the account is set
/// so. As at Stripe, a subscription that sends invoices cannot be paused, and is canceled.
pub(crate) fn end_dunning(tx: &Tx<'_>, after: &mut Subscription, at: Timestamp) {
    let pauses = tx.pause_on_payment_failure == PauseOnPaymentFailure::Final;
    if pauses && !after.sends_invoices() {
        after.pause(PauseReason::FinalPaymentFailure, at);
    } else {
        after.cancel(at, CancellationReason::PaymentFailed);
    }
}

/// Applies a reported payment state.
pub(crate) fn apply_reported_payment(
    tx: &Tx<'_>,
    after: &mut Subscription,
    reported: ReportedPayment,
    now: Timestamp,
) -> Result<(), Error> {
    match (after.status, reported) {
        (_, ReportedPayment::Paid) if is_payment_due(after, now) => mark_paid(tx, after, now),
        (Status::Active, ReportedPayment::Paid)
        | (Status::PastDue, ReportedPayment::PastDue)
        | (Status::Unpaid, ReportedPayment::Unpaid) => Ok(()),
        (Status::Active | Status::Trialing | Status::Unpaid, ReportedPayment::PastDue) => {
            after.status = Status::PastDue;
            start_reported_period(tx, after, now)
        }
        (Status::Active | Status::Trialing | Status::PastDue, ReportedPayment::Unpaid) => {
            after.status = Status::Unpaid;
            after.failing_since = None;
            start_reported_period(tx, after, now)
        }
        (status, _) => Err(Error::invalid_parameter(
            "status",
            format!("A subscription that is `{}` cannot be set to this status.", status.as_str()),
        )),
    }
}

/// Ends a trial, when it is over or early, and starts a period with a charge. Without a payment
/// method, the setting of the subscription decides what happens instead.
pub(crate) fn end_trial(tx: &Tx<'_>, after: &mut Subscription, at: Timestamp) -> Result<(), Error> {
    cut_trial(after, at);
    if needs_payment_method(tx, after)? {
        match after.missing_payment_method {
            MissingPaymentMethod::Cancel => {
                after.cancel(at, CancellationReason::PaymentFailed);
                return Ok(());
            }
            MissingPaymentMethod::Pause => {
                after.pause(PauseReason::TrialEnded, at);
                return Ok(());
            }
            MissingPaymentMethod::CreateInvoice => {}
        }
    }
    after.begin_period(at);
    let charge = try_charge(tx, after)?;
    apply_renewal_charge(tx, after, charge, at);
    snapshot_features(tx, &mut after.items)
}

/// Ends a trial early whose payment state is reported, and starts a period without a charge.
fn start_reported_period(
    tx: &Tx<'_>,
    after: &mut Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    if !cut_trial(after, now) {
        return Ok(());
    }
    after.begin_period(now);
    snapshot_features(tx, &mut after.items)
}

/// Moves the end of a trial that is not over to now, and with it the end of its period and the start
/// of the billing cycle. Returns whether it did.
fn cut_trial(after: &mut Subscription, now: Timestamp) -> bool {
    match &mut after.trial {
        Some(trial) if trial.end > now => trial.end = now,
        _ => return false,
    }
    after.period.end = now;
    after.billing_cycle_anchor = now;
    true
}

/// Retries all payments of a customer that are due, with a new payment method.
pub(crate) fn retry_payments_of(
    tx: &Tx<'_>,
    customer: &Customer,
    now: Timestamp,
) -> Result<(), Error> {
    if charge_payment_method(customer.payment_method.as_deref()) != ChargeResult::Succeeded {
        return Ok(());
    }
    for before in subscription::list_live(tx, &customer.id)? {
        if before.payment_method.is_some() {
            continue;
        }
        let mut after = before.clone();
        retry_payment(tx, &mut after, now)?;
        save(tx, Some(&before), after, now)?;
    }
    Ok(())
}
