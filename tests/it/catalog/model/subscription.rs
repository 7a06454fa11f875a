//! The reference model of one subscription.
//!
//! Periods have a fixed length here. Tests of the calendar cover months, with fixed dates.

use std::collections::BTreeSet;

use crate::catalog::fixture::{DAY, HOUR};

/// The HTTP status of the response that rejects a request.
pub(super) type ErrorStatus = u16;

/// How long the first payment of a subscription is accepted.
const FIRST_PAYMENT_WINDOW: i64 = 23 * HOUR;

/// How long a failed payment is retried before the subscription is canceled.
const DUNNING_PERIOD: i64 = 14 * DAY;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    pub(super) fn is_ended(self) -> bool {
        matches!(self, Self::IncompleteExpired | Self::Canceled)
    }
}

/// The payment method of a customer or of a subscription, and the result of its charges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PaymentMethod {
    None,
    Valid,
    Declined,
}

/// What a first charge that fails or is not attempted results in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::enum_variant_names, reason = "Stripe's names")]
pub(super) enum PaymentBehavior {
    AllowIncomplete,
    DefaultIncomplete,
    ErrorIfIncomplete,
}

/// What the end of a trial without a payment method results in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MissingMethod {
    CreateInvoice,
    Pause,
    Cancel,
}

/// Why a subscription is canceled, or will be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CancellationReason {
    Requested,
    PaymentFailed,
}

impl CancellationReason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requested => "cancellation_requested",
            Self::PaymentFailed => "payment_failed",
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Item {
    pub(super) price: usize,
    /// In seconds.
    pub(super) period_len: i64,
    /// The snapshot of the features of the product.
    pub(super) features: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) customer: usize,
    pub(super) status: Status,
    pub(super) items: Vec<Item>,
    pub(super) created: i64,
    pub(super) billing_cycle_anchor: i64,
    /// When the last period of any item began.
    pub(super) period_start: i64,
    /// When the next period of any item begins.
    pub(super) period_end: i64,
    /// The start and the end of the last trial.
    pub(super) trial: Option<(i64, i64)>,
    pub(super) missing_method: MissingMethod,
    pub(super) cancel_at: Option<i64>,
    pub(super) cancel_at_period_end: bool,
    pub(super) canceled_at: Option<i64>,
    pub(super) reason: Option<CancellationReason>,
    pub(super) ended_at: Option<i64>,
    pub(super) payment_method: PaymentMethod,
    /// Whether the customer receives invoices, which are paid outside of the catalog.
    pub(super) sends_invoices: bool,
    /// When the charge failed that made the subscription past due.
    pub(super) past_due_since: Option<i64>,
    pub(super) collection_resumes_at: Option<i64>,
}

/// What time does to a subscription. If several are due in one second, the smallest runs first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Transition {
    Cancel,
    Expire,
    CancelUnpaid,
    EndTrial,
    Renew,
    ResumeCollection,
}

impl Subscription {
    /// The next transition, and when it is due.
    pub(super) fn next_transition(&self) -> Option<(i64, Transition)> {
        if self.status.is_ended() {
            return None;
        }
        let of_status = match self.status {
            Status::Incomplete => Some((self.created + FIRST_PAYMENT_WINDOW, Transition::Expire)),
            Status::Trialing => self.trial.map(|(_, end)| (end, Transition::EndTrial)),
            Status::Active | Status::PastDue | Status::Unpaid => {
                Some((self.period_end, Transition::Renew))
            }
            Status::Paused | Status::Canceled | Status::IncompleteExpired => None,
        };
        let cancel = self.cancel_at.map(|at| (at, Transition::Cancel));
        let cancel_unpaid = self
            .past_due_since
            .filter(|_| self.status == Status::PastDue)
            .map(|since| (since + DUNNING_PERIOD, Transition::CancelUnpaid));
        let resume_collection =
            self.collection_resumes_at.map(|at| (at, Transition::ResumeCollection));
        [of_status, cancel, cancel_unpaid, resume_collection].into_iter().flatten().min()
    }

    /// Starts the periods of all items. Each ends a whole number of its periods after the anchor.
    pub(super) fn start_period(&mut self, start: i64) {
        self.period_start = start;
        self.period_end =
            self.items.iter().map(|it| self.item_period_at(it, start).1).min().unwrap();
        if self.cancel_at_period_end {
            self.cancel_at = Some(self.period_end);
        }
    }

    /// The start and the end of the period of an item.
    pub(super) fn item_period(&self, item: &Item) -> (i64, i64) {
        if self.trial == Some((self.period_start, self.period_end)) {
            return (self.period_start, self.period_end);
        }
        self.item_period_at(item, self.period_start)
    }

    fn item_period_at(&self, item: &Item, time: i64) -> (i64, i64) {
        let periods = (time - self.billing_cycle_anchor).div_euclid(item.period_len);
        let start = self.billing_cycle_anchor + periods * item.period_len;
        let trial_end = self.trial.map_or(self.created, |(_, end)| end);
        let first_start =
            if trial_end <= time { trial_end.max(self.created) } else { self.created };
        (start.max(first_start), start + item.period_len)
    }

    /// Adapts the period after a change of the items, without a new billing cycle.
    pub(super) fn align_period(&mut self, now: i64) {
        if self.trial == Some((self.period_start, self.period_end)) {
            return;
        }
        let time = if now < self.period_end { now } else { self.period_start };
        let periods: Vec<_> = self.items.iter().map(|it| self.item_period_at(it, time)).collect();
        self.period_start = periods.iter().map(|(start, _)| *start).max().unwrap();
        self.period_end = periods.iter().map(|(_, end)| *end).min().unwrap();
        if self.cancel_at_period_end {
            self.cancel_at = Some(self.period_end);
        }
    }

    /// The different lengths of the periods of the items.
    pub(super) fn period_lens(&self) -> BTreeSet<i64> {
        self.items.iter().map(|item| item.period_len).collect()
    }

    pub(super) fn reset_cycle(&mut self, now: i64) {
        self.billing_cycle_anchor = now;
        self.start_period(now);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.status = status;
        if status != Status::PastDue {
            self.past_due_since = None;
        }
    }

    pub(super) fn cancel(&mut self, at: i64, reason: CancellationReason) {
        self.set_status(Status::Canceled);
        self.reason = Some(reason);
        self.canceled_at.get_or_insert(at);
        self.ended_at = Some(at);
    }

    /// Applies the result of a charge with this payment method.
    pub(super) fn apply_charge(&mut self, method: PaymentMethod, at: i64) {
        match method {
            PaymentMethod::Declined => {
                self.set_status(Status::PastDue);
                self.past_due_since.get_or_insert(at);
            }
            // Payments happen outside of the catalog, and no request has reported one.
            PaymentMethod::None if self.status == Status::PastDue => {}
            PaymentMethod::Valid | PaymentMethod::None => self.set_status(Status::Active),
        }
    }

    /// Ends the trial, and returns whether there was one to end.
    pub(super) fn end_trial(&mut self, now: i64) -> bool {
        match &mut self.trial {
            Some((_, end)) if *end > now => {
                *end = now;
                true
            }
            _ => false,
        }
    }

    /// Schedules the cancellation, or removes it.
    pub(super) fn schedule_cancellation(
        &mut self,
        at_period_end: bool,
        cancel_in: Option<i64>,
        now: i64,
    ) -> Result<(), ErrorStatus> {
        // The period of a paused subscription can be over.
        let is_period_over = at_period_end && self.period_end <= now;
        if is_period_over || cancel_in.is_some_and(|seconds| seconds <= 0) {
            return Err(400);
        }
        self.cancel_at_period_end = at_period_end;
        self.cancel_at = if at_period_end {
            Some(self.period_end)
        } else {
            cancel_in.map(|seconds| now + seconds)
        };
        self.canceled_at = self.cancel_at.map(|_| now);
        self.reason = self.cancel_at.map(|_| CancellationReason::Requested);
        Ok(())
    }
}
