//! Payments.

use crate::{
    catalog::{
        engine::save::{save, snapshot_features},
        error::Error,
        objects::{
            charge::{ChargeResult, charge_payment_method},
            customer::Customer,
            event::EventType,
            status::Status,
            subscription::{self, Subscription},
        },
        tx::Tx,
    },
    id::Timestamp,
};

/// What another system says of the payments. Stripe takes no such parameter: it sees them itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReportedPayment {
    Paid,
    PastDue,
    Unpaid,
}

/// How a charge of a subscription would go.
pub(crate) fn try_charge(tx: &Tx<'_>, subscription: &Subscription) -> Result<ChargeResult, Error> {
    if subscription.payment_method.is_some() {
        return Ok(subscription.try_charge(None));
    }
    let customer: Customer = tx.load(&subscription.customer, "customer")?;
    Ok(subscription.try_charge(customer.payment_method.as_deref()))
}

/// Whether there is something to pay, and nothing known to pay it with.
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

/// Tries the payment that is owed, now that there is another method.
pub(crate) fn retry_payment(
    tx: &Tx<'_>,
    after: &mut Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    let owes = matches!(after.status, Status::Incomplete | Status::PastDue | Status::Unpaid);
    if !owes || try_charge(tx, after)? != ChargeResult::Succeeded {
        return Ok(());
    }
    mark_paid(tx, after, now)
}

fn mark_paid(tx: &Tx<'_>, after: &mut Subscription, now: Timestamp) -> Result<(), Error> {
    let first = after.status == Status::Incomplete;
    after.apply_charge(ChargeResult::Succeeded, now);
    if first { snapshot_features(tx, &mut after.items) } else { Ok(()) }
}

/// Takes what another system says of the payments for true.
pub(crate) fn apply_reported_payment(
    tx: &Tx<'_>,
    after: &mut Subscription,
    told: ReportedPayment,
    now: Timestamp,
) -> Result<(), Error> {
    match (after.status, told) {
        (Status::Incomplete | Status::PastDue | Status::Unpaid, ReportedPayment::Paid) => {
            mark_paid(tx, after, now)
        }
        (Status::Active, ReportedPayment::Paid)
        | (Status::PastDue, ReportedPayment::PastDue)
        | (Status::Unpaid, ReportedPayment::Unpaid) => Ok(()),
        (Status::Active | Status::Trialing | Status::Unpaid, ReportedPayment::PastDue) => {
            after.status = Status::PastDue;
            end_trial(tx, after, now)
        }
        (Status::Active | Status::Trialing | Status::PastDue, ReportedPayment::Unpaid) => {
            after.status = Status::Unpaid;
            after.failing_since = None;
            end_trial(tx, after, now)
        }
        (status, _) => Err(Error::invalid_parameter(
            "status",
            format!("A subscription that is `{}` cannot become this.", status.as_str()),
        )),
    }
}

/// Ends a trial that is not over: a period begins.
pub(crate) fn end_trial(
    tx: &Tx<'_>,
    after: &mut Subscription,
    now: Timestamp,
) -> Result<(), Error> {
    match &mut after.trial {
        Some(trial) if trial.end > now => trial.end = now,
        _ => return Ok(()),
    }
    after.reset_cycle(now);
    snapshot_features(tx, &mut after.items)
}

/// Tries what a customer owes, now that there is another method to pay with.
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
        save(tx, Some(&before), &after, EventType::SubscriptionUpdated, now)?;
    }
    Ok(())
}
