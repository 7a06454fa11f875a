//! A subscription: what a customer bought, its status and its periods.
//!
//! | state                    | time                          | transition                       |
//! |--------------------------|-------------------------------|----------------------------------|
//! | incomplete               | 23 hours after creation       | expires                          |
//! | trialing                 | 3 days before the end of the trial | announces the end           |
//! | trialing                 | the end of the trial          | starts a period, pauses or cancels |
//! | active, past due, unpaid | the end of the period         | starts the next period           |
//! | past due                 | 14 days after the first failed payment | cancels or pauses       |
//! | any that is not final    | `cancel_at`                   | cancels                          |
//! | collection is paused     | `resumes_at`                  | resumes collection               |
//!
//! This file has the object and the changes that need nothing else. The engine runs the transitions.
//! The 14 days: <https://docs.stripe.com/billing/revenue-recovery/smart-retries>. Specification:
//! <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    catalog::{
        error::Error,
        objects::{
            calendar::{BillingCycle, SECONDS_PER_DAY},
            charge::{ChargeResult, charge_payment_method},
            pause::{Pause, PauseCollection, PauseReason, PendingResume},
            status::Status,
            subscription_indexes::item_index,
        },
        repository::Entity,
        storage::{IndexEntry, IndexRange},
        tx::Tx,
    },
    id::Timestamp,
    json::json_type,
    metadata::Metadata,
    policy::StatusPolicy,
};

pub(crate) use super::subscription_indexes::{
    Liveness, clock_index, customer_index, due_index, payment_method_index, price_index,
    product_index, status_index,
};

/// How long the first payment can be made, in seconds. The same as at Stripe.
const FIRST_PAYMENT_WINDOW: i64 = 23 * 60 * 60;

/// How long a failed payment is retried, in seconds.
const DUNNING_PERIOD: i64 = 14 * SECONDS_PER_DAY;

/// How long before the end of a trial its end is announced, in seconds. The same as at Stripe:
/// <https://docs.stripe.com/api/events/types#event_types-customer.subscription.trial_will_end>.
const TRIAL_NOTICE: i64 = 3 * SECONDS_PER_DAY;

/// The most subscriptions of one customer, as at Stripe. All of them are read when one changes.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 500;

json_type! {
    /// A subscription.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Subscription {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) customer: String,
        /// The customer's test clock.
        pub(crate) test_clock: Option<String>,
        pub(crate) status: Status,
        pub(crate) items: Vec<SubscriptionItem>,
        pub(crate) billing_terms: BillingTerms,
        /// The time from which periods are counted.
        pub(crate) billing_cycle_anchor: Timestamp,
        /// From the last start of a period to the next one, of any item.
        pub(crate) period: Period,
        pub(crate) trial: Option<Period>,
        /// The end of the trial that was announced last.
        pub(crate) announced_trial_end: Option<Timestamp>,
        pub(crate) missing_payment_method: MissingPaymentMethod,
        pub(crate) cancel_at: Option<Timestamp>,
        pub(crate) cancel_at_period_end: bool,
        pub(crate) canceled_at: Option<Timestamp>,
        pub(crate) ended_at: Option<Timestamp>,
        pub(crate) payment_method: Option<String>,
        /// The time of the first failed payment, while payments fail.
        pub(crate) failing_since: Option<Timestamp>,
        /// Why it is paused, while its status is `paused`.
        pub(crate) pause: Option<Pause>,
        /// A resume that waits for a payment, while its status is `paused`.
        pub(crate) pending_resume: Option<PendingResume>,
        pub(crate) pause_collection: Option<PauseCollection>,
        pub(crate) cancellation_details: CancellationDetails,
        pub(crate) metadata: Metadata,
        /// Members that are stored only to be returned.
        pub(crate) passthrough: Map<String, Value>,
    }

    /// Why it is canceled, or is going to be.
    #[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
    pub(crate) struct CancellationDetails {
        pub(crate) comment: Option<String>,
        pub(crate) feedback: Option<String>,
        pub(crate) feedback_option: Option<String>,
        pub(crate) reason: Option<CancellationReason>,
    }

    /// Stripe's reason for a cancellation.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum CancellationReason {
        CancellationRequested = "cancellation_requested",
        PaymentFailed = "payment_failed",
    }

    /// What all its prices have in common.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct BillingTerms {
        pub(crate) currency: String,
        /// Whether every price is zero, so that nothing is charged.
        pub(crate) free: bool,
    }

    /// One price in a subscription.
    #[derive(Clone, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct SubscriptionItem {
        pub(crate) id: String,
        pub(crate) created: Timestamp,
        pub(crate) price: String,
        pub(crate) product: String,
        /// How often the price is billed. Items may differ.
        pub(crate) cycle: BillingCycle,
        pub(crate) quantity: Option<u64>,
        pub(crate) metadata: Metadata,
        /// The product's features, as last read from the product.
        pub(crate) features: Vec<String>,
    }

    /// A time span: the start is in it, the end is not.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) struct Period {
        pub(crate) start: Timestamp,
        pub(crate) end: Timestamp,
    }

    /// What the end of a trial does without a payment method.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
    pub(crate) enum MissingPaymentMethod {
        Cancel = "cancel",
        #[default]
        CreateInvoice = "create_invoice",
        Pause = "pause",
    }
}

impl Entity for Subscription {
    const TYPE: &'static str = "subscription";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let clock = self.test_clock.as_deref();
        let mut indexes = BTreeSet::new();
        indexes.extend([
            clock_index(clock, None),
            clock_index(clock, Some(self.status)),
            status_index(self.status),
            customer_index(&self.customer, Liveness::Any),
        ]);
        indexes.extend(self.items.iter().map(|item| price_index(&item.price, clock)));
        indexes.extend(self.payment_method.as_deref().map(payment_method_index));
        indexes.extend(self.items.iter().map(|item| item_index(&item.id)));
        if !self.status.is_final() {
            indexes.insert(customer_index(&self.customer, Liveness::Live));
            indexes.extend(self.items.iter().map(|item| product_index(&item.product)));
        }
        let entries = indexes.into_iter().map(|index| IndexEntry::new(index, self.created));
        let due = self.next_transition().map(|(at, _)| IndexEntry::new(due_index(clock), at));
        entries.chain(due).collect()
    }
}

/// A transition that time causes. Of two at the same time, the earlier in this list runs first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Transition {
    Cancel,
    Expire,
    EndDunning,
    EndTrial,
    AnnounceTrialEnd,
    Renew,
    ResumeCollection,
}

impl Subscription {
    /// The features of each item. [`Self::grants()`] decides whether they are granted.
    pub(crate) fn features(&self) -> Vec<&[String]> {
        self.items.iter().map(|item| item.features.as_slice()).collect()
    }

    /// Whether it grants the features of its items.
    pub(crate) fn grants(&self, policy: StatusPolicy) -> bool {
        self.status.grants(policy) && self.pause.is_none_or(|pause| pause.reason.follows_policy())
    }

    /// The next transition, and when it is due.
    pub(crate) fn next_transition(&self) -> Option<(Timestamp, Transition)> {
        let by_status = match self.status {
            Status::Canceled | Status::IncompleteExpired => return None,
            Status::Paused => None,
            Status::Incomplete => {
                Some((self.created.saturating_add(FIRST_PAYMENT_WINDOW), Transition::Expire))
            }
            Status::Trialing => Some((self.period.end, Transition::EndTrial)),
            Status::Active | Status::PastDue | Status::Unpaid => {
                Some((self.period.end, Transition::Renew))
            }
        };
        let announce = self.next_trial_notice().map(|at| (at, Transition::AnnounceTrialEnd));
        let cancel = self.cancel_at.map(|at| (at, Transition::Cancel));
        let failing = self.failing_since.filter(|_| self.status == Status::PastDue);
        let dunning_end =
            failing.map(|since| (since.saturating_add(DUNNING_PERIOD), Transition::EndDunning));
        let resumes_at = self.pause_collection.as_ref().and_then(|pause| pause.resumes_at);
        let resume = resumes_at.map(|at| (at, Transition::ResumeCollection));
        [by_status, announce, cancel, dunning_end, resume].into_iter().flatten().min()
    }

    /// When the end of the trial is announced, if it is not announced yet.
    fn next_trial_notice(&self) -> Option<Timestamp> {
        let trial = self.trial.filter(|_| self.status == Status::Trialing)?;
        (self.announced_trial_end != Some(trial.end))
            .then(|| trial.end.saturating_sub(TRIAL_NOTICE))
    }

    /// Whether a change must announce the end of the trial: its end is near and not announced yet,
    /// or the change ended the trial early. Marks the end as announced.
    pub(crate) fn take_trial_notice(&mut self, before: Option<&Self>, now: Timestamp) -> bool {
        if self.next_trial_notice().is_some_and(|at| at <= now) {
            self.announced_trial_end = self.trial.map(|trial| trial.end);
            return true;
        }
        let end = |it: &Self| it.trial.map(|trial| trial.end);
        before.is_some_and(|before| {
            before.status == Status::Trialing
                && self.status != Status::Trialing
                && end(self) < end(before)
        })
    }

    /// Whether the customer receives invoices, so that nothing is charged.
    pub(crate) fn sends_invoices(&self) -> bool {
        self.passthrough.get("collection_method").and_then(Value::as_str) == Some("send_invoice")
    }

    /// The result of a charge with its own payment method, or else the customer's.
    pub(crate) fn try_charge(&self, customer_method: Option<&str>) -> ChargeResult {
        match self.payment_method.as_deref().or(customer_method) {
            _ if self.billing_terms.free => ChargeResult::Succeeded,
            _ if self.sends_invoices() => ChargeResult::External,
            method => charge_payment_method(method),
        }
    }

    /// Starts the period that contains `start`, counted from the anchor.
    pub(crate) fn begin_period(&mut self, start: Timestamp) {
        let ends =
            self.items.iter().map(|item| item.cycle.next_after(self.billing_cycle_anchor, start));
        self.period = Period { start, end: ends.min().unwrap_or(Timestamp(i64::MAX)) };
        self.follow_period_end();
    }

    /// Moves a cancellation at the period's end to the current end.
    fn follow_period_end(&mut self) {
        if self.cancel_at_period_end {
            self.cancel_at = Some(self.period.end);
        }
    }

    /// The current period of an item: in a trial the trial, else counted from the anchor.
    pub(crate) fn item_period(&self, item: &SubscriptionItem) -> Period {
        if self.trial == Some(self.period) {
            return self.period;
        }
        self.item_period_at(item, self.period.start)
    }

    fn item_period_at(&self, item: &SubscriptionItem, time: Timestamp) -> Period {
        let (start, end) = item.cycle.bounds_around(self.billing_cycle_anchor, time);
        // The first period is shorter if the anchor is not its start.
        let trial_end = self.trial.map(|trial| trial.end).filter(|end| *end <= time);
        Period { start: start.max(self.created).max(trial_end.unwrap_or(start)), end }
    }

    /// When the period of the last item ends.
    pub(crate) fn last_period_end(&self) -> Timestamp {
        let ends = self.items.iter().map(|item| self.item_period(item).end);
        ends.max().unwrap_or(self.period.end)
    }

    /// Adapts the period to other items, which are billed from the same anchor.
    pub(crate) fn align_period(&mut self, now: Timestamp) {
        if self.trial == Some(self.period) {
            return;
        }
        // The period of a paused subscription can be over, and no other one begins.
        let time = if now < self.period.end { now } else { self.period.start };
        let periods = self.items.iter().map(|item| self.item_period_at(item, time));
        let common = periods.reduce(|common, period| Period {
            start: common.start.max(period.start),
            end: common.end.min(period.end),
        });
        self.period = common.unwrap_or(self.period);
        self.follow_period_end();
    }

    /// Whether an item starts a period now: all items but those within a longer period.
    pub(crate) fn begins_item_period(&self, item: &SubscriptionItem) -> bool {
        self.item_period(item).start == self.period.start
    }

    /// Advances to the period that contains `now`.
    pub(crate) fn advance_period(&mut self, now: Timestamp) {
        while self.period.end <= now {
            self.begin_period(self.period.end);
        }
    }

    /// Starts counting periods from `now`.
    pub(crate) fn reset_cycle(&mut self, now: Timestamp) {
        self.billing_cycle_anchor = now;
        self.begin_period(now);
    }

    pub(crate) fn pause(&mut self, reason: PauseReason, since: Timestamp) {
        self.status = Status::Paused;
        self.pause = Some(Pause { reason, since });
        self.failing_since = None;
    }

    /// Ends a pause. The caller sets the status.
    pub(crate) fn end_pause(&mut self) {
        self.pause = None;
        self.pending_resume = None;
    }

    pub(crate) fn cancel(&mut self, at: Timestamp, reason: CancellationReason) {
        self.cancellation_details.reason = Some(reason);
        self.end_pause();
        self.status = Status::Canceled;
        self.canceled_at.get_or_insert(at);
        self.ended_at = Some(at);
    }

    /// Sets the status that follows from a charge.
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

    /// Sets the caller's cancellation details, and keeps the reason.
    pub(crate) fn set_cancellation_details(&mut self, details: Option<CancellationDetails>) {
        if let Some(details) = details {
            self.cancellation_details =
                CancellationDetails { reason: self.cancellation_details.reason, ..details };
        }
    }
}

/// Loads the subscription that has an item.
pub(crate) fn load_by_item(tx: &Tx<'_>, item: &str) -> Result<Subscription, Error> {
    let found: Vec<Subscription> = tx.list(&item_index(item), IndexRange::newest_first(1))?;
    found.into_iter().next().ok_or_else(|| Error::not_found("subscription item", item, "id"))
}

/// Lists the live subscriptions of a customer, oldest first.
pub(crate) fn list_live(tx: &Tx<'_>, customer: &str) -> Result<Vec<Subscription>, Error> {
    let live = customer_index(customer, Liveness::Live);
    let mut subscriptions: Vec<Subscription> =
        tx.list(&live, IndexRange::newest_first(MAX_SUBSCRIPTIONS))?;
    subscriptions.reverse();
    Ok(subscriptions)
}
