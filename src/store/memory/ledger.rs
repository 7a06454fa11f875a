//! The ledger in memory.

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

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    /// The source, if there is one.
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
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<ApplyReceipt, Error> {
        with_fault(&self.faults, "ledger", || {
            let mut customers = self.customers.borrow_mut();
            let row = customers.entry(summary.customer.clone()).or_default();
            row.events.retain(|_, seen| now.0.saturating_sub(seen.0) <= EVENT_RETENTION);
            let sighting =
                if row.events.contains_key(&summary.event) { Dedup::Duplicate } else { Dedup::New };
            let list =
                if self.source.is_some() { SourceAccess::Available } else { SourceAccess::None };
            let receipt = row.state.apply_event(summary, sighting, list, UnixMillis::from(now))?;
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
        let held = self.entitlements(customer);
        let known = held.as_ref().is_some_and(|held| held.can_answer(features));
        if known || self.source.is_none() {
            return Ok(LoadedSet { entitlements: held, served_by: ServedBy::Ledger });
        }
        match self.sync(customer, None).await {
            Err(_) if held.is_some() => {
                Ok(LoadedSet { entitlements: held, served_by: ServedBy::Ledger })
            }
            found => found,
        }
    }

    async fn sync(&self, customer: &CustomerKey, _: Option<&WaitFor>) -> Result<LoadedSet, Error> {
        let unreachable = |cause: String| Error::Unreachable { port: "source", cause };
        let Some(stripe) = &self.source else { return Err(unreachable("no key".to_owned())) };
        let told = stripe
            .list_entitlements(&customer.id)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let mut customers = self.customers.borrow_mut();
        let mut account =
            customers.get(customer).map_or_else(LedgerState::default, |row| row.state.clone());
        let now = stripe.transport().now();
        let finding = account.apply_source_list(
            account.begin_source_read(),
            ReadReason::OnDemand,
            &told,
            now,
        )?;
        if finding == Reconciliation::NotFoundAtSource {
            return Err(unreachable("Stripe knows no such customer".to_owned()));
        }
        let activity = Activity::from_reconciliation(&finding, account.version(), now);
        self.activities.borrow_mut().extend(activity.map(|activity| (customer.clone(), activity)));
        let held = account.entitlements.clone();
        // Nobody is nobody's row.
        if held.is_some() {
            customers.entry(customer.clone()).or_default().state = account;
        }
        Ok(LoadedSet { entitlements: held, served_by: ServedBy::Source })
    }
}

impl MemoryLedger {
    fn entitlements(&self, customer: &CustomerKey) -> Option<Entitlements> {
        self.customers.borrow().get(customer).and_then(|row| row.state.entitlements.clone())
    }
}
