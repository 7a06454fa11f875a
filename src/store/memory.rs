//! Both stores in memory, for tests: they keep what a test looks at, and fail when it says so.
//!
//! A store fails in two ways that look alike from outside: before the write, and after it. Tests
//! queue a [`Fault`] for the next call of either kind. Nothing here outlives the process.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, VecDeque},
};

use super::{Error, Ledger, Receipt, Replica, Store};
use crate::{
    entitlement::{Entitlements, Summary, Version},
    id::{Customer, EventId, Timestamp},
    ledger::{self, EVENT_MEMORY, Sighting},
};

/// How the next call of a store fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nothing is done, and an error answered.
    Before,
    /// The work is done, and an error answered.
    After,
}

/// A ledger and its replica in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// The truth.
    pub ledger: MemoryLedger,
    /// The copy. Nothing writes it but a test, through [`Memory::replicate()`] or itself.
    pub replica: MemoryReplica,
}

/// A ledger in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    customers: RefCell<HashMap<Customer, Row>>,
    faults: RefCell<VecDeque<Fault>>,
}

/// A replica in memory.
#[derive(Debug, Default)]
pub struct MemoryReplica {
    copies: RefCell<HashMap<Customer, Entitlements>>,
    faults: RefCell<VecDeque<Fault>>,
}

#[derive(Debug, Default)]
struct Row {
    held: Option<Entitlements>,
    seen: BTreeMap<EventId, Timestamp>,
}

impl Memory {
    /// Copies what the ledger holds into the replica, as the outbox does in time.
    pub fn replicate(&self) {
        let customers = self.ledger.customers.borrow();
        let sets = customers.iter().filter_map(|(customer, row)| {
            row.held.as_ref().map(|held| (customer.clone(), held.clone()))
        });
        self.replica.copies.borrow_mut().extend(sets);
    }
}

impl MemoryLedger {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl MemoryReplica {
    /// Lets the next call fail.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.borrow_mut().push_back(fault);
    }
}

impl Store for Memory {
    fn ledger(&self) -> &impl Ledger {
        &self.ledger
    }

    fn replica(&self) -> &impl Replica {
        &self.replica
    }
}

impl Ledger for MemoryLedger {
    async fn apply(&self, summary: &Summary, now: Timestamp) -> Result<Receipt, Error> {
        faulty(&self.faults, "ledger", || {
            let mut customers = self.customers.borrow_mut();
            let row = customers.entry(summary.customer.clone()).or_default();
            row.seen.retain(|_, seen| now.0.saturating_sub(seen.0) <= EVENT_MEMORY);
            let sighting = if row.seen.contains_key(&summary.event) {
                Sighting::Repeated
            } else {
                Sighting::First
            };
            let outcome = ledger::apply(row.held.as_ref(), sighting, summary)?;
            row.seen.entry(summary.event.clone()).or_insert(now);
            let before = row.held.as_ref().map_or(Version::default(), |held| held.version);
            let (receipt, set) = Receipt::of(outcome, before);
            row.held = set.or(row.held.take());
            Ok(receipt)
        })
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error> {
        faulty(&self.faults, "ledger", || {
            let customers = self.customers.borrow();
            Ok(customers.get(customer).and_then(|row| row.held.clone()))
        })
    }
}

impl Replica for MemoryReplica {
    async fn save(&self, customer: &Customer, set: &Entitlements) -> Result<(), Error> {
        faulty(&self.faults, "replica", || {
            self.copies.borrow_mut().insert(customer.clone(), set.clone());
            Ok(())
        })
    }

    async fn load(&self, customer: &Customer) -> Result<Option<Entitlements>, Error> {
        faulty(&self.faults, "replica", || Ok(self.copies.borrow().get(customer).cloned()))
    }
}

fn faulty<T>(
    faults: &RefCell<VecDeque<Fault>>,
    port: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let failure = |cause: &str| Error::Unreachable { port, cause: cause.to_owned() };
    let fault = faults.borrow_mut().pop_front();
    match fault {
        None => work(),
        Some(Fault::Before) => Err(failure("told to fail before the work")),
        Some(Fault::After) => {
            work()?;
            Err(failure("told to fail after the work"))
        }
    }
}
