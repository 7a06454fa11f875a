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

use serde_json::Value;

use crate::{
    catalog::{
        Error, Tx,
        objects::{
            calendar::SECONDS_PER_DAY,
            customer::Customer,
            event::EventType,
            status::Status,
            subscription::{CancellationReason, MissingPaymentMethod, Period, Subscription},
        },
    },
    id::Timestamp,
};

/// How long a first payment can be made, in seconds: as at Stripe.
const FIRST_PAYMENT_WINDOW: i64 = 23 * 60 * 60;

/// How long a failed payment is tried again, in seconds.
const DUNNING_PERIOD: i64 = 14 * SECONDS_PER_DAY;

/// The payment methods that decline when they are charged.
/// <https://docs.stripe.com/testing#declined-payments>
const DECLINING_METHODS: [&str; 5] = [
    "pm_card_chargeCustomerFail",
    "pm_card_chargeDeclined",
    "pm_card_visa_chargeDeclined",
    "tok_chargeCustomerFail",
    "tok_chargeDeclined",
];

/// What time brings next. Of what falls together, the earlier in this list comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Transition {
    Cancel,
    Expire,
    CancelUnpaid,
    EndTrial,
    Renew,
    ResumeCollection,
}

/// How a charge goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChargeResult {
    /// It succeeds.
    Succeeded,
    /// It fails.
    Declined,
    /// There is nothing to charge: others see to the money, and say what comes of it.
    External,
}

impl Subscription {
    /// When time changes it next, and how.
    pub(crate) fn next_transition(&self) -> Option<(Timestamp, Transition)> {
        let ends = match self.status {
            Status::Canceled | Status::IncompleteExpired => return None,
            Status::Paused => None,
            Status::Incomplete => {
                Some((add_seconds(self.created, FIRST_PAYMENT_WINDOW), Transition::Expire))
            }
            Status::Trialing => Some((self.period.end, Transition::EndTrial)),
            Status::Active | Status::PastDue | Status::Unpaid => {
                Some((self.period.end, Transition::Renew))
            }
        };
        let cancel = self.cancel_at.map(|at| (at, Transition::Cancel));
        let failing = self.failing_since.filter(|_| self.status == Status::PastDue);
        let give_up =
            failing.map(|since| (add_seconds(since, DUNNING_PERIOD), Transition::CancelUnpaid));
        let resumes = self.pause_collection.as_ref().and_then(|pause| pause.resumes_at);
        let collect = resumes.map(|at| (at, Transition::ResumeCollection));
        [ends, cancel, give_up, collect].into_iter().flatten().min()
    }

    /// Whether its customer is sent invoices, so that nothing is charged.
    pub(crate) fn sends_invoices(&self) -> bool {
        self.passthrough.get("collection_method").and_then(Value::as_str) == Some("send_invoice")
    }

    /// How a charge goes, by its own payment method or its customer's.
    pub(crate) fn try_charge(&self, customers: Option<&str>) -> ChargeResult {
        match self.payment_method.as_deref().or(customers) {
            _ if self.billing_terms.free => ChargeResult::Succeeded,
            _ if self.sends_invoices() => ChargeResult::External,
            method => charge_payment_method(method),
        }
    }

    /// Begins the period that a moment is in, counted from the anchor.
    pub(crate) fn begin_period(&mut self, start: Timestamp) {
        self.period = Period {
            start,
            end: self.billing_terms.cycle.next_after(self.billing_cycle_anchor, start),
        };
        if self.cancel_at_period_end {
            self.cancel_at = Some(self.period.end);
        }
    }

    /// Goes on to the period that a moment is in.
    pub(crate) fn advance_period(&mut self, now: Timestamp) {
        while self.period.end <= now {
            self.begin_period(self.period.end);
        }
    }

    /// Begins to count periods anew.
    pub(crate) fn reset_cycle(&mut self, now: Timestamp) {
        self.billing_cycle_anchor = now;
        self.begin_period(now);
    }

    pub(crate) fn cancel(&mut self, at: Timestamp, reason: CancellationReason) {
        self.cancellation_details.reason = Some(reason);
        self.status = Status::Canceled;
        self.canceled_at.get_or_insert(at);
        self.ended_at = Some(at);
    }

    /// What a charge makes of it.
    pub(crate) fn apply_charge(&mut self, charge: ChargeResult, at: Timestamp) {
        match charge {
            ChargeResult::Succeeded => {
                self.status = Status::Active;
                self.failing_since = None;
            }
            ChargeResult::Declined => {
                self.status = Status::PastDue;
                self.failing_since.get_or_insert(at);
            }
            ChargeResult::External => {
                if matches!(self.status, Status::Trialing | Status::Incomplete | Status::Paused) {
                    self.status = Status::Active;
                    self.failing_since = None;
                }
            }
        }
    }
}

impl Tx<'_> {
    /// How a charge of a subscription would go.
    pub(crate) fn try_charge(&self, subscription: &Subscription) -> Result<ChargeResult, Error> {
        if subscription.payment_method.is_some() {
            return Ok(subscription.try_charge(None));
        }
        let customer: Customer = self.load(&subscription.customer, "customer")?;
        Ok(subscription.try_charge(customer.payment_method.as_deref()))
    }

    /// Whether there is something to pay, and nothing known to pay it with.
    fn needs_payment_method(&self, subscription: &Subscription) -> Result<bool, Error> {
        if subscription.payment_method.is_some() || subscription.billing_terms.free {
            return Ok(false);
        }
        let customer: Customer = self.load(&subscription.customer, "customer")?;
        Ok(customer.payment_method.is_none())
    }

    /// Does to a subscription what time brings.
    pub(crate) fn apply_transition(
        &self,
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
                match (self.needs_payment_method(before)?, before.missing_payment_method) {
                    (true, MissingPaymentMethod::Cancel) => {
                        after.cancel(at, CancellationReason::PaymentFailed);
                    }
                    (true, MissingPaymentMethod::Pause) => {
                        after.status = Status::Paused;
                        kind = EventType::SubscriptionPaused;
                    }
                    _ => {
                        after.begin_period(at);
                        after.apply_charge(self.try_charge(before)?, at);
                        self.snapshot_features(&mut after.items)?;
                    }
                }
            }
            Transition::Renew => {
                after.begin_period(at);
                if before.status != Status::Unpaid {
                    after.apply_charge(self.try_charge(before)?, at);
                }
                self.snapshot_features(&mut after.items)?;
            }
        }
        if after.status == Status::Canceled {
            kind = EventType::SubscriptionDeleted;
        }
        self.save(Some(before), &after, kind, at)
    }
}

/// How a charge of a payment method goes.
pub(crate) fn charge_payment_method(method: Option<&str>) -> ChargeResult {
    match method {
        None => ChargeResult::External,
        Some(method) if DECLINING_METHODS.iter().any(|declining| method.starts_with(declining)) => {
            ChargeResult::Declined
        }
        Some(_) => ChargeResult::Succeeded,
    }
}

fn add_seconds(moment: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(moment.0.saturating_add(seconds))
}
