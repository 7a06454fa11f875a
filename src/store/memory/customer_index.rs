//! The roster in memory.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
};

use super::fault::{Fault, with_fault};
use crate::{
    id::{CustomerId, CustomerKey, Livemode, LookupKey},
    ledger::{StatusReport, SyncStatus},
    store::{
        Backlog, CustomerIndex, CustomerSyncStatus, Error,
        pagination::{Cursor, PageOf, PageRequest},
    },
};

/// A roster in memory.
#[derive(Debug, Default)]
pub struct MemoryCustomerIndex {
    /// What is owed.
    pub backlog: RefCell<Backlog>,
    /// How often it was asked for features.
    pub calls: Cell<u32>,
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
    customers: RefCell<HashMap<Livemode, BTreeMap<CustomerId, SyncStatus>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryCustomerIndex {
    /// Lets the next question about features or customers fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Notes what a customer's ledger reports.
    pub fn record(&self, customer: &CustomerKey, report: StatusReport) {
        let StatusReport { status: standing, features } = report;
        self.features.borrow_mut().entry(customer.livemode).or_default().extend(features);
        let mut customers = self.customers.borrow_mut();
        customers.entry(customer.livemode).or_default().insert(customer.id.clone(), standing);
    }
}

impl CustomerIndex for MemoryCustomerIndex {
    async fn load_backlog(&self) -> Result<Backlog, Error> {
        Ok(*self.backlog.borrow())
    }

    async fn list_features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error> {
        self.calls.set(self.calls.get().saturating_add(1));
        with_fault(&self.faults, "roster", || {
            let features = self.features.borrow();
            Ok(features.get(&livemode).into_iter().flatten().cloned().collect())
        })
    }

    async fn list_customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        part: &PageRequest<CustomerId>,
    ) -> Result<PageOf<CustomerSyncStatus>, Error> {
        with_fault(&self.faults, "roster", || {
            let customers = self.customers.borrow();
            let all = customers.get(&livemode).into_iter().flatten();
            let prefix = prefix.map_or("", CustomerId::as_str);
            let all = all.filter(|(id, _)| id.as_str().starts_with(prefix));
            let known =
                all.map(|(id, standing)| CustomerSyncStatus { id: id.clone(), status: *standing });
            Ok(match &part.cursor {
                Cursor::Start => PageOf::from_fetched(part, known),
                Cursor::After(place) => {
                    PageOf::from_fetched(part, known.filter(|known| known.id > *place))
                }
                Cursor::Before(place) => {
                    PageOf::from_fetched(part, known.filter(|known| known.id < *place).rev())
                }
            })
        })
    }
}
