//! The reference model of the catalog: its state, and what time does to it.
//!
//! It has no ids, events or storage. Requests are in [`super::requests`] and [`super::updates`].

use std::collections::{BTreeMap, BTreeSet};

use super::subscription::{
    CancellationReason, ErrorStatus, MissingMethod, PauseReason, PausingFailure, PaymentMethod,
    Status, Subscription, Transition,
};

/// Which of the uncertain statuses grant the features of a subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Policy {
    pub(super) past_due: bool,
    pub(super) unpaid: bool,
    pub(super) paused: bool,
}

#[derive(Debug)]
pub(super) struct Clock {
    pub(super) time: i64,
    pub(super) state: ClockState,
    pub(super) expires_at: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ClockState {
    Ready,
    /// An advance was requested, and no transition has run yet.
    Advancing(i64),
    /// The clock was deleted, and its customers were not yet.
    Deleting,
    Deleted,
}

#[derive(Debug)]
pub(super) struct Customer {
    pub(super) clock: Option<usize>,
    pub(super) payment_method: PaymentMethod,
    pub(super) is_deleted: bool,
    /// The features that the customer was entitled to at the last recorded change.
    pub(super) entitlements: BTreeSet<usize>,
}

#[derive(Debug)]
pub(super) struct Price {
    pub(super) product: usize,
    /// In seconds.
    pub(super) period_len: i64,
    pub(super) is_free: bool,
    pub(super) is_active: bool,
}

#[derive(Debug)]
pub(super) struct Product {
    pub(super) features: BTreeSet<usize>,
    pub(super) is_active: bool,
    /// The default price, which stays active.
    pub(super) default_price: Option<usize>,
}

#[derive(Debug)]
pub(super) struct ReferenceModel {
    pub(super) now: i64,
    pub(super) policy: Policy,
    pub(super) pausing_failure: PausingFailure,
    /// The lookup key of each feature, until it is archived.
    pub(super) features: Vec<Option<String>>,
    pub(super) products: Vec<Product>,
    pub(super) prices: Vec<Price>,
    pub(super) clocks: Vec<Clock>,
    pub(super) customers: Vec<Customer>,
    pub(super) subscriptions: Vec<Subscription>,
    /// Each change of the entitlements of a customer since the last check, in order.
    pub(super) entitlement_changes: Vec<(usize, BTreeSet<usize>)>,
    /// The subscriptions that changed since the last check.
    pub(super) changed_subscriptions: BTreeSet<usize>,
    /// How many events each subscription emitted without a request since the last check.
    pub(super) unrequested_events: BTreeMap<usize, usize>,
}

impl ReferenceModel {
    pub(super) fn new(now: i64) -> Self {
        Self {
            now,
            policy: Policy { past_due: true, unpaid: false, paused: true },
            pausing_failure: PausingFailure::None,
            features: Vec::new(),
            products: Vec::new(),
            prices: Vec::new(),
            clocks: Vec::new(),
            customers: Vec::new(),
            subscriptions: Vec::new(),
            entitlement_changes: Vec::new(),
            changed_subscriptions: BTreeSet::new(),
            unrequested_events: BTreeMap::new(),
        }
    }

    /// The current time of a customer. Requests are rejected while its clock advances or is deleted.
    pub(super) fn time_of(&self, customer: usize) -> Result<i64, ErrorStatus> {
        match self.customers[customer].clock.map(|clock| &self.clocks[clock]) {
            None => Ok(self.now),
            Some(Clock { time, state: ClockState::Ready, .. }) => Ok(*time),
            Some(_) => Err(400),
        }
    }

    fn grants(&self, subscription: &Subscription) -> bool {
        match subscription.status {
            Status::Active | Status::Trialing => true,
            Status::PastDue => self.policy.past_due,
            Status::Unpaid => self.policy.unpaid,
            Status::Paused => {
                let is_by_trial = |(reason, _)| reason == PauseReason::TrialEnded;
                self.policy.paused && subscription.pause.is_some_and(is_by_trial)
            }
            Status::Incomplete | Status::IncompleteExpired | Status::Canceled => false,
        }
    }

    pub(super) fn subscriptions_of(&self, customer: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.subscriptions.len())
            .filter(move |index| self.subscriptions[*index].customer == customer)
    }

    /// The union of the features that the subscriptions of a customer grant.
    fn entitlements_of(&self, customer: usize) -> BTreeSet<usize> {
        let all = self.subscriptions.iter().filter(|it| it.customer == customer);
        let granting = all.filter(|it| self.grants(it));
        granting.flat_map(|it| &it.items).flat_map(|item| &item.features).copied().collect()
    }

    /// Recomputes the entitlements of a customer, and records a change.
    pub(super) fn recompute(&mut self, customer: usize) {
        let entitlements = self.entitlements_of(customer);
        if entitlements != self.customers[customer].entitlements {
            self.customers[customer].entitlements.clone_from(&entitlements);
            self.entitlement_changes.push((customer, entitlements));
        }
    }

    /// The features of the product of a price.
    pub(super) fn features_of(&self, price: usize) -> BTreeSet<usize> {
        self.products[self.prices[price].product].features.clone()
    }

    /// Takes a snapshot of the features for each item.
    pub(super) fn snapshot_features(&self, subscription: &mut Subscription) {
        for item in &mut subscription.items {
            item.features = self.features_of(item.price);
        }
    }

    /// The payment method of a subscription, or of its customer.
    fn payment_method_of(&self, subscription: &Subscription) -> PaymentMethod {
        match subscription.payment_method {
            PaymentMethod::None => self.customers[subscription.customer].payment_method,
            own => own,
        }
    }

    pub(super) fn is_free(&self, subscription: &Subscription) -> bool {
        subscription.items.iter().all(|item| self.prices[item.price].is_free)
    }

    /// The payment method that decides the result of a charge. A charge of nothing always succeeds.
    pub(super) fn charged_method(&self, subscription: &Subscription) -> PaymentMethod {
        match self.payment_method_of(subscription) {
            _ if self.is_free(subscription) => PaymentMethod::Valid,
            _ if subscription.sends_invoices => PaymentMethod::None,
            method => method,
        }
    }

    /// Replaces a subscription. The entitlements of its customer are recomputed only if the status or
    /// the features of the items differ.
    pub(super) fn save(&mut self, index: usize, after: Subscription) {
        let before = &self.subscriptions[index];
        let features = before.items.iter().map(|item| &item.features);
        let same_features = features.eq(after.items.iter().map(|item| &item.features));
        let affects_entitlements = before.status != after.status || !same_features;
        let customer = after.customer;
        self.changed_subscriptions.insert(index);
        self.subscriptions[index] = after;
        if affects_entitlements {
            self.recompute(customer);
        }
    }

    /// Replaces a subscription without a request.
    pub(super) fn save_unrequested(&mut self, index: usize, after: Subscription) {
        let is_paused = |it: &Subscription| it.status == Status::Paused;
        // The beginning of a pause has two events.
        let events =
            if is_paused(&after) && !is_paused(&self.subscriptions[index]) { 2 } else { 1 };
        *self.unrequested_events.entry(index).or_default() += events;
        self.save(index, after);
    }

    /// Runs the transitions of some subscriptions that are due until a time, in due order.
    fn run_transitions(&mut self, until: i64, selects: impl Fn(&Self, &Subscription) -> bool) {
        loop {
            let selected =
                self.subscriptions.iter().enumerate().filter(|(_, it)| selects(self, it));
            let due = selected.filter_map(|(index, it)| {
                it.next_transition().map(|(at, transition)| (at, index, transition))
            });
            let Some((at, index, transition)) = due.min().filter(|(at, ..)| *at <= until) else {
                return;
            };
            let after = self.apply_transition(&self.subscriptions[index], transition, at);
            self.save_unrequested(index, after);
        }
    }

    /// The states of a subscription after each transition that is due until a time.
    pub(super) fn due_states(&self, subscription: &Subscription, until: i64) -> Vec<Subscription> {
        let mut states: Vec<Subscription> = Vec::new();
        loop {
            let last = states.last().unwrap_or(subscription);
            let due = last.next_transition().filter(|(at, _)| *at <= until);
            let Some((at, transition)) = due else { return states };
            states.push(self.apply_transition(last, transition, at));
        }
    }

    /// Runs the due transitions of a customer without a test clock.
    pub(super) fn apply_due(&mut self, customer: usize) {
        if self.customers[customer].clock.is_none() {
            self.run_transitions(self.now, |_, it| it.customer == customer);
        }
    }

    /// Runs the background work.
    pub(super) fn run_due(&mut self) {
        for index in 0..self.clocks.len() {
            let Clock { state, expires_at, .. } = self.clocks[index];
            if let ClockState::Advancing(target) = state {
                let is_on_clock = |model: &Self, it: &Subscription| {
                    model.customers[it.customer].clock == Some(index)
                };
                self.run_transitions(target, is_on_clock);
                self.clocks[index].time = target;
                self.clocks[index].state = ClockState::Ready;
            }
            let is_expired = state != ClockState::Deleted && expires_at <= self.now;
            if state == ClockState::Deleting || is_expired {
                self.delete_customers_of(index);
                self.clocks[index].state = ClockState::Deleted;
            }
        }
        self.run_transitions(self.now, |model, it| model.customers[it.customer].clock.is_none());
        (0..self.customers.len()).for_each(|customer| self.recompute(customer));
    }

    /// Deletes the customers of a clock.
    fn delete_customers_of(&mut self, clock: usize) {
        for customer in 0..self.customers.len() {
            let Customer { clock: its_clock, is_deleted, .. } = self.customers[customer];
            if its_clock == Some(clock) && !is_deleted {
                for (index, canceled) in self.delete_customer(customer, self.clocks[clock].time) {
                    self.save_unrequested(index, canceled);
                }
            }
        }
    }

    /// Deletes a customer, and returns its canceled subscriptions, which the caller saves.
    pub(super) fn delete_customer(
        &mut self,
        customer: usize,
        now: i64,
    ) -> Vec<(usize, Subscription)> {
        self.customers[customer].is_deleted = true;
        let all =
            self.subscriptions_of(customer).map(|index| (index, self.subscriptions[index].clone()));
        let mut canceled: Vec<_> = all.filter(|(_, it)| !it.status.is_ended()).collect();
        for (_, subscription) in &mut canceled {
            subscription.cancel(now, CancellationReason::Requested);
        }
        canceled
    }

    fn apply_transition(
        &self,
        before: &Subscription,
        transition: Transition,
        at: i64,
    ) -> Subscription {
        let mut after = before.clone();
        match transition {
            Transition::Cancel => after.cancel(at, CancellationReason::Requested),
            Transition::EndDunning
                if self.pausing_failure == PausingFailure::Final && !after.sends_invoices =>
            {
                after.pause(PauseReason::FinalFailure, at);
            }
            Transition::EndDunning => after.cancel(at, CancellationReason::PaymentFailed),
            Transition::Expire => {
                after.set_status(Status::IncompleteExpired);
                after.ended_at = Some(at);
            }
            Transition::ResumeCollection => after.collection_resumes_at = None,
            Transition::AnnounceTrialEnd => {}
            Transition::EndTrial => self.end_trial(&mut after, at),
            Transition::Renew => {
                after.start_period(at);
                if after.status != Status::Unpaid {
                    self.charge_renewal(&mut after, self.charged_method(before), at);
                }
                let renewed = after.clone();
                for item in &mut after.items {
                    // An item within a longer period keeps its features.
                    if transition == Transition::EndTrial || renewed.item_period(item).0 == at {
                        item.features = self.features_of(item.price);
                    }
                }
            }
        }
        after.announce_trial_end(Some(before), at);
        after
    }

    /// Charges a renewal. If the charge is declined, the subscription is past due or paused.
    fn charge_renewal(&self, subscription: &mut Subscription, method: PaymentMethod, at: i64) {
        if (self.pausing_failure, method) == (PausingFailure::First, PaymentMethod::Declined) {
            subscription.pause(PauseReason::FirstFailure, at);
        } else {
            subscription.apply_charge(method, at);
        }
    }

    /// Whether a payment is required, and no payment method is known.
    pub(super) fn lacks_method(&self, subscription: &Subscription) -> bool {
        !self.is_free(subscription) && self.payment_method_of(subscription) == PaymentMethod::None
    }

    /// Ends a trial: starts a period, or does what is set for a missing payment method.
    pub(super) fn end_trial(&self, subscription: &mut Subscription, at: i64) {
        subscription.cut_trial(at);
        match subscription.missing_method {
            MissingMethod::Cancel if self.lacks_method(subscription) => {
                subscription.cancel(at, CancellationReason::PaymentFailed);
            }
            MissingMethod::Pause if self.lacks_method(subscription) => {
                subscription.pause(PauseReason::TrialEnded, at);
            }
            MissingMethod::Cancel | MissingMethod::Pause | MissingMethod::CreateInvoice => {
                subscription.start_period(at);
                self.charge_renewal(subscription, self.charged_method(subscription), at);
                self.snapshot_features(subscription);
            }
        }
    }
}
