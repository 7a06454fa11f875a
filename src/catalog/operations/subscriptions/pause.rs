//! Pauses and resumes a subscription.
//!
//! What a paused subscription grants is in [`pause`](crate::catalog::objects::pause).
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use crate::catalog::{
    engine::{payments, save::save, transitions},
    error::Error,
    objects::{
        charge::ChargeResult,
        pause::{PauseReason, PendingResume},
        status::Status,
        subscription::Subscription,
    },
    tx::Tx,
};

/// Pauses a subscription: it grants nothing, and no period starts until it is resumed. As at
/// Stripe, a trial cannot be paused: resuming would end it.
pub(crate) fn pause(tx: &Tx<'_>, id: &str) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if !matches!(before.status, Status::Active | Status::PastDue | Status::Unpaid) {
        return Err(invalid_status(&before, "paused"));
    }
    require_charges(&before, "paused")?;
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
    /// The subscription stays paused until a payment succeeds. A declined charge is retried with the
    /// next payment method.
    OnPaymentSuccess,
}

/// Resumes a paused subscription, with a period that starts now or with the period that contains
/// now.
pub(crate) fn resume(
    tx: &Tx<'_>,
    id: &str,
    resets_cycle: bool,
    behavior: ResumeBehavior,
) -> Result<Subscription, Error> {
    let (before, now) = transitions::load_current_subscription(tx, id)?;
    if before.status != Status::Paused {
        return Err(invalid_status(&before, "resumed"));
    }
    require_charges(&before, "resumed")?;
    let charge = payments::try_charge(tx, &before)?;
    let mut after = before.clone();
    if behavior == ResumeBehavior::OnPaymentSuccess {
        if payments::needs_payment_method(tx, &before)? {
            return Err(Error::invalid_parameter(
                "payment_behavior",
                "`resume_on_payment_success` requires a payment method. Set `default_payment_method` \
                 of the subscription or of its customer first.",
            ));
        }
        if charge == ChargeResult::Declined {
            after.pending_resume = Some(PendingResume { requested_at: now, resets_cycle });
            return save(tx, Some(&before), after, now);
        }
    }
    payments::end_pause(tx, &mut after, resets_cycle, charge, now)?;
    save(tx, Some(&before), after, now)
}

fn invalid_status(subscription: &Subscription, verb: &str) -> Error {
    let is_trialing = subscription.status == Status::Trialing;
    let advice = if is_trialing { " End its trial first, with `trial_end=now`." } else { "" };
    Error::InvalidState(format!(
        "A subscription that is `{}` cannot be {verb}.{advice}",
        subscription.status.as_str()
    ))
}

/// As at Stripe, only a subscription whose payments are charged can be paused and resumed.
fn require_charges(subscription: &Subscription, verb: &str) -> Result<(), Error> {
    if !subscription.sends_invoices() {
        return Ok(());
    }
    Err(Error::InvalidState(format!(
        "A subscription whose `collection_method` is `send_invoice` cannot be {verb}. Set it to \
         `charge_automatically` first."
    )))
}
