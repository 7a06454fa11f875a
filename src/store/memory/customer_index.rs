//! The customer index in memory.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, LookupKey},
    ledger::{StatusReport, SyncStatus},
    pagination::{Cursor, PageOf, PageRequest},
    store::{CustomerIndex, CustomerSyncStatus, Error},
};

/// A customer index in memory.
#[derive(Debug, Default)]
pub struct MemoryCustomerIndex {
    /// The number of calls of [`CustomerIndex::list_features()`].
    pub calls: Cell<u32>,
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
    customers: RefCell<HashMap<Livemode, BTreeMap<CustomerId, SyncStatus>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryCustomerIndex {
    /// Makes the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Stores the report of a customer's ledger.
    pub fn record(&self, customer: &CustomerKey, report: StatusReport) {
        let StatusReport { status, features } = report;
        self.features.borrow_mut().entry(customer.livemode).or_default().extend(features);
        let mut customers = self.customers.borrow_mut();
        customers.entry(customer.livemode).or_default().insert(customer.id.clone(), status);
    }
}

impl CustomerIndex for MemoryCustomerIndex {
    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error> {
        self.calls.set(self.calls.get().saturating_add(1));
        with_fault(&self.faults, "customer index", || {
            let features = self.features.borrow();
            Ok(features.get(&livemode).into_iter().flatten().cloned().collect())
        })
    }

    async fn list_customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        page: &PageRequest<CustomerId>,
    ) -> Result<PageOf<CustomerSyncStatus>, Error> {
        with_fault(&self.faults, "customer index", || {
            let customers = self.customers.borrow();
            let all = customers.get(&livemode).into_iter().flatten();
            let prefix = prefix.map_or("", CustomerId::as_str);
            let all = all.filter(|(id, _)| id.as_str().starts_with(prefix));
            let entries =
                all.map(|(id, status)| CustomerSyncStatus { id: id.clone(), status: *status });
            Ok(match &page.cursor {
                Cursor::Start => PageOf::from_fetched(page, entries),
                Cursor::After(id) => {
                    PageOf::from_fetched(page, entries.filter(|entry| entry.id > *id))
                }
                Cursor::Before(id) => {
                    PageOf::from_fetched(page, entries.filter(|entry| entry.id < *id).rev())
                }
            })
        })
    }
}
