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

use super::{
    Catalog, DAY, Error,
    customer::Customer,
    event::Kind,
    status::Status,
    subscription::{MissingPaymentMethod, Period, Reason, Subscription},
};
use crate::id::Timestamp;

/// How long a first payment can be made, in seconds: as at Stripe.
const FIRST_PAYMENT: i64 = 23 * 60 * 60;

/// How long a failed payment is tried again, in seconds.
const RETRIES: i64 = 14 * DAY;

/// The payment methods that decline when they are charged.
/// <https://docs.stripe.com/testing#declined-payments>
const DECLINING: [&str; 5] = [
    "pm_card_chargeCustomerFail",
    "pm_card_chargeDeclined",
    "pm_card_visa_chargeDeclined",
    "tok_chargeCustomerFail",
    "tok_chargeDeclined",
];

/// What time brings next. Of what falls together, the earlier in this list comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Turn {
    Cancel,
    Expire,
    GiveUp,
    EndTrial,
    Renew,
    Collect,
}

/// How a charge goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Charge {
    /// It succeeds.
    Paid,
    /// It fails.
    Declined,
    /// There is nothing to charge: others see to the money, and say what comes of it.
    Elsewhere,
}

impl Subscription {
    /// When time changes it next, and how.
    pub(crate) fn next(&self) -> Option<(Timestamp, Turn)> {
        let ends = match self.status {
            Status::Canceled | Status::IncompleteExpired => return None,
            Status::Paused => None,
            Status::Incomplete => Some((after(self.created, FIRST_PAYMENT), Turn::Expire)),
            Status::Trialing => Some((self.period.end, Turn::EndTrial)),
            Status::Active | Status::PastDue | Status::Unpaid => {
                Some((self.period.end, Turn::Renew))
            }
        };
        let cancel = self.cancel_at.map(|at| (at, Turn::Cancel));
        let failing = self.failing_since.filter(|_| self.status == Status::PastDue);
        let give_up = failing.map(|since| (after(since, RETRIES), Turn::GiveUp));
        let resumes = self.pause_collection.as_ref().and_then(|pause| pause.resumes_at);
        let collect = resumes.map(|at| (at, Turn::Collect));
        [ends, cancel, give_up, collect].into_iter().flatten().min()
    }

    /// Whether its customer is sent invoices, so that nothing is charged.
    pub(crate) fn sends_invoices(&self) -> bool {
        self.details.get("collection_method").and_then(Value::as_str) == Some("send_invoice")
    }

    /// How a charge goes, by its own payment method or its customer's.
    pub(crate) fn charge(&self, customers: Option<&str>) -> Charge {
        match self.payment_method.as_deref().or(customers) {
            _ if self.terms.free => Charge::Paid,
            _ if self.sends_invoices() => Charge::Elsewhere,
            method => charge(method),
        }
    }

    /// Begins the period that a moment is in, counted from the anchor.
    pub(crate) fn begin_period(&mut self, start: Timestamp) {
        self.period = Period { start, end: self.terms.cycle.next_after(self.anchor, start) };
        if self.cancel_at_period_end {
            self.cancel_at = Some(self.period.end);
        }
    }

    /// Goes on to the period that a moment is in.
    pub(crate) fn catch_up(&mut self, now: Timestamp) {
        while self.period.end <= now {
            self.begin_period(self.period.end);
        }
    }

    /// Begins to count periods anew.
    pub(crate) fn begin_anew(&mut self, now: Timestamp) {
        self.anchor = now;
        self.begin_period(now);
    }

    pub(crate) fn cancel(&mut self, at: Timestamp, reason: Reason) {
        self.cancellation.reason = Some(reason);
        self.status = Status::Canceled;
        self.canceled_at.get_or_insert(at);
        self.ended_at = Some(at);
    }

    /// What a charge makes of it.
    pub(crate) fn charged(&mut self, charge: Charge, at: Timestamp) {
        match charge {
            Charge::Paid => {
                self.status = Status::Active;
                self.failing_since = None;
            }
            Charge::Declined => {
                self.status = Status::PastDue;
                self.failing_since.get_or_insert(at);
            }
            Charge::Elsewhere => {
                if matches!(self.status, Status::Trialing | Status::Incomplete | Status::Paused) {
                    self.status = Status::Active;
                    self.failing_since = None;
                }
            }
        }
    }
}

impl Catalog<'_> {
    /// How a charge of a subscription would go.
    pub(crate) fn charge(&self, subscription: &Subscription) -> Result<Charge, Error> {
        if subscription.payment_method.is_some() {
            return Ok(subscription.charge(None));
        }
        let customer: Customer = self.load(&subscription.customer, "customer")?;
        Ok(subscription.charge(customer.payment_method.as_deref()))
    }

    /// Whether there is something to pay, and nothing known to pay it with.
    fn lacks_method(&self, subscription: &Subscription) -> Result<bool, Error> {
        if subscription.payment_method.is_some() || subscription.terms.free {
            return Ok(false);
        }
        let customer: Customer = self.load(&subscription.customer, "customer")?;
        Ok(customer.payment_method.is_none())
    }

    /// Does to a subscription what time brings.
    pub(crate) fn turn(
        &self,
        before: &Subscription,
        turn: Turn,
        at: Timestamp,
    ) -> Result<(), Error> {
        let mut after = before.clone();
        let mut kind = Kind::SubscriptionUpdated;
        match turn {
            Turn::Cancel => after.cancel(at, Reason::CancellationRequested),
            Turn::GiveUp => after.cancel(at, Reason::PaymentFailed),
            Turn::Expire => {
                after.status = Status::IncompleteExpired;
                after.ended_at = Some(at);
            }
            Turn::Collect => after.pause_collection = None,
            Turn::EndTrial => match (self.lacks_method(before)?, before.at_trial_end) {
                (true, MissingPaymentMethod::Cancel) => {
                    after.cancel(at, Reason::PaymentFailed);
                }
                (true, MissingPaymentMethod::Pause) => {
                    after.status = Status::Paused;
                    kind = Kind::SubscriptionPaused;
                }
                _ => {
                    after.begin_period(at);
                    after.charged(self.charge(before)?, at);
                    self.look(&mut after.items)?;
                }
            },
            Turn::Renew => {
                after.begin_period(at);
                if before.status != Status::Unpaid {
                    after.charged(self.charge(before)?, at);
                }
                self.look(&mut after.items)?;
            }
        }
        if after.status == Status::Canceled {
            kind = Kind::SubscriptionDeleted;
        }
        self.keep(Some(before), &after, kind, at)
    }
}

/// How a charge of a payment method goes.
pub(crate) fn charge(method: Option<&str>) -> Charge {
    match method {
        None => Charge::Elsewhere,
        Some(method) if DECLINING.iter().any(|declining| method.starts_with(declining)) => {
            Charge::Declined
        }
        Some(_) => Charge::Paid,
    }
}

fn after(moment: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(moment.0.saturating_add(seconds))
}
