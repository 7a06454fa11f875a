//! The reference model of one subscription.
//!
//! Periods have a fixed length here. Tests of the calendar cover months, with fixed dates.

use std::collections::BTreeSet;

use crate::catalog::fixture::{DAY, HOUR};

/// The HTTP status of the response that rejects a request.
pub(super) type ErrorStatus = u16;

/// How long the first payment of a subscription is accepted.
const FIRST_PAYMENT_WINDOW: i64 = 23 * HOUR;

/// How long before the end of a trial its end is announced.
const TRIAL_NOTICE: i64 = 3 * DAY;

/// How long a failed payment is retried before the subscription is canceled or paused.
const DUNNING_PERIOD: i64 = 14 * DAY;

/// How long a resume waits for its payment.
const RESUME_WINDOW: i64 = 365 * DAY;

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

/// Why a subscription is paused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PauseReason {
    Requested,
    FirstFailure,
    FinalFailure,
    TrialEnded,
}

impl PauseReason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requested => "pause_requested",
            Self::FirstFailure => "first_payment_failure",
            Self::FinalFailure => "final_payment_failure",
            Self::TrialEnded => "trial_end_without_payment_method",
        }
    }
}

/// Which failed payment of a renewal pauses a subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PausingFailure {
    None,
    First,
    Final,
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
    /// The end of the trial that was announced last.
    pub(super) announced_trial_end: Option<i64>,
    /// How often the end of a trial was announced.
    pub(super) trial_notices: usize,
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
    /// Why it is paused, and since when.
    pub(super) pause: Option<(PauseReason, i64)>,
    /// When a resume was requested whose payment has not succeeded, and whether it resets the cycle.
    pub(super) pending_resume: Option<(i64, bool)>,
}

/// What time does to a subscription. If several are due in one second, the smallest runs first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Transition {
    Cancel,
    Expire,
    EndDunning,
    EndTrial,
    AnnounceTrialEnd,
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
        let unannounced = self.unannounced_trial_end();
        let announce = unannounced.map(|end| (end - TRIAL_NOTICE, Transition::AnnounceTrialEnd));
        let cancel = self.cancel_at.map(|at| (at, Transition::Cancel));
        let end_dunning = self
            .past_due_since
            .filter(|_| self.status == Status::PastDue)
            .map(|since| (since + DUNNING_PERIOD, Transition::EndDunning));
        let resume_collection =
            self.collection_resumes_at.map(|at| (at, Transition::ResumeCollection));
        [of_status, announce, cancel, end_dunning, resume_collection].into_iter().flatten().min()
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

    fn unannounced_trial_end(&self) -> Option<i64> {
        let (_, end) = self.trial.filter(|_| self.status == Status::Trialing)?;
        (self.announced_trial_end != Some(end)).then_some(end)
    }

    /// Announces the end of the trial if it is near, or if it came early.
    pub(super) fn announce_trial_end(&mut self, before: Option<&Self>, now: i64) {
        let end = self.unannounced_trial_end().filter(|end| *end <= now + TRIAL_NOTICE);
        let ended_early = before.is_some_and(|before| {
            let was_trialing = before.status == Status::Trialing && self.status != Status::Trialing;
            was_trialing && self.trial != before.trial
        });
        self.announced_trial_end = end.or(self.announced_trial_end);
        self.trial_notices += usize::from(end.is_some() || ended_early);
    }

    pub(super) fn set_status(&mut self, status: Status) {
        self.status = status;
        if status != Status::Paused {
            self.pause = None;
            self.pending_resume = None;
        }
        if status != Status::PastDue {
            self.past_due_since = None;
        }
    }

    pub(super) fn pause(&mut self, reason: PauseReason, since: i64) {
        self.set_status(Status::Paused);
        self.pause = Some((reason, since));
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

    /// Whether a payment changes the status.
    pub(super) fn is_payment_due(&self, now: i64) -> bool {
        match self.status {
            Status::Incomplete | Status::PastDue | Status::Unpaid => true,
            Status::Paused => self.pending_resume.is_some_and(|(at, _)| now - at < RESUME_WINDOW),
            Status::Active | Status::Trialing | Status::Canceled | Status::IncompleteExpired => {
                false
            }
        }
    }

    /// Moves the end of a trial that is not over to now. Its period ends, and the billing cycle
    /// starts.
    pub(super) fn cut_trial(&mut self, now: i64) {
        if let Some((_, end)) = self.trial.as_mut().filter(|(_, end)| *end > now) {
            *end = now;
            self.period_end = now;
            self.billing_cycle_anchor = now;
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
