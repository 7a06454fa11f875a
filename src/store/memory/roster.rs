//! The roster in memory.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
};

use super::{Fault, faulty};
use crate::{
    id::{Customer, CustomerId, Livemode, LookupKey},
    ledger::{Report, Standing},
    store::{
        Backlog, Error, Known, Roster,
        part::{Cursor, Listed, Part},
    },
};

/// A roster in memory.
#[derive(Debug, Default)]
pub struct MemoryRoster {
    /// What is owed.
    pub backlog: RefCell<Backlog>,
    /// How often it was asked for features.
    pub asked: Cell<u32>,
    features: RefCell<HashMap<Livemode, BTreeSet<LookupKey>>>,
    customers: RefCell<HashMap<Livemode, BTreeMap<CustomerId, Standing>>>,
    faults: RefCell<VecDeque<Fault>>,
}

impl MemoryRoster {
    /// Lets the next question about features or customers fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }

    /// Notes what a customer's ledger reports.
    pub fn note(&self, customer: &Customer, report: Report) {
        let Report { standing, features } = report;
        self.features.borrow_mut().entry(customer.livemode).or_default().extend(features);
        let mut customers = self.customers.borrow_mut();
        customers.entry(customer.livemode).or_default().insert(customer.id.clone(), standing);
    }
}

impl Roster for MemoryRoster {
    async fn backlog(&self) -> Result<Backlog, Error> {
        Ok(*self.backlog.borrow())
    }

    async fn features(&self, livemode: Livemode) -> Result<Vec<LookupKey>, Error> {
        self.asked.set(self.asked.get().saturating_add(1));
        faulty(&self.faults, "roster", || {
            let features = self.features.borrow();
            Ok(features.get(&livemode).into_iter().flatten().cloned().collect())
        })
    }

    async fn customers(
        &self,
        livemode: Livemode,
        prefix: Option<&CustomerId>,
        part: &Part<CustomerId>,
    ) -> Result<Listed<Known>, Error> {
        faulty(&self.faults, "roster", || {
            let customers = self.customers.borrow();
            let all = customers.get(&livemode).into_iter().flatten();
            let prefix = prefix.map_or("", CustomerId::as_str);
            let all = all.filter(|(id, _)| id.as_str().starts_with(prefix));
            let known = all.map(|(id, standing)| Known { id: id.clone(), standing: *standing });
            Ok(match &part.cursor {
                Cursor::Start => Listed::of(part, known),
                Cursor::After(place) => Listed::of(part, known.filter(|known| known.id > *place)),
                Cursor::Before(place) => {
                    Listed::of(part, known.filter(|known| known.id < *place).rev())
                }
            })
        })
    }
}
