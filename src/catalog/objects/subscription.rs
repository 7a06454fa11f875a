//! A subscription: what a customer has bought, since when and until when.
//!
//! <https://docs.stripe.com/api/subscriptions>. This is the object, the lists that it stands in and
//! how a change of it is kept; what requests do to it is in `purchase` and `amendment`, what time
//! does in `lifecycle`.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    catalog::{
        error::Error,
        objects::{
            calendar::{BillingCycle, SECONDS_PER_DAY},
            charge::{ChargeResult, charge_payment_method},
            metadata::Metadata,
            status::Status,
        },
        repository::Entity,
        storage::{IndexEntry, IndexRange},
        tx::Tx,
    },
    id::Timestamp,
    json::impl_from_json,
};

/// How long a first payment can be made, in seconds: as at Stripe.
const FIRST_PAYMENT_WINDOW: i64 = 23 * 60 * 60;

/// How long a failed payment is tried again, in seconds.
const DUNNING_PERIOD: i64 = 14 * SECONDS_PER_DAY;

/// The most subscriptions of one customer, as at Stripe. All of them are read when one changes.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 500;

/// A subscription.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) customer: String,
    /// The test clock that it lives by.
    pub(crate) test_clock: Option<String>,
    pub(crate) status: Status,
    pub(crate) items: Vec<SubscriptionItem>,
    pub(crate) billing_terms: BillingTerms,
    /// The moment that its periods are counted from.
    pub(crate) billing_cycle_anchor: Timestamp,
    pub(crate) period: Period,
    pub(crate) trial: Option<Period>,
    pub(crate) missing_payment_method: MissingPaymentMethod,
    pub(crate) cancel_at: Option<Timestamp>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) canceled_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) payment_method: Option<String>,
    /// Since when payments have been failing.
    pub(crate) failing_since: Option<Timestamp>,
    pub(crate) pause_collection: Option<PauseCollection>,
    pub(crate) cancellation_details: CancellationDetails,
    pub(crate) metadata: Metadata,
    /// What is only kept to be shown again.
    pub(crate) passthrough: Map<String, Value>,
}

impl_from_json! {
    struct Subscription {
        id, created, customer, test_clock, status, items, billing_terms, billing_cycle_anchor, period, trial, missing_payment_method,
        cancel_at, cancel_at_period_end, canceled_at, ended_at, payment_method, failing_since,
        pause_collection, cancellation_details, metadata, passthrough,
    }
}

/// Why it was canceled, or will be.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct CancellationDetails {
    pub(crate) comment: Option<String>,
    pub(crate) feedback: Option<String>,
    pub(crate) feedback_option: Option<String>,
    pub(crate) reason: Option<CancellationReason>,
}

impl_from_json! { struct CancellationDetails { comment, feedback, feedback_option, reason } }

/// The cause of a cancellation that Stripe tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CancellationReason {
    CancellationRequested,
    PaymentFailed,
}

impl_from_json! {
    enum CancellationReason {
        CancellationRequested = "cancellation_requested", PaymentFailed = "payment_failed",
    }
}

/// What all its prices have in common.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct BillingTerms {
    pub(crate) currency: String,
    pub(crate) cycle: BillingCycle,
    /// Whether all of them are nothing, so that there is nothing to charge.
    pub(crate) free: bool,
}

impl_from_json! { struct BillingTerms { currency, cycle, free } }

/// One product in a subscription.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct SubscriptionItem {
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) price: String,
    pub(crate) product: String,
    pub(crate) quantity: Option<u64>,
    pub(crate) metadata: Metadata,
    /// The features that the product had when this was last looked at.
    pub(crate) features: Vec<String>,
}

impl_from_json! { struct SubscriptionItem { id, created, price, product, quantity, metadata, features } }

/// From a moment until just before another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Period {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl_from_json! { struct Period { start, end } }

/// What the end of a trial does when nothing is known to pay with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MissingPaymentMethod {
    Cancel,
    #[default]
    CreateInvoice,
    Pause,
}

impl_from_json! {
    enum MissingPaymentMethod {
        Cancel = "cancel", CreateInvoice = "create_invoice", Pause = "pause",
    }
}

/// That invoices are not collected for a while. It changes no status.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct PauseCollection {
    pub(crate) behavior: String,
    pub(crate) resumes_at: Option<Timestamp>,
}

impl_from_json! { struct PauseCollection { behavior, resumes_at } }

/// Which of a customer's subscriptions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Liveness {
    Any,
    /// Those that are not over.
    Live,
}

/// The list of a customer's subscriptions.
pub(crate) fn customer_index(customer: &str, group: Liveness) -> String {
    let live = if group == Liveness::Live { " live" } else { "" };
    format!("subscriptions customer={customer}{live}")
}

/// The list of the subscriptions with a price, on a test clock or on none.
pub(crate) fn price_index(price: &str, clock: Option<&str>) -> String {
    format!("subscriptions price={price} clock={}", clock.unwrap_or_default())
}

/// The list of the subscriptions with a product that are not over.
pub(crate) fn product_index(product: &str) -> String {
    format!("subscriptions product={product}")
}

/// The list of the subscriptions on a test clock, or on none; of one status, or of all.
pub(crate) fn clock_index(clock: Option<&str>, status: Option<Status>) -> String {
    let (clock, status) = (clock.unwrap_or_default(), status.map_or("", Status::as_str));
    format!("subscriptions clock={clock} status={status}")
}

/// The list of the subscriptions of a status, whatever their clock.
pub(crate) fn status_index(status: Status) -> String {
    format!("subscriptions status={}", status.as_str())
}

/// The list of those that time will change, by when; on a test clock, or on none.
pub(crate) fn due_index(clock: Option<&str>) -> String {
    format!("due clock={}", clock.unwrap_or_default())
}

impl Entity for Subscription {
    const TYPE: &'static str = "subscription";

    fn id(&self) -> &str {
        &self.id
    }

    fn index_entries(&self) -> Vec<IndexEntry> {
        let clock = self.test_clock.as_deref();
        let mut lists = BTreeSet::new();
        lists.extend([
            clock_index(clock, None),
            clock_index(clock, Some(self.status)),
            status_index(self.status),
            customer_index(&self.customer, Liveness::Any),
        ]);
        lists.extend(self.items.iter().map(|item| price_index(&item.price, clock)));
        if !self.status.is_final() {
            lists.insert(customer_index(&self.customer, Liveness::Live));
            lists.extend(self.items.iter().map(|item| product_index(&item.product)));
        }
        let entries = lists.into_iter().map(|list| IndexEntry::new(list, self.created));
        let due = self.next_transition().map(|(at, _)| IndexEntry::new(due_index(clock), at));
        entries.chain(due).collect()
    }
}

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

impl Subscription {
    /// The features that each of its items grants, if its status does.
    pub(crate) fn features(&self) -> Vec<&[String]> {
        self.items.iter().map(|item| item.features.as_slice()).collect()
    }

    /// When time changes it next, and how.
    pub(crate) fn next_transition(&self) -> Option<(Timestamp, Transition)> {
        let ends = match self.status {
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
        let cancel = self.cancel_at.map(|at| (at, Transition::Cancel));
        let failing = self.failing_since.filter(|_| self.status == Status::PastDue);
        let give_up =
            failing.map(|since| (since.saturating_add(DUNNING_PERIOD), Transition::CancelUnpaid));
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

    /// Notes why somebody cancels, where they say so. What it comes to is another matter.
    pub(crate) fn set_cancellation_details(&mut self, cancellation: Option<CancellationDetails>) {
        if let Some(told) = cancellation {
            self.cancellation_details =
                CancellationDetails { reason: self.cancellation_details.reason, ..told };
        }
    }
}

/// All subscriptions of a customer that are not over, oldest first.
pub(crate) fn list_live(tx: &Tx<'_>, customer: &str) -> Result<Vec<Subscription>, Error> {
    let live = customer_index(customer, Liveness::Live);
    let mut subscriptions: Vec<Subscription> =
        tx.list(&live, IndexRange::newest_first(MAX_SUBSCRIPTIONS))?;
    subscriptions.reverse();
    Ok(subscriptions)
}
