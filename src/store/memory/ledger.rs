//! The ledger in memory.
//!
//! It applies the same steps as the Durable Object, without alarms. [`WaitFor`] is ignored.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    entitlement::{Entitlements, Summary},
    id::{CustomerKey, EventId, LookupKey, Timestamp, UnixMillis},
    ledger::{
        Activity, ApplyReceipt, Dedup, EVENT_RETENTION, LedgerState, ReadReason, Reconciliation,
        SourceAccess,
    },
    source::{self, StripeClient, Transport as _},
    store::{Error, Ledger, LoadedSet, ServedBy, WaitFor},
};

/// The ledgers of all customers in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// The client for the source, if there is one.
    pub source: Option<StripeClient<source::fake::FakeStripe>>,
    pub(super) customers: RefCell<HashMap<CustomerKey, CustomerRow>>,
    pub(super) activities: RefCell<Vec<(CustomerKey, Activity)>>,
    faults: RefCell<VecDeque<Fault>>,
}

#[derive(Debug, Default)]
pub(super) struct CustomerRow {
    pub(super) state: LedgerState,
    events: BTreeMap<EventId, Timestamp>,
}

impl MemoryLedger {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    fn entitlements(&self, customer: &CustomerKey) -> Option<Entitlements> {
        self.customers.borrow().get(customer).and_then(|row| row.state.entitlements.clone())
    }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error> {
        with_fault(&self.faults, "ledger", || {
            let mut customers = self.customers.borrow_mut();
            let row = customers.entry(summary.customer.clone()).or_default();
            row.events.retain(|_, received| now.0.saturating_sub(received.0) <= EVENT_RETENTION);
            let dedup =
                if row.events.contains_key(&summary.event) { Dedup::Duplicate } else { Dedup::New };
            let access =
                if self.source.is_some() { SourceAccess::Available } else { SourceAccess::None };
            let receipt = row.state.apply_event(summary, dedup, access, UnixMillis::from(now))?;
            row.events.entry(summary.event.clone()).or_insert(now);
            let activity = Activity::from_event(summary, receipt, UnixMillis::from(now));
            self.activities.borrow_mut().push((summary.customer.clone(), activity));
            Ok(receipt)
        })
    }

    async fn load(
        &self,
        customer: &CustomerKey,
        features: &[LookupKey],
    ) -> Result<LoadedSet, Error> {
        with_fault(&self.faults, "ledger", || Ok(()))?;
        let entitlements = self.entitlements(customer);
        let can_answer = entitlements.as_ref().is_some_and(|set| set.can_answer(features));
        if can_answer || self.source.is_none() {
            return Ok(LoadedSet { entitlements, served_by: ServedBy::Ledger });
        }
        match self.sync(customer, None).await {
            Err(_) if entitlements.is_some() => {
                Ok(LoadedSet { entitlements, served_by: ServedBy::Ledger })
            }
            result => result,
        }
    }

    async fn sync(&self, customer: &CustomerKey, _: Option<&WaitFor>) -> Result<LoadedSet, Error> {
        let unreachable = |cause: String| Error::Unreachable { port: "source", cause };
        let Some(stripe) = &self.source else { return Err(unreachable("no key".to_owned())) };
        let source = stripe
            .list_entitlements(&customer.id)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let mut customers = self.customers.borrow_mut();
        let mut state =
            customers.get(customer).map_or_else(LedgerState::default, |row| row.state.clone());
        let now = stripe.transport().now();
        let reconciliation = state.apply_source_list(
            state.begin_source_read(),
            ReadReason::OnDemand,
            &source,
            now,
        )?;
        if reconciliation == Reconciliation::NotFoundAtSource {
            return Err(unreachable("Stripe has no such customer".to_owned()));
        }
        let activity = Activity::from_reconciliation(&reconciliation, state.version(), now);
        self.activities.borrow_mut().extend(activity.map(|activity| (customer.clone(), activity)));
        let entitlements = state.entitlements.clone();
        // An unknown customer gets no row.
        if entitlements.is_some() {
            customers.entry(customer.clone()).or_default().state = state;
        }
        Ok(LoadedSet { entitlements, served_by: ServedBy::Source })
    }
}
